/* SPDX-License-Identifier: BSD-2-Clause */
#include "request.h"

#include "mpdev.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <umpio/base/buf.h>

#define REDO_MAX 16 /* each a loss or a doubt; what is not sure then fails */

int request_check(const struct mpdev *dev, const struct blk_req *blk)
{
	uint64_t size = dev->info.size;

	if (blk->op >= BLK_OPS || (blk->op == BLK_STATUS && !blk->nextents))
		return -EINVAL;
	if (blk->op == BLK_FLUSH)
		return 0;
	if (blk->len == 0)
		return 1;
	if (blk_changes(blk) && (dev->options.read_only || dev->info.read_only))
		return -EPERM;
	if (blk->offset > size || blk->len > size - blk->offset)
		return blk->op == BLK_READ || blk->op == BLK_STATUS ? -EINVAL
								    : -ENOSPC;
	return 0;
}

static struct request *request_new(struct mpdev *dev, struct blk_req *blk)
{
	struct request *r = SLIST_FIRST(&dev->spare_requests);
	unsigned shift = dev->block_shift;

	if (r)
		SLIST_REMOVE_HEAD(&dev->spare_requests, spare);
	else if (!(r = malloc(sizeof *r)))
		return NULL;
	/* What is not set here is set before it is looked at. */
	r->dev = dev;
	r->blk = blk;
	r->lba = blk->offset >> shift;
	r->end = (blk->offset + blk->len + (1u << shift) - 1) >> shift;
	r->bounce = NULL;
	r->session = 0;
	r->inflight = 0;
	r->err = 0;
	r->entered = r->unsupported = r->running = r->replay = false;
	r->redone = 0;
	r->range.state = RANGE_FREE;
	return r;
}

static void request_put(struct request *r)
{
	buf_put(r->bounce);
	SLIST_INSERT_HEAD(&r->dev->spare_requests, r, spare);
}

void request_pool_fini(struct mpdev *dev)
{
	struct request *r;

	while ((r = SLIST_FIRST(&dev->spare_requests))) {
		SLIST_REMOVE_HEAD(&dev->spare_requests, spare);
		free(r);
	}
}

static void request_run(struct request *r);

/* Durable by a flush at its end. */
static bool needs_sync(const struct request *r)
{
	const struct blk_req *blk = r->blk;

	return blk_changes(blk) && blk->flags & BLK_FUA &&
	       !(blk->op == BLK_WRITE && r->dev->facts.dpofua);
}

/* It writes what it has read beside its own data. */
static bool merges(const struct request *r)
{
	const struct blk_req *blk = r->blk;
	uint32_t size = r->dev->info.block_size;

	return (blk->op == BLK_WRITE || blk->op == BLK_ZERO) &&
	       (blk->offset % size || blk->len % size);
}

/* A change that must know that the cache is whole. */
static bool needs_trust(const struct request *r)
{
	return needs_sync(r) || merges(r);
}

static bool is_shut(const struct request *r)
{
	uint8_t gate = r->dev->gate;

	return gate & GATE_ALL || (gate & GATE_CHANGES && blk_changes(r->blk));
}

/* In order of arrival, whatever they waited for before. */
static void wait_at_gate(struct request *r)
{
	struct request_list *gated = &r->dev->gated;
	struct request *before = TAILQ_LAST(gated, request_list);

	while (before && before->order > r->order)
		before = TAILQ_PREV(before, request_list, link);
	if (before)
		TAILQ_INSERT_AFTER(gated, before, r, link);
	else
		TAILQ_INSERT_HEAD(gated, r, link);
}

/* What a reset under way makes doubtful: a read may have seen what was there
 * before the lost writes, and so may a change of a part of a block, which would
 * write it again; and a flush in the end says nothing of a write whose data
 * were lost in between. */
static bool must_redo(const struct request *r)
{
	const struct mpdev *dev = r->dev;
	bool reset = r->epoch != dev->suspect.epoch;

	if (r->replay || r->err)
		return false;
	if (!blk_changes(r->blk))
		return reset;
	return (reset || dev->gate & GATE_SYNC) && needs_trust(r);
}

static void stop_running(struct request *r)
{
	struct mpdev *dev = r->dev;

	if (!r->running)
		return;
	r->running = false;
	if (--dev->suspect.running == 0)
		suspect_poke(dev);
}

