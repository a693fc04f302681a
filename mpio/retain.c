/* SPDX-License-Identifier: BSD-2-Clause */
#include "retain.h"

#include "marks.h"
#include "mpdev.h"

#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>

#define RECORD 128  /* what an entry is counted with, beside its buffer */
#define BARE   4096 /* one without: a replay looks at each for each other */
/* A buffer so much larger than its data is not kept, but a copy of them. */
#define WASTE  4

void retain_init(struct retain *retain)
{
	*retain = (struct retain){0};
	TAILQ_INIT(&retain->list);
	TAILQ_INIT(&retain->spare);
}

static size_t weight(const struct retained *x)
{
	return x->buf ? RECORD + x->buf->size : BARE;
}

static void give_back(struct retain *retain, struct retained *x)
{
	TAILQ_REMOVE(&retain->list, x, link);
	retain->bytes -= weight(x);
	if (retain->marks)
		marks_remove(retain->marks, x->start, x->end);
	buf_put(x->buf);
	TAILQ_INSERT_HEAD(&retain->spare, x, link);
}

void retain_drop(struct mpdev *dev)
{
	struct retain *retain = &dev->retain;
	struct retained *x;

	while ((x = TAILQ_FIRST(&retain->list)))
		give_back(retain, x);
	retain->covered = NULL;
	retain->holes = retain->covered_holes = false;
	request_gate_open(dev, GATE_CHANGES);
}

void retain_fini(struct mpdev *dev)
{
	struct retained *x;

	retain_drop(dev);
	while ((x = TAILQ_FIRST(&dev->retain.spare))) {
		TAILQ_REMOVE(&dev->retain.spare, x, link);
		free(x);
	}
	marks_free(dev->retain.marks);
}

void retain_watch(struct mpdev *dev)
{
	struct retain *retain = &dev->retain;
	const struct retained *x;

	if (retain->marks)
		return;
	retain->marks = marks_new();
	if (!retain->marks)
		return;
	TAILQ_FOREACH (x, &retain->list, link)
		marks_add(retain->marks, x->start, x->end);
}

bool retain_touches(const struct mpdev *dev, uint64_t start, uint64_t end)
{
	const struct retain *retain = &dev->retain;

	if (retain_is_empty(retain))
		return false;
	return retain->holes || retain->covered_holes || !retain->marks ||
	       marks_touch(retain->marks, start, end);
}

/* What was written before the cache was known of is in no list. */
void retain_configure(struct mpdev *dev)
{
	bool was_on = dev->retain.on;

	dev->retain.on = cache_exists(dev) && cache_can_sync(dev) &&
			 dev->options.write_cache != MPIO_CACHE_NONVOLATILE;
	if (dev->retain.on && !was_on)
		dev->retain.holes |= dev->flush.clean != dev->flush.written;
	if (!dev->retain.on && dev->suspect.step == SUSPECT_CALM)
		retain_drop(dev);
}

static struct retained *record_new(struct retain *retain)
{
	struct retained *x = TAILQ_FIRST(&retain->spare);

	if (x)
		TAILQ_REMOVE(&retain->spare, x, link);
	else
		x = malloc(sizeof *x);
	return x;
}

/* Takes the data of a write over from its request. */
static void take_data(struct mpdev *dev, struct request *r, struct retained *x)
{
	struct buf **from = r->bounce ? &r->bounce : &r->blk->buf;
	size_t len = x->end - x->start;

	x->data = r->bounce ? r->bounce->data : r->blk->data;
	x->buf = *from;
	if (x->buf && x->buf->size > WASTE * len && x->buf->size > 65536) {
		struct buf *copy = buf_get(loop_pool(dev->loop), len);

		if (copy) {
			memcpy(copy->data, x->data, len);
			x->buf = copy;
			x->data = copy->data;
			return;
		}
	}
	*from = NULL;
}

/* What of the request's blocks it has really determined: a trim concerns the
 * whole blocks within it. */
static void set_range(struct request *r, struct retained *x)
{
	uint32_t size = r->dev->info.block_size;

	x->start = r->lba * size;
	x->end = r->end * size;
	if (r->blk->op == BLK_TRIM) {
		x->start = (r->blk->offset + size - 1) / size * size;
		x->end = (r->blk->offset + r->blk->len) / size * size;
	}
}

