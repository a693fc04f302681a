/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit_view.h"

#include <json-c/json.h>
#include <stdio.h>
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

static struct json_object *path_status(const struct mpath_info *p)
{
	struct json_object *o = json_object_new_object();

	put_number(o, "id", (uint64_t)p->id);
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

static struct json_object *path_stats(const struct mpath_info *p)
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
	control_add(o, "read_latency_us", latency_view(p->read_latency));
	control_add(o, "write_latency_us", latency_view(p->write_latency));
	return o;
}

static struct json_object *paths_view(const struct mpdev *dev,
	struct json_object *(*view)(const struct mpath_info *))
{
	struct json_object *list = json_object_new_array();
	struct mpath_info info;

	for (unsigned n = 0; mpdev_path_info(dev, n, &info); n++)
		control_append(list, view(&info));
	return list;
}

static struct json_object *group_status(
	const struct mpdev *dev, unsigned n, const struct mpath_group_info *g)
{
	struct json_object *o = json_object_new_object();
	struct json_object *paths = json_object_new_array();
	struct mpath_info path;

	for (unsigned i = 0; mpdev_path_info(dev, i, &path); i++)
		if (path.group == n)
			control_append(paths, json_object_new_int(path.id));
	put_number(o, "id", n);
	control_add(o, "priority", json_object_new_int(g->priority));
	put_text(o, "state",
		g->in_use && g->usable ? "active"
		: g->up                ? "standby"
				       : "failed");
	control_add(o, "paths", paths);
	return o;
}

static struct json_object *groups_view(const struct mpdev *dev)
{
	struct json_object *list = json_object_new_array();
	struct mpath_group_info group;

	for (unsigned n = 0; mpdev_group_info(dev, n, &group); n++)
		control_append(list, group_status(dev, n, &group));
	return list;
}

void unit_view_fill(
	const struct mpdev *dev, enum unit_view view, struct json_object *into)
{
	struct mpdev_snapshot s;

	mpdev_snapshot(dev, &s);
	if (view == UNIT_STATS) {
		put_number(into, "failovers", s.failovers);
		put_number(into, "queued", s.queued);
		control_add(into, "sessions", paths_view(dev, path_stats));
		return;
	}
	put_text(into, "wwid", s.wwid);
	put_number(into, "size", s.info.size);
	put_number(into, "block_size", s.info.block_size);
	put_text(into, "state", mpdev_state_name(s.state));
	put_text(into, "policy", s.policy);
	put_number(into, "queued", s.queued);
	if (s.pr_key) {
		char key[24];

		snprintf(key, sizeof key, "0x%llx",
			(unsigned long long)s.pr_key);
		put_text(into, "reservation_key", key);
	}
	control_add(into, "groups", groups_view(dev));
	control_add(into, "paths", paths_view(dev, path_status));
}
