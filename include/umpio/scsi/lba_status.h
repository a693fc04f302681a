/* SPDX-License-Identifier: BSD-2-Clause */
/* GET LBA STATUS parameter data (SBC-4 5.6). */
#ifndef UMPIO_SCSI_LBA_STATUS_H
#define UMPIO_SCSI_LBA_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/cursor.h>

enum lba_provisioning { LBA_MAPPED, LBA_DEALLOCATED, LBA_ANCHORED };

struct lba_extent {
	uint64_t lba;
	uint64_t blocks; /* never 0 */
	uint8_t status;  /* enum lba_provisioning; reserved ones read MAPPED */
};

struct lba_status {
	struct cursor descriptors;
	uint64_t at, end; /* what is still asked for: [at, end) */
};

/* Begins to read the answer to a request that started at `lba`, and of which
 * `blocks` are of interest. 0 or -EPROTO. */
int lba_status_open(struct lba_status *s, uint64_t lba, uint64_t blocks,
	const void *data, size_t len);

/* The next extent, cut to what was asked for, each beginning where the last one
 * ended. False at the end, or at a descriptor that is empty, cut off, or does
 * not continue there; `at` is how far the answer goes. */
bool lba_status_next(struct lba_status *s, struct lba_extent *extent);

#endif
