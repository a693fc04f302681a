/* SPDX-License-Identifier: BSD-2-Clause */
/* Designators of VPD page 83h (SPC-5 7.7.6), and the WWID chosen of them. */
#ifndef UMPIO_SCSI_DESIGNATOR_H
#define UMPIO_SCSI_DESIGNATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/cursor.h>
#include <umpio/scsi/inquiry.h>

#define WWID_MAX 280 /* bytes of a WWID's text, the NUL included */

enum designator_association {
	DESIGNATOR_LUN,
	DESIGNATOR_PORT,
	DESIGNATOR_DEVICE,
};

enum designator_type {
	DESIGNATOR_VENDOR,
	DESIGNATOR_T10,
	DESIGNATOR_EUI64,
	DESIGNATOR_NAA,
	DESIGNATOR_RELATIVE_PORT,
	DESIGNATOR_TARGET_GROUP,
	DESIGNATOR_LUN_GROUP,
	DESIGNATOR_MD5,
	DESIGNATOR_NAME, /* SCSI name string */
	DESIGNATOR_PROTOCOL_PORT,
	DESIGNATOR_UUID,
};

enum designator_code { CODE_BINARY = 1, CODE_ASCII = 2, CODE_UTF8 = 3 };

struct designator {
	uint8_t protocol; /* meaningful when protocol_valid (PIV) */
	bool protocol_valid;
	uint8_t code;        /* enum designator_code */
	uint8_t association; /* enum designator_association */
	uint8_t type;        /* enum designator_type */
	uint8_t len;
	const uint8_t *value; /* `len` bytes inside the page */
};

/* Opens the page: 0 or -EPROTO (vpd_open()). Then next() gives one designator
 * after the other, and false at the end or at the first that is cut off. */
int designator_open(struct cursor *c, const void *page, size_t len);
bool designator_next(struct cursor *c, struct designator *d);

/*
 * The best name of the logical unit on the page: NAA 6, NAA 5, NAA 2, EUI-64,
 * SCSI name string, T10 vendor, NAA 3 (locally assigned), in this order; the
 * first of equals. Designators of a wrong length or code set, of ports or
 * devices, or that are blank or all zero do not count.
 *
 * naa. and eui. are followed by lower-case hexadecimal; name. and t10. by the
 * text, with runs of blanks as one '_', and '%', '/' and whatever is not
 * printable ASCII as %XX, so that different names stay different.
 *
 * `wwid` has WWID_MAX bytes. 0, -EPROTO (not page 83h), or -ENOENT (none).
 */
int designator_wwid(char *wwid, const void *page, size_t len);

/* The WWID of a unit without a usable page 83h: serial.VENDOR_PRODUCT_SERIAL.
 * -ENOENT when the serial number is empty, or too long: it is not cut. */
int wwid_from_serial(
	char *wwid, const struct inquiry *inquiry, const char *serial);

/* The target port group, or relative target port, of the port that was asked
 * (association: port). 0, -EPROTO or -ENOENT. */
int designator_target_group(uint16_t *group, const void *page, size_t len);
int designator_relative_port(uint16_t *port, const void *page, size_t len);

#endif
