/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes: SYNCHRONIZE CACHE of the whole unit, one at a time. It covers the
 * flushes that had arrived when it was issued; those that arrive meanwhile
 * share the next one.
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
	bool lost; /* a target has lost an earlier write: tell it once */
	uint64_t written, covered, clean; /* writes ended; of them flushed */
};

void flush_init(struct flush *flush);

/* Takes a FLUSH request of a device that is known. */
void flush_add(struct mpdev *dev, struct blk_req *blk);

/* A write has ended that no FUA covers. */
static inline void flush_note_write(struct flush *flush)
{
	flush->written++;
}

/* True when a write has ended since the last successful flush began. */
bool flush_is_needed(const struct mpdev *dev);

#endif
