/* SPDX-License-Identifier: BSD-2-Clause */
#include "split.h"

#include <umpio/lun.h>

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* A limit of 0 is none; one command always carries a block. */
static uint32_t limit(uint32_t bytes, uint64_t said, uint32_t block_size)
{
	uint32_t blocks = bytes / block_size;

	if (said)
		blocks = smaller(blocks, said);
	return blocks ? blocks : 1;
}

void split_init(struct split *split, const struct lun_facts *facts,
	uint32_t path_transfer)
{
	uint32_t size = facts->identity.block_size;
	uint32_t best = SPLIT_TRANSFER_MAX;

	if (path_transfer)
		best = smaller(best, path_transfer);
	*split = (struct split){
		.block_size = size,
		.transfer = limit(best, facts->max_transfer_blocks, size),
		.write_same = limit(SPLIT_WRITE_SAME_MAX,
			facts->max_write_same_blocks, size),
		.unmap = limit(SPLIT_UNMAP_MAX, facts->max_unmap_blocks, size),
		.granularity = 1,
	};
	if (facts->unmap_granularity > 1) {
		split->granularity = facts->unmap_granularity;
		split->alignment =
			facts->unmap_alignment % facts->unmap_granularity;
	}
	/* Whole granules in every command but the last. */
	if (split->unmap > split->granularity)
		split->unmap -= split->unmap % split->granularity;
}

void split_trim(const struct split *split, uint64_t *lba, uint64_t *end)
{
	uint64_t g = split->granularity;
	uint64_t up = (g + split->alignment - *lba % g) % g;
	uint64_t down = (*end % g + g - split->alignment) % g;

	if (*end - *lba < up + down) {
		*end = *lba;
		return;
	}
	*lba += up;
	*end -= down;
}
