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

/* What a selector may look at, and the little that it remembers. */
struct selector_view {
	struct load *const *loads; /* of the active paths, in order of id */
	unsigned nactive;          /* at least 1 when pick() is called */
	uint32_t weight_max;       /* of them */
	uint32_t len;              /* bytes of the command */
	uint64_t turn; /* loop_now(): equal for what arrives together */
	struct {
		uint64_t turn;
		unsigned at;    /* the path of the run */
		unsigned run;   /* commands of it so far */
		uint64_t bytes; /* and their data */
	} memory;               /* zero at first and when the policy changes */
};

struct selector {
	const char *name; /* as the key `policy` has it */
	/* Index of the path for one more command. */
	unsigned (*pick)(struct selector_view *view);
};

extern const struct selector selector_round_robin, selector_failover,
	selector_queue_length, selector_service_time, selector_latency,
	selector_weighted;

/* NULL for an unknown name. */
const struct selector *selector_find(const char *name);

/* Counts the command. True: it belongs to the run, whose path is `memory.at`;
 * false: it begins one. */
#define SELECTOR_RUN       8
#define SELECTOR_RUN_BYTES (128u << 10)
static inline bool selector_stays(struct selector_view *view)
{
	/* The number of paths may have changed since the last call. */
	if (view->memory.turn == view->turn && view->memory.run &&
		view->memory.run < SELECTOR_RUN &&
		view->memory.bytes < SELECTOR_RUN_BYTES &&
		view->memory.at < view->nactive) {
		view->memory.run++;
		view->memory.bytes += view->len;
		return true;
	}
	view->memory.turn = view->turn;
	view->memory.run = 1;
	view->memory.bytes = view->len;
	return false;
}

/* Begins a run with the path that costs least of the SELECTOR_LOOK that follow
 * the one of the last run; of equal ones the first. Paths beyond have their
 * turn in later runs. */
#define SELECTOR_LOOK 8
typedef uint64_t selector_cost(
	const struct load *load, const struct selector_view *view);
unsigned selector_cheapest(struct selector_view *view, selector_cost *cost);

/* True for a path without work whose measures are missing or old: it is worth
 * one run to find out what it is now. */
bool selector_explores(
	const struct load *load, const struct selector_view *view);

#endif
