/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device, as frontends see it: requests at any byte offset, each
 * completed exactly once with 0 or -errno. mpio implements it over paths, a RAM
 * disk of the tests over memory. A device lives on one loop; all calls and
 * callbacks are there.
 */
#ifndef UMPIO_BLKDEV_H
#define UMPIO_BLKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/buf.h>
#include <umpio/loop.h>

struct blkdev;

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_TRIM,
	BLK_ZERO,
	BLK_STATUS,
	BLK_OPS
};

#define BLK_FUA       1u /* durable before it completes (WRITE, TRIM, ZERO) */
#define BLK_NO_HOLE   2u /* ZERO: do not deallocate */
#define BLK_FAST_ZERO 4u /* ZERO: -ENOTSUP at once rather than write zeroes */

/* What a run of bytes is, as STATUS tells it. No flag: data, or nobody knows.
 */
#define BLK_HOLE      1u /* no space is allocated */
#define BLK_ZEROES    2u /* reads as zeroes */

struct blk_extent {
	uint64_t len;   /* bytes; never 0 */
	uint32_t flags; /* BLK_HOLE, BLK_ZEROES */
};

/*
 * One request, embedded in its owner. From blkdev_submit() until `done` it is
 * the device's.
 *
 * READ: `buf` stays the owner's reference; the data is at blk_data() when done
 * gives 0, and undefined otherwise. `data` is inside `buf`, or NULL for the
 * beginning of one that has no memory yet (buf_get_bare()). WRITE: the owner's
 * reference to `buf` passes to the device at submit, which may keep it beyond
 * completion; the bytes must not change any more. `buf` is NULL for the others,
 * but for STATUS, where it is the owner's alone.
 *
 * STATUS: `extents` is the owner's array with room for `nextents` (at least 1).
 * When done, `nextents` are filled in: one after the other from `offset`,
 * neighbours differing in their flags, none reaching beyond `len`. They may end
 * before `len`, but there is at least one. It does not fail for want of an
 * answer: what cannot be told is data. A hint, which a write may have
 * overtaken.
 *
 * Errors: -EIO, -ENOSPC (no space, or a write past the end), -EINVAL (a read
 * or status past the end), -EPERM (read-only, reservation), -ENOMEM, -ENOTSUP
 * (BLK_FAST_ZERO), -ESHUTDOWN (the device is being detached).
 */
struct blk_req {
	uint8_t op;      /* enum blk_op */
	uint8_t flags;   /* BLK_* */
	uint32_t len;    /* bytes; TRIM and ZERO too; 0 succeeds at once */
	uint64_t offset; /* bytes */
	struct buf *buf;
	void *data;
	uint64_t *losses; /* of FLUSH and FUA: how many of blkdev.losses the
			   * client was told of; NULL: the device counts */
	struct blk_extent *extents; /* of STATUS */
	unsigned nextents;
	void (*done)(struct blk_req *req, int err);
	void *arg; /* the owner's */

	uint64_t started;          /* the device's: loop_now() at submit */
	void *priv;                /* the device's */
	TAILQ_ENTRY(blk_req) link; /* the device's */
};

/* It alters what is stored. */
static inline bool blk_changes(const struct blk_req *req)
{
	return req->op == BLK_WRITE || req->op == BLK_TRIM ||
	       req->op == BLK_ZERO;
}

/* Where the data of a request are, or go to. A bare buffer gets its memory
 * then, so a device does not ask before there are some. NULL without memory. */
static inline void *blk_data(struct blk_req *req)
{
	if (!req->data && req->buf)
		req->data = buf_memory(req->buf);
	return req->data;
}

/* What a device is. Constant while a frontend is attached, but for `size`,
 * which may grow. */
struct blk_info {
	uint64_t size;       /* bytes */
	uint32_t block_size; /* logical block: 512 or 4096 */
	uint32_t physical_block_size;
	uint32_t optimal_io;       /* bytes; 0: not known */
	uint32_t trim_granularity; /* bytes; 0: no trim */
	bool read_only;
	bool rotational;
	bool write_cache; /* volatile: flush does something */
	bool can_trim;
	bool can_fast_zero;
	/* Several clients, or several connections of one, are as good as one:
	 * what one was answered the others read and their flush covers, and no
	 * copy of an older write comes after it, whatever paths fail. */
	bool multi_conn;
};

struct blkdev_ops {
	void (*submit)(struct blkdev *dev, struct blk_req *req);
	void (*info)(const struct blkdev *dev, struct blk_info *info);
};

/* Somebody who wants to hear when the device changes; embedded in its owner. */
struct blkdev_watch {
	void (*resized)(struct blkdev_watch *watch, uint64_t size);
	TAILQ_ENTRY(blkdev_watch) link;
};

/* The head of every implementation's own struct. */
struct blkdev {
	const struct blkdev_ops *ops;
	struct loop *loop;
	const char *name;
	/* Times that acknowledged writes may have been lost by the target. A
	 * client that begins has been told of all; a FLUSH, or a request with
	 * FUA, of one that has not fails with -EIO, once. */
	uint64_t losses;
	TAILQ_HEAD(, blkdev_watch) watches;
	size_t held; /* bytes of data of requests that it has */
};

/*
 * Memory: what a device holds, for want of a path or of speed, is bounded over
 * all its frontends, and so is what all devices hold (256 MiB). A frontend
 * charges the data of a request with blkdev_hold() before its buffer is there,
 * and gives it back when the request is done. Without room it takes nothing
 * more in until a request of its own is done; one that has none at the device
 * may take one in regardless, so that none starves.
 */
#define BLKDEV_HELD_MAX ((size_t)64 << 20)

static inline bool blkdev_has_room(const struct blkdev *dev, size_t bytes)
{
	return dev->held + bytes <= BLKDEV_HELD_MAX &&
	       buf_pool_can_hold(loop_pool(dev->loop), bytes);
}

static inline void blkdev_hold(struct blkdev *dev, size_t bytes)
{
	dev->held += bytes;
	buf_pool_hold(loop_pool(dev->loop), bytes);
}

static inline void blkdev_let_go(struct blkdev *dev, size_t bytes)
{
	dev->held -= bytes;
	buf_pool_let_go(loop_pool(dev->loop), bytes);
}

/* Takes `req`; done() comes later, never from within this call. */
static inline void blkdev_submit(struct blkdev *dev, struct blk_req *req)
{
	dev->ops->submit(dev, req);
}

static inline void blkdev_info(const struct blkdev *dev, struct blk_info *info)
{
	dev->ops->info(dev, info);
}

static inline void blkdev_watch(struct blkdev *dev, struct blkdev_watch *w)
{
	TAILQ_INSERT_TAIL(&dev->watches, w, link);
}

static inline void blkdev_unwatch(struct blkdev *dev, struct blkdev_watch *w)
{
	TAILQ_REMOVE(&dev->watches, w, link);
}

#endif
