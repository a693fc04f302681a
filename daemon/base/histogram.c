/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/base/histogram.h>

/* Below 8 each value has its bucket; above, the three bits behind the first
 * one choose among the 8 of that power of two. */
static unsigned bucket_of(uint64_t us)
{
	unsigned bits;

	if (us < 8)
		return (unsigned)us;
	bits = 63 - (unsigned)__builtin_clzll(us);
	if (bits > HISTOGRAM_BUCKETS / 8 + 1)
		return HISTOGRAM_BUCKETS - 1;
	return (bits - 2) * 8 + (unsigned)(us >> (bits - 3) & 7);
}

/* The middle of a bucket: at most 1/16 off from any value in it. */
static uint64_t bucket_middle(unsigned bucket)
{
	unsigned shift = bucket / 8;

	if (shift < 2)
		return bucket;
	shift--;
	return ((uint64_t)(8 + bucket % 8) << shift) + (1ull << shift) / 2;
}

/* After weeks the old weighs half, before a bucket overflows. */
static void halve(struct histogram *h)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] /= 2;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	uint32_t *bucket = &h->bucket[bucket_of(us)];

	if (*bucket == UINT32_MAX)
		halve(h);
	++*bucket;
	h->count++;
	if (us > h->max_us)
		h->max_us = us;
}

uint64_t histogram_quantile(const struct histogram *h, unsigned permille)
{
	uint64_t sum = 0, seen = 0, rank, value;

	if (permille >= 1000)
		return h->max_us;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum += h->bucket[i];
	rank = (sum * permille + 999) / 1000;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen == 0 || seen < rank)
			continue;
		value = bucket_middle(i);
		return value < h->max_us ? value : h->max_us;
	}
	return 0;
}
