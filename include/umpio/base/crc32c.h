/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC32C as iSCSI digests use it (RFC 7143 13.1, RFC 3720 appendix B.4). */
#ifndef UMPIO_BASE_CRC32C_H
#define UMPIO_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `len` bytes that follow those whose CRC is `crc` (0 at the
 * start). The result is the final value: on the wire it goes little-endian. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same from a table, whatever the processor: the reference of the tests
 * and the fallback where isa-l is missing. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
