/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/split.h"

#include <criterion/criterion.h>
#include <umpio/lun.h>

static struct split split_of(struct lun_facts facts, uint32_t path_transfer)
{
	struct split s;

	split_init(&s, &facts, path_transfer);
	return s;
}

Test(split, one_mebibyte_stays_one_command)
{
	struct lun_facts f = {.identity.block_size = 512};

	cr_assert_geq(split_of(f, 0).transfer, 2048);
}

Test(split, the_least_limit_rules_and_is_never_zero)
{
	struct lun_facts f = {.identity.block_size = 4096};

	f.max_transfer_blocks = 7;
	cr_assert_eq(split_of(f, 0).transfer, 7);
	cr_assert_eq(split_of(f, 8192).transfer, 2);
	cr_assert_eq(split_of(f, 512).transfer, 1);
	f.max_transfer_blocks = UINT32_MAX;
	f.max_unmap_blocks = UINT32_MAX;
	f.unmap_granularity = UINT32_MAX;
	f.unmap_alignment = UINT32_MAX;
	f.max_write_same_blocks = UINT64_MAX;
	cr_assert_eq(split_of(f, 0).transfer, SPLIT_TRANSFER_MAX / 4096);
	cr_assert_gt(split_of(f, 0).unmap, 0);
	cr_assert_eq(split_of(f, 0).write_same, SPLIT_WRITE_SAME_MAX / 4096);
}

/* Against the definition, block by block. */
Test(split, trim_is_rounded_inward)
{
	for (uint32_t g = 1; g < 9; g++)
		for (uint32_t a = 0; a < g; a++)
			for (uint64_t lba = 0; lba < 20; lba++)
				for (uint64_t end = lba; end < 30; end++) {
					struct lun_facts f = {
						.identity.block_size = 512,
						.unmap_granularity = g,
						.unmap_alignment = a,
					};
					struct split s = split_of(f, 0);
					uint64_t l = lba, e = end, x, y;

					for (x = lba; x % g != a % g;)
						x++;
					for (y = end;
						y > lba && y % g != a % g;)
						y--;
					split_trim(&s, &l, &e);
					if (y <= x)
						cr_assert_leq(e, l);
					else
						cr_assert(l == x && e == y);
				}
}
