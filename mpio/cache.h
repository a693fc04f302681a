/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The target's write cache: whether there is one, and which SYNCHRONIZE CACHE
 * (SBC-4 5.37, 5.38) empties it. What the target refuses as unknown is not
 * asked again: a range, then the whole unit by the command of 16 bytes, then by
 * that of 10. One that refuses them all has no cache, unless its caching mode
 * page or the operator says that it has: then every flush fails.
 */
#ifndef MPIO_CACHE_H
#define MPIO_CACHE_H

#include <stdbool.h>
#include <stdint.h>

struct mpdev;

/* In the order in which they are tried. */
enum cache_sync {
	CACHE_SYNC_RANGE,
	CACHE_SYNC_UNIT16,
	CACHE_SYNC_UNIT10,
	CACHE_SYNC_NONE,
};

struct cache {
	uint8_t sync; /* enum cache_sync: the first that was not refused */
	bool told;    /* that nothing empties it */
};

/* A write that has ended may be in a volatile cache alone. */
bool cache_exists(const struct mpdev *dev);

/* There is a command left that may empty it. */
bool cache_can_sync(const struct mpdev *dev);

/* The answer to a flush without a command: 0, or -EIO: there is a cache. */
int cache_unsynced(const struct mpdev *dev);

/* SYNCHRONIZE CACHE for at least `blocks` blocks from `lba` on; 0 and 0: the
 * whole unit. cache_can_sync() is true. */
void cache_build_sync(
	const struct mpdev *dev, uint8_t *cdb, uint64_t lba, uint32_t blocks);

/* The target does not know this command, which cache_build_sync() has built. */
void cache_refused(struct mpdev *dev, const uint8_t *cdb);

/* The LUN has been probed: what has a cache and refused all may have learned
 * better. */
void cache_probed(struct mpdev *dev);

#endif
