/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit_view.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

static void put_text(struct json_object *o, const char *key, const char *text)
{
	control_add(o, key, json_object_new_string(text));
}

static void put_number(struct json_object *o, const char *key, uint64_t n)
{
	control_add(o, key, json_object_new_uint64(n));
}

static struct json_object *portals_view(const struct path_facts *facts)
{
	struct json_object *list = json_object_new_array();

	for (const char *const *p = facts->portals; *p; p++)
		control_append(list, json_object_new_string(*p));
	return list;
}

/* Where there are several, what is one queue's says whose it is. */
static void put_queue(struct json_object *o, const struct unit_view_queue *q)
{
	if (q->of > 1)
		put_number(o, "queue", q->number);
}

static struct json_object *path_status(
	const struct unit_view_queue *q, const struct mpath_info *p)
{
	struct json_object *o = json_object_new_object();

	put_number(o, "id", (uint64_t)p->id);
	put_queue(o, q);
	put_text(o, "portal", p->facts.portal);
	control_add(o, "portals", portals_view(&p->facts));
	put_text(o, "target", p->facts.target);
	put_number(o, "tpgt", p->facts.tpgt);
	put_number(o, "lun", p->facts.lun);
	put_text(o, "state", mpath_state_name(p->state));
	put_text(o, "alua", p->alua);
	put_number(o, "group", p->group);
	control_add(o, "priority", json_object_new_int(p->priority));
	put_number(o, "connections", p->facts.connections);
	put_number(o, "inflight", p->inflight);
	put_number(o, "reads", p->reads);
	put_number(o, "writes", p->writes);
	put_number(o, "read_bytes", p->read_bytes);
	put_number(o, "write_bytes", p->write_bytes);
	put_number(o, "errors", p->errors);
	put_number(o, "failovers", p->failovers);
	if (p->reason[0])
		put_text(o, "reason", p->reason);
	if (p->fault[0])
		put_text(o, "fault", p->fault);
	if (p->held_down)
		put_number(o, "held_down_s", 1 + p->held_down / NS_PER_S);
	if (p->marginal)
		put_number(o, "marginal_s", 1 + p->marginal / NS_PER_S);
	return o;
}

static struct json_object *latency_view(const struct histogram *h)
{
	struct json_object *o = json_object_new_object();

	put_number(o, "p50", histogram_quantile(h, 500));
	put_number(o, "p99", histogram_quantile(h, 990));
	put_number(o, "max", h->max_us);
	return o;
}

static struct json_object *path_stats(
	const struct unit_view_queue *q, const struct mpath_info *p)
{
	const struct path_counters *c = &p->counters;
	struct json_object *o = json_object_new_object();
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"path", (uint64_t)p->id},
		{"reads", p->reads},
		{"writes", p->writes},
		{"read_bytes", p->read_bytes},
		{"write_bytes", p->write_bytes},
		{"errors", p->errors},
		{"logins", c->logins},
		{"session_recoveries", c->session_recoveries},
		{"connection_recoveries", c->connection_recoveries},
		{"tasks_reassigned", c->tasks_reassigned},
		{"tasks_retried", c->tasks_retried},
		{"snacks_sent", c->snacks_sent},
		{"digest_errors", c->digest_errors},
		{"fences", c->fences},
		{"sibling_fences", c->sibling_fences},
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		put_number(o, numbers[i].key, numbers[i].value);
	put_queue(o, q);
	control_add(o, "read_latency_us", latency_view(p->read_latency));
	control_add(o, "write_latency_us", latency_view(p->write_latency));
	return o;
}

/* The list under `key`, which the queue before may have begun. */
static struct json_object *list_at(struct json_object *into, const char *key)
{
	struct json_object *list;

	if (json_object_object_get_ex(into, key, &list))
		return list;
	return control_add(into, key, json_object_new_array());
}

static void put_paths(struct json_object *list, const struct unit_view_queue *q,
	struct json_object *(*view)(
		const struct unit_view_queue *, const struct mpath_info *))
{
	struct mpath_info info;

	for (unsigned n = 0; mpdev_path_info(q->dev, n, &info); n++)
		control_append(list, view(q, &info));
}

static struct json_object *group_status(const struct unit_view_queue *q,
	unsigned n, const struct mpath_group_info *g)
{
	struct json_object *o = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct mpath_info path;

	for (unsigned i = 0; mpdev_path_info(q->dev, i, &path); i++)
		if (path.group == n)
			control_append(paths, json_object_new_int(path.id));
	put_number(o, "id", n);
	put_queue(o, q);
	control_add(o, "priority", json_object_new_int(g->priority));
	put_text(o, "state",
		g->in_use && g->usable ? "active"
		: g->up                ? "standby"
				       : "failed");
	control_add(o, "paths", paths);
	return o;
}

static void put_groups(
	struct json_object *list, const struct unit_view_queue *q)
{
	struct mpath_group_info group;

	for (unsigned n = 0; mpdev_group_info(q->dev, n, &group); n++)
		control_append(list, group_status(q, n, &group));
}

/* Adds to what the queues before have. */
static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	struct json_object *before;

	if (json_object_object_get_ex(o, key, &before))
		n += json_object_get_uint64(before);
	put_number(o, key, n);
}

static void least_number(struct json_object *o, const char *key, uint64_t n)
{
	struct json_object *before;

	if (json_object_object_get_ex(o, key, &before) &&
		json_object_get_uint64(before) < n)
		return;
	put_number(o, key, n);
}

/* How a device fares as a whole is how its worst queue does. */
static void worst_state(struct json_object *o, enum mpdev_state state)
{
	static const enum mpdev_state worst_first[] = {
		MPDEV_CONNECTING,
		MPDEV_FAILED,
		MPDEV_QUEUEING,
		MPDEV_DEGRADED,
	};
	struct json_object *before;

	if (json_object_object_get_ex(o, "state", &before)) {
		const char *name = json_object_get_string(before);

		for (size_t i = 0; i < sizeof worst_first / sizeof *worst_first;
			i++) {
			if (worst_first[i] == state)
				break;
			if (strcmp(name, mpdev_state_name(worst_first[i])) == 0)
				return;
		}
		if (state == MPDEV_UP)
			return;
	}
	put_text(o, "state", mpdev_state_name(state));
}

static void put_key(struct json_object *into, uint64_t pr_key)
{
	char key[24];

	snprintf(key, sizeof key, "0x%llx", (unsigned long long)pr_key);
	put_text(into, "reservation_key", key);
}

void unit_view_fill(const struct unit_view_queue *q, enum unit_view view,
	struct json_object *into)
{
	struct mpdev_snapshot s;

	mpdev_snapshot(q->dev, &s);
	if (view == UNIT_STATS) {
		add_number(into, "failovers", s.failovers);
		add_number(into, "queued", s.queued);
		control_append(list_at(into, "clients"),
			json_object_new_uint64(q->clients));
		put_paths(list_at(into, "sessions"), q, path_stats);
		return;
	}
	put_text(into, "wwid", s.wwid);
	least_number(into, "size", s.info.size);
	put_number(into, "block_size", s.info.block_size);
	worst_state(into, s.state);
	put_text(into, "policy", s.policy);
	add_number(into, "queued", s.queued);
	if (s.pr_key)
		put_key(into, s.pr_key);
	put_groups(list_at(into, "groups"), q);
	put_paths(list_at(into, "paths"), q, path_status);
}
