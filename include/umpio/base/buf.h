/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference-counted data buffers out of a pool. A pool belongs to one loop and
 * so do its buffers: no call here is safe from another thread.
 *
 * A buffer is one contiguous run of bytes, its data aligned to 4096 for sizes
 * of 4 KiB and more. Sizes are rounded up to a class (powers of two); free
 * buffers are kept up to a bound, and given back to the system when the loop
 * has been idle, so that an idle daemon stays small.
 */
#ifndef UMPIO_BASE_BUF_H
#define UMPIO_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/share.h>

struct buf_pool;

/* What all pools that have these bounds may have together: buffers, out or
 * free, and data of requests that devices have. A pool keeps up to `keep` bytes
 * of free buffers, while half of what all may have is not taken. */
struct buf_bounds {
	struct budget all, held;
	int64_t size; /* what `all` began with */
	size_t keep;
};

struct buf {
	uint8_t *data; /* size bytes; NULL: see buf_get_bare() */
	size_t size;   /* what the class gives, at least what was asked for */
	unsigned refs;
	unsigned class; /* private to the pool */
	struct buf_pool *pool;
	struct buf *next; /* private to the pool */
};

/* A pool within `bounds`, which must outlive it. NULL without memory. */
struct buf_pool *buf_pool_new(struct buf_bounds *bounds);

/* Every buffer must have come back: one that is still out is our bug and is
 * asserted. NULL is allowed. */
void buf_pool_free(struct buf_pool *pool);

/* Bytes now out, and bytes free but kept. */
size_t buf_pool_used(const struct buf_pool *pool);
size_t buf_pool_kept(const struct buf_pool *pool);

/* Bytes that could still be had, by all pools together, were all to ask at once
 * (and of this one's free buffers): a guess, for those who could give some up.
 */
size_t buf_pool_left(const struct buf_pool *pool);

/* What requests that devices have may hold of it, for those who take requests
 * in: bytes counted here, by whoever takes a request and until it is done.
 * buf_pool_can_hold() tells whether so many more are within the bound; to hold
 * regardless is allowed. */
size_t buf_pool_held(const struct buf_pool *pool);
bool buf_pool_can_hold(struct buf_pool *pool, size_t bytes);
void buf_pool_hold(struct buf_pool *pool, size_t bytes);
void buf_pool_let_go(struct buf_pool *pool, size_t bytes);

/* Buffers handed out so far: tells whether the pool is in use. */
uint64_t buf_pool_gets(const struct buf_pool *pool);

/* Gives free buffers back to the system. */
void buf_pool_trim(struct buf_pool *pool);

/* A buffer of at least `size` bytes (0 is allowed) with one reference, which
 * the caller owns. Its content is undefined. NULL without memory or over the
 * limit: an expected answer, to be met with back-pressure or ENOMEM. */
struct buf *buf_get(struct buf_pool *pool, size_t size);

/* The same, but a large buffer (BUF_BARE_MIN) gets its memory later, when
 * buf_memory() asks for it: of those that wait for data to come few have any,
 * so that it is the same again and again, and still in the processor's caches.
 */
#define BUF_BARE_MIN ((size_t)64 << 10)
struct buf *buf_get_bare(struct buf_pool *pool, size_t size);

/* The buffer's memory, which it gets if it has none. It counts against the pool
 * since the buffer was handed out, so NULL is the system's want of memory. */
uint8_t *buf_memory(struct buf *b);

/* One more reference to the same buffer; returns it. */
struct buf *buf_ref(struct buf *b);

/* Gives one reference up; the last one returns the buffer to its pool. NULL is
 * allowed. */
void buf_put(struct buf *b);

#endif
