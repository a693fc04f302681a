/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include "check.h"
#include "trace.h"
#include "world.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>

static const struct op {
	enum oracle_op oracle;
	enum trace_kind plain, fua;
	bool data;
} ops[] = {
	[BLK_READ] = {ORACLE_READ, TRACE_READ, TRACE_READ, true},
	[BLK_WRITE] = {ORACLE_WRITE, TRACE_WRITE, TRACE_WRITE_FUA, true},
	[BLK_FLUSH] = {ORACLE_FLUSH, TRACE_FLUSH, TRACE_FLUSH, false},
	[BLK_TRIM] = {ORACLE_TRIM, TRACE_TRIM, TRACE_TRIM, false},
	[BLK_ZERO] = {ORACLE_ZERO, TRACE_ZERO, TRACE_ZERO_FUA, false},
};

static struct slot *slot_of(struct blk_req *blk)
{
	return blk->arg;
}

static void done_again(struct blk_req *blk, int err)
{
	(void)err;
	check_fail(INVARIANT_ONCE, "client %u: a request completed again",
		slot_of(blk)->client->id);
}

/* Errors that no fault of ours is a reason for. */
static bool may_fail(const struct world *w, int err)
{
	return err == -EIO || (err == -ENOMEM && w->starved);
}

/* A loss of acknowledged writes is told by a flush, or what ends with one. */
static void note_flush(struct world *w, int err)
{
	if (w->owed && !err)
		check_fail(INVARIANT_DURABLE,
			"a flush succeeded although writes before it are lost");
	w->owed = false;
}

static void note_end(struct slot *s, int err)
{
	struct client *c = s->client;
	struct world *w = c->world;
	uint64_t took = loop_now(w->near) - s->begun;

	if (took > w->longest)
		w->longest = took;
	if (!err) {
		trace_note(TRACE_DONE, c->id, s->number, took / NS_PER_US, 0);
		return;
	}
	w->failures++;
	trace_note(TRACE_FAILED, c->id, s->number, (uint64_t)-err,
		took / NS_PER_MS);
	if (!may_fail(w, err) || w->calm)
		check_fail(INVARIANT_ERRORS, "request #%u failed: %s",
			s->number, strerror(-err));
}

static void done(struct blk_req *blk, int err)
{
	struct slot *s = slot_of(blk);
	struct world *w = s->client->world;

	blk->done = done_again;
	note_end(s, err);
	world_heed_losses(w);
	if (blk->op == BLK_READ && !err)
		oracle_saw(w->oracle, s->number, blk->data);
	if (blk->op == BLK_FLUSH || (err && blk->flags & BLK_FUA))
		note_flush(w, err);
	oracle_end(w->oracle, s->number, !err, blk->flags & BLK_FUA);
	buf_put(s->buf);
	s->buf = NULL;
	s->number = 0;
	w->inflight--;
}

static bool prepare(struct slot *s, unsigned op, uint32_t first, uint32_t count)
{
	struct world *w = s->client->world;
	uint32_t grain = w->plan->grain;

	s->blk = (struct blk_req){.op = (uint8_t)op, .done = done, .arg = s};
	if (op != BLK_FLUSH) {
		s->blk.offset = (uint64_t)first * grain;
		s->blk.len = count * grain;
	}
	if (!ops[op].data)
		return true;
	s->blk.buf = buf_get(loop_pool(w->near), s->blk.len);
	if (!s->blk.buf)
		return false;
	s->blk.data = s->blk.buf->data;
	return true;
}

/* A request that is prepared begins. */
static void submit(struct slot *s, uint32_t first, uint32_t count)
{
	struct world *w = s->client->world;
	const struct op *op = &ops[s->blk.op];
	bool fua = s->blk.flags & BLK_FUA;

	s->begun = loop_now(w->near);
	s->number = oracle_begin(w->oracle, op->oracle, first, count);
	trace_note(fua ? op->fua : op->plain, s->client->id, s->number, first,
		count);
	if (s->blk.op == BLK_WRITE)
		oracle_fill(w->oracle, s->number, s->blk.data);
	if (s->blk.op == BLK_READ)
		s->buf = s->blk.buf;
	w->inflight++;
	w->requests++;
	blkdev_submit(w->blk, &s->blk);
}

void client_ask(struct client *c, unsigned op, uint32_t first, uint32_t count)
{
	if (op == BLK_FLUSH)
		count = 0;
	if (prepare(&c->slot[0], op, first, count))
		submit(&c->slot[0], first, count);
}

/* Chance */

static unsigned choose_op(struct client *c)
{
	const struct plan_client *p = c->plan;
	const unsigned parts[] = {
		[BLK_READ] = p->read,
		[BLK_WRITE] = p->write,
		[BLK_FLUSH] = p->flush,
		[BLK_TRIM] = p->trim,
		[BLK_ZERO] = p->zero,
	};
	unsigned sum = 0, op = 0;
	uint64_t dice;

	for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
		sum += parts[i];
	dice = rng_below(&c->rng, sum);
	while (dice >= parts[op])
		dice -= parts[op++];
	return op;
}

static void choose_range(struct client *c, uint32_t *first, uint32_t *count)
{
	const struct plan_client *p = c->plan;
	uint32_t per_block = c->world->plan->block_size / c->world->plan->grain;
	bool hot = rng_chance(&c->rng, p->hot);
	uint32_t span = hot ? p->hot_cells : p->span;

	*count = (uint32_t)rng_log(&c->rng, 1, p->max_cells);
	*first = (uint32_t)rng_below(&c->rng, span);
	if (rng_chance(&c->rng, 70)) { /* whole blocks */
		*first -= *first % per_block;
		*count = (*count + per_block - 1) / per_block * per_block;
	}
	if (*first + *count > p->span)
		*count = p->span - *first;
	*first += p->first;
}

static struct slot *free_slot(struct client *c)
{
	for (unsigned i = 0; i < c->plan->depth; i++)
		if (!c->slot[i].number)
			return &c->slot[i];
	return NULL;
}

static void one_more(struct client *c, struct slot *s)
{
	unsigned op = choose_op(c);
	uint32_t first = 0, count = 0;
	bool fua;

	if (op != BLK_FLUSH)
		choose_range(c, &first, &count);
	fua = (op == BLK_WRITE || op == BLK_ZERO) &&
	      rng_chance(&c->rng, c->plan->fua);
	if (!prepare(s, op, first, count))
		return;
	if (fua)
		s->blk.flags = BLK_FUA;
	if (op == BLK_ZERO && rng_chance(&c->rng, 30))
		s->blk.flags |= BLK_NO_HOLE;
	submit(s, first, count);
}

static void tick(void *arg)
{
	struct client *c = arg;
	unsigned n = rng_chance(&c->rng, 10) ? 8 : 1;
	struct slot *s;

	while (n-- > 0 && (s = free_slot(c)))
		one_more(c, s);
	loop_timer_set(c->timer, rng_gap(&c->rng, c->plan->gap));
}

void client_init(struct client *c, struct world *w, unsigned id)
{
	c->world = w;
	c->plan = &w->plan->client[id];
	c->id = id;
	rng_init(&c->rng, w->plan->seed, 1000 + id);
	c->timer = loop_timer_new(w->near, tick, c);
	for (unsigned i = 0; i < PLAN_DEPTH; i++)
		c->slot[i].client = c;
}

void client_start(struct client *c)
{
	loop_timer_set(c->timer, rng_gap(&c->rng, c->plan->gap));
}

void client_stop(struct client *c)
{
	loop_timer_stop(c->timer);
}

void client_fini(struct client *c)
{
	loop_timer_free(c->timer);
}
