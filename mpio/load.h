/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load of a path: what of the reads and writes it has now, and how fast it
 * was with those before. This is all that a selector sees of a path.
 *
 * The unit of work is a byte; LOAD_COMMAND of them are what a command costs
 * whatever its size.
 */
#ifndef MPIO_LOAD_H
#define MPIO_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_COMMAND 4096u
#define LOAD_OLD     1000000000u /* ns after which measures are */

struct load {
	uint32_t commands; /* in flight */
	uint32_t weight;   /* key `path-weight` */
	uint64_t work;     /* in flight */
	uint64_t rate;     /* work done in a second while busy; 0: not known */
	uint64_t pace;     /* ns that LOAD_COMMAND takes at this rate */
	uint64_t latency;  /* ns, decaying average; 0: not known */
	uint64_t done_at;  /* loop_now() of the last good answer */
	int64_t credit;    /* the weighted selector's */

	/* The measurement of `rate` that is under way. */
	uint64_t busy_from; /* loop_now(), while commands are in flight */
	uint64_t busy, moved;
};

/* Forgets what was measured: the path is new, or has been away. What is in
 * flight stays. */
void load_reset(struct load *load, uint64_t now);

/* A read or write of `len` bytes leaves. */
static inline void load_sent(struct load *load, uint32_t len, uint64_t now)
{
	if (load->commands++ == 0)
		load->busy_from = now;
	load->work += len + LOAD_COMMAND;
}

/* It is back, whatever became of it. */
static inline void load_ended(struct load *load, uint32_t len, uint64_t now)
{
	load->work -= len + LOAD_COMMAND;
	if (--load->commands == 0)
		load->busy += now - load->busy_from;
}

/* There was no answer for so long that what was measured may be wrong. */
static inline bool load_is_old(const struct load *load, uint64_t now)
{
	return now > load->done_at + LOAD_OLD;
}

/* It has moved its data in `ns`; after load_ended(). */
void load_measure(struct load *load, uint32_t len, uint64_t ns, uint64_t now);

#endif
