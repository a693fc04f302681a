/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include "fblk.h"

#include <assert.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <umpio/base/buf.h>
#include <unistd.h>

#include "fblk_mount.h"

/* A blk_req's length has 32 bits; longer ranges go in parts of this size. */
#define PART_MAX      (1ull << 30)
/* One seek asks the device no more often; what it has not seen then counts as
 * data, which is never wrong. */
#define QUESTIONS_MAX 256

static void drain_check(struct fblk *fblk)
{
	if (fblk->draining && fblk->inflight == 0)
		loop_post(fblk->loop, &fblk->drained_task);
}

static void req_answer(struct fblk_req *r, int err)
{
	/* A failure to answer means that nobody waits any more. */
	if (err)
		fuse_reply_err(r->fuse, fblk_map_errno(err));
	else if (r->blk.op == BLK_READ)
		fuse_reply_buf(r->fuse, blk_data(&r->blk), r->blk.len);
	else if (r->blk.op == BLK_WRITE)
		fuse_reply_write(r->fuse, r->blk.len);
	else
		fuse_reply_err(r->fuse, 0);
}

static void req_finish(struct fblk_req *r, int err)
{
	struct fblk *fblk = r->fblk;

	if (r->fuse)
		req_answer(r, err);
	if (r->blk.op == BLK_READ)
		buf_put(r->blk.buf);
	fblk->bytes -= r->charge;
	blkdev_let_go(fblk->dev, r->charge);
	fblk->inflight--;
	SLIST_INSERT_HEAD(&fblk->idle, r, link);
	fblk_recv_resume(fblk);
	drain_check(fblk);
}

static void req_part(struct fblk_req *r)
{
	uint64_t len = r->left < PART_MAX ? r->left : PART_MAX;

	r->blk.len = (uint32_t)len;
	r->left -= len;
	r->blk.nextents = FBLK_SEEK_EXTENTS;
	blkdev_submit(r->fblk->dev, &r->blk);
}

static void seek_answer(struct fblk_req *r, uint64_t at)
{
	if (r->fuse)
		fuse_reply_lseek(r->fuse, (off_t)at);
	r->fuse = NULL;
	req_finish(r, 0);
}

/* No data up to the end. */
static void seek_end(struct fblk_req *r)
{
	if (r->fuse)
		fuse_reply_err(r->fuse, ENXIO);
	r->fuse = NULL;
	req_finish(r, 0);
}

/* The device has told what `r->blk` asked for: found, or on it goes. */
static void seek_done(struct fblk_req *r, int err)
{
	struct blk_req *blk = &r->blk;
	uint64_t at = blk->offset, end = at + blk->len + r->left;

	if (err || !r->fuse) {
		req_finish(r, err);
		return;
	}
	if (fblk_map_found(r->extents, blk->nextents, r->whence, &at)) {
		seek_answer(r, at);
	} else if (at >= end) {
		if (r->whence == SEEK_HOLE)
			seek_answer(r, end);
		else
			seek_end(r);
	} else if (++r->questions == QUESTIONS_MAX) {
		seek_answer(r, (uint64_t)fblk_map_unsure(r->whence, at, end));
	} else {
		blk->offset = at;
		r->left = end - at;
		req_part(r);
	}
}

static void on_done(struct blk_req *blk, int err)
{
	struct fblk_req *r = blk->arg;

	if (blk->op == BLK_STATUS) {
		seek_done(r, err);
	} else if (!err && r->left) {
		blk->offset += blk->len;
		req_part(r);
	} else {
		req_finish(r, err);
	}
}

/* The caller is told early, the data comes later and for nobody. A write is
 * left to finish: it may have happened. */
static void on_interrupted(fuse_req_t fuse, void *arg)
{
	struct fblk_req *r = arg;

	r->fuse = NULL;
	if (r->blk.op == BLK_STATUS)
		fuse_reply_lseek(
			fuse, fblk_map_unsure(r->whence, r->blk.offset,
				      r->blk.offset + r->blk.len + r->left));
	else
		fuse_reply_err(fuse, EINTR);
}

static bool req_feed(struct fblk_req *r)
{
	struct fblk *fblk = r->fblk;

	r->blk.buf = buf_get_bare(loop_pool(fblk->loop), r->left);
	if (!r->blk.buf)
		return false;
	r->blk.data = r->blk.buf->data;
	r->charge = r->blk.buf->size;
	fblk->bytes += r->charge;
	blkdev_hold(fblk->dev, r->charge);
	req_part(r);
	return true;
}

