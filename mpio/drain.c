/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Draining a device, step by step: requests in flight, a last flush, the paths.
 * Each step is gone through in the task, never from within a call.
 */
#include "mpdev.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/log.h>

static void last_flushed(struct blk_req *blk, int err)
{
	struct mpdev *dev = blk->arg;

	if (err) {
		log_error("%s: writes that were not flushed may be lost: the "
			  "last flush failed: %s",
			dev->blk.name, strerror(-err));
		dev->drain_error = -EIO;
	}
	dev->drain = DRAIN_PATHS;
	drain_poke(dev);
}

static void begin_flush(struct mpdev *dev)
{
	if (dev->hurry || !flush_is_needed(dev)) {
		if (flush_is_needed(dev))
			dev->drain_error = -EIO;
		dev->drain = DRAIN_PATHS;
		drain_poke(dev);
		return;
	}
	dev->drain = DRAIN_FLUSH;
	dev->last_flush = (struct blk_req){
		.op = BLK_FLUSH,
		.done = last_flushed,
		.arg = dev,
	};
	dev->pending++;
	flush_add(dev, &dev->last_flush);
}

static void stop_paths(struct mpdev *dev)
{
	bool all_off = true;
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->phase != PHASE_OFF) {
			all_off = false;
			mpath_input(mp, dev->hurry ? INPUT_CUT : INPUT_STOP);
		}
	if (!all_off || dev->pending)
		return;
	if (flush_is_needed(dev))
		dev->drain_error = -EIO;
	dev->drain = DRAIN_DONE;
	notice_drained(dev, dev->drain_error);
}

static void step(void *arg)
{
	struct mpdev *dev = arg;

	if (dev->drain == DRAIN_REQUESTS && !dev->pending)
		begin_flush(dev);
	else if (dev->drain == DRAIN_PATHS)
		stop_paths(dev);
}

void drain_init(struct mpdev *dev)
{
	loop_task_init(&dev->drain_task, step, dev);
}

void drain_poke(struct mpdev *dev)
{
	if (dev->drain != DRAIN_NONE && dev->drain != DRAIN_DONE)
		loop_post(dev->loop, &dev->drain_task);
}

/* Nothing waits any more, and what the paths have ends with them. */
static void hurry(struct mpdev *dev)
{
	struct mpath *mp;

	dev->hurry = true;
	io_fail_held(dev, -ESHUTDOWN);
	if (dev->drain < DRAIN_PATHS && flush_is_needed(dev))
		dev->drain_error = -EIO;
	if (dev->drain < DRAIN_PATHS)
		dev->drain = DRAIN_PATHS;
	TAILQ_FOREACH (mp, &dev->paths, link)
		mpath_input(mp, INPUT_CUT);
	fence_forget_all(dev);
	request_fail_waiting(dev, -ESHUTDOWN);
	flush_answer_waiting(dev, -ESHUTDOWN);
}

void mpdev_drain(struct mpdev *dev, bool now)
{
	bool was_inside = dev->inside;

	dev->inside = true;
	if (dev->drain == DRAIN_NONE) {
		dev->drain = DRAIN_REQUESTS;
		mpdev_fail_early(dev, -ESHUTDOWN);
	}
	if (now && dev->drain != DRAIN_DONE)
		hurry(dev);
	dev->inside = was_inside;
	drain_poke(dev);
}
