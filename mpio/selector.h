/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors: the policies by which the next command gets its path. */
#ifndef MPIO_SELECTOR_H
#define MPIO_SELECTOR_H

#include <stdint.h>

struct mpath;

/* What a selector may look at, and the little that it remembers. */
struct selector_view {
	struct mpath *const *active; /* in order of id */
	unsigned nactive;            /* at least 1 when pick() is called */
	uint64_t turn; /* loop_now(): equal for what arrives together */
	struct {
		uint64_t turn;
		unsigned at, run;
	} memory; /* zero at first and when the policy changes */
};

struct selector {
	const char *name; /* as the key `policy` has it */
	/* Index in `active` of the path for one more command; O(1). */
	unsigned (*pick)(struct selector_view *view);
};

extern const struct selector selector_round_robin;
extern const struct selector selector_failover;

/* NULL for an unknown name. */
const struct selector *selector_find(const char *name);

#endif
