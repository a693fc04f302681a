/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The changes that were acknowledged and that no flush covers yet, in the order
 * in which they ended: what a target with a volatile cache may lose. Their data
 * are kept, by the reference that the device has anyway, so that they can be
 * written again (suspect.h).
 *
 * At RETAIN_FLUSH bytes the device flushes by itself, at RETAIN_MAX new changes
 * wait for that; so what is kept is always whole, and bounded. The queues of a
 * device have equal parts of both. As the buffers are those that all requests
 * of all devices come out of, it flushes the sooner the less of them is left.
 */
#ifndef MPIO_RETAIN_H
#define MPIO_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define RETAIN_FLUSH (16u << 20)
#define RETAIN_MAX   (32u << 20)
#define RETAIN_LEFT  16 /* at this part of what all pools have left, too */

struct buf;
struct marks;
struct mpdev;
struct request;

struct retained {
	uint64_t start, end; /* bytes, in whole blocks */
	struct buf *buf;     /* of a write; NULL: zeroes, or nothing */
	const uint8_t *data; /* in it, of the byte `start` */
	bool zeroes; /* without `buf`: it left zeroes; else what it left is not
		      * known, and it only hides older ones */
	TAILQ_ENTRY(retained) link;
};

TAILQ_HEAD(retained_list, retained);

struct retain {
	bool on;                   /* there is a cache that may be lost */
	bool holes;                /* something unflushed is not in the list */
	struct retained_list list; /* the oldest first */
	struct retained_list spare;
	struct retained *covered; /* last of those that the flush covers */
	bool covered_holes;
	size_t bytes;        /* of memory, about */
	struct marks *marks; /* where; NULL: nobody has to know, or there was
			      * no memory for it */
};

void retain_init(struct retain *retain);
void retain_fini(struct mpdev *dev);

/* The facts are known, or have changed. */
void retain_configure(struct mpdev *dev);

/* A change has succeeded: takes over its data. */
void retain_change(struct mpdev *dev, struct request *r);

/* Flushes when enough has come together, or memory has become short. */
void retain_check(struct mpdev *dev);

/* A flush of everything begins; it has succeeded, or failed. */
void retain_flush_begins(struct mpdev *dev);
void retain_flushed(struct mpdev *dev);
void retain_flush_failed(struct mpdev *dev);

/* From now on retain_touches() will be asked. */
void retain_watch(struct mpdev *dev);

/* False: nothing unflushed is in bytes [start, end). */
bool retain_touches(const struct mpdev *dev, uint64_t start, uint64_t end);

/* Nothing is kept any more. */
void retain_drop(struct mpdev *dev);

/* Part of a retained change that no later one hides. */
struct piece {
	const struct retained *of;
	uint64_t start, end;
};

/* The next piece after `piece` (`of` NULL: the first); false at the end.
 * Pieces do not overlap, so their order does not matter. */
bool retain_next(const struct mpdev *dev, struct piece *piece);

static inline bool retain_is_empty(const struct retain *retain)
{
	return TAILQ_EMPTY(&retain->list) && !retain->holes &&
	       !retain->covered_holes;
}

#endif
