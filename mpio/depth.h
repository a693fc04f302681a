/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many commands a path may have: as many as there are, until its target
 * answers BUSY or TASK SET FULL (SAM-5 5.3.1). Then half of what it had, and
 * one more for each round of that many good answers, until it has not been
 * full for long.
 */
#ifndef MPIO_DEPTH_H
#define MPIO_DEPTH_H

#include <stdbool.h>
#include <stdint.h>

#define DEPTH_FREE 1024 /* a limit that has grown so far is none */

struct depth {
	uint32_t open;   /* commands that it has */
	uint32_t limit;  /* 0: none */
	uint32_t good;   /* answers since it was changed */
	uint64_t shrunk; /* loop_now() of the last time */
};

/* A command that was sent at `sent`, and is no longer open, found the target
 * full. What was sent before the last time tells nothing new. */
void depth_full(struct depth *depth, uint64_t sent, uint64_t now);

void depth_grow(struct depth *depth);

static inline void depth_good(struct depth *depth)
{
	if (depth->limit)
		depth_grow(depth);
}

static inline bool depth_has_room(const struct depth *depth)
{
	return !depth->limit || depth->open < depth->limit;
}

#endif
