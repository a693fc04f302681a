/* SPDX-License-Identifier: BSD-2-Clause */
#include "marks.h"

#include <stdlib.h>

/* With 16 MiB of 4 KiB writes one miss in nine is taken for a hit. */
#define SLOT_BITS 15
#define PAGE      12 /* shift of what a counter stands for */
#define CHUNK     20 /* the same, for ranges longer than that */

struct marks {
	uint32_t slots[1u << SLOT_BITS];
};

static unsigned slot_of(uint64_t granule, unsigned shift)
{
	uint64_t key = granule << 5 | shift;

	return (unsigned)(key * 0x9e3779b97f4a7c15u >> (64 - SLOT_BITS));
}

static void count(struct marks *m, uint64_t start, uint64_t end, uint32_t by)
{
	unsigned shift = end - start > 1u << CHUNK ? CHUNK : PAGE;

	for (uint64_t g = start >> shift; g <= (end - 1) >> shift; g++)
		m->slots[slot_of(g, shift)] += by;
}

static bool has(
	const struct marks *m, uint64_t start, uint64_t end, unsigned shift)
{
	for (uint64_t g = start >> shift; g <= (end - 1) >> shift; g++)
		if (m->slots[slot_of(g, shift)])
			return true;
	return false;
}

struct marks *marks_new(void)
{
	return calloc(1, sizeof(struct marks));
}

void marks_free(struct marks *marks)
{
	free(marks);
}

void marks_add(struct marks *marks, uint64_t start, uint64_t end)
{
	if (start < end)
		count(marks, start, end, 1);
}

void marks_remove(struct marks *marks, uint64_t start, uint64_t end)
{
	if (start < end)
		count(marks, start, end, UINT32_MAX);
}

bool marks_touch(const struct marks *marks, uint64_t start, uint64_t end)
{
	return start < end &&
	       (has(marks, start, end, CHUNK) || has(marks, start, end, PAGE));
}
