/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device of memory, for tests of what stands on blkdev.h. It answers
 * late, in another order, or with errors, as it is told, and counts.
 */
#ifndef UMPIO_T_BLKDEV_H
#define UMPIO_T_BLKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/blkdev.h>

#include "t_lie.h"

struct loop;
struct t_blkdev;

struct t_blkdev_options {
	const char *name;    /* NULL: "ram"; lives as long as the device */
	uint64_t size;       /* bytes */
	uint32_t block_size; /* 0: 512 */
	uint32_t optimal_io; /* bytes; 0: not known */
	uint64_t delay; /* ns from submit to done; 0: in this turn, posted */
	bool reverse;   /* what is due together completes last one first */
	bool hold;      /* nothing completes before t_blkdev_release() */
	bool read_only, rotational, no_trim, no_fast_zero, no_write_cache;
	bool no_multi_conn;
	bool opaque;      /* STATUS: all is data */
	bool unallocated; /* STATUS: begins as one hole, instead of as data */
	struct t_lie lie; /* what it does wrong now and then; default nothing */
};

/* NULL without memory. The memory reads as zeroes and costs nothing where it
 * was never written. */
struct t_blkdev *t_blkdev_new(
	struct loop *loop, const struct t_blkdev_options *options);

/* No request may be in flight. NULL is allowed. */
void t_blkdev_free(struct t_blkdev *t);

struct blkdev *t_blkdev_dev(struct t_blkdev *t);
uint8_t *t_blkdev_data(struct t_blkdev *t);

/* Requests of `op` that touch the range complete with `err` (-errno) and change
 * nothing; len 0: wherever they go, also those without a range (FLUSH). Up to 8
 * such rules; the first that fits counts. */
void t_blkdev_fail(struct t_blkdev *t, enum blk_op op, uint64_t offset,
	uint64_t len, int err);
void t_blkdev_heal(struct t_blkdev *t); /* no rule any more */

/* Lets the `n` requests that wait longest complete, posted. */
void t_blkdev_release(struct t_blkdev *t, unsigned n);
/* Changes option `hold`; ending it releases all. */
void t_blkdev_hold(struct t_blkdev *t, bool hold);

/* Tells the watches; `size` is at most what the device was made with. */
void t_blkdev_resize(struct t_blkdev *t, uint64_t size);

struct t_blkdev_counts {
	unsigned inflight, inflight_max;
	uint64_t ops[BLK_OPS]; /* submitted, by op */
	uint64_t fua, no_hole, fast_zero;
	uint64_t unflushed; /* writes completed since the last good flush */
};
const struct t_blkdev_counts *t_blkdev_counts(const struct t_blkdev *t);

#endif