static void let_go(struct request *r)
{
	rangelock_release(&r->dev->ranges, &r->range);
	stop_running(r);
}

static void request_start(struct request *r);

/* From its beginning; it keeps its range, if new ones may start. */
static void redo(struct request *r)
{
	r->redone++;
	stop_running(r);
	request_start(r);
}

static void note_change(struct request *r)
{
	struct mpdev *dev = r->dev;

	if (!r->err && !r->replay)
		retain_change(dev, r);
	if (!(r->blk->flags & BLK_FUA))
		flush_note_write(&dev->flush);
	else if (!r->err)
		r->err = flush_verdict(dev, r->blk);
}

static bool is_undecided(const struct request *r)
{
	return !r->replay && !r->err && !blk_changes(r->blk) &&
	       suspect_doubts(&r->dev->suspect, r->session);
}

/* True: what it has found or done is not to be told, or not yet. */
static bool goes_on(struct request *r)
{
	struct mpdev *dev = r->dev;
	bool undecided = is_undecided(r);

	if (!undecided && !must_redo(r))
		return false;
	r->err = mpdev_no_path_error(dev);
	if (!r->err && !undecided && r->redone == REDO_MAX)
		r->err = -EIO;
	if (r->err)
		return false;
	if (undecided)
		TAILQ_INSERT_TAIL(&dev->undecided, r, link);
	else
		redo(r);
	return true;
}

static void finish(struct request *r)
{
	struct mpdev *dev = r->dev;
	struct blk_req *blk = r->blk;
	int err;

	if (goes_on(r))
		return;
	if (blk_changes(blk))
		note_change(r);
	err = r->err;
	let_go(r);
	request_put(r);
	mpdev_answer(dev, blk, err);
}

/* The command of each kind for blocks [at, at + n); its data follow from the
 * extent. */
static void build_command(struct io *io, const struct request *r, uint32_t n)
{
	const struct extent *x = &r->x;
	uint8_t *cdb = io->cmd.cdb;
	struct unmap_range unmap = {.lba = r->at, .blocks = n};

	switch (x->kind) {
	case IO_READ: cdb_read(cdb, r->at, n, x->flags); break;
	case IO_WRITE: cdb_write(cdb, r->at, n, x->flags); break;
	case IO_SYNC: cache_build_sync(r->dev, cdb, r->at, n); break;
	case IO_WRITE_SAME: cdb_write_same16(cdb, r->at, n, x->flags); break;
	case IO_UNMAP:
		unmap_list_build(io->params, sizeof io->params, &unmap, 1);
		cdb_unmap(cdb, sizeof io->params, false);
		break;
	}
}

static void build_data(struct io *io, const struct request *r, uint32_t n)
{
	const struct extent *x = &r->x;
	uint32_t size = r->dev->info.block_size;

	if (x->kind == IO_UNMAP) {
		io->cmd.data = io->params;
		io->cmd.len = sizeof io->params;
	} else if (x->kind == IO_WRITE_SAME) {
		io->cmd.data = x->data;
		io->cmd.len = size;
	} else if (x->data) {
		io->cmd.data =
			x->data + (x->repeat ? 0 : r->at - x->lba) * size;
		io->cmd.len = n * size;
	} else if (x->buf) {
		io->cmd.buf = x->buf;
		io->cmd.buf_at = (r->at - x->lba) * size;
		io->cmd.len = n * size;
	} else {
		return;
	}
	io->cmd.direction = x->kind == IO_READ ? PATH_DATA_IN : PATH_DATA_OUT;
}

/* An old copy of it could undo something. */
static bool alters(enum io_kind kind)
{
	return kind == IO_WRITE || kind == IO_UNMAP || kind == IO_WRITE_SAME;
}

/* A command of `r`, to be built; NULL without memory. */
static struct io *io_of(struct request *r, enum io_kind kind, io_done_fn *done)
{
	struct io *io = io_new(r->dev, kind);

	if (!io)
		return NULL;
	io->done = done;
	io->owner = r;
	if (alters(kind) && r->range.state == RANGE_HELD)
		io->range = &r->range;
	return io;
}

/* Its end; what it was of. */
static struct request *io_over(struct io *io)
{
	struct request *r = io->owner;

