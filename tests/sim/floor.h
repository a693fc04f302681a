/* SPDX-License-Identifier: BSD-2-Clause */
/* Since when older values are over: a few steps of a function that grows. */
#ifndef TESTS_SIM_FLOOR_H
#define TESTS_SIM_FLOOR_H

#include <stdint.h>

#define FLOOR_STEPS 4

/* From `at` on, what was submitted before `begin` is over. */
struct floor_step {
	uint64_t at, begin;
};

struct floor {
	uint32_t n;
	struct floor_step step[FLOOR_STEPS];
};

/* What holds for somebody who looks at `at`. */
uint64_t floor_at(const struct floor *f, uint64_t at);

/* `at` is now; nobody asks for times before `oldest` any more. Where the steps
 * do not suffice, some times are answered as an earlier one. */
void floor_raise(struct floor *f, uint64_t at, uint64_t begin, uint64_t oldest);

#endif
