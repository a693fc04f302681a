/* SPDX-License-Identifier: BSD-2-Clause */
/* READ CAPACITY parameter data (SBC-4 5.20, 5.21). */
#ifndef UMPIO_SCSI_CAPACITY_H
#define UMPIO_SCSI_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPACITY10_LEN 8
#define CAPACITY16_LEN 32

struct capacity {
	uint64_t blocks;
	uint32_t block_size; /* bytes; whether it can be served is not judged */
	uint32_t physical_block_size; /* bytes; block_size when not said */
	uint16_t lowest_aligned;      /* LBA */
	bool provisioned;             /* LBPME: thin or resource provisioned */
	bool reads_zero;              /* LBPRZ */
	bool protection;              /* PROT_EN */
};

/* 0; -EPROTO when cut off; -EOVERFLOW when there are 2^64 blocks or more than
 * 2^63 - 1 bytes; -EINVAL for a block size of 0. The (10) also gives -EFBIG
 * when only READ CAPACITY(16) can tell. */
int capacity_decode10(struct capacity *capacity, const void *data, size_t len);
/* The first 12 bytes must be there; what is cut off behind them is not said. */
int capacity_decode16(struct capacity *capacity, const void *data, size_t len);

#endif
