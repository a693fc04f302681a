/* SPDX-License-Identifier: BSD-2-Clause */
#include "plan.h"

#include "faults.h"
#include "features.h"
#include "trace.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>

#define MEDIUM      (512u << 10) /* bytes at most */
#define CELLS       2048u
#define QUIET       (2 * NS_PER_S) /* before the first fault */
#define FAULT_EVERY (1500 * NS_PER_MS)

static void plan_shape(struct plan *p, struct rng *r)
{
	static const unsigned paths[] = {1, 2, 2, 2, 3, 4};
	static const unsigned connections[] = {1, 1, 1, 2, 3, 4};

	p->paths = RNG_PICK(r, paths);
	p->targets = p->paths > 1 && rng_chance(r, 40) ? 2 : 1;
	p->connections = RNG_PICK(r, connections);
	p->portals = p->connections > 1 && rng_chance(r, 70) ? 2 : 1;
	p->level = rng_chance(r, 40) ? 0 : 1 + (unsigned)rng_below(r, 2);
	p->digests = rng_chance(r, 60);
	for (unsigned i = 0; i < p->paths; i++)
		p->delay[i] = i && !feature(FEATURE_FENCE)
				      ? p->delay[0]
				      : rng_log(r, 10000, 5 * NS_PER_MS);
}

static void plan_disk(struct plan *p, struct rng *r)
{
	struct t_lun_options *d = &p->disk;

	p->block_size = rng_chance(r, 70) ? 512 : 4096;
	p->grain = rng_chance(r, 50) ? p->block_size : p->block_size / 4;
	p->cells = CELLS;
	while (p->cells * p->grain > MEDIUM)
		p->cells /= 2;
	d->block_size = p->block_size;
	d->blocks = (uint64_t)p->cells * p->grain / p->block_size;
	d->physical_exponent =
		p->block_size == 512 && rng_chance(r, 30) ? 3 : 0;
	d->max_transfer = rng_chance(r, 30) ? 16 : 0;
	d->unmap_granularity = rng_chance(r, 50) ? 1 : 8;
	d->wce = rng_chance(r, 65);
	d->dpofua = rng_chance(r, 60);
	d->unmap = rng_chance(r, 60);
	d->tpgs = rng_chance(r, 35) ? 1 : 0;
	d->naa[0] = 0x60;
	d->naa[15] = 1;
}

static void plan_target(struct plan *p, struct rng *r)
{
	struct t_target_options *t = &p->target;

	t_target_options_init(t);
	t->lun = 1ull << 48;
	t->initial_r2t = rng_chance(r, 30);
	t->immediate_data = rng_chance(r, 70);
	t->header_digest = t->data_digest = p->digests;
	t->first_burst_length = (uint32_t)rng_log(r, 512, 65536);
	t->max_burst_length = t->first_burst_length;
	if (t->max_burst_length < 65536)
		t->max_burst_length =
			(uint32_t)rng_log(r, t->first_burst_length, 131072);
	t->max_recv_data_segment_length = (uint32_t)rng_log(r, 4096, 65536);
	t->max_outstanding_r2t = (uint32_t)rng_range(r, 1, 4);
	t->max_connections = p->connections;
	t->error_recovery_level = p->level;
	t->default_time2wait = rng_chance(r, 80) ? 0 : 1;
	t->default_time2retain = (uint32_t)rng_range(r, 2, 20);
	t->window = (uint32_t)rng_log(r, 4, 64);
	t->collapse = rng_chance(r, 50);
	t->attention = rng_chance(r, 70);
	t->announce_loss = rng_chance(r, 30);
	t->loss_delay_ns = rng_chance(r, 30) ? NS_PER_S : 0;
	t->early_r2t = rng_chance(r, 20);
}

