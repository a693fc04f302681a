/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The statuses of a connection by their StatSN (RFC 7143 4.2.2.2) at error
 * recovery level 1 and above: which have come, which are missing, and up to
 * where they may be acknowledged. ExpStatSN stays in front of a status that is
 * missing, and of one whose task still lacks data: what is acknowledged, a
 * target may forget (RFC 7143 4.2.2.2, 7.3).
 *
 * While nothing is missing it is two numbers that move together.
 */
#ifndef UMPIO_ISCSI_STATSN_H
#define UMPIO_ISCSI_STATSN_H

#include <stdbool.h>
#include <stdint.h>

/* Statuses that may come behind a missing one: STATSN_PAUSE, and then those of
 * all commands that may be in flight. */
#define STATSN_WINDOW 1024
#define STATSN_PAUSE  256

struct statsn {
	uint32_t exp;  /* ExpStatSN: all before it are settled */
	uint32_t next; /* one after the last that we know of */
	uint64_t came[STATSN_WINDOW / 64];
	uint64_t settled[STATSN_WINDOW / 64];
};

enum statsn_is {
	STATSN_NEW,   /* the next one, or one that was missing */
	STATSN_GAP,   /* new, and others before it are missing */
	STATSN_AGAIN, /* it came before, but is not settled */
	STATSN_OLD,   /* it came before */
	STATSN_FAR,   /* further ahead than can be kept */
};

void statsn_init(struct statsn *w, uint32_t exp);

/* The two below when there are others that are not settled. */
enum statsn_is statsn_take_other(struct statsn *w, uint32_t sn);
void statsn_settle_other(struct statsn *w, uint32_t sn);

/* A status has come. A new one is to be settled, now or later. */
static inline enum statsn_is statsn_take(struct statsn *w, uint32_t sn)
{
	if (sn != w->exp || sn != w->next)
		return statsn_take_other(w, sn);
	w->came[sn % STATSN_WINDOW / 64] |= 1ull << sn % 64;
	w->next++;
	return STATSN_NEW;
}

/* A status that has come may be acknowledged. */
static inline void statsn_settle(struct statsn *w, uint32_t sn)
{
	if (sn != w->exp || sn + 1 != w->next) {
		statsn_settle_other(w, sn);
		return;
	}
	w->came[sn % STATSN_WINDOW / 64] &= ~(1ull << sn % 64);
	w->exp++;
}

/* The target shows that `sn` is its next one. True when one is missing that was
 * not known to be. */
bool statsn_reveal(struct statsn *w, uint32_t sn);

/* So many have come behind a missing one that no more commands should be sent
 * before it is there. */
static inline bool statsn_is_behind(const struct statsn *w)
{
	return w->next - w->exp > STATSN_PAUSE;
}

/* The first run of missing ones at or after `from`; false when none is. */
bool statsn_missing(
	const struct statsn *w, uint32_t from, uint32_t *begin, uint32_t *run);

#endif
