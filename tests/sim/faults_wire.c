/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens between: the network, as TCP shows it. */
#include "faults.h"
#include "features.h"
#include "world.h"

#include <umpio/base/units.h>

#define PLAIN_BYTES 4096u /* a login, without digests, is over by then */

typedef void wire_fn(struct t_wire *wire, uint64_t value);

/* On one portal of the path, or on all of them. */
static void each_wire(const struct world_fault *f, wire_fn *fn, uint64_t value)
{
	const struct world *w = f->world;
	unsigned one = (unsigned)(f->plan->dice >> 60) % (PLAN_PORTALS + 1);

	for (unsigned i = 0; i < w->plan->portals; i++)
		if (one >= w->plan->portals || i == one)
			fn(world_wire(w, f->plan->where, i), value);
}

static struct addr some_portal(const struct world_fault *f)
{
	return world_addr(f->world, f->plan->where,
		(unsigned)(f->plan->dice >> 59) % f->world->plan->portals);
}

static enum t_way some_way(const struct world_fault *f)
{
	return f->plan->dice >> 58 & 1 ? T_OUT : T_IN;
}

static const char *way_name(enum t_way way)
{
	return way == T_OUT ? "to the target" : "from the target";
}

static void reset_begin(struct world_fault *f)
{
	struct addr at = some_portal(f);

	fault_say(f, "RST");
	t_wire_reset(&at);
}

static void fin_begin(struct world_fault *f)
{
	struct t_conn *c = world_conn(f->world, f->plan->where, f->plan->dice);

	fault_say(f, "FIN%s", c ? "" : ", but there is no connection");
	if (c)
		t_conn_end(c, false);
}

static void set_refuse(struct t_wire *wire, uint64_t value)
{
	wire->refuse = value;
}

static void down_begin(struct world_fault *f)
{
	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	for (unsigned i = 0; i < f->world->plan->portals; i++) {
		struct addr at = world_addr(f->world, f->plan->where, i);

		t_wire_at(&at)->refuse = true;
		t_wire_reset(&at);
	}
}

static void down_end(struct world_fault *f)
{
	for (unsigned i = 0; i < f->world->plan->portals; i++)
		set_refuse(world_wire(f->world, f->plan->where, i), false);
}

static void set_blackhole(struct t_wire *wire, uint64_t ways)
{
	wire->way[T_OUT].blackhole = ways & 1;
	wire->way[T_IN].blackhole = ways & 2;
}

/* That the initiator gives up a connection does not get through, either. */
static void cut_off(const struct world_fault *f)
{
	struct t_target *t = world_target(f->world, f->plan->where);
	struct t_conn *c;

	TAILQ_FOREACH (c, &t->conns, link)
		if (c->tpgt == world_group(f->world, f->plan->where))
			c->was_stalled = true;
}