static void plan_offer(struct plan *p, struct rng *r)
{
	struct iscsi_config c;
	struct iscsi_timeouts *t = &p->timeouts;

	iscsi_config_init(&c);
	p->offer = c.offer;
	p->offer.max_recv_data_segment_length =
		(uint32_t)rng_log(r, 4096, 65536);
	p->offer.max_connections = p->connections;
	p->offer.error_recovery_level = p->level;
	p->offer.initial_r2t = rng_chance(r, 20);
	p->offer.immediate_data = rng_chance(r, 80);
	p->spread = rng_chance(r, 50) ? ISCSI_SPREAD_ROUND_ROBIN
				      : ISCSI_SPREAD_LEAST_QUEUE;
	*t = c.timeouts;
	if (rng_chance(r, 60)) { /* impatient */
		t->connect = t->login = 2 * NS_PER_S;
		t->ping_interval = t->ping = NS_PER_S;
		t->abort = t->logout = 2 * NS_PER_S;
		t->lun_reset = 3 * NS_PER_S;
	}
}

static void plan_device(struct plan *p, struct rng *r)
{
	const char *const *names = mpio_policies();
	unsigned n = 0;

	while (names[n])
		n++;
	mpdev_options_init(&p->device);
	p->device.policy = names[rng_below(r, n)];
	p->device.no_path_timeout = rng_chance(r, 70)
					    ? 60 * NS_PER_S
					    : rng_log(r, 2, 30) * NS_PER_S;
}

static void plan_one_client(
	struct plan *p, struct plan_client *c, struct rng *r)
{
	c->depth = (unsigned)rng_log(r, 1, PLAN_DEPTH);
	c->gap = (2 + p->clients) * NS_PER_MS * p->clients / 2;
	c->read = (unsigned)rng_range(r, 20, 60);
	c->write = (unsigned)rng_range(r, 20, 60);
	c->zero = rng_chance(r, 50) ? 3 : 0;
	c->trim = rng_chance(r, 50) ? 3 : 0;
	c->flush = rng_chance(r, 80) ? (unsigned)rng_range(r, 1, 4) : 0;
	c->fua = rng_chance(r, 50) ? (unsigned)rng_range(r, 1, 30) : 0;
	c->max_cells = (uint32_t)rng_log(r, 4, 128);
	c->first = 0;
	c->span = p->cells;
	if (rng_chance(r, 30)) {
		c->first = p->cells / 2;
		c->span = p->cells / 4;
	}
	c->hot = (unsigned)rng_range(r, 0, 80);
	c->hot_cells = (uint32_t)rng_log(r, 4, 32);
	if (c->max_cells > 64 * 1024 / p->grain)
		c->max_cells = 64 * 1024 / p->grain;
}

static bool fits(const struct plan *p, const struct fault_kind *k)
{
	return !k->fits || k->fits(p);
}

static unsigned choose_kind(const struct plan *p, struct rng *r)
{
	const struct fault_kind *k;
	uint64_t sum = 0, dice;
	unsigned i;

	for (i = 0; (k = fault_kind_at(i)); i++)
		sum += fits(p, k) ? k->weight : 0;
	dice = rng_below(r, sum);
	for (i = 0; (k = fault_kind_at(i)); i++) {
		if (!fits(p, k))
			continue;
		if (dice < k->weight)
			return i;
		dice -= k->weight;
	}
	abort();
}

static struct plan_fault *add_fault(struct plan *p, unsigned kind, uint64_t at)
{
	struct plan_fault *f = &p->fault[p->faults];

	if (p->faults == PLAN_FAULTS)
		return NULL;
	*f = (struct plan_fault){.at = at, .kind = kind};
	p->faults++;
	return f;
}

/* Paths are stopped one by one and come back in another order. */
static void plan_swizzle(struct plan *p, struct rng *r)
{
	uint64_t at = rng_range(r, QUIET, p->storm / 2);
	uint64_t step = rng_log(r, 10, 3000) * NS_PER_MS;
	unsigned kind = fault_kind("portal down");

	for (unsigned i = 0; i < p->paths; i++) {
		struct plan_fault *f = add_fault(p, kind, at + i * step);

		if (!f)
			return;
		f->where = i;
		f->lasts = (p->paths + rng_below(r, 2 * p->paths)) * step;
		f->dice = rng_next(r);
	}
}

