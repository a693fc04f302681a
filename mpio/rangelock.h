/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte ranges of one device that are being changed. Every write, zero and trim
 * holds its range from start to end, shared; a read-modify-write, and a write
 * whose first attempt may still be executed by a target, hold theirs alone.
 * Two ranges conflict when they overlap and one of them is exclusive; of two
 * that conflict the later one waits for the earlier one, so no order of
 * arrivals can deadlock or starve anybody.
 *
 * While no exclusive range is there, a shared one costs one load and the
 * insertion in a list. Reads do not take part: a block read beside a change of
 * it is the old one or the new one.
 */
#ifndef MPIO_RANGELOCK_H
#define MPIO_RANGELOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum range_state { RANGE_FREE, RANGE_WAITING, RANGE_GRANTED, RANGE_HELD };

struct range {
	uint64_t start, end; /* bytes, end not included; set by the owner */
	bool exclusive;      /* set by the owner */
	uint8_t state;       /* enum range_state */
	unsigned blockers; /* earlier ranges that conflict; 0 unless waiting */
	/* Called from within the release that let it go; set by the owner. */
	void (*granted)(struct range *range);
	TAILQ_ENTRY(range) link;
	TAILQ_ENTRY(range) grant;
};

TAILQ_HEAD(range_list, range);

struct rangelock {
	struct range_list ranges; /* in order of arrival */
	struct range_list grants; /* granted, not told yet */
	unsigned exclusives, waiting;
};

void rangelock_init(struct rangelock *lock);

/* True when the range is held at once; otherwise granted() comes later. The
 * range is the lock's until it is released. */
bool rangelock_acquire(struct rangelock *lock, struct range *range);

/* Gives up a range that is held or still waits, and lets others go on. Nothing
 * for one that was never acquired. */
void rangelock_release(struct rangelock *lock, struct range *range);

/* Makes a held range exclusive against those that come later and those that
 * wait; the ones that are held already are not touched. */
void rangelock_upgrade(struct rangelock *lock, struct range *range);

#endif
