/* SPDX-License-Identifier: BSD-2-Clause */
/* A latency histogram: 8 buckets to each power of two of microseconds, so a
 * quantile is right within 7 %, in fixed memory and a few instructions. */
#ifndef UMPIO_BASE_HISTOGRAM_H
#define UMPIO_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 256

struct histogram {
	uint64_t count;
	uint64_t max_us;
	uint32_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t us);

/* The value that `permille` of 1000 entries do not exceed, in microseconds; 0
 * when empty; 1000 gives the exact maximum. */
uint64_t histogram_quantile(const struct histogram *h, unsigned permille);

#endif
