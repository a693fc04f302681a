/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/selector.h"

#include <criterion/criterion.h>
#include <umpio/mpio.h>

Test(selector, policies_are_found_by_name)
{
	const char *const *names = mpio_policies();

	cr_assert_str_eq(names[0], "round-robin");
	for (int i = 0; names[i]; i++)
		cr_assert_str_eq(selector_find(names[i])->name, names[i]);
	cr_assert_null(selector_find("best"));
	cr_assert_null(selector_find(""));
}

Test(selector, round_robin_in_runs_of_eight)
{
	struct selector_view v = {.nactive = 3, .turn = 5};
	unsigned first = selector_round_robin.pick(&v);

	for (int i = 1; i < 8; i++)
		cr_assert_eq(selector_round_robin.pick(&v), first);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(selector_round_robin.pick(&v), (first + 1) % 3);
	v.turn = 6; /* another turn, another path */
	cr_assert_eq(selector_round_robin.pick(&v), (first + 2) % 3);
	v.turn = 7;
	cr_assert_eq(selector_round_robin.pick(&v), first);
}

Test(selector, round_robin_minds_fewer_paths)
{
	struct selector_view v = {.nactive = 4};

	for (uint64_t turn = 1; turn < 50; turn++) {
		v.turn = turn;
		v.nactive = (unsigned)(1 + turn % 4);
		cr_assert_lt(selector_round_robin.pick(&v), v.nactive);
	}
}

Test(selector, failover_takes_the_first)
{
	struct selector_view v = {.nactive = 3, .turn = 9};

	cr_assert_eq(selector_failover.pick(&v), 0);
}
