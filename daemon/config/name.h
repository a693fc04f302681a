/* SPDX-License-Identifier: BSD-2-Clause */
/* iSCSI names as they stand in a configuration (RFC 7143 4.2.7). */
#ifndef UMPIO_CONFIG_NAME_H
#define UMPIO_CONFIG_NAME_H

#include <stddef.h>

#define NAME_SIZE 224 /* RFC 7143 4.2.7.1: 223 bytes, and the NUL */

/* 0; or -EINVAL and the cause in `why`: of 1 to 223 bytes, beginning with iqn.,
 * eui. or naa., with no blank, slash or control character. */
int name_check(const char *name, char *why, size_t why_size);

#endif
