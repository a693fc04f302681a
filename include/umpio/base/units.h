/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict reading and writing of numbers, durations, sizes and booleans as
 * configuration and command line have them. Nothing may follow the value. */
#ifndef UMPIO_BASE_UNITS_H
#define UMPIO_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* Decimal digits only. 0, -EINVAL, or -ERANGE above 2^64-1. */
int units_u64(const char *text, uint64_t *value);

/* `500ms`, `5s`, `2m`, `1h`, `0`; into nanoseconds. 0, -EINVAL, -ERANGE. */
int units_duration(const char *text, uint64_t *ns);

/* `4096`, `64KiB`, `1MiB`, `2GiB`; into bytes. 0, -EINVAL, -ERANGE. */
int units_size(const char *text, uint64_t *bytes);

/* `yes`/`no`, also `Yes`/`No`, `true`/`false`, `on`/`off`. 0 or -EINVAL. */
int units_bool(const char *text, bool *value);

/* The shortest exact form: `1500ms`, `2m`, `64KiB`. Returns `text`. */
const char *units_duration_text(uint64_t ns, char *text, size_t size);
const char *units_size_text(uint64_t bytes, char *text, size_t size);

#endif
