/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logical unit numbers of 8 bytes (SAM-5 4.7). Two forms of one number are two
 * addresses: what a target reported is sent back unchanged.
 */
#ifndef UMPIO_SCSI_LUN_H
#define UMPIO_SCSI_LUN_H

#include <stddef.h>
#include <stdint.h>

#define LUN_LEN        8
#define LUN_NUMBER_MAX 16777215u

/* Peripheral addressing up to 255, flat up to 16383, extended flat above. 0 or
 * -ERANGE. */
int lun_encode(uint8_t lun[LUN_LEN], uint32_t number);

/* The number of a single-level LUN in one of these forms; -1 for others. */
int32_t lun_number(const uint8_t lun[LUN_LEN]);

/* "1", or the 16 hexadecimal digits "c101…" when it has no number. */
#define LUN_TEXT_MAX 24
const char *lun_text(const uint8_t lun[LUN_LEN], char out[LUN_TEXT_MAX]);

/* REPORT LUNS (SPC-5 6.33). */
struct lun_list {
	const uint8_t *luns; /* LUN_LEN bytes each, inside `data` */
	uint32_t count;      /* those that are there */
	uint64_t needed;     /* bytes for all of it; more than `len`: ask again
			      * with this much, up to one's own limit */
};
/* 0 or -EPROTO. */
int lun_list_decode(struct lun_list *list, const void *data, size_t len);

#endif
