/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes: SYNCHRONIZE CACHE of the whole unit, one at a time. It covers the
 * flushes that had arrived when it was issued; those that arrive meanwhile
 * share the next one. While the target's cache is suspect none is issued, and
 * one that was under way then counts for nothing (suspect.h).
 */
#ifndef MPIO_FLUSH_H
#define MPIO_FLUSH_H

#include <stdbool.h>
#include <umpio/blkdev.h>

struct mpdev;

TAILQ_HEAD(blk_req_list, blk_req);

struct flush {
	struct blk_req_list waiting, running;
	bool busy;
	uint64_t epoch; /* of the one under way: suspect.epoch */
	uint64_t told;  /* losses that clients without a count were told */
	uint64_t written, covered, clean; /* writes ended; of them flushed */
	struct blk_req own;
	bool own_busy;
};

void flush_init(struct flush *flush);

/* Takes a FLUSH request of a device that is known. */
void flush_add(struct mpdev *dev, struct blk_req *blk);

/* What waited may be issued now. */
void flush_kick(struct mpdev *dev);

/* A flush for which nobody asks; nothing when one is under way. */
void flush_by_itself(struct mpdev *dev);

/* What was acknowledged may be lost: every client is told once. */
void flush_lost(struct mpdev *dev);

/* 0, or -EIO when the client of `blk` was not told of a loss yet. */
int flush_verdict(struct mpdev *dev, const struct blk_req *blk);

/* Ends those that wait to be issued; with 0 as losses say. */
void flush_answer_waiting(struct mpdev *dev, int err);

/* A write has ended that no FUA covers. */
static inline void flush_note_write(struct flush *flush)
{
	flush->written++;
}

/* True when a write has ended since the last successful flush began. */
bool flush_is_needed(const struct mpdev *dev);

#endif
