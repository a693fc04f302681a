/* SPDX-License-Identifier: BSD-2-Clause */
/* Sense data in fixed and descriptor format (SPC-5 4.4). */
#ifndef UMPIO_SCSI_SENSE_H
#define UMPIO_SCSI_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SPC-5 4.4.8 */
enum sense_key {
#define X(id, code, name) SENSE_##id = code,
#include <umpio/tbl/scsi_sense_keys.h>
#undef X
};

struct sense {
	bool valid;        /* a known format with at least a key */
	bool deferred;     /* it belongs to an earlier command (71h, 73h) */
	uint8_t key;       /* enum sense_key */
	uint8_t asc, ascq; /* 0 when cut off */
	bool info_valid;
	uint64_t info; /* INFORMATION, mostly an LBA */
};

/* Reads what is there of `len` bytes; what was cut off reads as zero. Not valid
 * when empty, of an unknown or vendor format. */
struct sense sense_decode(const void *data, size_t len);

/* The inverse, for targets: fixed format, 18 bytes into `out` of `size` bytes.
 * Returns the bytes written, which are fewer when `size` is. */
size_t sense_build(const struct sense *sense, uint8_t *out, size_t size);

const char *sense_key_name(uint8_t key);

/* "MEDIUM ERROR, unrecovered read error (3/11/00), at 4711", for logs. Always
 * ends with a NUL; returns `out`. */
#define SENSE_TEXT_MAX 120
const char *sense_text(const struct sense *sense, char *out, size_t size);

#endif
