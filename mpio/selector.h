/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selectors: the policies by which the next command gets its path among those
 * of the group in use. A new one is a file and a row in selector.c.
 *
 * Commands that arrive in one turn of the loop go together in runs, so that a
 * run leaves in one system call; a selector decides once for each run.
 */
#ifndef MPIO_SELECTOR_H
#define MPIO_SELECTOR_H

#include "load.h"

#include <stdbool.h>
#include <stdint.h>

#define SELECTOR_RUN       8
#define SELECTOR_RUN_BYTES (128u << 10)

/* What a selector may look at, and the little that it remembers. */
struct selector_view {
	uint64_t turn; /* loop_now(): equal for what arrives together */
	uint32_t len;  /* bytes of the first command of the run */
	struct {
		unsigned at;       /* the path of the run */
		unsigned left;     /* commands that it may still have */
		unsigned commands; /* it may have in all */
		unsigned grant;    /* the weighted selector's */
	} memory;            /* zero at first and when the policy changes */
	unsigned nactive;    /* at least 1 when pick() is called */
	uint32_t weight_max; /* of them */
	struct load *const *loads; /* of the active paths, in order of id */
};

struct selector {
	const char *name; /* as the key `policy` has it */
	/* Index of the path for a new run. */
	unsigned (*pick)(struct selector_view *view);
};

extern const struct selector selector_round_robin, selector_failover,
	selector_queue_length, selector_service_time, selector_latency,
	selector_weighted;

/* NULL for an unknown name. */
const struct selector *selector_find(const char *name);

/* True: one more command of `len` bytes, at loop_now(), belongs to the run,
 * with the path `memory.at`. Else it begins one. */
static inline bool selector_stays(
	struct selector_view *view, uint64_t now, uint32_t len)
{
	if (view->turn != now || !view->memory.left || len > view->len)
		return false;
	view->memory.left--;
	return true;
}

void selector_begin(struct selector_view *view, const struct selector *selector,
	uint64_t now, uint32_t len);

/* The paths have changed: what comes next begins a run. */
static inline void selector_end_run(struct selector_view *view)
{
	view->memory.left = view->memory.commands = 0;
}

/* True for a path without work whose measures are missing or old: it is worth
 * one run to find out what it is now. */
static inline bool selector_explores(
	const struct load *load, const struct selector_view *view)
{
	return !load->commands && load_is_old(load, view->turn);
}

/* The path that costs least of the SELECTOR_LOOK that follow the one of the
 * last run; of equal ones the first. Paths beyond have their turn in later
 * runs. Here, so that each policy has the loop with its own cost in it. */
#define SELECTOR_LOOK 8
typedef uint64_t selector_cost(
	const struct load *load, const struct selector_view *view);
static inline unsigned selector_cheapest(
	const struct selector_view *view, selector_cost *cost)
{
	unsigned look =
		view->nactive < SELECTOR_LOOK ? view->nactive : SELECTOR_LOOK;
	unsigned at = view->memory.at, best = 0;
	uint64_t least = UINT64_MAX;

	for (unsigned n = 0; n < look; n++) {
		uint64_t c;

		at = at + 1 < view->nactive ? at + 1 : 0;
		c = cost(view->loads[at], view);
		if (c < least || n == 0) {
			least = c;
			best = at;
		}
	}
	return best;
}

#endif
