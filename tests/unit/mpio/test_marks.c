/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/marks.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

/* Where nothing is. */
static bool is_hit(const struct marks *marks)
{
	uint64_t at = ((uint64_t)rand() << 9) + (UINT64_C(1) << 50);

	return marks_touch(marks, at, at + 512);
}

/* No range of the set is ever missed, and few are seen that are not there. */
Test(marks, random_against_a_model)
{
	enum { N = 1000 };
	static struct {
		uint64_t start, end;
		bool in;
	} set[N];
	struct marks *marks = marks_new();
	unsigned in = 0, hits = 0;

	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned at = (unsigned)rand() % N;
		uint64_t len = rand() % 16 ? 4096 : 5u << 20;

		if (set[at].in) {
			marks_remove(marks, set[at].start, set[at].end);
		} else {
			set[at].start = (uint64_t)rand() << 9;
			set[at].end = set[at].start + len;
			marks_add(marks, set[at].start, set[at].end);
		}
		set[at].in = !set[at].in;
	}
	for (unsigned i = 0; i < N; i++) {
		in += set[i].in;
		cr_assert(!set[i].in ||
			  marks_touch(marks, set[i].end - 1, set[i].end + 511));
		hits += is_hit(marks);
	}
	cr_assert_gt(in, N / 4);
	cr_assert_lt(hits, N / 10, "%u of %u", hits, (unsigned)N);
	for (unsigned i = 0; i < N; i++)
		if (set[i].in)
			marks_remove(marks, set[i].start, set[i].end);
	for (unsigned i = 0; i < N; i++)
		cr_assert_not(marks_touch(marks, set[i].start, set[i].end));
	marks_free(marks);
}

Test(marks, what_has_no_bytes)
{
	struct marks *marks = marks_new();

	marks_add(marks, 4096, 4096);
	marks_add(marks, 8192, 4096); /* a trim within a block */
	cr_assert_not(marks_touch(marks, 0, 1 << 20));
	cr_assert_not(marks_touch(marks, 0, 0));
	marks_free(marks);
	marks_free(NULL);
}
