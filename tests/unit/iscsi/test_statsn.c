/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "daemon/iscsi/sn.h"
#include "daemon/iscsi/statsn.h"

static struct statsn w;

static void expect_missing(uint32_t from, uint32_t begin, uint32_t run)
{
	uint32_t b, n;

	cr_assert_eq(statsn_missing(&w, from, &b, &n), run > 0);
	if (run == 0)
		return;
	cr_assert_eq(b, begin, "begin %u", b);
	cr_assert_eq(n, run, "run %u", n);
}

Test(statsn, in_a_row_and_over_the_wrap)
{
	statsn_init(&w, 0xfffffff0);
	for (uint32_t i = 0; i < 2000; i++) {
		cr_assert_eq(statsn_take(&w, 0xfffffff0 + i), STATSN_NEW);
		cr_assert_eq(w.exp, 0xfffffff0 + i);
		statsn_settle(&w, 0xfffffff0 + i);
		cr_assert_eq(w.exp, 0xfffffff0 + i + 1);
	}
	expect_missing(w.exp, 0, 0);
}

Test(statsn, a_gap_holds_what_is_acknowledged)
{
	statsn_init(&w, 10);
	cr_assert_eq(statsn_take(&w, 13), STATSN_GAP);
	statsn_settle(&w, 13);
	cr_assert_eq(w.exp, 10);
	expect_missing(w.exp, 10, 3);
	expect_missing(12, 12, 1);
	cr_assert_eq(statsn_take(&w, 11), STATSN_NEW);
	statsn_settle(&w, 11);
	expect_missing(w.exp, 10, 1);
	expect_missing(11, 12, 1);
	cr_assert_eq(statsn_take(&w, 10), STATSN_NEW);
	statsn_settle(&w, 10);
	cr_assert_eq(w.exp, 12);
	cr_assert_eq(statsn_take(&w, 12), STATSN_NEW);
	statsn_settle(&w, 12);
	cr_assert_eq(w.exp, 14);
	cr_assert_eq(w.next, 14);
}

Test(statsn, what_is_not_settled_may_come_again)
{
	statsn_init(&w, 5);
	cr_assert_eq(statsn_take(&w, 5), STATSN_NEW);
	cr_assert_eq(statsn_take(&w, 5), STATSN_AGAIN);
	cr_assert_eq(statsn_take(&w, 6), STATSN_NEW);
	statsn_settle(&w, 6);
	cr_assert_eq(statsn_take(&w, 6), STATSN_OLD);
	cr_assert_eq(w.exp, 5);
	statsn_settle(&w, 5);
	cr_assert_eq(w.exp, 7);
	cr_assert_eq(statsn_take(&w, 5), STATSN_OLD);
	statsn_settle(&w, 5);
	cr_assert_eq(w.exp, 7);
}

Test(statsn, what_the_target_shows)
{
	statsn_init(&w, 0xffffffff);
	cr_assert(!statsn_reveal(&w, 0xffffffff));
	cr_assert(statsn_reveal(&w, 1));
	cr_assert(!statsn_reveal(&w, 0));
	expect_missing(w.exp, 0xffffffff, 2);
}

Test(statsn, too_far)
{
	statsn_init(&w, 0);
	cr_assert_eq(statsn_take(&w, STATSN_WINDOW), STATSN_FAR);
	cr_assert(!statsn_reveal(&w, STATSN_WINDOW + 1));
	cr_assert_eq(statsn_take(&w, STATSN_WINDOW - 1), STATSN_GAP);
	statsn_settle(&w, STATSN_WINDOW - 1);
	for (uint32_t i = 0; i < STATSN_WINDOW - 1; i++) {
		cr_assert_eq(statsn_take(&w, i), STATSN_NEW);
		statsn_settle(&w, i);
	}
	cr_assert_eq(w.exp, STATSN_WINDOW);
}
