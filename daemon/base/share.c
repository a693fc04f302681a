/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/base/share.h>

/* Nothing else is published by these counters, so their order is free. */
static bool fetch(struct share *share, int64_t bytes)
{
	int64_t left = atomic_load_explicit(
		&share->budget->left, memory_order_relaxed);

	do {
		if (left < bytes)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&share->budget->left,
		&left, left - bytes, memory_order_relaxed,
		memory_order_relaxed));
	share->room += bytes;
	return true;
}

/* Near the end of the budget it is no longer had in pieces. */
bool share_fetch(struct share *share, int64_t bytes)
{
	const int64_t missing = bytes - share->room;

	return fetch(share, missing + SHARE_PIECE) || fetch(share, missing);
}

static void give_back(struct share *share, int64_t bytes)
{
	share->room -= bytes;
	atomic_fetch_add_explicit(
		&share->budget->left, bytes, memory_order_relaxed);
}

void share_settle(struct share *share)
{
	give_back(share,
		share->room < 0 ? share->room : share->room - SHARE_PIECE);
}

void share_trim(struct share *share)
{
	give_back(share, share->room);
}
