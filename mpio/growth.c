/* SPDX-License-Identifier: BSD-2-Clause */
#include "growth.h"

#include "mpdev.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/path.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

#define TRIES_MAX    8 /* of one path; unit attentions among them */
#define ROUNDS_MAX   60
#define ROUND_DELAY  (1 * NS_PER_S)
#define COMMAND_TIME (5 * NS_PER_S)

static void ask_all(void *arg);

int growth_init(struct mpdev *dev)
{
	dev->growth.timer = loop_timer_new(dev->loop, ask_all, dev);
	return dev->growth.timer ? 0 : -ENOMEM;
}

void growth_fini(struct mpdev *dev)
{
	loop_timer_free(dev->growth.timer);
}

/* What all usable paths say; 0 when they do not agree, or none is there. */
static uint64_t agreed_blocks(const struct mpdev *dev)
{
	const struct mpath *mp;
	uint64_t blocks = 0;

	TAILQ_FOREACH (mp, &dev->paths, link) {
		uint64_t one = mp->facts.identity.blocks;

		if (!mpath_is_usable(mp))
			continue;
		if (blocks && one != blocks)
			return 0;
		blocks = one;
	}
	return blocks;
}

/* Every path that was asked has answered. Where they differ, the target is in
 * the middle of it. */
static void settle(struct mpdev *dev)
{
	struct growth *g = &dev->growth;
	uint64_t blocks = agreed_blocks(dev);

	if (g->again) {
		g->again = false;
		ask_all(dev);
	} else if (blocks > dev->facts.identity.blocks) {
		g->rounds = 0;
		mpdev_grow(dev, blocks);
	} else if (!blocks && dev->view.nactive && g->rounds < ROUNDS_MAX) {
		g->rounds++;
		loop_timer_set(g->timer, ROUND_DELAY);
	} else {
		g->rounds = 0;
		if (blocks && blocks < dev->facts.identity.blocks)
			log_warn("%s: the target says %" PRIu64
				 " blocks, fewer than before; the device keeps "
				 "its size, and what lies beyond fails",
				dev->blk.name, blocks);
	}
}

/* Takes an answer in; false when it is asked for again. */
static bool take(struct mpath *mp)
{
	const struct path_result *r = &mp->growth.cmd.result;
	struct capacity c;
	struct disposition d;

	if (r->outcome != PATH_DONE)
		return true;
	d = disposition_of(r->status, r->sense, r->sense_len);
	suspect_heed(mp, d.flags, d.what);
	if (!mpath_is_active(mp))
		return true;
	if (d.action == DISPOSITION_RETRY_HERE)
		return ++mp->growth.tries >= TRIES_MAX;
	if (d.action == DISPOSITION_OK &&
		!capacity_decode16(&c, mp->growth.data,
			sizeof mp->growth.data -
				(r->overflow ? 0 : r->residual)) &&
		c.block_size == mp->facts.identity.block_size && c.blocks &&
		c.blocks <= INT64_MAX / c.block_size)
		mp->facts.identity.blocks = c.blocks;
	return true;
}

static void send(struct mpath *mp)
{
	struct path_cmd *cmd = &mp->growth.cmd;

	memset(mp->growth.data, 0, sizeof mp->growth.data);
	cdb_read_capacity16(cmd->cdb, CAPACITY16_LEN);
	cmd->deadline = loop_now(mp->dev->loop) + COMMAND_TIME;
	mp->inflight++;
	overtake_ask(mp, cmd);
}

static void answered(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	struct mpdev *dev = mp->dev;

	mp->inflight--;
	overtake_told(mp, cmd);
	if (!take(mp)) {
		send(mp);
		return;
	}
	mp->growth.asked = false;
	if (--dev->growth.asking == 0)
		settle(dev);
}

static void ask(struct mpath *mp)
{
	mp->growth.asked = true;
	mp->growth.tries = 0;
	mp->growth.cmd = (struct path_cmd){
		.direction = PATH_DATA_IN,
		.len = CAPACITY16_LEN,
		.data = mp->growth.data,
		.done = answered,
		.arg = mp,
	};
	mp->dev->growth.asking++;
	send(mp);
}

static void ask_all(void *arg)
{
	struct mpdev *dev = arg;
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mpath_is_usable(mp) && !mp->growth.asked)
			ask(mp);
}

void growth_check(struct mpdev *dev)
{
	if (dev->growth.asking)
		dev->growth.again = true;
	else
		loop_timer_set(dev->growth.timer, 0);
}

void growth_probed(struct mpdev *dev, struct mpath *mp)
{
	uint64_t blocks = mp->facts.identity.blocks;

	if (blocks <= dev->facts.identity.blocks)
		return;
	if (mp->was_active && !mpdev_has_path(dev) &&
		blocks <= INT64_MAX / dev->info.block_size)
		mpdev_grow(dev, blocks);
	else
		growth_check(dev);
}
