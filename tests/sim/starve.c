/* SPDX-License-Identifier: BSD-2-Clause */
#include "starve.h"

#include <stdlib.h>

#include "tests/lib/t_loop.h"

/* The linker's --wrap gives these names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static struct {
	struct loop *loop;
	struct rng *dice;
	unsigned percent, count;
} state;

void starve(struct loop *loop, struct rng *dice, unsigned percent)
{
	state.loop = loop;
	state.dice = dice;
	state.percent = percent;
}

unsigned starve_count(void)
{
	return state.count;
}

static bool refused(void)
{
	if (!state.percent || t_loop_current() != state.loop ||
		!rng_chance(state.dice, state.percent))
		return false;
	state.count++;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refused() ? NULL : __real_realloc(p, size);
}
