/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/buf.h>

#define BOUNDLESS (INT64_C(1) << 60)

static struct buf_bounds bounds_of(size_t keep, int64_t all)
{
	return (struct buf_bounds){.all = {all}, .size = all, .keep = keep};
}

Test(buf, classes_and_alignment)
{
	static const struct {
		size_t ask, get;
	} cases[] = {{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {4096, 4096},
		{4097, 8192}, {1 << 20, 1 << 20}, {(64 << 20) + 1, 128 << 20}};
	struct buf_bounds bounds = bounds_of(0, BOUNDLESS);
	struct buf_pool *pool = buf_pool_new(&bounds);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf *b = buf_get(pool, cases[i].ask);

		cr_assert_eq(b->size, cases[i].get);
		cr_assert_eq(buf_pool_used(pool), cases[i].get);
		if (b->size >= 4096)
			cr_assert_eq((uintptr_t)b->data % 4096, 0);
		b->data[0] = b->data[b->size - 1] = 1;
		buf_put(b);
		cr_assert_eq(buf_pool_kept(pool), 0);
	}
	cr_assert_null(buf_get(pool, SIZE_MAX));
	cr_assert_null(buf_get(pool, ((size_t)1 << 30) + 1));
	buf_pool_free(pool);
}

Test(buf, last_reference_returns_it)
{
	struct buf_bounds bounds = bounds_of(1 << 20, BOUNDLESS);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf *b = buf_get(pool, 4096), *c;

	cr_assert_eq(buf_ref(b), b);
	buf_put(b);
	cr_assert_eq(buf_pool_used(pool), 4096);
	buf_put(b);
	cr_assert_eq(buf_pool_used(pool), 0);
	cr_assert_eq(buf_pool_kept(pool), 4096);
	buf_put(NULL);
	c = buf_get(pool, 3000);
	cr_assert_eq(c, b, "the warm one, header and all");
	cr_assert_eq(buf_pool_kept(pool), 0);
	buf_put(c);
	cr_assert_eq(buf_pool_gets(pool), 2);
	buf_pool_free(pool);
	buf_pool_free(NULL);
}

Test(buf, last_in_first_out)
{
	struct buf_bounds bounds = bounds_of(1 << 20, BOUNDLESS);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf *a = buf_get(pool, 512), *b = buf_get(pool, 512);

	buf_put(a);
	buf_put(b);
	cr_assert_eq(buf_get(pool, 512), b);
	cr_assert_eq(buf_get(pool, 512), a);
	buf_put(a);
	buf_put(b);
	buf_pool_free(pool);
}

Test(buf, keeps_and_gives_within_bounds)
{
	struct buf_bounds bounds = bounds_of(8192, 16384);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf *b[4];

	for (int i = 0; i < 4; i++)
		cr_assert_not_null(b[i] = buf_get(pool, 4096));
	cr_assert_null(buf_get(pool, 1), "over the limit");
	for (int i = 0; i < 4; i++)
		buf_put(b[i]);
	cr_assert_eq(buf_pool_kept(pool), 8192);
	buf_pool_trim(pool);
	cr_assert_eq(buf_pool_kept(pool), 0);
	b[0] = buf_get(pool, 16384);
	cr_assert_not_null(b[0], "the limit itself is allowed");
	buf_put(b[0]);
	buf_pool_free(pool);
}

/* Free buffers of one class, or of one pool, do not stand in the way of what
 * another one needs. */
Test(buf, kept_buffers_give_way)
{
	struct buf_bounds bounds = bounds_of(1 << 30, 16 << 20);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf_pool *other = buf_pool_new(&bounds);
	struct buf *b[16], *c;

	for (int i = 0; i < 16; i++)
		cr_assert_not_null(b[i] = buf_get(pool, 1 << 20));
	cr_assert_null(buf_get(other, 512));
	for (int i = 0; i < 16; i++)
		buf_put(b[i]);
	cr_assert_leq(buf_pool_kept(pool), 8 << 20);
	cr_assert_geq(buf_pool_kept(pool), 4 << 20);
	cr_assert_not_null(c = buf_get(other, 1 << 20));
	cr_assert_not_null(b[0] = buf_get(pool, 8 << 20), "in their place");
	buf_put(b[0]);
	buf_put(c);
	buf_pool_free(pool);
	buf_pool_free(other);
	cr_assert_eq(bounds.all.left, 16 << 20);
}

/* Many wait, one has memory. */
Test(buf, a_bare_one_takes_over_the_memory_of_the_last)
{
	struct buf_bounds bounds = bounds_of(4 << 20, 8 << 20);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf *b[4], *small = buf_get_bare(pool, BUF_BARE_MIN - 1);
	uint8_t *memory = NULL;

	cr_assert_not_null(small->data);
	buf_put(small);
	buf_pool_trim(pool);
	for (int i = 0; i < 4; i++) {
		b[i] = buf_get_bare(pool, 1 << 20);
		cr_assert_null(b[i]->data);
	}
	cr_assert_eq(buf_pool_used(pool), 4 << 20);
	for (int i = 0; i < 3; i++) {
		cr_assert_not_null(buf_memory(b[i]));
		cr_assert_eq(buf_memory(b[i]), b[i]->data);
		cr_assert(!memory || b[i]->data == memory);
		memory = b[i]->data;
		memset(memory, i, 1 << 20);
		buf_put(b[i]);
		cr_assert_eq(buf_pool_kept(pool), 1 << 20);
		cr_assert_eq(buf_pool_used(pool), (size_t)(3 - i) << 20);
	}
	buf_put(b[3]); /* without ever having had any */
	cr_assert_eq(buf_pool_used(pool), 0);
	cr_assert_eq(buf_pool_kept(pool), 1 << 20);
	cr_assert_eq(buf_pool_left(pool), 8 << 20);
	buf_pool_free(pool);
}

/* They count from the beginning, so that memory is there when it is due. */
Test(buf, bare_ones_count)
{
	struct buf_bounds bounds = bounds_of(4 << 20, 4 << 20);
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf *b[4];

	for (int i = 0; i < 4; i++) {
		b[i] = buf_get_bare(pool, 1 << 20);
		cr_assert_not_null(b[i]);
	}
	cr_assert_null(buf_get_bare(pool, 1 << 20));
	cr_assert_null(buf_get(pool, 512));
	for (int i = 0; i < 4; i++) {
		cr_assert_not_null(buf_memory(b[i]));
		buf_put(b[i]);
	}
	buf_pool_free(pool);
}

Test(buf, held_is_bounded_over_all_pools)
{
	struct buf_bounds bounds = {.held = {8 << 20}};
	struct buf_pool *pool = buf_pool_new(&bounds);
	struct buf_pool *other = buf_pool_new(&bounds);

	cr_assert(buf_pool_can_hold(pool, 8 << 20));
	buf_pool_hold(pool, 8 << 20);
	cr_assert_not(buf_pool_can_hold(other, 1));
	buf_pool_hold(other, 4096);
	cr_assert_eq(buf_pool_held(other), 4096);
	buf_pool_let_go(other, 4096);
	buf_pool_let_go(pool, 8 << 20);
	cr_assert(buf_pool_can_hold(other, 4 << 20));
	buf_pool_free(pool);
	buf_pool_free(other);
	cr_assert_eq(bounds.held.left, 8 << 20);
}
