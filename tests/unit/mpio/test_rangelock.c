/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/rangelock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static unsigned grants;

static void granted(struct range *range)
{
	(void)range;
	grants++;
}

static struct range range_of(uint64_t start, uint64_t end, bool exclusive)
{
	return (struct range){.start = start,
		.end = end,
		.exclusive = exclusive,
		.granted = granted};
}

Test(rangelock, shared_ones_never_wait_for_each_other)
{
	struct rangelock lock;
	struct range a = range_of(0, 10, false), b = range_of(5, 15, false);

	rangelock_init(&lock);
	cr_assert(rangelock_acquire(&lock, &a));
	cr_assert(rangelock_acquire(&lock, &b));
	rangelock_release(&lock, &a);
	rangelock_release(&lock, &b);
	rangelock_release(&lock, &b); /* nothing */
	cr_assert(TAILQ_EMPTY(&lock.ranges));
}

Test(rangelock, exclusive_waits_for_the_earlier_and_holds_the_later)
{
	struct rangelock lock;
	struct range a = range_of(0, 10, false), b = range_of(9, 20, true),
		     c = range_of(19, 30, false), d = range_of(20, 30, false);

	grants = 0;
	rangelock_init(&lock);
	cr_assert(rangelock_acquire(&lock, &a));
	cr_assert_not(rangelock_acquire(&lock, &b));
	cr_assert_not(rangelock_acquire(&lock, &c));
	cr_assert(rangelock_acquire(&lock, &d)); /* only touches */
	rangelock_release(&lock, &a);
	cr_assert_eq(grants, 1);
	cr_assert_eq(b.state, RANGE_HELD);
	rangelock_release(&lock, &b);
	cr_assert_eq(grants, 2);
	rangelock_release(&lock, &c);
	rangelock_release(&lock, &d);
	cr_assert_eq(lock.exclusives + lock.waiting, 0);
}

Test(rangelock, upgrade_holds_what_comes_later)
{
	struct rangelock lock;
	struct range a = range_of(0, 10, false), b = range_of(5, 8, false),
		     c = range_of(7, 9, false);

	grants = 0;
	rangelock_init(&lock);
	rangelock_acquire(&lock, &a);
	cr_assert(rangelock_acquire(&lock, &b));
	rangelock_upgrade(&lock, &a);
	cr_assert_eq(b.state, RANGE_HELD);
	cr_assert_not(rangelock_acquire(&lock, &c));
	rangelock_release(&lock, &b);
	cr_assert_eq(grants, 0);
	rangelock_release(&lock, &a);
	cr_assert_eq(grants, 1);
	rangelock_release(&lock, &c);
}

/* Against a model: no two conflicting ones are held that were not both held
 * when one was upgraded, and everybody comes through. */
Test(rangelock, random_against_a_model)
{
	enum { N = 24 };
	struct rangelock lock;
	struct range r[N] = {0};

	srand(7);
	rangelock_init(&lock);
	for (int round = 0; round < 20000; round++) {
		struct range *x = &r[rand() % N];

		if (x->state == RANGE_FREE) {
			uint64_t start = (uint64_t)(rand() % 40);

			*x = range_of(start, start + 1 + (uint64_t)(rand() % 9),
				rand() % 2);
			rangelock_acquire(&lock, x);
		} else if (x->state == RANGE_HELD || rand() % 8 == 0) {
			rangelock_release(&lock, x);
		}
		for (int i = 0; i < N; i++)
			for (int j = 0; j < i; j++)
				cr_assert_not(
					r[i].state == RANGE_HELD &&
					r[j].state == RANGE_HELD &&
					(r[i].exclusive || r[j].exclusive) &&
					r[i].start < r[j].end &&
					r[j].start < r[i].end);
	}
	for (int left = N; left;) {
		left = 0;
		for (int i = 0; i < N; i++) {
			if (r[i].state == RANGE_HELD)
				rangelock_release(&lock, &r[i]);
			left += r[i].state != RANGE_FREE;
		}
	}
	cr_assert_eq(lock.exclusives + lock.waiting, 0);
}
