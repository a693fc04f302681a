/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_blkdev.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <umpio/base/buf.h>
#include <umpio/loop.h>

#define RULES_MAX 8
/* Bytes that complete before those who wait for them have their turn: what was
 * just copied is sent while it is still in the processor's cache. */
#define SLICE     (256u << 10)

TAILQ_HEAD(req_list, blk_req);

struct rule {
	enum blk_op op;
	uint64_t offset, len;
	int err;
};

struct t_blkdev {
	struct blkdev dev; /* first: ops get it */
	struct t_blkdev_options options;
	uint64_t size;
	uint8_t *data;
	uint8_t *state;          /* of each block: BLK_HOLE | BLK_ZEROES */
	struct req_list waiting; /* in the order of submit */
	struct req_list due;     /* complete when the task runs */
	struct loop_task task;
	struct loop_timer *timer;
	struct rule rules[RULES_MAX];
	unsigned nrules;
	struct t_blkdev_counts counts;
};

static struct t_blkdev *of(const struct blkdev *dev)
{
	return (struct t_blkdev *)dev;
}

static bool touches(const struct rule *r, const struct blk_req *req)
{
	if (r->op != req->op)
		return false;
	return r->len == 0 || (req->offset < r->offset + r->len &&
				      r->offset < req->offset + req->len);
}

static int range_error(const struct t_blkdev *t, const struct blk_req *req)
{
	if (req->op == BLK_FLUSH)
		return 0;
	if (req->offset <= t->size && req->len <= t->size - req->offset)
		return 0;
	if (req->op == BLK_WRITE || req->op == BLK_ZERO)
		return -ENOSPC;
	return -EINVAL;
}

/* 0 when the request may be carried out. */
static int check(const struct t_blkdev *t, const struct blk_req *req)
{
	int err = range_error(t, req);

	for (unsigned i = 0; i < t->nrules; i++)
		if (touches(&t->rules[i], req))
			return t->rules[i].err;
	if (err)
		return err;
	if (t->options.read_only && req->op != BLK_READ &&
		req->op != BLK_FLUSH && req->op != BLK_STATUS)
		return -EPERM;
	if ((req->flags & BLK_FAST_ZERO) && t->options.no_fast_zero)
		return -ENOTSUP;
	return 0;
}

static void mark(struct t_blkdev *t, uint64_t from, uint64_t to, unsigned flags)
{
	if (from < to)
		memset(t->state + from, (int)flags, to - from);
}

/* Data are whole blocks, whichever part of one was written; what was cleared is
 * said of blocks that were cleared whole. */
static void note_state(struct t_blkdev *t, const struct blk_req *req)
{
	uint32_t size = t->options.block_size;
	uint64_t end = req->offset + req->len;

	if (!req->len)
		return;
	if (req->op == BLK_WRITE || req->op == BLK_ZERO)
		mark(t, req->offset / size, (end + size - 1) / size, 0);
	if (req->op == BLK_ZERO || req->op == BLK_TRIM)
		mark(t, (req->offset + size - 1) / size, end / size,
			req->flags & BLK_NO_HOLE ? BLK_ZEROES
						 : BLK_HOLE | BLK_ZEROES);
}

static void tell_state(const struct t_blkdev *t, struct blk_req *req)
{
	uint32_t size = t->options.block_size;
	uint64_t at = req->offset, end = req->offset + req->len;
	unsigned n = 0, room = req->nextents;

	while (at < end) {
		unsigned flags = t->options.opaque ? 0 : t->state[at / size];
		uint64_t next = (at / size + 1) * size;

		if (next > end)
			next = end;
		if (n && req->extents[n - 1].flags == flags)
			req->extents[n - 1].len += next - at;
		else if (n < room)
			req->extents[n++] =
				(struct blk_extent){next - at, flags};
		else
			break;
		at = next;
	}
	req->nextents = n;
}

static int carry_out(struct t_blkdev *t, struct blk_req *req)
{
	uint8_t *at = t->data + (req->op == BLK_FLUSH ? 0 : req->offset);
	struct t_lie_disk disk = {t->data, t->size};
	struct t_lie *lie = &t->options.lie;
	bool fua = req->flags & BLK_FUA;
	int err = 0;

	switch ((enum blk_op)req->op) {
	case BLK_READ:
		if (req->len)
			memcpy(blk_data(req), at, req->len);
		t_lie_was_read(lie, &disk, req->offset, req->len);
		break;
	case BLK_WRITE:
		if (req->len)
			err = t_lie_write(lie, &disk, req->offset, req->data,
				req->len, fua);
		if (!fua)
			t->counts.unflushed++;
		break;
	case BLK_TRIM:
	case BLK_ZERO: memset(at, 0, req->len); break;
	case BLK_FLUSH:
		t_lie_flushed(lie, &disk);
		t->counts.unflushed = 0;
		break;
	case BLK_STATUS: tell_state(t, req); break;
	case BLK_OPS: break;
	}
	note_state(t, req);
	return err;
}

static void complete(struct t_blkdev *t, struct blk_req *req)
{
	int err = check(t, req);

	if (!err)
		err = carry_out(t, req);
	if (req->op == BLK_WRITE)
		buf_put(req->buf);
	if (--t->counts.inflight == 0)
		loop_expect(t->dev.loop); /* a client's next request */
	req->done(req, err);
}

static void run_due(void *arg)
{
	struct t_blkdev *t = arg;
	struct req_list now = TAILQ_HEAD_INITIALIZER(now);
	struct blk_req *req;
	uint64_t moved = 0;

	TAILQ_CONCAT(&now, &t->due, link);
	while (!TAILQ_EMPTY(&now) && moved < SLICE) {
		req = t->options.reverse ? TAILQ_LAST(&now, req_list)
					 : TAILQ_FIRST(&now);
		TAILQ_REMOVE(&now, req, link);
		moved += req->len;
		complete(t, req);
	}
	if (TAILQ_EMPTY(&now))
		return;
	TAILQ_CONCAT(&now, &t->due, link);
	TAILQ_CONCAT(&t->due, &now, link);
	loop_post(t->dev.loop, &t->task);
}

