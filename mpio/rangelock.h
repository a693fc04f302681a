/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte ranges of one device that are being changed. Every write, zero and trim
 * holds its range from start to end; of two that overlap the later one waits
 * for the earlier one, whichever path either takes, so no order of arrivals can
 * deadlock or starve anybody. What an old copy of a write may still change is
 * held like a write (fence.h).
 *
 * A range is in one bucket of a hash table, by its start in granules of its
 * size class, so whatever overlaps it in a class is within its own granules or
 * the one before. A lone write costs the insertion; beside others of its size
 * it looks into two or three buckets.
 *
 * Reads do not take part: a block read beside a change of it is the old one or
 * the new one.
 */
#ifndef MPIO_RANGELOCK_H
#define MPIO_RANGELOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define RANGELOCK_BITS    8
#define RANGELOCK_BUCKETS (1u << RANGELOCK_BITS)
#define RANGELOCK_CLASSES 5 /* 4 KiB, 64 KiB, 1 MiB, 16 MiB, what is larger */

enum range_state { RANGE_FREE, RANGE_WAITING, RANGE_GRANTED, RANGE_HELD };

struct range {
	uint64_t start, end; /* bytes, end not included; set by the owner */
	uint64_t seq;        /* order of arrival; set by the owner */
	uint64_t key;        /* start in granules, and the class */
	unsigned blockers;   /* earlier ones that overlap; 0 unless waiting */
	uint8_t state;       /* enum range_state */
	uint8_t class;
	/* Called from within the release that let it go; set by the owner. */
	void (*granted)(struct range *range);
	LIST_ENTRY(range) bucket;
	TAILQ_ENTRY(range) link; /* of those waiting, or granted */
};

TAILQ_HEAD(range_list, range);
LIST_HEAD(range_bucket, range);

struct rangelock {
	struct range_bucket buckets[RANGELOCK_BUCKETS];
	unsigned in_class[RANGELOCK_CLASSES];
	unsigned classes; /* a bit for each that is not empty */
	unsigned total;
	uint64_t latest; /* seq seen */
	struct range_list waiting;
	struct range_list grants; /* granted, not told yet */
};

void rangelock_init(struct rangelock *lock);

/* True when the range is held at once; otherwise granted() comes later. The
 * range is the lock's until it is released. One that comes again with its old
 * seq goes before those that still wait. */
bool rangelock_acquire(struct rangelock *lock, struct range *range);

/* Gives up a range that is held or still waits, and lets others go on. Nothing
 * for one that was never acquired. */
void rangelock_release(struct rangelock *lock, struct range *range);

/* Holds `range` at once, whoever has it: those that still wait, and those to
 * come, wait for it too. */
void rangelock_enter(struct rangelock *lock, struct range *range);

/* Something in [start, end) is being changed, or waits for that. */
bool rangelock_touches(struct rangelock *lock, uint64_t start, uint64_t end);

/* Somebody waits for `range`, which is held. */
bool rangelock_is_awaited(
	const struct rangelock *lock, const struct range *range);

/* Makes a held range reach from at most `start` to at least `end`. */
void rangelock_widen(struct rangelock *lock, struct range *range,
	uint64_t start, uint64_t end);

#endif
