/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vital product data (SPC-5 7.7, SBC-4 6.6). Every decoder takes the page as it
 * came with its header, clamps the stated length to `len`, and returns 0, or
 * -EPROTO when it is another page or too short to mean anything. Page 83h is in
 * designator.h.
 */
#ifndef UMPIO_SCSI_VPD_H
#define UMPIO_SCSI_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/cursor.h>

#define VPD_PAGES        0x00
#define VPD_SERIAL       0x80
#define VPD_DESIGNATORS  0x83
#define VPD_LIMITS       0xb0
#define VPD_ROTATION     0xb1
#define VPD_PROVISIONING 0xb2
#define VPD_ALLOC        512 /* bytes to ask for; 83h may need more */

/* The bytes behind the header of `page`. */
int vpd_open(struct cursor *body, uint8_t page, const void *data, size_t len);

/* The length of the page that the header tells, header included: what to ask
 * for again when it is more than came. 0 when there is no header. */
size_t vpd_length(const void *data, size_t len);

/* 00h: which pages there are, in whatever order. */
struct vpd_pages {
	uint64_t bits[4];
};
int vpd_pages_decode(struct vpd_pages *pages, const void *data, size_t len);
bool vpd_pages_has(const struct vpd_pages *pages, uint8_t page);

/* 80h: the unit serial number, printable and trimmed; may come out empty. */
int vpd_serial_decode(char *serial, size_t size, const void *data, size_t len);

/* B0h block limits, in logical blocks; 0: not reported, or no limit. */
struct vpd_limits {
	bool write_same_nonzero; /* WSNZ: 0 blocks are refused */
	uint8_t max_compare_and_write;
	uint16_t optimal_granularity;
	uint32_t max_transfer, optimal_transfer, max_prefetch;
	uint32_t max_unmap_blocks;      /* 0: no UNMAP */
	uint32_t max_unmap_descriptors; /* 0: no UNMAP */
	uint32_t unmap_granularity;
	uint32_t unmap_alignment; /* 0 unless UGAVALID */
	uint64_t max_write_same;
	uint32_t max_atomic, atomic_alignment, atomic_granularity;
};
/* Fields that a short page does not have are 0. */
int vpd_limits_decode(struct vpd_limits *limits, const void *data, size_t len);

/* B1h */
struct vpd_rotation {
	uint16_t rate; /* 0 not said, 1 does not rotate, else per minute */
	uint8_t form_factor;
};
int vpd_rotation_decode(
	struct vpd_rotation *rotation, const void *data, size_t len);

/* B2h */
enum vpd_provisioning_type { VPD_FULL, VPD_RESOURCE, VPD_THIN };
struct vpd_provisioning {
	bool unmap;         /* LBPU */
	bool write_same16;  /* LBPWS: WRITE SAME(16) with UNMAP */
	bool write_same10;  /* LBPWS10 */
	uint8_t reads_zero; /* LBPRZ: bit 0 set: zeroes; 2: vendor pattern */
	bool anchor;        /* ANC_SUP */
	uint8_t threshold_exponent;
	uint8_t type; /* enum vpd_provisioning_type, 3..7 reserved */
};
int vpd_provisioning_decode(
	struct vpd_provisioning *p, const void *data, size_t len);

#endif
