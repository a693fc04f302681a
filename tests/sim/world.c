/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include "check.h"
#include "faults.h"
#include "features.h"
#include "trace.h"

#include <stdio.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/loop.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_world.h"

#define SAMPLE_EVERY 50000000ull /* ns */

uint16_t world_group(const struct world *w, unsigned path)
{
	return w->plan->one_group ? 1 : (uint16_t)(path + 1);
}

/* Whose session it is says the ISID that add_path() gives. */
static bool is_of(const struct t_session *s, unsigned path)
{
	return s && s->isid[5] == path + 1;
}

struct addr world_addr(const struct world *w, unsigned path, unsigned portal)
{
	char text[32];

	(void)w;
	snprintf(text, sizeof text, "10.0.%u.%u:3260", path + 1, portal + 1);
	return t_addr(text);
}

struct t_wire *world_wire(const struct world *w, unsigned path, unsigned portal)
{
	struct addr at = world_addr(w, path, portal);

	return t_wire_at(&at);
}

struct t_target *world_target(struct world *w, unsigned path)
{
	return w->target[path % w->plan->targets];
}

struct t_conn *world_conn(struct world *w, unsigned path, uint64_t dice)
{
	struct t_target *t = world_target(w, path);
	unsigned n = 0;
	struct t_conn *c;

	TAILQ_FOREACH (c, &t->conns, link)
		n += c->state == T_FULL_FEATURE && is_of(c->session, path);
	if (n == 0)
		return NULL;
	n = (unsigned)(dice % n);
	TAILQ_FOREACH (c, &t->conns, link)
		if (c->state == T_FULL_FEATURE && is_of(c->session, path) &&
			n-- == 0)
			return c;
	return NULL;
}

struct t_session *world_session(struct world *w, unsigned path)
{
	struct t_session *s;

	LIST_FOREACH (s, &world_target(w, path)->sessions, link)
		if (is_of(s, path) && s->has_nexus)
			return s;
	return NULL;
}

bool world_is_whole(const struct world *w)
{
	struct mpdev_snapshot s;

	mpdev_snapshot(w->dev, &s);
	return s.active == s.paths;
}

/* The medium */

static void on_changed(void *arg, uint64_t lba, uint64_t blocks)
{
	struct world *w = arg;
	uint32_t per_block = w->plan->block_size / w->plan->grain;
	uint32_t first = (uint32_t)lba * per_block;
	uint32_t number =
		oracle_executed(w->oracle, first, (uint32_t)blocks * per_block,
			w->lun->memory + lba * w->plan->block_size);

	trace_note(TRACE_EXECUTED, lba, blocks, number, 0);
}

void world_power_cut(struct world *w)
{
	trace_note(TRACE_CUT, 0, 0, 0, 0);
	t_lun_power_cut(w->lun);
	oracle_power_cut(w->oracle, w->lun->memory, !feature(FEATURE_RETAIN));
}

/* The device */

static void on_ready(void *arg)
{
	((struct world *)arg)->ready++;
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	struct world *w = arg;
	char text[256];

	snprintf(text, sizeof text, "%s: %s", event, reason);
	trace_text(TRACE_EVENT, path, text);
	if (strcmp(event, "cache-lost") == 0) {
		oracle_forgive(w->oracle);
		w->owed = true;
	}
}

void world_heed_losses(struct world *w)
{
	if (w->losses == w->blk->losses)
		return;
	w->losses = w->blk->losses;
	if (w->starved)
		oracle_forgive(w->oracle);
}

static void on_hopeless(void *arg, const char *reason)
{
	(void)arg;
	trace_text(TRACE_EVENT, -1, reason);
}

static void on_drained(void *arg, int err)
{
	struct world *w = arg;

	w->drained++;
	w->drain_error = err;
}

static const struct mpdev_events events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

static void add_path(struct world *w, unsigned path)
{
	const struct plan *p = w->plan;
	struct iscsi_config config;

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:simulated";
	config.target_name = world_target(w, path)->options.name;
	config.nportals = p->portals;
	for (unsigned i = 0; i < p->portals; i++) {
		snprintf(config.portals[i].host, sizeof config.portals[i].host,
			"10.0.%u.%u", path + 1, i + 1);
		config.portals[i].port = 3260;
	}
	config.lun[1] = 1;
	config.isid[0] = 0x80;
	config.isid[5] = (uint8_t)(path + 1);
	config.offer = p->offer;
	config.spread = p->spread;
	config.timeouts = p->timeouts;
	mpdev_add_path(w->dev, iscsi_path_new(w->near, &config), NULL);
}

