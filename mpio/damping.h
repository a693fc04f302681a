/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damping: bad paths are kept out. A path is poor while it is held down (it was
 * lost three times within a minute) or marginal (three faults within a minute:
 * digest errors, commands that were lost, silences that it came out of, answers
 * far slower than the others'). A poor path stays logged in, and gets commands
 * only when no other path is left: whoever ranks paths puts mpath_is_poor()
 * behind everything else.
 *
 * Each time it lasts for 30 s, doubling to 10 min; a path that behaves for that
 * long starts anew. Nothing is held against the only path.
 */
#ifndef MPIO_DAMPING_H
#define MPIO_DAMPING_H

#include <stdbool.h>
#include <stdint.h>

#define DAMPING_STRIKES 3

struct mpath;
struct mpath_info;
struct mpdev;

/* What is counted, and what it has come to. Times are loop_now(). */
struct strikes {
	uint64_t at[DAMPING_STRIKES - 1]; /* the last ones; 0: none */
	uint64_t until;                   /* it is out till then; 0: it is in */
	uint64_t term;                    /* ns of the last time out */
};

struct damping {
	struct strikes losses, faults;
	bool held, marginal; /* as told */
	uint64_t digest_errors, seen_at;
	char why[96]; /* of `marginal` */
};

/* The path was lost while active. */
void damping_lost(struct mpath *mp);

/* Something went wrong on a path that lives on: `what`, for people. */
void damping_fault(struct mpath *mp, const char *what);

/* Looks after what is counted elsewhere, and what is over. */
void damping_look(struct mpdev *dev, uint64_t now);

/* loop_now() at which the next term ends; UINT64_MAX: none runs. */
uint64_t damping_due(const struct mpdev *dev);

/* The options may have changed. */
void damping_apply(struct mpath *mp, uint64_t now);

/* What a status says of it. */
void damping_info(const struct mpath *mp, struct mpath_info *info);

#endif
