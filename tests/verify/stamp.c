/* SPDX-License-Identifier: BSD-2-Clause */
#include "stamp.h"

#include <stdbool.h>
#include <string.h>

#define WORDS (SECTOR / sizeof(uint64_t))
#define MAGIC 0x7065727374616d70u

enum { AT_MAGIC, AT_RUN, AT_ADDRESS, AT_SEQ, AT_WRITER, AT_SUM, AT_FILL };

static uint64_t mixed(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t stamp_random(uint64_t *state)
{
	return mixed(*state += 0x9e3779b97f4a7c15u);
}

/* Of all words but the sum itself. */
static uint64_t sum(const uint64_t *w)
{
	uint64_t h = MAGIC;

	for (unsigned i = 0; i < WORDS; i++) {
		h = (h ^ (i == AT_SUM ? 0 : w[i])) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h;
}

void stamp_put(void *sector, const struct stamp *s)
{
	uint64_t w[WORDS] = {MAGIC, s->run, s->address, s->seq, s->writer};
	uint64_t fill = mixed(s->seq) ^ mixed(s->address + 1);

	for (unsigned i = AT_FILL; i < WORDS; i++)
		w[i] = fill += 0x9e3779b97f4a7c15u;
	w[AT_SUM] = sum(w);
	memcpy(sector, w, sizeof w);
}

static bool all_zero(const uint64_t *w)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (w[i])
			return false;
	return true;
}

enum stamp_kind stamp_get(const void *sector, struct stamp *out)
{
	uint64_t w[WORDS];

	memcpy(w, sector, sizeof w);
	*out = (struct stamp){
		w[AT_RUN], w[AT_ADDRESS], w[AT_SEQ], w[AT_WRITER]};
	if (w[AT_MAGIC] != MAGIC)
		return all_zero(w) ? STAMP_ZERO : STAMP_ALIEN;
	return sum(w) == w[AT_SUM] ? STAMP_GOOD : STAMP_TORN;
}
