/* SPDX-License-Identifier: BSD-2-Clause */
#include "rangelock.h"

#include <assert.h>
#include <stddef.h>

void rangelock_init(struct rangelock *lock)
{
	TAILQ_INIT(&lock->ranges);
	TAILQ_INIT(&lock->grants);
	lock->exclusives = 0;
	lock->waiting = 0;
}

static bool conflict(const struct range *a, const struct range *b)
{
	return (a->exclusive || b->exclusive) && a->start < b->end &&
	       b->start < a->end;
}

bool rangelock_acquire(struct rangelock *lock, struct range *range)
{
	const struct range *r;

	assert(range->state == RANGE_FREE);
	range->blockers = 0;
	if (range->exclusive || lock->exclusives) {
		TAILQ_FOREACH (r, &lock->ranges, link)
			range->blockers += conflict(r, range);
		lock->exclusives += range->exclusive;
	}
	TAILQ_INSERT_TAIL(&lock->ranges, range, link);
	range->state = range->blockers ? RANGE_WAITING : RANGE_HELD;
	lock->waiting += range->blockers != 0;
	return range->state == RANGE_HELD;
}

/* `gone` no longer blocks what came after it. */
static void let_go(
	struct rangelock *lock, const struct range *gone, struct range *later)
{
	for (; later && lock->waiting; later = TAILQ_NEXT(later, link)) {
		if (later->state != RANGE_WAITING || !conflict(gone, later) ||
			--later->blockers)
			continue;
		later->state = RANGE_GRANTED;
		lock->waiting--;
		TAILQ_INSERT_TAIL(&lock->grants, later, grant);
	}
}

/* The owners run only when the lists are whole: they may release and acquire.
 */
static void tell(struct rangelock *lock)
{
	struct range *r;

	while ((r = TAILQ_FIRST(&lock->grants))) {
		TAILQ_REMOVE(&lock->grants, r, grant);
		r->state = RANGE_HELD;
		r->granted(r);
	}
}

void rangelock_release(struct rangelock *lock, struct range *range)
{
	struct range *later;

	if (range->state == RANGE_FREE)
		return;
	if (range->state == RANGE_GRANTED)
		TAILQ_REMOVE(&lock->grants, range, grant);
	lock->waiting -= range->state == RANGE_WAITING;
	range->state = RANGE_FREE;
	later = TAILQ_NEXT(range, link);
	TAILQ_REMOVE(&lock->ranges, range, link);
	lock->exclusives -= range->exclusive;
	let_go(lock, range, later);
	tell(lock);
}

void rangelock_upgrade(struct rangelock *lock, struct range *range)
{
	struct range *r;

	assert(range->state == RANGE_HELD);
	if (range->exclusive)
		return;
	range->exclusive = true;
	lock->exclusives++;
	r = TAILQ_NEXT(range, link);
	for (; r && lock->waiting; r = TAILQ_NEXT(r, link))
		if (r->state == RANGE_WAITING && !r->exclusive &&
			conflict(range, r))
			r->blockers++;
}
