/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/rangelock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static unsigned grants;
static uint64_t arrivals;

static void granted(struct range *range)
{
	(void)range;
	grants++;
}

static struct range range_of(uint64_t start, uint64_t end)
{
	return (struct range){.start = start,
		.end = end,
		.seq = ++arrivals,
		.granted = granted};
}

static void check_empty(const struct rangelock *lock)
{
	cr_assert_eq(lock->total, 0);
	cr_assert(TAILQ_EMPTY(&lock->waiting));
	for (unsigned i = 0; i < RANGELOCK_BUCKETS; i++)
		cr_assert(LIST_EMPTY(&lock->buckets[i]));
}

Test(rangelock, later_ones_wait_for_earlier_ones_in_order)
{
	struct rangelock lock;
	struct range a = range_of(0, 10), b = range_of(9, 20),
		     c = range_of(19, 30), d = range_of(30, 40);

	grants = 0;
	rangelock_init(&lock);
	cr_assert(rangelock_acquire(&lock, &a));
	cr_assert_not(rangelock_acquire(&lock, &b));
	cr_assert_not(rangelock_acquire(&lock, &c)); /* b came before */
	cr_assert(rangelock_acquire(&lock, &d));     /* only touches */
	rangelock_release(&lock, &a);
	cr_assert_eq(grants, 1);
	cr_assert_eq(b.state, RANGE_HELD);
	rangelock_release(&lock, &b);
	cr_assert_eq(grants, 2);
	rangelock_release(&lock, &c);
	rangelock_release(&lock, &d);
	rangelock_release(&lock, &d); /* nothing */
	check_empty(&lock);
}

/* A ghost of `a`: what waits for a waits for it too, and what comes later. */
Test(rangelock, what_enters_holds_back_those_that_came_later)
{
	struct rangelock lock;
	struct range a = range_of(0, 10), b = range_of(5, 8),
		     c = range_of(7, 9), ghost = range_of(0, 10);

	grants = 0;
	rangelock_init(&lock);
	rangelock_acquire(&lock, &a);
	rangelock_acquire(&lock, &b);
	rangelock_enter(&lock, &ghost);
	rangelock_release(&lock, &a);
	cr_assert_eq(grants, 0);
	cr_assert_not(rangelock_acquire(&lock, &c));
	rangelock_release(&lock, &ghost);
	cr_assert_eq(grants, 1);
	rangelock_release(&lock, &b);
	cr_assert_eq(grants, 2);
	rangelock_release(&lock, &c);
	check_empty(&lock);
}

Test(rangelock, what_is_widened_holds_back_more)
{
	struct rangelock lock;
	struct range a = range_of(0, 4096), b = range_of(1 << 20, 1 << 21),
		     c = range_of(1 << 20, (1 << 20) + 1);

	grants = 0;
	rangelock_init(&lock);
	rangelock_acquire(&lock, &a);
	rangelock_acquire(&lock, &b);
	cr_assert_not(rangelock_acquire(&lock, &c));
	rangelock_widen(&lock, &a, 0, 64u << 20);
	rangelock_release(&lock, &b);
	cr_assert_eq(grants, 0);
	rangelock_release(&lock, &a);
	cr_assert_eq(grants, 1);
	rangelock_release(&lock, &c);
	check_empty(&lock);
}

/* One that was granted and gave up for a while has its place again. */
Test(rangelock, one_that_comes_again_goes_before_those_that_wait)
{
	struct rangelock lock;
	struct range a = range_of(0, 10), b = range_of(5, 20),
		     c = range_of(15, 30), d = range_of(25, 40);

	grants = 0;
	rangelock_init(&lock);
	rangelock_acquire(&lock, &a);
	cr_assert(rangelock_acquire(&lock, &d));
	cr_assert_not(rangelock_acquire(&lock, &b));
	cr_assert_not(rangelock_acquire(&lock, &c));
	rangelock_release(&lock, &a);
	cr_assert_eq(b.state, RANGE_HELD);
	rangelock_release(&lock, &b); /* c still waits for d */
	cr_assert_eq(c.state, RANGE_WAITING);
	cr_assert(rangelock_acquire(&lock, &b));
	rangelock_release(&lock, &d);
	cr_assert_eq(c.state, RANGE_WAITING);
	rangelock_release(&lock, &b);
	cr_assert_eq(c.state, RANGE_HELD);
	rangelock_release(&lock, &c);
	check_empty(&lock);
}

/* Against a model: no two that overlap are held, nobody waits who need not,
 * and everybody comes through; over all size classes. */
Test(rangelock, random_against_a_model)
{
	enum { N = 24 };
	static const uint64_t spans[] = {
		40, 3 << 12, 3 << 16, 3 << 20, 3 << 24, 1ull << 33};
	struct rangelock lock;
	struct range r[N] = {0};

	srand(7);
	rangelock_init(&lock);
	for (int round = 0; round < 60000; round++) {
		struct range *x = &r[rand() % N];

		if (x->state == RANGE_FREE) {
			uint64_t span = spans[rand() % 6];
			uint64_t start = (uint64_t)rand() % (4 * span);

			*x = range_of(
				start, start + 1 + (uint64_t)rand() % span);
			rangelock_acquire(&lock, x);
		} else if (x->state == RANGE_HELD || rand() % 8 == 0) {
			rangelock_release(&lock, x);
		}
		for (int i = 0; i < N; i++) {
			unsigned blockers = 0;

			for (int j = 0; j < N; j++)
				blockers += r[i].state && r[j].state &&
					    r[j].seq < r[i].seq &&
					    r[i].start < r[j].end &&
					    r[j].start < r[i].end;
			if (r[i].state)
				cr_assert_eq(blockers != 0,
					r[i].state == RANGE_WAITING);
			if (r[i].state == RANGE_WAITING)
				cr_assert_eq(r[i].blockers, blockers);
		}
	}
	for (int left = N; left;) {
		left = 0;
		for (int i = 0; i < N; i++) {
			if (r[i].state == RANGE_HELD)
				rangelock_release(&lock, &r[i]);
			left += r[i].state != RANGE_FREE;
		}
	}
	check_empty(&lock);
}
