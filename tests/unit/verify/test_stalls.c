/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/verify/stalls.h"

#define MS 1000000u

static struct stalls *s;

static void begin(void)
{
	s = stalls_new(3);
}

static void end(void)
{
	stalls_free(s);
}

TestSuite(stalls, .init = begin, .fini = end);

static void took(uint64_t from_ms, uint64_t ms)
{
	struct slow r = {
		.begun = from_ms * MS, .took = ms * MS, .what = "read"};

	stalls_note(s, &r);
}

struct want {
	const char *name;
	struct fault_sum sum;
};

static void pick(void *arg, const struct fault_sum *sum)
{
	struct want *w = arg;

	if (!strcmp(sum->name, w->name))
		w->sum = *sum;
}

static struct fault_sum of(const char *name)
{
	struct want w = {.name = name};

	stalls_sums(s, pick, &w);
	return w.sum;
}

Test(stalls, a_request_is_its_faults)
{
	stalls_fault(s, "cut", 1000 * MS);
	took(900, 50);  /* over before it */
	took(990, 500); /* in flight when it came */
	took(1500, 20); /* begun in it */
	stalls_calm(s, 2000 * MS);
	took(2100, 30);
	cr_assert_eq(of("cut").requests, 2);
	cr_assert_eq(of("cut").longest, 500 * MS);
	cr_assert_eq(of("none").requests, 2);
	cr_assert_eq(of("none").longest, 50 * MS);
}

Test(stalls, the_first_fault_that_it_met_is_blamed)
{
	stalls_fault(s, "one", 1000 * MS);
	stalls_fault(s, "two", 2000 * MS);
	took(1500, 900);
	cr_assert_eq(of("one").requests, 1);
	cr_assert_eq(of("two").requests, 0);
}

Test(stalls, a_fault_that_is_over_is_not_blamed)
{
	stalls_fault(s, "one", 1000 * MS);
	stalls_calm(s, 1400 * MS);
	stalls_fault(s, "two", 2000 * MS);
	took(1999, 100);
	cr_assert_eq(of("one").requests, 0);
	cr_assert_eq(of("two").requests, 1);
}

Test(stalls, windows_of_one_name_are_summed)
{
	stalls_fault(s, "cut", 1000 * MS);
	stalls_calm(s, 1100 * MS);
	stalls_fault(s, "cut", 2000 * MS);
	took(1010, 5);
	took(2010, 7);
	cr_assert_eq(of("cut").times, 2);
	cr_assert_eq(of("cut").longest, 7 * MS);
	stalls_found(s, 2020 * MS);
	cr_assert_eq(of("cut").found, 1);
}

Test(stalls, the_longest_are_kept_in_order)
{
	const struct slow *longest;

	for (unsigned i = 1; i <= 10; i++)
		took(i * 100, i % 2 ? i : 100 - i);
	cr_assert_eq(stalls_longest(s, &longest), 3);
	cr_assert_eq(longest[0].took, 98 * MS);
	cr_assert_eq(longest[1].took, 96 * MS);
	cr_assert_eq(longest[2].took, 94 * MS);
}

Test(stalls, quantiles_are_right_within_an_eighth)
{
	uint64_t p50, p99;

	for (unsigned i = 1; i <= 1000; i++)
		took(i, i);
	p50 = stalls_quantile(s, 0.5);
	p99 = stalls_quantile(s, 0.99);
	cr_assert(p50 >= 500 * MS && p50 < 563 * MS, "%lu", p50);
	cr_assert(p99 >= 990 * MS && p99 < 1114 * MS, "%lu", p99);
}
