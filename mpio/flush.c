/* SPDX-License-Identifier: BSD-2-Clause */
#include "flush.h"

#include "mpdev.h"

#include <errno.h>

void flush_init(struct flush *flush)
{
	*flush = (struct flush){0};
	TAILQ_INIT(&flush->waiting);
	TAILQ_INIT(&flush->running);
}

bool flush_is_needed(const struct mpdev *dev)
{
	return dev->known && cache_exists(dev) &&
	       dev->flush.clean != dev->flush.written;
}

/*
 * Losses
 */
void flush_lost(struct mpdev *dev)
{
	dev->blk.losses++;
}

int flush_verdict(struct mpdev *dev, const struct blk_req *blk)
{
	uint64_t *told = blk->losses ? blk->losses : &dev->flush.told;

	/* Losses are for others to hear of. */
	if (blk == &dev->flush.own || *told == dev->blk.losses)
		return 0;
	*told = dev->flush.told = dev->blk.losses;
	return -EIO;
}

/* One by one: an answer may bring in others. */
static void answer_all(struct mpdev *dev, struct blk_req_list *list, int err)
{
	struct blk_req *blk;
	int verdict;

	while ((blk = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, blk, link);
		/* Who gets -EIO is told of all losses. */
		verdict = !err || err == -EIO ? flush_verdict(dev, blk) : 0;
		mpdev_answer(dev, blk, err ? err : verdict);
	}
}

void flush_answer_waiting(struct mpdev *dev, int err)
{
	struct blk_req_list waiting = TAILQ_HEAD_INITIALIZER(waiting);

	TAILQ_CONCAT(&waiting, &dev->flush.waiting, link);
	answer_all(dev, &waiting, err);
}

/*
 * The command
 */

/* It is issued anew: the cache has become suspect since, or may be, where it
 * went over a session that is new; or there is another command for it. */
static void go_back(struct mpdev *dev)
{
	struct flush *flush = &dev->flush;

	TAILQ_CONCAT(&flush->running, &flush->waiting, link);
	TAILQ_CONCAT(&flush->waiting, &flush->running, link);
	retain_flush_failed(dev);
}

static void settle(struct mpdev *dev, int err)
{
	struct flush *flush = &dev->flush;
	struct blk_req_list running = TAILQ_HEAD_INITIALIZER(running);

	if (!err) {
		flush->clean = flush->covered;
		suspect_flushed(dev);
		retain_flushed(dev);
	} else {
		retain_flush_failed(dev);
	}
	TAILQ_CONCAT(&running, &flush->running, link);
	answer_all(dev, &running, err);
}

/* Even that it has failed: what it was to write is written again. */
static bool counts_for_nothing(const struct mpdev *dev, int err)
{
	if (err && (!mpdev_has_path(dev) || dev->hurry))
		return false;
	return dev->flush.epoch != dev->suspect.epoch ||
	       suspect_holds_flushes(&dev->suspect);
}

static void flushed(struct io *io, int err)
{
	struct mpdev *dev = io->dev;

	bool refused = err == -EOPNOTSUPP;

	if (refused) {
		cache_refused(dev, io->cmd.cdb);
		err = cache_unsynced(dev);
	}
	io_put(io);
	dev->flush.busy = false;
	if (refused && cache_can_sync(dev))
		go_back(dev);
	else if (counts_for_nothing(dev, err))
		go_back(dev);
	else
		settle(dev, err);
	suspect_poke(dev);
	flush_kick(dev);
}

void flush_kick(struct mpdev *dev)
{
	struct flush *flush = &dev->flush;
	struct io *io;

	if (flush->busy || TAILQ_EMPTY(&flush->waiting) ||
		suspect_holds_flushes(&dev->suspect))
		return;
	if (!cache_can_sync(dev)) {
		flush_answer_waiting(dev, cache_unsynced(dev));
		return;
	}
	io = io_new(dev, IO_SYNC);
	if (!io) {
		flush_answer_waiting(dev, -ENOMEM);
		return;
	}
	TAILQ_CONCAT(&flush->running, &flush->waiting, link);
	flush->busy = true;
	flush->covered = flush->written;
	flush->epoch = dev->suspect.epoch;
	retain_flush_begins(dev);
	io->done = flushed;
	cache_build_sync(dev, io->cmd.cdb, 0, 0);
	io_submit(io);
}

void flush_add(struct mpdev *dev, struct blk_req *blk)
{
	int err = mpdev_no_path_error(dev);

	if (!cache_exists(dev))
		err = flush_verdict(dev, blk);
	if (err || !cache_exists(dev)) {
		mpdev_answer(dev, blk, err);
		return;
	}
	TAILQ_INSERT_TAIL(&dev->flush.waiting, blk, link);
	flush_kick(dev);
}

/*
 * Of its own accord
 */
static void own_done(struct blk_req *blk, int err)
{
	struct mpdev *dev = blk->arg;

	dev->flush.own_busy = false;
	if (!err) {
		retain_check(dev);
	} else if (err != -ENOMEM && mpdev_has_path(dev) && !dev->hurry &&
		   !retain_is_empty(&dev->retain)) {
		/* Whose writes these were, the next flush tells. */
		flush_lost(dev);
		retain_drop(dev);
	}
}

void flush_by_itself(struct mpdev *dev)
{
	struct flush *flush = &dev->flush;
	bool was_inside = dev->inside;

	if (flush->own_busy)
		return;
	flush->own_busy = true;
	flush->own = (struct blk_req){
		.op = BLK_FLUSH,
		.done = own_done,
		.arg = dev,
	};
	dev->pending++;
	dev->inside = true;
	flush_add(dev, &flush->own);
	dev->inside = was_inside;
}