static void add_targets(struct world *w)
{
	static const char *const names[PLAN_TARGETS] = {
		"iqn.2003-01.org.example:left",
		"iqn.2003-01.org.example:right",
	};
	struct t_target_options options = w->plan->target;

	for (unsigned i = 0; i < w->plan->targets; i++) {
		options.name = names[i];
		w->target[i] = t_target_new(w->far, w->lun, &options);
	}
}

/* Each portal is a door of its own, all of a path lead to one portal group. */
static void open_portal(struct world *w, unsigned path, unsigned portal)
{
	struct t_target *t = world_target(w, path);
	struct addr at = world_addr(w, path, portal);
	struct t_wire *wire = t_wire_at(&at);
	unsigned door = path * PLAN_PORTALS + portal;

	wire->way[T_OUT].delay_ns = wire->way[T_IN].delay_ns =
		w->plan->delay[path];
	t->options.portals[door] =
		(struct t_portal){"10.0.0.1:3260", world_group(w, path)};
	if (t->options.nportals <= door)
		t->options.nportals = door + 1;
	t_target_listen(t, door, &at);
}

static void sample(void *arg)
{
	struct world *w = arg;
	size_t used = buf_pool_used(loop_pool(w->near));
	struct mpdev_snapshot s;
	unsigned breaches = 0;

	mpdev_snapshot(w->dev, &s);
	if (used > w->peak)
		w->peak = used;
	for (unsigned i = 0; i < w->plan->targets; i++) {
		struct t_target *t = w->target[i];

		breaches += t->violations;
		if (t->violations)
			check_fail(INVARIANT_RULES, "%s", t->violation);
	}
	trace_note(TRACE_SAMPLE, w->inflight, s.active, used >> 10, breaches);
	if (used > WORLD_MEMORY_MAX)
		check_fail(INVARIANT_MEMORY, "%zu bytes of buffers", used);
	loop_timer_set(w->sampler, SAMPLE_EVERY);
}

void world_init(struct world *w, struct plan *plan)
{
	struct rng seed;

	memset(w, 0, sizeof *w);
	w->plan = plan;
	rng_init(&w->rng, plan->seed, 2);
	rng_init(&seed, plan->seed, 3);
	t_world_seed(rng_next(&seed));
	w->near = loop_new();
	w->far = loop_new();
	w->lun = t_lun_new(&plan->disk);
	w->oracle = oracle_new(
		plan->cells, plan->grain, !plan->disk.wce, plan->disk.dpofua);
	w->lun->changed = on_changed;
	w->lun->changed_arg = w;
	w->sampler = loop_timer_new(w->far, sample, w);
	loop_timer_set(w->sampler, SAMPLE_EVERY);
	add_targets(w);
	world_set_hooks(w);
	w->dev = mpdev_new(w->near, "sim", &plan->device, &events, w);
	w->blk = mpdev_blkdev(w->dev);
	for (unsigned i = 0; i < plan->paths; i++) {
		for (unsigned j = 0; j < plan->portals; j++)
			open_portal(w, i, j);
		add_path(w, i);
	}
	for (unsigned i = 0; i < plan->clients; i++)
		client_init(&w->client[i], w, i);
}

void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->plan->clients; i++)
		client_fini(&w->client[i]);
	mpdev_free(w->dev);
	for (unsigned i = 0; i < w->plan->targets; i++)
		t_target_free(w->target[i]);
	for (unsigned i = 0; i < w->plan->faults; i++)
		loop_timer_free(w->fault[i].timer);
	loop_timer_free(w->sampler);
	t_lun_free(w->lun);
	oracle_free(w->oracle);
	if (buf_pool_used(loop_pool(w->near)))
		check_fail(INVARIANT_END, "%zu bytes of buffers are still out",
			buf_pool_used(loop_pool(w->near)));
	loop_free(w->near);
	loop_free(w->far);
}
