/* SPDX-License-Identifier: BSD-2-Clause */
#include "floor.h"

#include <string.h>

uint64_t floor_at(const struct floor *f, uint64_t at)
{
	for (uint32_t i = f->n; i-- > 0;)
		if (f->step[i].at < at)
			return f->step[i].begin;
	return 0;
}

static void drop(struct floor *f, uint32_t i)
{
	f->n--;
	memmove(&f->step[i], &f->step[i + 1], (f->n - i) * sizeof f->step[0]);
}

void floor_raise(struct floor *f, uint64_t at, uint64_t begin, uint64_t oldest)
{
	if (f->n > 0 && f->step[f->n - 1].begin >= begin)
		return;
	while (f->n > 1 && f->step[1].at < oldest)
		drop(f, 0);
	if (f->n == FLOOR_STEPS)
		drop(f, 1);
	f->step[f->n++] = (struct floor_step){at, begin};
}