static void blackhole_begin(struct world_fault *f)
{
	uint64_t ways = 1 + f->plan->dice % 3;

	if (ways & 1)
		cut_off(f);
	fault_say(f, "%s for %llu ms",
		ways == 3   ? "both ways"
		: ways == 1 ? "to the target"
			    : "from the target",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	each_wire(f, set_blackhole, ways);
}

static void blackhole_end(struct world_fault *f)
{
	each_wire(f, set_blackhole, 0);
}

/* Of a connection that is there, or of the next one from its beginning. */
static void cut_begin(struct world_fault *f)
{
	struct addr at = some_portal(f);
	enum t_way way = some_way(f);
	uint64_t byte = f->plan->dice % 3000;

	if (f->plan->dice >> 40 & 1)
		byte += t_wire_passed(&at, way);
	fault_say(
		f, "at byte %llu %s", (unsigned long long)byte, way_name(way));
	t_wire_at(&at)->way[way].cut_at = byte;
}

static bool has_digests(const struct plan *p)
{
	return p->digests;
}

static void flip_begin(struct world_fault *f)
{
	struct addr at = some_portal(f);
	enum t_way way = some_way(f);
	uint64_t byte = t_wire_passed(&at, way);

	if (byte < PLAIN_BYTES)
		byte = PLAIN_BYTES;
	byte += f->plan->dice % 3000;
	fault_say(
		f, "in byte %llu %s", (unsigned long long)byte, way_name(way));
	world_target(f->world, f->plan->where)->noisy = true;
	t_wire_at(&at)->way[way].flip_at = byte;
}

static void set_rate(struct t_wire *wire, uint64_t rate)
{
	wire->way[T_OUT].rate = rate;
}

static void drain_begin(struct world_fault *f)
{
	uint64_t rate = 20000ull << f->plan->dice % 6;

	fault_say(f, "at %llu bytes/s", (unsigned long long)rate);
	each_wire(f, set_rate, rate);
}

static void drain_end(struct world_fault *f)
{
	each_wire(f, set_rate, 0);
}

static void set_chunk(struct t_wire *wire, uint64_t chunk)
{
	for (unsigned i = 0; i < 2; i++) {
		wire->way[i].chunk = chunk;
		wire->way[i].random_chunk = chunk != 0;
	}
}

static void crumbs_begin(struct world_fault *f)
{
	uint64_t chunk = 16ull << f->plan->dice % 8;

	fault_say(f, "of at most %llu bytes", (unsigned long long)chunk);
	each_wire(f, set_chunk, chunk);
}

static void crumbs_end(struct world_fault *f)
{
	each_wire(f, set_chunk, 0);
}

static void set_delay_in(struct t_wire *wire, uint64_t ns)
{
	wire->way[T_IN].delay_ns = ns;
}

static void set_delay_out(struct t_wire *wire, uint64_t ns)
{
	wire->way[T_OUT].delay_ns = ns;
}

static uint64_t some_delay(const struct world_fault *f)
{
	return (1 + f->plan->dice % 400) * NS_PER_MS;
}

static void delay_in_begin(struct world_fault *f)
{
	fault_say(f, "of %llu ms from the target",
		(unsigned long long)(some_delay(f) / NS_PER_MS));
	each_wire(f, set_delay_in, some_delay(f));
}

static void delay_in_end(struct world_fault *f)
{
	each_wire(f, set_delay_in, f->world->plan->delay[f->plan->where]);
}

/* Bytes that are under way when their connection is aborted arrive. */
static bool has_fence(const struct plan *p)
{
	(void)p;
	return feature(FEATURE_FENCE);
}

/* When it ends, a new connection is ahead of the end of an old one. */
static void delay_out_begin(struct world_fault *f)
{
	struct t_target *target = world_target(f->world, f->plan->where);

	if (target->late_ns < some_delay(f))
		target->late_ns = some_delay(f);
	fault_say(f, "of %llu ms to the target",
		(unsigned long long)(some_delay(f) / NS_PER_MS));
	each_wire(f, set_delay_out, some_delay(f));
}

static void delay_out_end(struct world_fault *f)
{
	each_wire(f, set_delay_out, f->world->plan->delay[f->plan->where]);
}

const struct fault_kind faults_wire[] = {
	{"reset", 10, 0, 0, NULL, reset_begin, NULL},
	{"close", 6, 0, 0, NULL, fin_begin, NULL},
	{"portal down", 8, 10, 15000, NULL, down_begin, down_end},
	{"blackhole", 8, 100, 15000, NULL, blackhole_begin, blackhole_end},
	{"cut", 10, 0, 0, NULL, cut_begin, NULL},
	{"bit flip", 12, 0, 0, has_digests, flip_begin, NULL},
	{"slow drain", 4, 100, 5000, NULL, drain_begin, drain_end},
	{"crumbs", 3, 100, 3000, NULL, crumbs_begin, crumbs_end},
	{"delay", 4, 100, 5000, NULL, delay_in_begin, delay_in_end},
	{"late bytes", 6, 100, 5000, has_fence, delay_out_begin, delay_out_end},
	{NULL, 0, 0, 0, NULL, NULL, NULL},
};
