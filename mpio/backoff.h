/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Back-off: when a path that is down is tried again. At once the first time,
 * then after up to 0.1 s, doubling to 5 s, full jitter; up to 1 s, counted from
 * the beginning of the last attempt, while somebody may wait for it: no path is
 * active, or it owes a fence. Never before its target said (Time2Wait), and
 * seldom what seldom passes by itself.
 */
#ifndef MPIO_BACKOFF_H
#define MPIO_BACKOFF_H

#include <stdint.h>
#include <umpio/path.h>

struct mpath;

struct backoff {
	unsigned attempts;   /* to connect since it was last active */
	uint64_t start_at;   /* loop_now() of the next one, in BACKOFF */
	uint64_t slow_until; /* loop_now() before which it is not started */
	uint64_t started_at; /* loop_now() of the last attempt, by an own portal
			      */
};

/* An attempt begins. */
void backoff_attempt(struct mpath *mp);

/* The path went down: not again for `wait` ns, or longer by the cure. */
void backoff_wait(struct mpath *mp, enum path_cure cure, uint64_t wait);

/* Sets the path's timer to the next attempt. */
void backoff_rest(struct mpath *mp);

/* It has become urgent: no later than 1 s after the last attempt, if it rests.
 */
void backoff_hurry(struct mpath *mp);

/* No later than loop_now() `at`, if it rests and may be started by then. */
void backoff_advance(struct mpath *mp, uint64_t at);

/* All that was counted is forgotten. */
void backoff_reset(struct mpath *mp);

#endif