/* Zeroes whose edges were merged into blocks that are not kept. */
static bool is_ragged(const struct request *r)
{
	uint32_t size = r->dev->info.block_size;

	return r->blk->op == BLK_ZERO &&
	       (r->blk->offset % size || r->blk->len % size);
}

/* A queue's part of what its device may keep. */
static size_t part_of(const struct mpdev *dev, size_t bytes)
{
	return bytes / (unsigned)dev->queues;
}

/* The less the pool has left, the less each may keep: however many there are,
 * something is left. */
static size_t flush_at(const struct mpdev *dev)
{
	size_t fair = buf_pool_left(loop_pool(dev->loop)) / RETAIN_LEFT;

	return part_of(dev, fair < RETAIN_FLUSH ? fair : RETAIN_FLUSH);
}

static bool is_over(const struct mpdev *dev)
{
	return dev->retain.bytes && dev->retain.bytes >= flush_at(dev);
}

void retain_check(struct mpdev *dev)
{
	struct retain *retain = &dev->retain;

	if (!retain->on || dev->drain >= DRAIN_FLUSH ||
		(!retain->holes && !is_over(dev)))
		return;
	flush_by_itself(dev);
	if (retain->bytes >= part_of(dev, RETAIN_MAX))
		dev->gate |= GATE_CHANGES;
}

void retain_change(struct mpdev *dev, struct request *r)
{
	struct retain *retain = &dev->retain;
	bool durable = r->blk->flags & BLK_FUA;
	struct retained *x;

	if (!retain->on || (durable && TAILQ_EMPTY(&retain->list)))
		return;
	x = is_ragged(r) ? NULL : record_new(retain);
	if (!x) {
		retain->holes = true;
		retain_check(dev);
		return;
	}
	set_range(r, x);
	x->buf = NULL;
	x->data = NULL;
	x->zeroes = r->blk->op == BLK_ZERO && !durable;
	if (r->blk->op == BLK_WRITE && !durable)
		take_data(dev, r, x);
	TAILQ_INSERT_TAIL(&retain->list, x, link);
	retain->bytes += weight(x);
	if (retain->marks)
		marks_add(retain->marks, x->start, x->end);
	if (is_over(dev))
		retain_check(dev);
}

void retain_flush_begins(struct mpdev *dev)
{
	struct retain *retain = &dev->retain;

	retain->covered = TAILQ_LAST(&retain->list, retained_list);
	retain->covered_holes = retain->holes;
	retain->holes = false;
}

void retain_flush_failed(struct mpdev *dev)
{
	dev->retain.holes |= dev->retain.covered_holes;
	dev->retain.covered = NULL;
}

void retain_flushed(struct mpdev *dev)
{
	struct retain *retain = &dev->retain;
	struct retained *x;
	bool last;

	while (retain->covered && (x = TAILQ_FIRST(&retain->list))) {
		last = x == retain->covered;
		give_back(retain, x);
		if (last)
			retain->covered = NULL;
	}
	retain->covered_holes = false;
	if (retain->bytes < part_of(dev, RETAIN_MAX))
		request_gate_open(dev, GATE_CHANGES);
}

/* From `at` on, what of `x` no later one hides; false: nothing. */
static bool visible(const struct retained *x, uint64_t at, struct piece *piece)
{
	const struct retained *later = TAILQ_NEXT(x, link);
	uint64_t end = x->end;

	while (later && at < end) {
		if (later->start <= at && at < later->end) {
			/* Hidden up to there; who hides what follows? */
			at = later->end;
			end = x->end;
			later = TAILQ_NEXT(x, link);
			continue;
		}
		if (later->start > at && later->start < end)
			end = later->start;
		later = TAILQ_NEXT(later, link);
	}
	*piece = (struct piece){.of = x, .start = at, .end = end};
	return at < end;
}

bool retain_next(const struct mpdev *dev, struct piece *piece)
{
	const struct retained *x = piece->of;
	uint64_t at = piece->end;

	if (!x && (x = TAILQ_FIRST(&dev->retain.list)))
		at = x->start;
	while (x) {
		if ((x->buf || x->zeroes) && visible(x, at, piece))
			return true;
		x = TAILQ_NEXT(x, link);
		at = x ? x->start : 0;
	}
	return false;
}
