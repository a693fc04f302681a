/* SPDX-License-Identifier: BSD-2-Clause */
/* How much one command may carry, of all limits that apply. */
#ifndef MPIO_SPLIT_H
#define MPIO_SPLIT_H

#include <stdint.h>

struct lun_facts;

#define SPLIT_TRANSFER_MAX   (4u << 20) /* bytes of one READ or WRITE */
#define SPLIT_WRITE_SAME_MAX (4u << 20) /* bytes cleared by one command */
#define SPLIT_UNMAP_MAX      (1u << 30) /* bytes */

struct split {
	uint32_t block_size;
	uint32_t transfer, write_same, unmap; /* blocks; never 0 */
	uint32_t granularity, alignment; /* of UNMAP, blocks; granularity > 0 */
};

/* `path_transfer` is the paths' best size in bytes, 0: no limit. */
void split_init(struct split *split, const struct lun_facts *facts,
	uint32_t path_transfer);

/* Rounds blocks [*lba, *end) inward to whole granules of UNMAP. They may come
 * out empty: *end <= *lba. */
void split_trim(const struct split *split, uint64_t *lba, uint64_t *end);

#endif
