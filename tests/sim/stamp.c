/* SPDX-License-Identifier: BSD-2-Clause */
#include "stamp.h"

#include <string.h>

static uint64_t word(uint32_t number, uint32_t cell)
{
	return (uint64_t)cell << 32 | number;
}

/* All of the cell's words are the same: its first half is its second. */
void stamp_fill(void *data, uint32_t grain, uint32_t number, uint32_t cell)
{
	uint64_t *p = data;
	uint64_t w = word(number, cell);

	for (uint32_t i = 0; i < grain / 8; i++)
		p[i] = w;
}

uint32_t stamp_read(const void *data, uint32_t grain, uint32_t cell)
{
	uint64_t first;

	memcpy(&first, data, 8);
	if (memcmp(data, (const char *)data + 8, grain - 8) != 0)
		return STAMP_NONSENSE;
	if (first == 0)
		return STAMP_ZERO;
	if (first >> 32 != cell || (uint32_t)first == 0)
		return STAMP_NONSENSE;
	return (uint32_t)first;
}
