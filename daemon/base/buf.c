/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool: one free list a class, last in first out, so that the next buffer
 * is the one whose pages are warm. A free buffer keeps its header. */
#include <assert.h>
#include <stdlib.h>
#include <umpio/base/buf.h>

#define CLASS_MIN_BITS 9  /* 512 B */
#define CLASS_MAX_BITS 30 /* 1 GiB */
#define CLASSES        (CLASS_MAX_BITS - CLASS_MIN_BITS + 1)
#define PAGE           4096u

struct buf_pool {
	struct buf_bounds *bounds;
	struct share all, held;
	size_t used, kept;
	uint64_t gets;
	struct buf *free[CLASSES];
};

static size_t class_size(unsigned class)
{
	return (size_t)1 << (class + CLASS_MIN_BITS);
}

/* The smallest class that holds `size`; CLASSES when there is none. */
static unsigned class_of(size_t size)
{
	unsigned class;

	if (size <= class_size(0))
		return 0;
	class = 64 - (unsigned)__builtin_clzll(size - 1) - CLASS_MIN_BITS;
	return class < CLASSES ? class : CLASSES;
}

struct buf_pool *buf_pool_new(struct buf_bounds *bounds)
{
	struct buf_pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return NULL;
	pool->bounds = bounds;
	pool->all.budget = &bounds->all;
	pool->held.budget = &bounds->held;
	return pool;
}

void buf_pool_free(struct buf_pool *pool)
{
	if (!pool)
		return;
	assert(pool->used == 0);
	buf_pool_trim(pool);
	free(pool);
}

size_t buf_pool_used(const struct buf_pool *pool)
{
	return pool->used;
}

size_t buf_pool_kept(const struct buf_pool *pool)
{
	return pool->kept;
}

size_t buf_pool_left(const struct buf_pool *pool)
{
	int64_t left = share_left(&pool->all) + (int64_t)pool->kept;

	return left > 0 ? (size_t)left : 0;
}

size_t buf_pool_held(const struct buf_pool *pool)
{
	return (size_t)pool->held.used;
}

bool buf_pool_can_hold(struct buf_pool *pool, size_t bytes)
{
	return share_has(&pool->held, bytes);
}

void buf_pool_hold(struct buf_pool *pool, size_t bytes)
{
	share_take(&pool->held, bytes);
}

void buf_pool_let_go(struct buf_pool *pool, size_t bytes)
{
	assert((size_t)pool->held.used >= bytes);
	share_give(&pool->held, bytes);
}

uint64_t buf_pool_gets(const struct buf_pool *pool)
{
	return pool->gets;
}

static uint8_t *memory_new(size_t size)
{
	return size >= PAGE ? aligned_alloc(PAGE, size) : malloc(size);
}

static void destroy(struct buf *b)
{
	share_give(&b->pool->all, b->size);
	free(b->data);
	free(b);
}

static struct buf *create(struct buf_pool *pool, unsigned class, bool bare)
{
	size_t size = class_size(class);
	struct buf *b;

	if (!share_has(&pool->all, size))
		buf_pool_trim(pool);
	if (!share_has(&pool->all, size))
		return NULL;
	b = malloc(sizeof *b);
	if (!b)
		return NULL;
	*b = (struct buf){.size = size, .class = class, .pool = pool};
	if (!bare && !(b->data = memory_new(size))) {
		free(b);
		return NULL;
	}
	share_take(&pool->all, size);
	return b;
}

/* Takes a free buffer of the class; NULL when there is none. */
static struct buf *pop(struct buf_pool *pool, unsigned class)
{
	struct buf *b = pool->free[class];

	if (b) {
		pool->free[class] = b->next;
		pool->kept -= b->size;
	}
	return b;
}

void buf_pool_trim(struct buf_pool *pool)
{
	struct buf *b;

	for (unsigned class = 0; class < CLASSES; class ++)
		while ((b = pop(pool, class)))
			destroy(b);
	share_trim(&pool->all);
	share_trim(&pool->held);
}

static struct buf *get(struct buf_pool *pool, size_t size, bool bare)
{
	unsigned class = class_of(size);
	struct buf *b;

	if (class == CLASSES)
		return NULL;
	b = bare ? NULL : pop(pool, class);
	if (!b)
		b = create(pool, class, bare);
	if (!b)
		return NULL;
	b->refs = 1;
	b->next = NULL;
	pool->used += b->size;
	pool->gets++;
	return b;
}

struct buf *buf_get(struct buf_pool *pool, size_t size)
{
	return get(pool, size, false);
}

struct buf *buf_get_bare(struct buf_pool *pool, size_t size)
{
	return get(pool, size, size >= BUF_BARE_MIN);
}

uint8_t *buf_memory(struct buf *b)
{
	struct buf *giver;

	if (b->data)
		return b->data;
	giver = pop(b->pool, b->class);
	if (giver) {
		b->data = giver->data;
		giver->data = NULL;
		destroy(giver);
		return b->data;
	}
	b->data = memory_new(b->size);
	if (!b->data) { /* free ones of other classes may be in the way */
		buf_pool_trim(b->pool);
		b->data = memory_new(b->size);
	}
	return b->data;
}

struct buf *buf_ref(struct buf *b)
{
	assert(b->refs > 0);
	b->refs++;
	return b;
}

static bool worth_keeping(const struct buf_pool *pool, size_t size)
{
	return pool->kept + size <= pool->bounds->keep &&
	       share_left(&pool->all) >= pool->bounds->size / 2;
}

void buf_put(struct buf *b)
{
	struct buf_pool *pool;

	if (!b)
		return;
	assert(b->refs > 0);
	if (--b->refs > 0)
		return;
	pool = b->pool;
	pool->used -= b->size;
	if (!b->data || !worth_keeping(pool, b->size)) {
		destroy(b);
		return;
	}
	b->next = pool->free[b->class];
	pool->free[b->class] = b;
	pool->kept += b->size;
}
