/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A budget is a bound on what all loops of the process hold together. Each has
 * a share in it, which fetches from the budget in large pieces and gives back
 * in large pieces: what is counted for one request touches nothing that another
 * thread uses.
 */
#ifndef UMPIO_BASE_SHARE_H
#define UMPIO_BASE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A share keeps at most twice as much without using it. */
#define SHARE_PIECE ((int64_t)1 << 20)

/* Begins as the bound; below 0 while shares take without having asked. */
struct budget {
	_Atomic int64_t left;
};

/* Belongs to one thread. */
struct share {
	struct budget *budget;
	int64_t used;
	int64_t room; /* fetched and not used */
};

/* Private: what there is no room for, and room that is too much. */
bool share_fetch(struct share *share, int64_t bytes);
void share_settle(struct share *share);

/* True when `bytes` more can be taken within the budget. */
static inline bool share_has(struct share *share, size_t bytes)
{
	return (int64_t)bytes <= share->room ||
	       share_fetch(share, (int64_t)bytes);
}

/* Takes `bytes`, whether there is room or not. */
static inline void share_take(struct share *share, size_t bytes)
{
	share->used += (int64_t)bytes;
	share->room -= (int64_t)bytes;
	if (share->room < 0)
		share_settle(share);
}

static inline void share_give(struct share *share, size_t bytes)
{
	share->used -= (int64_t)bytes;
	share->room += (int64_t)bytes;
	if (share->room > 2 * SHARE_PIECE)
		share_settle(share);
}

/* What could still be taken, by anybody, if all took at once: a guess. */
static inline int64_t share_left(const struct share *share)
{
	return share->room +
	       atomic_load_explicit(&share->budget->left, memory_order_relaxed);
}

/* Gives back all that is not used. */
void share_trim(struct share *share);

#endif
