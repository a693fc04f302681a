/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <umpio/base/histogram.h>

static struct histogram h;

Test(histogram, empty)
{
	cr_assert_eq(histogram_quantile(&h, 0), 0);
	cr_assert_eq(histogram_quantile(&h, 500), 0);
	cr_assert_eq(histogram_quantile(&h, 1000), 0);
}

/* One value a time: within 7 %, over the whole range. */
Test(histogram, precision)
{
	for (uint64_t us = 0; us < 1ull << 33; us += us / 50 + 1) {
		struct histogram one = {.count = 0};
		uint64_t q;

		histogram_add(&one, us);
		histogram_add(&one, UINT64_MAX);
		q = histogram_quantile(&one, 500);
		cr_assert_leq(q, us + us * 7 / 100, "%lu: %lu", us, q);
		cr_assert_geq(q, us - us * 7 / 100, "%lu: %lu", us, q);
	}
}

Test(histogram, quantiles)
{
	for (unsigned us = 1; us <= 1000; us++)
		histogram_add(&h, us);
	cr_assert_eq(h.count, 1000);
	cr_assert_float_eq((double)histogram_quantile(&h, 500), 500, 35);
	cr_assert_float_eq((double)histogram_quantile(&h, 990), 990, 70);
	cr_assert_eq(histogram_quantile(&h, 1000), 1000);
	cr_assert_eq(histogram_quantile(&h, 0), 1);
	cr_assert_leq(histogram_quantile(&h, 999), 1000);
}

Test(histogram, full_bucket_halves_all)
{
	h.bucket[3] = UINT32_MAX;
	h.bucket[5] = UINT32_MAX / 2;
	h.count = 1;
	h.max_us = 5;
	histogram_add(&h, 3);
	cr_assert_eq(h.bucket[3], UINT32_MAX / 2 + 1);
	cr_assert_eq(histogram_quantile(&h, 500), 3);
	cr_assert_eq(histogram_quantile(&h, 900), 5);
}
