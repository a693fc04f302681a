/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/path.h>
#include <umpio/scsi/alua.h>

/*
 * Requests
 */
void mpdev_answer(struct mpdev *dev, struct blk_req *blk, int err)
{
	if (dev->inside) {
		blk->priv = (void *)(intptr_t)err;
		TAILQ_INSERT_TAIL(&dev->answers, blk, link);
		loop_post(dev->loop, &dev->answer_task);
		return;
	}
	if (blk->op == BLK_WRITE) {
		buf_put(blk->buf);
		blk->buf = NULL;
	}
	dev->pending--;
	if (!dev->pending) {
		drain_poke(dev);
		loop_expect(dev->loop); /* a client's next request */
	}
	blk->done(blk, err);
}

static void answer(void *arg)
{
	struct mpdev *dev = arg;
	struct blk_req *blk;

	while ((blk = TAILQ_FIRST(&dev->answers))) {
		TAILQ_REMOVE(&dev->answers, blk, link);
		mpdev_answer(dev, blk, (int)(intptr_t)blk->priv);
	}
}

void mpdev_take(struct mpdev *dev, struct blk_req *blk)
{
	bool was_inside = dev->inside;
	int rc = request_check(dev, blk);

	dev->inside = true;
	if (rc)
		mpdev_answer(dev, blk, rc < 0 ? rc : 0);
	else if (blk->op == BLK_FLUSH)
		flush_add(dev, blk);
	else if (blk->op == BLK_STATUS)
		status_begin(dev, blk);
	else
		request_begin(dev, blk);
	dev->inside = was_inside;
}

static void submit(struct blkdev *blkdev, struct blk_req *blk)
{
	struct mpdev *dev = (struct mpdev *)blkdev;

	blk->started = loop_now(dev->loop);
	if (++dev->pending == 1)
		loop_expect(dev->loop); /* the answer to a lone one */
	if (dev->drain != DRAIN_NONE) {
		bool was_inside = dev->inside;

		dev->inside = true;
		mpdev_answer(dev, blk, -ESHUTDOWN);
		dev->inside = was_inside;
	} else if (dev->known) {
		mpdev_take(dev, blk);
	} else {
		TAILQ_INSERT_TAIL(&dev->early, blk, link);
		dev->early_count++;
		mpdev_waiting(dev);
	}
}

static void info(const struct blkdev *blkdev, struct blk_info *info)
{
	*info = ((const struct mpdev *)blkdev)->info;
}

static const struct blkdev_ops blkdev_ops = {.submit = submit, .info = info};

struct blkdev *mpdev_blkdev(struct mpdev *dev)
{
	return &dev->blk;
}

/*
 * The object
 */
static void init_lists(struct mpdev *dev)
{
	TAILQ_INIT(&dev->blk.watches);
	TAILQ_INIT(&dev->paths);
	TAILQ_INIT(&dev->early);
	TAILQ_INIT(&dev->answers);
	SLIST_INIT(&dev->spare_requests);
	TAILQ_INIT(&dev->gated);
	TAILQ_INIT(&dev->undecided);
	TAILQ_INIT(&dev->fences);
	retain_init(&dev->retain);
	suspect_init(dev);
	rangelock_init(&dev->ranges);
	flush_init(&dev->flush);
	notices_init(dev);
	drain_init(dev);
	loop_task_init(&dev->answer_task, answer, dev);
}

struct mpdev *mpdev_new(struct loop *loop, const char *name,
	const struct mpdev_options *options, const struct mpdev_events *events,
	void *arg)
{
	const struct selector *selector = selector_find(options->policy);
	struct mpdev *dev = selector ? calloc(1, sizeof *dev) : NULL;

	if (!dev)
		return NULL;
	dev->blk.ops = &blkdev_ops;
	dev->blk.loop = dev->loop = loop;
	dev->blk.name = strdup(name);
	dev->events = events;
	dev->arg = arg;
	dev->selector = selector;
	dev->options = *options;
	dev->options.policy = selector->name;
	dev->queues = 1;
	init_lists(dev);
	dev->no_path = loop_timer_new(loop, mpdev_no_path_over, dev);
	pr_init(dev);
	if (io_queue_init(dev) || growth_init(dev) || health_init(dev) ||
		groups_init(dev) || alua_watch_init(dev) || !dev->blk.name ||
		!dev->no_path || !dev->suspect.later ||
		!dev->suspect.witnesses.timer) {
		mpdev_free(dev);
		return NULL;
	}
	return dev;
}

void mpdev_free(struct mpdev *dev)
{
	struct mpath *mp;

	if (!dev)
		return;
	assert(!dev->pending);
	while ((mp = TAILQ_FIRST(&dev->paths))) {
		TAILQ_REMOVE(&dev->paths, mp, link);
		mpath_free(mp);
	}
	fence_fini(dev);
	suspect_fini(dev);
	retain_fini(dev);
	loop_unpost(dev->loop, &dev->answer_task);
	loop_unpost(dev->loop, &dev->drain_task);
	loop_timer_free(dev->no_path);
	pr_fini(dev);
	growth_fini(dev);
	health_fini(dev);
	groups_fini(dev);
	alua_watch_fini(dev);
	notices_fini(dev);
	io_queue_fini(dev);
	request_pool_fini(dev);
	buf_put(dev->zeroes);
	free(dev->active);
	free(dev->loads);
	free((char *)dev->blk.name);
	free(dev);
}

