/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the target may have lost its volatile cache, and what is done then.
 *
 * It is suspect when a unit attention of a reset (29/00 to 29/04, 2F/01) comes
 * over a session that was in use, or when a session comes up and no older one
 * bears witness (witness.h).
 *
 *   CALM ──reset──▶ SETTLE ──changes ended, paths asked──▶ REPLAY ──▶ SYNC
 *    ▲                ▲                                      │          │ │
 *    │                └────────────── another reset ─────────┴──────────┘ │
 *    └────────────────────────────────────────────────────────────────────┘
 *
 * So it is when SYNCHRONIZE CACHE fails, in CALM or in SYNC, or its answer is
 * lost: what it was to write is written again; a few times, since a medium may
 * fail for ever.
 *
 * Until CALM all new requests wait, and flushes; a read that was under way is
 * done again. Where others write to the unit too, or not everything is kept,
 * nothing is written again: the next flush of every client fails instead.
 */
#ifndef MPIO_SUSPECT_H
#define MPIO_SUSPECT_H

#include "retain.h"
#include "witness.h"

#include <stdbool.h>
#include <stdint.h>
#include <umpio/blkdev.h>
#include <umpio/loop.h>

#define SUSPECT_WINDOW 16

enum suspect_step {
	SUSPECT_CALM,
	SUSPECT_SETTLE,
	SUSPECT_REPLAY,
	SUSPECT_SYNC,
	SUSPECT_STARVED, /* no memory for the replay: soon again, from SETTLE */
};

struct mpath;
struct mpdev;
struct path_result;

struct suspect {
	uint8_t step;     /* enum suspect_step */
	bool again;       /* another reset came during the replay */
	bool mild;        /* no reset was seen: the answer to a flush is lost */
	bool failed;      /* a piece could not be written */
	bool starved;     /* there was no memory to write one */
	bool asked;       /* in SETTLE: the paths were asked */
	uint64_t epoch;   /* resets so far; a request notes it when it starts */
	unsigned running; /* changes under way */
	unsigned inflight; /* of the replay */
	unsigned pieces;   /* written again */
	unsigned failures; /* SYNCHRONIZE CACHE, since a flush succeeded */
	struct piece next;
	struct blk_req slots[SUSPECT_WINDOW]; /* `arg` NULL: free */
	struct loop_task task;
	struct loop_timer *later; /* in STARVED */
	struct witnesses witnesses;
};

void suspect_init(struct mpdev *dev);
void suspect_fini(struct mpdev *dev);

/* A unit attention of a reset came over a session in use. */
void suspect_reset(struct mpdev *dev, const char *what);

/* The same, if `flags` (DISPOSITION_*) of an answer over `mp` say so. */
void suspect_heed(struct mpath *mp, unsigned flags, const char *what);

/* SYNCHRONIZE CACHE was answered with an error, `what`, after which the cache
 * may have lost what it was to write. False: there was nothing to write. */
bool suspect_flush_failed(struct mpdev *dev, const char *what);

/* The answer to a SYNCHRONIZE CACHE is lost, and with it, perhaps, that it has
 * failed: the same command again has nothing left to do then, and GOOD for it
 * says nothing. False: it is believed all the same. */
bool suspect_flush_unheard(struct mpdev *dev);

/* A flush has succeeded. */
void suspect_flushed(struct mpdev *dev);

/* The session of `mp` is new, and its LUN the right one. */
void suspect_new_session(struct mpath *mp);

/* There is no doubt any more. What has waited for that goes on soon: an answer
 * may be in the middle of its way. */
void suspect_decided(struct mpdev *dev);

/* Something has changed that it may wait for. */
void suspect_poke(struct mpdev *dev);

/* Something may be lost, or is: no flush may succeed now. */
static inline bool suspect_holds_flushes(const struct suspect *s)
{
	return s->step != SUSPECT_CALM || s->witnesses.doubt;
}

/* What was read over this session need not be all that was acknowledged. */
static inline bool suspect_doubts(const struct suspect *s, uint64_t session)
{
	return s->witnesses.doubt && session > s->witnesses.proven;
}

#endif
