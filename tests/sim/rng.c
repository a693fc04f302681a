/* SPDX-License-Identifier: BSD-2-Clause */
#include "rng.h"

/* SplitMix64 (Steele, Lea, Flood 2014), to spread the seed. */
static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void rng_init(struct rng *rng, uint64_t seed, uint64_t stream)
{
	uint64_t state = seed * 0x2545f4914f6cdd1dull + stream;

	rng->s[0] = mix(&state);
	rng->s[1] = mix(&state) | 1;
}

static uint64_t rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

/* xoroshiro128+ (Blackman, Vigna 2018). */
uint64_t rng_next(struct rng *rng)
{
	uint64_t a = rng->s[0], b = rng->s[1], sum = a + b;

	b ^= a;
	rng->s[0] = rotl(a, 24) ^ b ^ b << 16;
	rng->s[1] = rotl(b, 37);
	return sum;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return n ? (rng_next(rng) >> 11) % n : 0;
}

uint64_t rng_range(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_below(rng, high - low + 1);
}

bool rng_chance(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

uint64_t rng_log(struct rng *rng, uint64_t low, uint64_t high)
{
	unsigned octaves = 0;
	uint64_t from;

	while (octaves < 62 && low << (octaves + 1) <= high)
		octaves++;
	from = low << rng_below(rng, octaves + 1);
	return rng_range(rng, from, 2 * from < high ? 2 * from : high);
}

/* From the place of the first bit that is set: whole numbers only, so that
 * every machine has the same. */
uint64_t rng_gap(struct rng *rng, uint64_t mean)
{
	uint64_t r = rng_next(rng) | 1ull << 40;
	uint64_t halvings = (uint64_t)__builtin_clzll(r);
	uint64_t step = mean * 7 / 10;

	if (halvings > 10)
		halvings = 10;
	return halvings * step + rng_below(rng, step + 1);
}