bool fblk_feed(struct fblk *fblk)
{
	struct fblk_req *r = fblk->starved;

	fblk->starved = NULL;
	if (r->fuse && !req_feed(r))
		fblk->starved = r;
	else if (!r->fuse)
		req_finish(r, 0);
	return !fblk->starved;
}

void fblk_submit(struct fblk *fblk, fuse_req_t fuse, const struct fblk_io *io,
	struct buf *payload, void *data)
{
	struct fblk_req *r = SLIST_FIRST(&fblk->idle);

	/* Receiving stops when there is none. */
	assert(r);
	SLIST_REMOVE_HEAD(&fblk->idle, link);
	fblk->inflight++;
	*r = (struct fblk_req){.fblk = fblk,
		.fuse = fuse,
		.left = io->len,
		.whence = io->whence};
	r->blk.extents = r->extents;
	r->blk.op = (uint8_t)io->op;
	r->blk.flags = (uint8_t)io->flags;
	r->blk.offset = io->offset;
	r->blk.buf = payload;
	r->blk.data = data;
	r->blk.losses = &fblk->losses;
	r->blk.done = on_done;
	r->blk.arg = r;

	if (io->op == BLK_READ || io->op == BLK_STATUS)
		fuse_req_interrupt_func(fuse, on_interrupted, r);
	if (io->op != BLK_READ) {
		r->charge = payload ? payload->size : 0;
		fblk->bytes += r->charge;
		blkdev_hold(fblk->dev, r->charge);
		req_part(r);
		return;
	}
	if (!req_feed(r))
		fblk->starved = r;
}

/* Outside every handler: inside one, the kernel may wait for us while we wait
 * for it. A negative offset invalidates the attributes only. */
static void on_resized_task(void *arg)
{
	struct fblk *fblk = arg;

	if (fblk->io)
		fuse_lowlevel_notify_inval_inode(
			fblk->session, FUSE_ROOT_ID, -1, 0);
}

static void on_resized(struct blkdev_watch *watch, uint64_t size)
{
	struct fblk *fblk =
		(struct fblk *)((char *)watch - offsetof(struct fblk, watch));

	(void)size;
	loop_post(fblk->loop, &fblk->resized_task);
}

static void on_ended_task(void *arg)
{
	struct fblk *fblk = arg;

	if (fblk->ended)
		fblk->ended(fblk->ended_arg);
}

static void on_drained_task(void *arg)
{
	struct fblk *fblk = arg;

	fblk->drained(fblk->drained_arg);
}

struct fblk *fblk_new(struct loop *loop, struct fblk_mount *mount,
	struct blkdev *dev, void (*ended)(void *arg), void *arg)
{
	struct fblk *fblk = calloc(1, sizeof(*fblk));

	if (!fblk)
		return NULL;
	fblk->loop = loop;
	fblk->mount = mount;
	fblk->session = mount->session;
	fblk->dev = dev;
	fblk->ended = ended;
	fblk->ended_arg = arg;
	fblk->watch.resized = on_resized;
	loop_task_init(&fblk->ended_task, on_ended_task, fblk);
	loop_task_init(&fblk->drained_task, on_drained_task, fblk);
	loop_task_init(&fblk->resized_task, on_resized_task, fblk);

	fblk->reqs = calloc(FBLK_REQS_MAX, sizeof(*fblk->reqs));
	if (!fblk->reqs || fblk_recv_start(fblk)) {
		free(fblk->reqs);
		free(fblk);
		return NULL;
	}
	for (unsigned i = 0; i < FBLK_REQS_MAX; i++)
		SLIST_INSERT_HEAD(&fblk->idle, &fblk->reqs[i], link);
	fblk->losses = dev->losses;
	blkdev_watch(dev, &fblk->watch);
	mount->fblk = fblk;
	return fblk;
}

void fblk_drain(struct fblk *fblk, void (*done)(void *arg), void *arg)
{
	struct fblk_req *r = fblk->starved;

	fblk->draining = true;
	fblk->drained = done;
	fblk->drained_arg = arg;
	/* It never reached the device, so it counts as new. */
	fblk->starved = NULL;
	if (r)
		req_finish(r, -ESHUTDOWN);
	else
		drain_check(fblk);
}

void fblk_free(struct fblk *fblk)
{
	if (!fblk)
		return;
	assert(fblk->inflight == 0);
	fblk_recv_stop(fblk);
	loop_unpost(fblk->loop, &fblk->ended_task);
	loop_unpost(fblk->loop, &fblk->drained_task);
	loop_unpost(fblk->loop, &fblk->resized_task);
	blkdev_unwatch(fblk->dev, &fblk->watch);
	fblk->mount->fblk = NULL;
	free(fblk->reqs);
	free(fblk);
}
