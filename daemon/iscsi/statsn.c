/* SPDX-License-Identifier: BSD-2-Clause */
#include "statsn.h"

#include <string.h>

#include "sn.h"

static bool get(const uint64_t *bits, uint32_t sn)
{
	sn %= STATSN_WINDOW;
	return bits[sn / 64] >> sn % 64 & 1;
}

static void put(uint64_t *bits, uint32_t sn, bool value)
{
	uint64_t bit = 1ull << sn % 64;

	sn %= STATSN_WINDOW;
	bits[sn / 64] = value ? bits[sn / 64] | bit : bits[sn / 64] & ~bit;
}

void statsn_init(struct statsn *w, uint32_t exp)
{
	memset(w, 0, sizeof *w);
	w->exp = w->next = exp;
}

enum statsn_is statsn_take_other(struct statsn *w, uint32_t sn)
{
	bool gap = sn_gt(sn, w->next);

	if (sn_lt(sn, w->exp))
		return STATSN_OLD;
	if (sn - w->exp >= STATSN_WINDOW)
		return STATSN_FAR;
	if (get(w->came, sn))
		return get(w->settled, sn) ? STATSN_OLD : STATSN_AGAIN;
	put(w->came, sn, true);
	w->next = sn_max(w->next, sn + 1);
	return gap ? STATSN_GAP : STATSN_NEW;
}

void statsn_settle_other(struct statsn *w, uint32_t sn)
{
	if (sn_lt(sn, w->exp) || sn - w->exp >= STATSN_WINDOW)
		return;
	put(w->settled, sn, true);
	while (get(w->settled, w->exp)) {
		put(w->settled, w->exp, false);
		put(w->came, w->exp, false);
		w->exp++;
	}
}

bool statsn_reveal(struct statsn *w, uint32_t sn)
{
	if (!sn_gt(sn, w->next) || sn - w->exp >= STATSN_WINDOW)
		return false;
	w->next = sn;
	return true;
}

bool statsn_missing(
	const struct statsn *w, uint32_t from, uint32_t *begin, uint32_t *run)
{
	uint32_t sn = sn_max(w->exp, from);

	while (sn != w->next && get(w->came, sn))
		sn++;
	*begin = sn;
	while (sn != w->next && !get(w->came, sn))
		sn++;
	*run = sn - *begin;
	return *run > 0;
}
