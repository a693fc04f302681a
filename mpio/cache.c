/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <umpio/scsi/cdb.h>

/* Somebody who should know says so, and nobody who knows better denies it. */
static bool is_claimed(const struct mpdev *dev)
{
	if (dev->options.write_cache == MPIO_CACHE_AUTO)
		return dev->facts.cache_claimed;
	return dev->options.write_cache == MPIO_CACHE_VOLATILE;
}

bool cache_can_sync(const struct mpdev *dev)
{
	return dev->cache.sync != CACHE_SYNC_NONE;
}

bool cache_exists(const struct mpdev *dev)
{
	return dev->facts.write_cache &&
	       (cache_can_sync(dev) || is_claimed(dev));
}

int cache_unsynced(const struct mpdev *dev)
{
	return cache_exists(dev) ? -EIO : 0;
}

static void build(
	uint8_t *cdb, enum cache_sync sync, uint64_t lba, uint32_t blocks)
{
	assert(sync < CACHE_SYNC_NONE);
	if (sync == CACHE_SYNC_UNIT10)
		cdb_synchronize_cache10(cdb, 0, 0, 0);
	else if (sync == CACHE_SYNC_UNIT16)
		cdb_synchronize_cache16(cdb, 0, 0, 0);
	else
		cdb_synchronize_cache16(cdb, lba, blocks, 0);
}

void cache_build_sync(
	const struct mpdev *dev, uint8_t *cdb, uint64_t lba, uint32_t blocks)
{
	build(cdb, dev->cache.sync, lba, blocks);
}

static enum cache_sync sync_of(const uint8_t *cdb)
{
	enum cache_sync sync = CACHE_SYNC_UNIT10;
	uint8_t other[CDB_MAX];

	for (; sync > CACHE_SYNC_RANGE; sync--) {
		build(other, sync, 0, 0);
		if (memcmp(cdb, other, sizeof other) == 0)
			break;
	}
	return sync;
}

static void tell(struct mpdev *dev)
{
	if (dev->cache.told)
		return;
	dev->cache.told = true;
	notice_event(dev, -1, EVENT_CACHE_UNFLUSHABLE,
		"the target has a volatile write cache and refuses SYNCHRONIZE "
		"CACHE: flushes fail; switch its cache off, or set write-cache "
		"= nonvolatile if it outlasts a loss of power");
}

void cache_refused(struct mpdev *dev, const uint8_t *cdb)
{
	enum cache_sync refused = sync_of(cdb);

	if (refused < dev->cache.sync)
		return;
	dev->cache.sync = (uint8_t)(refused + 1);
	if (cache_can_sync(dev))
		return;
	if (cache_exists(dev))
		tell(dev);
	retain_configure(dev);
}

void cache_probed(struct mpdev *dev)
{
	if (!cache_can_sync(dev) && cache_exists(dev))
		dev->cache.sync = CACHE_SYNC_RANGE;
}
