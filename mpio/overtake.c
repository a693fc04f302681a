/* SPDX-License-Identifier: BSD-2-Clause */
#include "overtake.h"

#include "lun_probe.h"
#include "mpdev.h"

#include <umpio/base/bytes.h>

static void work(void *arg);

void overtake_init(struct mpath *mp)
{
	TAILQ_INIT(&mp->overtake.waiting);
	loop_task_init(&mp->overtake.task, work, mp);
}

void overtake_fini(struct mpath *mp)
{
	loop_unpost(mp->dev->loop, &mp->overtake.task);
}

void overtake_up(struct mpath *mp)
{
	struct path_facts facts = {0};

	path_facts(mp->path, &facts);
	mp->overtake.loose = facts.unordered;
	if (facts.unordered)
		retain_watch(mp->dev);
}

void overtake_poke(struct mpath *mp)
{
	const struct overtake *o = &mp->overtake;

	if (o->lost || !TAILQ_EMPTY(&o->waiting))
		loop_post(mp->dev->loop, &mp->overtake.task);
}

/*
 * What is under way
 */

/* When the oldest of it was sent; UINT64_MAX: nothing is. */
static uint64_t oldest(const struct mpath *mp)
{
	const struct io *io = TAILQ_FIRST(&mp->health.sent);
	uint64_t at = io ? io->sent : UINT64_MAX;

	if (mp->overtake.asides && mp->overtake.asides_since < at)
		at = mp->overtake.asides_since;
	return at;
}

void overtake_ended(struct mpath *mp, const struct path_cmd *cmd)
{
	if (!mp->overtake.loose)
		return;
	if (cmd->result.outcome == PATH_UNKNOWN && mp->session)
		mp->overtake.lost = true;
	overtake_poke(mp);
}

static void goes(void *arg)
{
	struct mpath *mp = arg;

	if (mp->overtake.asides++ == 0)
		mp->overtake.asides_since = loop_now(mp->dev->loop);
}

static void back(void *arg, const struct path_cmd *cmd)
{
	overtake_told(arg, cmd);
}

void overtake_ask(struct mpath *mp, struct path_cmd *cmd)
{
	goes(mp);
	path_submit(mp->path, cmd);
}

void overtake_probe(struct mpath *mp)
{
	mp->probe->goes = goes;
	mp->probe->back = back;
	if (mp->probe->sent)
		goes(mp);
}

void overtake_told(struct mpath *mp, const struct path_cmd *cmd)
{
	mp->overtake.asides--;
	overtake_ended(mp, cmd);
}

/*
 * What waits
 */
static void settle(struct mpath *mp, struct promise *promise, bool kept)
{
	TAILQ_REMOVE(&mp->overtake.waiting, promise, link);
	promise->settled(promise, kept && promise->session == mp->session);
}

/* What was lost was an answer of a session that lives on, or the end of it is
 * yet to come. True when it was seen to. */
static bool see_to_loss(struct mpath *mp)
{
	if (mp->dying || mp->phase == PHASE_STOPPING)
		return false;
	mp->overtake.lost = false;
	suspect_new_session(mp);
	return true;
}

static void work(void *arg)
{
	struct mpath *mp = arg;
	struct overtake *o = &mp->overtake;
	struct promise *promise;

	if (o->lost && !see_to_loss(mp))
		return;
	while ((promise = TAILQ_FIRST(&o->waiting)) &&
		(promise->session != mp->session ||
			promise->until < oldest(mp)))
		settle(mp, promise, true);
}

void overtake_down(struct mpath *mp)
{
	struct promise *promise;

	mp->overtake.lost = false;
	while ((promise = TAILQ_FIRST(&mp->overtake.waiting)))
		settle(mp, promise, false);
}

bool overtake_wait(struct mpath *mp, struct promise *promise, uint64_t session)
{
	if (!mp->overtake.loose ||
		(session == mp->session && !mp->overtake.lost &&
			oldest(mp) == UINT64_MAX))
		return false;
	promise->session = session;
	promise->until = loop_now(mp->dev->loop);
	TAILQ_INSERT_TAIL(&mp->overtake.waiting, promise, link);
	overtake_poke(mp);
	return true;
}

/*
 * Commands
 */

/* What it has read may have been something else before a reset. */
static bool read_may_be_old(struct mpdev *dev, const struct io *io)
{
	uint64_t start = get_be64(io->cmd.cdb + 2) * dev->info.block_size;
	uint64_t end = start + io->cmd.len;

	return retain_touches(dev, start, end) ||
	       rangelock_touches(&dev->ranges, start, end);
}

static bool matters(struct mpdev *dev, const struct io *io)
{
	if (!dev->retain.on)
		return false;
	switch (io->kind) {
	case IO_READ: return read_may_be_old(dev, io);
	case IO_SYNC: return true;
	case IO_STATUS: return !retain_is_empty(&dev->retain);
	default: return false;
	}
}

bool overtake_defers(struct mpath *mp, struct io *io)
{
	return mp->overtake.loose && matters(mp->dev, io) &&
	       overtake_wait(mp, &io->promise, io->session);
}
