/* SPDX-License-Identifier: BSD-2-Clause */
/* What a cell holds: who wrote it and where it belongs, all over the cell, so
 * that lost, torn and misplaced data show. */
#ifndef TESTS_SIM_STAMP_H
#define TESTS_SIM_STAMP_H

#include <stdint.h>

#define STAMP_ZERO     0u /* all zeroes */
#define STAMP_NONSENSE UINT32_MAX

void stamp_fill(void *data, uint32_t grain, uint32_t number, uint32_t cell);

/* The number that fills the cell, STAMP_ZERO or STAMP_NONSENSE. */
uint32_t stamp_read(const void *data, uint32_t grain, uint32_t cell);

#endif
