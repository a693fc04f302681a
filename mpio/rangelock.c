/* SPDX-License-Identifier: BSD-2-Clause */
#include "rangelock.h"

#include <assert.h>
#include <stddef.h>

#define LARGE     (RANGELOCK_CLASSES - 1) /* all in the bucket of key LARGE */
#define CLASS_KEY 3                       /* bits of a key that say its class */

static unsigned shift_of(unsigned class)
{
	return 12 + 4 * class;
}

void rangelock_init(struct rangelock *lock)
{
	*lock = (struct rangelock){0};
	TAILQ_INIT(&lock->waiting);
	TAILQ_INIT(&lock->grants);
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->start < b->end && b->start < a->end;
}

static uint64_t key_of(unsigned class, uint64_t granule)
{
	return granule << CLASS_KEY | class;
}

static struct range_bucket *bucket_of(struct rangelock *lock, uint64_t key)
{
	return &lock->buckets[(key * 0x9e3779b97f4a7c15u) >>
			      (64 - RANGELOCK_BITS)];
}

/* `r`, which is there, goes before `range`, which comes. */
static bool blocks(const struct range *r, const struct range *range)
{
	return overlap(r, range) &&
	       (r->state != RANGE_WAITING || r->seq < range->seq);
}

/*
 * Who is in the way
 */
static unsigned count_bucket(
	struct rangelock *lock, uint64_t key, const struct range *range)
{
	const struct range *r;
	unsigned n = 0;

	LIST_FOREACH (r, bucket_of(lock, key), bucket)
		n += r->key == key && blocks(r, range);
	return n;
}

static unsigned count_class(
	struct rangelock *lock, unsigned class, const struct range *range)
{
	uint64_t first = range->start >> shift_of(class);
	uint64_t last = (range->end - 1) >> shift_of(class);
	unsigned n = 0;

	if (class == LARGE)
		return count_bucket(lock, LARGE, range);
	for (uint64_t g = first ? first - 1 : 0; g <= last; g++)
		n += count_bucket(lock, key_of(class, g), range);
	return n;
}

/* A range over very many granules of the ranges there: all buckets are fewer.
 */
static unsigned count_all(struct rangelock *lock, const struct range *range)
{
	const struct range *r;
	unsigned n = 0;

	for (unsigned i = 0; i < RANGELOCK_BUCKETS; i++)
		LIST_FOREACH (r, &lock->buckets[i], bucket)
			n += blocks(r, range);
	return n;
}

static unsigned count(struct rangelock *lock, const struct range *range)
{
	unsigned n = 0;

	for (unsigned left = lock->classes; left; left &= left - 1) {
		unsigned size = (unsigned)__builtin_ctz(left);

		if (size != LARGE && (range->end - range->start) >>
					     shift_of(size) >=
					     RANGELOCK_BUCKETS)
			return count_all(lock, range);
		n += count_class(lock, size, range);
	}
	return n;
}

bool rangelock_touches(struct rangelock *lock, uint64_t start, uint64_t end)
{
	const struct range all = {
		.start = start, .end = end, .seq = UINT64_MAX};

	return lock->total && count(lock, &all);
}

/*
 * In and out
 */
/* The smallest class whose granules are not shorter. */
static unsigned class_of(uint64_t len)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll((len - 1) | 1);
	unsigned size = bits <= 12 ? 0 : (bits - 9) / 4;

	return size < LARGE ? size : LARGE;
}

static void insert(struct rangelock *lock, struct range *range)
{
	unsigned size = class_of(range->end - range->start);

	range->class = (uint8_t)size;
	range->key = size == LARGE
			     ? LARGE
			     : key_of(size, range->start >> shift_of(size));
	LIST_INSERT_HEAD(bucket_of(lock, range->key), range, bucket);
	lock->in_class[size]++;
	lock->classes |= 1u << size;
	lock->total++;
}

static void take_out(struct rangelock *lock, struct range *range)
{
	LIST_REMOVE(range, bucket);
	if (--lock->in_class[range->class] == 0)
		lock->classes &= ~(1u << range->class);
	lock->total--;
}

/* It is not the latest: those that wait and came later wait for it too. */
static void cut_in(struct rangelock *lock, const struct range *range)
{
	struct range *w;

	TAILQ_FOREACH (w, &lock->waiting, link)
		w->blockers += w->seq > range->seq && overlap(range, w);
}

bool rangelock_acquire(struct rangelock *lock, struct range *range)
{
	assert(range->state == RANGE_FREE);
	range->blockers = lock->total ? count(lock, range) : 0;
	if (range->seq > lock->latest)
		lock->latest = range->seq;
	else
		cut_in(lock, range);
	insert(lock, range);
	range->state = range->blockers ? RANGE_WAITING : RANGE_HELD;
	if (range->blockers)
		TAILQ_INSERT_TAIL(&lock->waiting, range, link);
	return !range->blockers;
}

/* `gone` no longer blocks: what is held blocks all that wait, what waits those
 * that came later. */
static void let_go(
	struct rangelock *lock, const struct range *gone, bool waited)
{
	struct range *w = TAILQ_FIRST(&lock->waiting), *next;

	for (; w; w = next) {
		next = TAILQ_NEXT(w, link);
		if ((waited && w->seq <= gone->seq) || !overlap(gone, w) ||
			--w->blockers)
			continue;
		TAILQ_REMOVE(&lock->waiting, w, link);
		w->state = RANGE_GRANTED;
		TAILQ_INSERT_TAIL(&lock->grants, w, link);
	}
}

/* The owners run only when the lists are whole: they may release and acquire.
 */
static void tell(struct rangelock *lock)
{
	struct range *r;

	while ((r = TAILQ_FIRST(&lock->grants))) {
		TAILQ_REMOVE(&lock->grants, r, link);
		r->state = RANGE_HELD;
		r->granted(r);
	}
}

void rangelock_release(struct rangelock *lock, struct range *range)
{
	bool waited = range->state == RANGE_WAITING;

	if (range->state == RANGE_FREE)
		return;
	if (range->state == RANGE_GRANTED)
		TAILQ_REMOVE(&lock->grants, range, link);
	else if (waited)
		TAILQ_REMOVE(&lock->waiting, range, link);
	range->state = RANGE_FREE;
	take_out(lock, range);
	if (TAILQ_EMPTY(&lock->waiting))
		return;
	let_go(lock, range, waited);
	tell(lock);
}

void rangelock_enter(struct rangelock *lock, struct range *range)
{
	struct range *w;

	assert(range->state == RANGE_FREE);
	range->blockers = 0;
	range->state = RANGE_HELD;
	insert(lock, range);
	TAILQ_FOREACH (w, &lock->waiting, link)
		w->blockers += overlap(range, w);
}

bool rangelock_is_awaited(
	const struct rangelock *lock, const struct range *range)
{
	const struct range *w;

	TAILQ_FOREACH (w, &lock->waiting, link)
		if (overlap(range, w))
			return true;
	return false;
}

void rangelock_widen(struct rangelock *lock, struct range *range,
	uint64_t start, uint64_t end)
{
	struct range old = *range, *w;

	assert(range->state == RANGE_HELD);
	take_out(lock, range);
	if (start < range->start)
		range->start = start;
	if (end > range->end)
		range->end = end;
	insert(lock, range);
	TAILQ_FOREACH (w, &lock->waiting, link)
		w->blockers += overlap(range, w) && !overlap(&old, w);
}
