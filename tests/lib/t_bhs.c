/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_bhs.h"

#include <string.h>

static const struct {
	uint8_t at, bytes, mask;
} fields[] = {
#define X(NAME, at, bytes, mask) [T_##NAME] = {at, bytes, mask},
	T_FIELDS
#undef X
};

uint64_t t_get(const uint8_t *bhs, enum t_field field)
{
	const uint8_t *p = bhs + fields[field].at;
	unsigned mask = fields[field].mask, i;
	uint64_t value = 0;

	if (mask != 0xff)
		return (*p & mask) / (mask & -mask);
	for (i = 0; i < fields[field].bytes; i++)
		value = value << 8 | p[i];
	return value;
}

void t_set(uint8_t *bhs, enum t_field field, uint64_t value)
{
	uint8_t *p = bhs + fields[field].at;
	unsigned mask = fields[field].mask, i;

	if (mask != 0xff) {
		*p = (uint8_t)((*p & ~mask) | (value * (mask & -mask) & mask));
		return;
	}
	for (i = fields[field].bytes; i-- > 0; value >>= 8)
		p[i] = (uint8_t)value;
}

void t_make(uint8_t *bhs, uint8_t opcode)
{
	memset(bhs, 0, T_BHS_LEN);
	t_set(bhs, T_OPCODE, opcode);
	t_set(bhs, T_ITT, T_NO_TAG);
	t_set(bhs, T_TTT, T_NO_TAG);
}