/*
 * Paths
 */
void mpdev_be_queue(struct mpdev *dev, int number, int queues)
{
	assert(!dev->npaths);
	dev->next_id = number;
	dev->queues = queues;
}

int mpdev_add_path(struct mpdev *dev, struct path *path,
	const struct mpath_options *options)
{
	struct mpath **active;
	struct load **loads;
	struct mpath *mp;
	int id;

	if (dev->drain != DRAIN_NONE)
		return -ESHUTDOWN;
	id = dev->next_id;
	dev->next_id += dev->queues;
	if (!path)
		return -ENOMEM;
	if (groups_reserve(dev, dev->npaths + 1))
		return -ENOMEM;
	active = realloc(dev->active, (dev->npaths + 1) * sizeof *active);
	if (!active)
		return -ENOMEM;
	dev->active = active;
	loads = realloc(dev->loads, (dev->npaths + 1) * sizeof *loads);
	if (!loads)
		return -ENOMEM;
	dev->loads = loads;
	dev->view.loads = loads;
	mp = mpath_new(dev, path, id);
	if (!mp)
		return -ENOMEM;
	if (options)
		mp->options = *options;
	mp->load.weight = mp->options.weight;
	dev->npaths++;
	TAILQ_INSERT_TAIL(&dev->paths, mp, link);
	mpath_input(mp, INPUT_START);
	mpdev_update(dev);
	return mp->id;
}

struct mpath *mpdev_find(struct mpdev *dev, int id)
{
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->id == id && !mp->removed)
			return mp;
	return NULL;
}

struct path *mpdev_path(struct mpdev *dev, int id)
{
	struct mpath *mp = mpdev_find(dev, id);

	return mp ? mp->path : NULL;
}

int mpdev_remove_path(struct mpdev *dev, int id, bool drain)
{
	struct mpath *mp = mpdev_find(dev, id);

	if (!mp)
		return -ENOENT;
	mp->removed = true;
	mpath_input(mp, drain ? INPUT_STOP : INPUT_CUT);
	return 0;
}

int mpdev_disable_path(struct mpdev *dev, int id)
{
	struct mpath *mp = mpdev_find(dev, id);

	if (!mp)
		return -ENOENT;
	if (mp->disabled)
		return 0;
	mp->disabled = true;
	snprintf(mp->reason, sizeof mp->reason, "taken out of use by command");
	notice_event(dev, id, EVENT_PATH_DISABLED, mp->reason);
	mpath_input(mp, INPUT_STOP);
	return 0;
}

int mpdev_enable_path(struct mpdev *dev, int id)
{
	struct mpath *mp = mpdev_find(dev, id);

	if (!mp)
		return -ENOENT;
	if (!mp->disabled) {
		if (mpath_is_usable(mp) && !mp->in_use)
			groups_use(mp);
		return 0;
	}
	mp->disabled = false;
	backoff_reset(mp);
	notice_event(dev, id, EVENT_PATH_ENABLED, "given back by command");
	if (mp->phase == PHASE_OFF && dev->drain < DRAIN_PATHS)
		mpath_input(mp, INPUT_START);
	return 0;
}

/*
 * Snapshots
 */
void mpdev_snapshot(const struct mpdev *dev, struct mpdev_snapshot *s)
{
	*s = (struct mpdev_snapshot){
		.state = dev->state,
		.policy = dev->selector->name,
		.info = dev->info,
		.failovers = dev->failovers,
		.pr_key = dev->pr.key,
		.queued = dev->io.nheld + dev->early_count,
		.paths = dev->npaths,
		.active = dev->view.nactive,
		.up = dev->nup,
		.groups = dev->groups.n,
	};
	snprintf(s->wwid, sizeof s->wwid, "%.*s", (int)sizeof s->wwid - 1,
		dev->facts.identity.wwid);
}

bool mpdev_path_info(
	const struct mpdev *dev, unsigned n, struct mpath_info *info)
{
	const struct mpath *mp = TAILQ_FIRST(&dev->paths);

	while (mp && n--)
		mp = TAILQ_NEXT(mp, link);
	if (!mp)
		return false;
	*info = (struct mpath_info){
		.id = mp->id,
		.state = mpath_state(mp),
		.alua = alua_state_name(mp->facts.alua_state),
		.group = mp->group,
		.priority = dev->groups.list[mp->group].priority,
		.inflight = mp->inflight,
		.reads = mp->reads,
		.writes = mp->writes,
		.read_bytes = mp->read_bytes,
		.write_bytes = mp->write_bytes,
		.errors = mp->errors,
		.failovers = mp->failovers,
		.read_latency = &mp->read_latency,
		.write_latency = &mp->write_latency,
	};
	snprintf(info->reason, sizeof info->reason, "%s", mp->reason);
	damping_info(mp, info);
	path_facts(mp->path, &info->facts);
	path_counters(mp->path, &info->counters);
	info->heard = path_heard(mp->path);
	fault_text(&info->facts, info->fault, sizeof info->fault);
	return true;
}

bool mpdev_group_info(
	const struct mpdev *dev, unsigned n, struct mpath_group_info *info)
{
	const struct groups *g = &dev->groups;

	if (n >= g->n)
		return false;
	*info = (struct mpath_group_info){
		.priority = g->list[n].priority,
		.up = g->list[n].up,
		.usable = g->list[n].usable,
		.in_use = g->chosen && g->key == g->list[n].key,
	};
	return true;
}
