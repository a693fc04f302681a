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

static bool has_cache(const struct mpdev *dev)
{
	return dev->facts.write_cache && !dev->no_sync;
}

bool flush_is_needed(const struct mpdev *dev)
{
	return dev->known && has_cache(dev) &&
	       dev->flush.clean != dev->flush.written;
}

/* What a flush says when the target has done its part. */
static int verdict(struct flush *flush)
{
	int err = flush->lost ? -EIO : 0;

	flush->lost = false;
	return err;
}

static void answer_all(struct mpdev *dev, struct blk_req_list *list, int err)
{
	struct blk_req *blk;

	while ((blk = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, blk, link);
		mpdev_answer(dev, blk, err);
	}
}

static void kick(struct mpdev *dev);

static void flushed(struct io *io, int err)
{
	struct mpdev *dev = io->dev;
	struct flush *flush = &dev->flush;

	io_put(io);
	if (err == -EOPNOTSUPP) {
		/* No such command: there is no cache. */
		dev->no_sync = true;
		err = 0;
	}
	if (!err) {
		flush->clean = flush->covered;
		err = verdict(flush);
	}
	flush->busy = false;
	answer_all(dev, &flush->running, err);
	kick(dev);
}

static void kick(struct mpdev *dev)
{
	struct flush *flush = &dev->flush;
	struct io *io;

	if (flush->busy || TAILQ_EMPTY(&flush->waiting))
		return;
	io = io_new(dev, IO_SYNC);
	if (!io) {
		answer_all(dev, &flush->waiting, -ENOMEM);
		return;
	}
	TAILQ_CONCAT(&flush->running, &flush->waiting, link);
	flush->busy = true;
	flush->covered = flush->written;
	io->done = flushed;
	cdb_synchronize_cache16(io->cmd.cdb, 0, 0, 0);
	io_submit(io);
}

void flush_add(struct mpdev *dev, struct blk_req *blk)
{
	if (!has_cache(dev)) {
		mpdev_answer(dev, blk, verdict(&dev->flush));
		return;
	}
	TAILQ_INSERT_TAIL(&dev->flush.waiting, blk, link);
	kick(dev);
}
