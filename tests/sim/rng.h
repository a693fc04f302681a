/* SPDX-License-Identifier: BSD-2-Clause */
/* The one source of chance of a run: everything random comes from its seed. */
#ifndef TESTS_SIM_RNG_H
#define TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[2];
};

/* `stream` tells generators of one seed apart. */
void rng_init(struct rng *rng, uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *rng);

/* 0 to `n` - 1; 0 for `n` = 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);
/* `low` to `high`, both included. */
uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high);
/* True in `percent` of 100 cases. */
bool rng_chance(struct rng *rng, unsigned percent);
/* Between `low` and `high`, small ones as likely as large ones. */
uint64_t rng_log(struct rng *rng, uint64_t low, uint64_t high);
/* Exponentially distributed around `mean`, at most 8 times that. */
uint64_t rng_gap(struct rng *rng, uint64_t mean);

#define RNG_PICK(rng, list)                                                    \
	((list)[rng_below(rng, sizeof(list) / sizeof(list)[0])])

#endif
