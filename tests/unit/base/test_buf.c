/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/buf.h>

Test(buf, classes_and_alignment)
{
	static const struct {
		size_t ask, get;
	} cases[] = {{0, 512}, {1, 512}, {512, 512}, {513, 1024}, {4096, 4096},
		{4097, 8192}, {1 << 20, 1 << 20}, {(64 << 20) + 1, 128 << 20}};
	struct buf_pool *pool = buf_pool_new(0, 0);

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
	struct buf_pool *pool = buf_pool_new(1 << 20, 0);
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
	struct buf_pool *pool = buf_pool_new(1 << 20, 0);
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
	struct buf_pool *pool = buf_pool_new(8192, 16384);
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
