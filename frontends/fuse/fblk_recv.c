/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "fblk.h"
#include "fblk_mount.h"

#define BATCH     64          /* receives a wake */
#define BATCH_MAX (1u << 20)  /* bytes asked for or brought by them */
#define RX_HEADER 4096        /* more than any request's headers */
#define STEAL_MIN (64u << 10) /* copying less is cheaper than a new buffer */
#define RETRY_NS  (10 * NS_PER_MS)

/* Room for one more request of the largest size. */
static bool recv_ready(struct fblk *fblk)
{
	if (fblk->starved || SLIST_EMPTY(&fblk->idle) ||
		(fblk->inflight && !blkdev_has_room(fblk->dev, FBLK_IO_MAX)))
		return false;
	if (!fblk->rx)
		fblk->rx =
			buf_get(loop_pool(fblk->loop), FBLK_IO_MAX + RX_HEADER);
	return fblk->rx != NULL;
}

/* Requests that come back resume it; with none out it is memory that others
 * hold, and the timer looks again. */
static void recv_stall(struct fblk *fblk)
{
	fblk->stalled = true;
	loop_io_want(fblk->io, 0);
	loop_timer_set(fblk->retry, RETRY_NS);
}

void fblk_recv_resume(struct fblk *fblk)
{
	if (!fblk->stalled || !fblk->io)
		return;
	if (fblk->starved && !fblk_feed(fblk)) {
		loop_timer_set(fblk->retry, RETRY_NS);
		return;
	}
	if (!recv_ready(fblk)) {
		loop_timer_set(fblk->retry, RETRY_NS);
		return;
	}
	fblk->stalled = false;
	loop_timer_stop(fblk->retry);
	loop_io_want(fblk->io, LOOP_READ);
}

static void on_retry(void *arg)
{
	fblk_recv_resume(arg);
}

/* After an umount or an abort. FUSE_DESTROY may not have come. */
static void recv_end(struct fblk *fblk, int err)
{
	if (err && err != -ENODEV)
		log_error("%s: the block file ends: %s",
			fblk->mount->place.path, strerror(-err));
	fblk_recv_stop(fblk);
	loop_post(fblk->loop, &fblk->ended_task);
}

/* False: nothing more for now. */
static bool recv_one(struct fblk *fblk)
{
	struct fuse_buf in = {.mem = fblk->rx->data};
	int n = fuse_session_receive_buf(fblk->session, &in);

	if (n == -EINTR)
		return true;
	if (n == -EAGAIN)
		return false;
	if (n > 0)
		fuse_session_process_buf(fblk->session, &in);
	/* libfuse had no memory for the first request, INIT, and the kernel
	 * does not ask again: nobody can ever open the file. */
	if (n > 0 && !fblk->mount->greeted)
		n = -ENOMEM;
	/* libfuse also ends a session whose INIT it could not agree to. */
	if (n <= 0 || fuse_session_exited(fblk->session)) {
		recv_end(fblk, n < 0 ? n : 0);
		return false;
	}
	return true;
}

static void on_readable(void *arg, unsigned events)
{
	struct fblk *fblk = arg;
	size_t most = fblk->bytes + BATCH_MAX;

	(void)events;
	for (int i = 0; i < BATCH && fblk->bytes < most; i++) {
		if (!recv_ready(fblk)) {
			recv_stall(fblk);
			return;
		}
		if (!recv_one(fblk))
			return;
	}
	/* The last of them may be a read without a buffer, and no other request
	 * need come that would stop at it. */
	if (fblk->starved)
		recv_stall(fblk);
}

/* A stolen receive buffer is large whatever is in it, so with much in flight
 * only large payloads are worth one. */
static bool worth_stealing(const struct fblk *fblk, size_t size)
{
	return size >= FBLK_IO_MAX / 2 ||
	       (size >= STEAL_MIN &&
		       blkdev_has_room(fblk->dev, BLKDEV_HELD_MAX / 2));
}

struct buf *fblk_recv_payload(
	struct fblk *fblk, const char *from, size_t size, void **data)
{
	struct buf *b = NULL;

	if (!worth_stealing(fblk, size))
		b = buf_get(loop_pool(fblk->loop), size);
	if (b) {
		memcpy(b->data, from, size);
		*data = b->data;
		return b;
	}
	b = fblk->rx;
	fblk->rx = NULL;
	*data = b->data + (from - (const char *)b->data);
	return b;
}

int fblk_recv_start(struct fblk *fblk)
{
	int fd = fuse_session_fd(fblk->session);
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -errno;
	fblk->retry = loop_timer_new(fblk->loop, on_retry, fblk);
	fblk->io = loop_io_new(fblk->loop, fd, on_readable, fblk);
	if (!fblk->retry || !fblk->io) {
		fblk_recv_stop(fblk);
		return -ENOMEM;
	}
	loop_io_want(fblk->io, LOOP_READ);
	return 0;
}

void fblk_recv_stop(struct fblk *fblk)
{
	loop_io_free(fblk->io);
	fblk->io = NULL;
	loop_timer_free(fblk->retry);
	fblk->retry = NULL;
	buf_put(fblk->rx);
	fblk->rx = NULL;
}
