/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server side of a block file, on the device's loop: takes requests from
 * the kernel (fblk_recv.c), understands them (fblk_ops.c), gives them to the
 * device and answers (fblk.c).
 *
 * Memory is bounded: by the number of requests, and by what the device may
 * hold. At a bound, receiving stops; the kernel keeps the rest.
 */
#ifndef FBLK_H
#define FBLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/blkdev.h>
#include <umpio/frontend.h>
#include <umpio/loop.h>

#include "fblk_map.h"

struct fuse_req;
struct fuse_session;

#define FBLK_REQS_MAX     512u
#define FBLK_SEEK_EXTENTS 16
#define FBLK_BACKGROUND   256 /* asynchronous requests that the kernel sends */

/* One request at the device. */
struct fblk_req {
	struct blk_req blk;
	struct fblk *fblk;
	struct fuse_req *fuse; /* NULL: answered already (interrupted) */
	uint64_t left;         /* bytes to do after this part */
	int whence;            /* of a seek, which goes on until it has found */
	unsigned questions;    /* that it has asked */
	struct blk_extent extents[FBLK_SEEK_EXTENTS];
	size_t charge; /* buffer bytes it holds */
	SLIST_ENTRY(fblk_req) link;
};

struct fblk {
	struct loop *loop;
	struct fblk_mount *mount;
	struct fuse_session *session;
	struct blkdev *dev;
	void (*ended)(void *arg);
	void *ended_arg;
	void (*drained)(void *arg);
	void *drained_arg;

	struct fblk_req *reqs;
	SLIST_HEAD(, fblk_req) idle;
	unsigned inflight; /* requests */
	size_t bytes;      /* of their buffers */

	struct loop_io *io;       /* NULL: the kernel ended the mount */
	struct buf *rx;           /* receives the next request; may be NULL */
	bool stalled;             /* receiving has stopped at a bound */
	struct fblk_req *starved; /* a read that waits for a buffer */
	struct loop_timer *retry; /* for memory */

	bool draining;
	struct loop_task ended_task, drained_task, resized_task;
	struct blkdev_watch watch;
	uint64_t losses; /* blkdev.losses that were told */
};

/*
 * Submits `io` for `fuse`, which will be answered when it is done. `payload` is
 * a write's buffer, whose reference passes on, with the bytes at `data`; NULL
 * for the rest. io->len must not be 0 but for BLK_FLUSH.
 */
void fblk_submit(struct fblk *fblk, struct fuse_req *fuse,
	const struct fblk_io *io, struct buf *payload, void *data);

/* Takes a buffer for the starved read and submits it. False: still none. */
bool fblk_feed(struct fblk *fblk);

/* fblk_recv.c: receiving. start: 0 or -errno; stop may be called twice. */
int fblk_recv_start(struct fblk *fblk);
void fblk_recv_stop(struct fblk *fblk);

/* Goes on after a stall when there is room again. */
void fblk_recv_resume(struct fblk *fblk);

/* Moves the `size` bytes at `from`, in the receive buffer, into a buffer of
 * their own; `*data` is where they are then. Never fails: at worst the receive
 * buffer itself goes. */
struct buf *fblk_recv_payload(
	struct fblk *fblk, const char *from, size_t size, void **data);

#endif