static void make_due(struct t_blkdev *t, struct blk_req *req)
{
	TAILQ_REMOVE(&t->waiting, req, link);
	TAILQ_INSERT_TAIL(&t->due, req, link);
	loop_post(t->dev.loop, &t->task);
}

/* What has waited for the delay becomes due; the timer is set for the rest. */
static void delay_over(void *arg)
{
	struct t_blkdev *t = arg;
	uint64_t now = loop_now(t->dev.loop);
	struct blk_req *req;

	if (t->options.hold)
		return;
	while ((req = TAILQ_FIRST(&t->waiting))) {
		uint64_t at = req->started + t->options.delay;

		if (at > now) {
			loop_timer_set(t->timer, at - now);
			return;
		}
		make_due(t, req);
	}
}

static void submit(struct blkdev *dev, struct blk_req *req)
{
	struct t_blkdev *t = of(dev);
	struct t_blkdev_counts *c = &t->counts;

	assert(req->op < BLK_OPS && req->done);
	assert(req->op != BLK_STATUS || req->nextents);
	c->ops[req->op]++;
	c->fua += (req->flags & BLK_FUA) != 0;
	c->no_hole += (req->flags & BLK_NO_HOLE) != 0;
	c->fast_zero += (req->flags & BLK_FAST_ZERO) != 0;
	if (++c->inflight > c->inflight_max)
		c->inflight_max = c->inflight;

	req->started = loop_now(dev->loop);
	TAILQ_INSERT_TAIL(&t->waiting, req, link);
	if (t->options.hold)
		return;
	if (!t->options.delay)
		make_due(t, req);
	else if (!loop_timer_is_set(t->timer))
		loop_timer_set(t->timer, t->options.delay);
}

static void info(const struct blkdev *dev, struct blk_info *out)
{
	const struct t_blkdev *t = of(dev);
	const struct t_blkdev_options *o = &t->options;

	*out = (struct blk_info){
		.size = t->size,
		.block_size = o->block_size,
		.physical_block_size = o->block_size,
		.optimal_io = o->optimal_io,
		.trim_granularity = o->no_trim ? 0 : o->block_size,
		.read_only = o->read_only,
		.rotational = o->rotational,
		.write_cache = !o->no_write_cache,
		.can_trim = !o->no_trim,
		.can_fast_zero = !o->no_fast_zero,
		.multi_conn = !o->no_multi_conn,
	};
}

static const struct blkdev_ops ops = {.submit = submit, .info = info};

static void *map_memory(uint64_t size)
{
	void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE); /* only faster */
	return p;
}

struct t_blkdev *t_blkdev_new(
	struct loop *loop, const struct t_blkdev_options *options)
{
	struct t_blkdev *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->options = *options;
	if (!t->options.block_size)
		t->options.block_size = 512;
	t->size = options->size;
	t->dev.ops = &ops;
	t->dev.loop = loop;
	t->dev.name = options->name ? options->name : "ram";
	TAILQ_INIT(&t->dev.watches);
	TAILQ_INIT(&t->waiting);
	TAILQ_INIT(&t->due);
	loop_task_init(&t->task, run_due, t);
	t->timer = loop_timer_new(loop, delay_over, t);
	t->data = map_memory(options->size);
	t->state = map_memory(options->size / t->options.block_size + 1);
	if (t->state && options->unallocated)
		memset(t->state, BLK_HOLE | BLK_ZEROES,
			options->size / t->options.block_size + 1);
	if (t->timer && t->data && t->state)
		return t;
	t_blkdev_free(t);
	return NULL;
}

void t_blkdev_free(struct t_blkdev *t)
{
	if (!t)
		return;
	assert(t->counts.inflight == 0);
	loop_unpost(t->dev.loop, &t->task);
	loop_timer_free(t->timer);
	if (t->data)
		munmap(t->data, t->options.size ? t->options.size : 1);
	if (t->state)
		munmap(t->state, t->options.size / t->options.block_size + 1);
	t_lie_fini(&t->options.lie);
	free(t);
}

struct blkdev *t_blkdev_dev(struct t_blkdev *t)
{
	return &t->dev;
}

uint8_t *t_blkdev_data(struct t_blkdev *t)
{
	return t->data;
}

void t_blkdev_fail(struct t_blkdev *t, enum blk_op op, uint64_t offset,
	uint64_t len, int err)
{
	assert(t->nrules < RULES_MAX && err < 0);
	t->rules[t->nrules++] = (struct rule){op, offset, len, err};
}

void t_blkdev_heal(struct t_blkdev *t)
{
	t->nrules = 0;
}

void t_blkdev_release(struct t_blkdev *t, unsigned n)
{
	struct blk_req *req;

	while (n-- && (req = TAILQ_FIRST(&t->waiting)))
		make_due(t, req);
}

void t_blkdev_hold(struct t_blkdev *t, bool hold)
{
	t->options.hold = hold;
	if (!hold)
		t_blkdev_release(t, t->counts.inflight);
}

void t_blkdev_resize(struct t_blkdev *t, uint64_t size)
{
	struct blkdev_watch *w;

	assert(size <= t->options.size);
	t->size = size;
	TAILQ_FOREACH (w, &t->dev.watches, link)
		w->resized(w, size);
}

const struct t_blkdev_counts *t_blkdev_counts(const struct t_blkdev *t)
{
	return &t->counts;
}