	if (io->session > r->session)
		r->session = io->session;
	io_put(io);
	return r;
}

/* The flush in the end of a durable change. True: it has failed, but all is
 * written again, and so is this change. */
static bool sync_done(const struct io *io, const struct request *r, int err)
{
	struct mpdev *dev = r->dev;

	if (err == -EOPNOTSUPP)
		cache_refused(dev, io->cmd.cdb);
	else if (!err && r->epoch == dev->suspect.epoch)
		suspect_flushed(dev);
	return err && r->epoch != dev->suspect.epoch && mpdev_has_path(dev) &&
	       !dev->hurry && !r->replay;
}

static void io_done(struct io *io, int err)
{
	struct request *r = io->owner;

	if (io->kind == IO_SYNC && sync_done(io, r, err))
		err = 0;
	io_over(io);
	r->inflight--;
	if (err == -EOPNOTSUPP)
		r->unsupported = true;
	else if (err && !r->err)
		r->err = err;
	request_run(r);
}

/* Sends what the window has room for. Without memory the phase goes on with
 * fewer commands, or fails when it has none. */
static void issue(struct request *r)
{
	struct extent *x = &r->x;

	while (r->at < x->end && r->inflight < REQUEST_WINDOW && !r->err &&
		!r->unsupported && !must_redo(r)) {
		uint64_t left = x->end - r->at;
		uint32_t n = left < x->chunk ? (uint32_t)left : x->chunk;
		struct io *io = io_of(r, x->kind, io_done);

		if (!io) {
			if (!r->inflight)
				r->err = -ENOMEM;
			return;
		}
		build_command(io, r, n);
		build_data(io, r, n);
		r->at += n;
		r->inflight++;
		io_submit(io);
	}
}

/* A target that lacks a command is not asked again; the phase is entered anew
 * and finds another way. */
static void learn(struct request *r)
{
	struct mpdev *dev = r->dev;

	if (r->x.kind == IO_UNMAP)
		dev->no_unmap = true;
	else if (r->x.flags & CDB_WS_UNMAP)
		dev->no_unmapping_write_same = true;
	else if (r->x.kind != IO_SYNC) /* io_done() */
		dev->no_write_same = true;
	r->unsupported = false;
}

/* Enters the next phase that has something to do; false at the end, or when
 * what was read so far is not to be merged and written. */
static bool enter(struct request *r)
{
	while (!r->err && *r->phase && !must_redo(r)) {
		int rc = (*r->phase)(r, &r->x);

		if (rc > 0) {
			r->at = r->x.lba;
			r->entered = true;
			return true;
		}
		if (rc < 0)
			r->err = rc;
		r->phase++;
	}
	return false;
}

/* Goes through the phases as far as they need no answer. */
static void request_run(struct request *r)
{
	while (r->entered || enter(r)) {
		issue(r);
		if (r->inflight)
			return;
		r->entered = false;
		if (r->unsupported)
			learn(r);
		else
			r->phase++;
	}
	finish(r);
}

/*
 * Most requests are one READ or WRITE, and need no plan.
 */
static bool is_plain(const struct request *r)
{
	const struct blk_req *blk = r->blk;
	uint32_t mask = (1u << r->dev->block_shift) - 1;

	return blk->op <= BLK_WRITE && !blk->flags &&
	       !((blk->offset | blk->len) & mask) &&
	       r->end - r->lba <= r->dev->split.transfer;
}

static void plain_done(struct io *io, int err)
{
	struct request *r = io_over(io);

	r->err = err;
	finish(r);
}

static void plain_send(struct request *r)
{
	const struct blk_req *blk = r->blk;
	bool reads = blk->op == BLK_READ;
	uint32_t blocks = (uint32_t)(r->end - r->lba);
	struct io *io = io_of(r, reads ? IO_READ : IO_WRITE, plain_done);

	if (!io) {
		r->err = -ENOMEM;
		finish(r);
		return;
	}
	if (reads)
		cdb_read(io->cmd.cdb, r->lba, blocks, 0);
	else
		cdb_write(io->cmd.cdb, r->lba, blocks, 0);
	io->cmd.direction = reads ? PATH_DATA_IN : PATH_DATA_OUT;
	io->cmd.data = blk->data;
	io->cmd.buf = blk->buf;
	io->cmd.len = blk->len;
	io_submit(io);
}