static void plan_faults(struct plan *p, struct rng *r)
{
	unsigned n = (unsigned)(p->storm / FAULT_EVERY);

	for (unsigned i = 0; i < n; i++) {
		unsigned kind = choose_kind(p, r);
		const struct fault_kind *k = fault_kind_at(kind);
		struct plan_fault *f = add_fault(
			p, kind, rng_range(r, QUIET, p->storm - NS_PER_S));

		if (!f)
			break;
		if (k->longest)
			f->lasts =
				rng_log(r, k->shortest, k->longest) * NS_PER_MS;
		f->where = (unsigned)rng_below(r, p->paths);
		f->dice = rng_next(r);
	}
	if (rng_chance(r, 40))
		plan_swizzle(p, r);
}

void plan_make(struct plan *p, uint64_t seed, uint64_t storm)
{
	struct rng r;

	*p = (struct plan){.seed = seed, .storm = storm};
	rng_init(&r, seed, 4);
	p->one_group = rng_chance(&r, 40);
	rng_init(&r, seed, 1);
	plan_shape(p, &r);
	plan_disk(p, &r);
	plan_target(p, &r);
	plan_offer(p, &r);
	plan_device(p, &r);
	p->clients = (unsigned)rng_range(&r, 1, PLAN_CLIENTS);
	for (unsigned i = 0; i < p->clients; i++)
		plan_one_client(p, &p->client[i], &r);
	plan_faults(p, &r);
}

void plan_keep(struct plan *p, const char *only)
{
	char list[512], word[16];

	snprintf(list, sizeof list, ",%s,", only);
	for (unsigned i = 0; i < p->faults; i++) {
		snprintf(word, sizeof word, ",%u,", i);
		if (!strstr(list, word))
			p->fault[i].at = UINT64_MAX;
	}
}

static void tell_shape(const struct plan *p)
{
	char text[256];

	snprintf(text, sizeof text,
		"%u paths%s, %u targets, %u connections over %u portals, level "
		"%u, digests %s, %s, no-path-timeout %llus",
		p->paths, p->one_group ? " of one group" : "", p->targets,
		p->connections, p->portals, p->level, p->digests ? "on" : "off",
		p->device.policy,
		(unsigned long long)(p->device.no_path_timeout / NS_PER_S));
	trace_text(TRACE_PLAN, 0, text);
	snprintf(text, sizeof text,
		"%llu blocks of %u, cells of %u, cache %s, fua %d, unmap %d, "
		"alua %d, R2T %d, immediate %d, bursts %u and %u, window %u",
		(unsigned long long)p->disk.blocks, p->block_size, p->grain,
		p->disk.wce ? "volatile" : "none", p->disk.dpofua,
		p->disk.unmap, p->disk.tpgs, p->target.initial_r2t,
		p->target.immediate_data, p->target.first_burst_length,
		p->target.max_burst_length, p->target.window);
	trace_text(TRACE_PLAN, 0, text);
}

static void tell_client(const struct plan_client *c, unsigned i)
{
	char text[256];

	snprintf(text, sizeof text,
		"client %u: depth %u, a request every %llu us; reads %u writes "
		"%u zeroes %u trims %u flushes %u, %u%% fua, up to %u cells of "
		"%u",
		i, c->depth, (unsigned long long)(c->gap / NS_PER_US), c->read,
		c->write, c->zero, c->trim, c->flush, c->fua, c->max_cells,
		c->span);
	trace_text(TRACE_PLAN, i, text);
}

void plan_tell(const struct plan *p)
{
	tell_shape(p);
	for (unsigned i = 0; i < p->clients; i++)
		tell_client(&p->client[i], i);
}