static struct request *of_range(struct range *range)
{
	return (struct request *)((char *)range -
				  offsetof(struct request, range));
}

/*
 * The beginning
 */
static void begin(struct request *r)
{
	struct suspect *s = &r->dev->suspect;

	if (r->dev->gate & GATE_SYNC && needs_trust(r)) {
		wait_at_gate(r);
		return;
	}
	r->epoch = s->epoch;
	r->session = 0;
	if (blk_changes(r->blk)) {
		r->running = true;
		s->running++;
	}
	if (is_plain(r)) {
		plain_send(r);
		return;
	}
	r->phase = plan_of(r);
	request_run(r);
}

static void range_granted(struct range *range)
{
	request_start(of_range(range));
}

/* What may not start holds no range: a replay may leave a ghost there, and has
 * to be waited for. */
static void request_start(struct request *r)
{
	struct mpdev *dev = r->dev;
	unsigned shift = dev->block_shift;

	if (dev->gate && is_shut(r)) {
		wait_at_gate(r);
		let_go(r);
		return;
	}
	if (blk_changes(r->blk) && r->range.state == RANGE_FREE) {
		r->range.start = r->lba << shift;
		r->range.end = r->end << shift;
		r->range.seq = r->order;
		r->range.granted = range_granted;
		if (!rangelock_acquire(&dev->ranges, &r->range)) {
			fence_poke(dev);
			return;
		}
	}
	begin(r);
}

void request_gate_open(struct mpdev *dev, unsigned gate)
{
	struct request_list gated = TAILQ_HEAD_INITIALIZER(gated);
	bool was_inside = dev->inside;
	struct request *r;

	if (!(dev->gate & gate))
		return;
	dev->gate &= (uint8_t)~gate;
	dev->inside = true;
	TAILQ_CONCAT(&gated, &dev->gated, link);
	while ((r = TAILQ_FIRST(&gated))) {
		TAILQ_REMOVE(&gated, r, link);
		request_start(r);
	}
	dev->inside = was_inside;
}

void request_decide(struct mpdev *dev)
{
	struct request_list undecided = TAILQ_HEAD_INITIALIZER(undecided);
	bool was_inside = dev->inside;
	struct request *r;

	dev->inside = true;
	TAILQ_CONCAT(&undecided, &dev->undecided, link);
	while ((r = TAILQ_FIRST(&undecided))) {
		TAILQ_REMOVE(&undecided, r, link);
		finish(r);
	}
	dev->inside = was_inside;
}

static void fail(struct request *r, int err)
{
	r->err = err;
	finish(r);
}

/* What fails lets go of its range, and another one may have its turn: to wait
 * for the gate. */
void request_fail_waiting(struct mpdev *dev, int err)
{
	struct range *range;
	struct request *r;

	for (;;) {
		if ((r = TAILQ_FIRST(&dev->undecided))) {
			TAILQ_REMOVE(&dev->undecided, r, link);
			fail(r, err);
		} else if ((r = TAILQ_FIRST(&dev->gated))) {
			TAILQ_REMOVE(&dev->gated, r, link);
			fail(r, err);
		} else if ((range = TAILQ_FIRST(&dev->ranges.waiting))) {
			fail(of_range(range), err);
		} else {
			return;
		}
	}
}

void request_begin(struct mpdev *dev, struct blk_req *blk)
{
	int err = mpdev_no_path_error(dev);
	struct request *r = err ? NULL : request_new(dev, blk);

	if (!r) {
		mpdev_answer(dev, blk, err ? err : -ENOMEM);
		return;
	}
	r->order = ++dev->arrivals;
	request_start(r);
}

void request_replay(struct mpdev *dev, struct blk_req *blk)
{
	uint32_t size = dev->info.block_size;
	struct request *r = request_new(dev, blk);

	dev->pending++;
	if (!r) {
		mpdev_answer(dev, blk, -ENOMEM);
		return;
	}
	r->replay = true;
	r->phase = plan_of(r);
	r->range.start = r->lba * size;
	r->range.end = r->end * size;
	r->range.seq = 0;
	rangelock_enter(&dev->ranges, &r->range);
	request_run(r);
}
