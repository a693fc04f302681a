/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device is, of what its paths are: the list of active paths, the state,
 * the facts, and the time that requests may wait for a path.
 */
#include "mpdev.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/path.h>

const char *mpdev_state_name(enum mpdev_state state)
{
	static const char *const names[] = {
#define X(id, name) name,
		MPDEV_STATES(X)
#undef X
	};

	return names[state];
}

const char *mpath_state_name(enum mpath_state state)
{
	static const char *const names[] = {
#define X(id, name) name,
		MPATH_STATES(X)
#undef X
	};

	return names[state];
}

/* Apart from what the others of a run need, which is next to nothing. */
__attribute__((noinline)) static struct mpath *pick_anew(
	struct mpdev *dev, uint64_t now, uint32_t len)
{
	struct selector_view *view = &dev->view;

	if (!view->nactive)
		return NULL;
	selector_begin(view, dev->selector, now, len);
	return dev->active[view->memory.at];
}

struct mpath *mpdev_pick(struct mpdev *dev, uint64_t now, uint32_t len)
{
	if (!selector_stays(&dev->view, now, len))
		return pick_anew(dev, now, len);
	return dev->active[dev->view.memory.at];
}

struct mpath *mpdev_pick_other(struct mpdev *dev, const struct mpath *than)
{
	for (unsigned n = 0; n + 1 < dev->view.nactive; n++)
		if (dev->active[n] == than)
			return dev->active[n + 1];
	return dev->active[0];
}

void mpdev_recount(struct mpdev *dev)
{
	struct mpath *mp;
	unsigned n = 0;

	groups_sort(dev);
	dev->nup = 0;
	dev->view.weight_max = 0;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		dev->nup += mpath_is_active(mp);
		if (!mp->in_use)
			continue;
		mp->load.credit = 0;
		if (mp->load.weight > dev->view.weight_max)
			dev->view.weight_max = mp->load.weight;
		dev->loads[n] = &mp->load;
		dev->active[n++] = mp;
	}
	dev->view.loads = dev->loads;
	dev->view.nactive = n;
	selector_end_run(&dev->view);
}

/*
 * The state
 */
static enum mpdev_state state_of(const struct mpdev *dev)
{
	if (dev->view.nactive)
		return dev->nup == dev->npaths ? MPDEV_UP : MPDEV_DEGRADED;
	if (!dev->known)
		return MPDEV_CONNECTING;
	return dev->expired ? MPDEV_FAILED : MPDEV_QUEUEING;
}

static void tell_state(struct mpdev *dev)
{
	static const struct {
		int word; /* -1: nothing to tell */
		const char *text;
	} words[] = {
		[MPDEV_CONNECTING] = {-1, NULL},
		[MPDEV_UP] = {EVENT_DEVICE_UP, "every path is up"},
		[MPDEV_DEGRADED] = {EVENT_DEVICE_DEGRADED, NULL},
		[MPDEV_QUEUEING] = {EVENT_DEVICE_QUEUEING,
			"no path is active; requests are held"},
		[MPDEV_FAILED] = {EVENT_DEVICE_FAILED,
			"no path within no-path-timeout; requests fail until "
			"one returns"},
	};
	char text[64];

	if (words[dev->state].word < 0)
		return;
	snprintf(text, sizeof text, "%u of %u paths up, %u active", dev->nup,
		dev->npaths, dev->view.nactive);
	notice_event(dev, -1, (enum event_word)words[dev->state].word,
		words[dev->state].text ? words[dev->state].text : text);
}

/* What the device does on its way into a state. */
static void enter_state(struct mpdev *dev)
{
	struct mpath *mp;

	if (dev->state == MPDEV_QUEUEING) {
		loop_timer_set(dev->no_path, dev->options.no_path_timeout);
		TAILQ_FOREACH (mp, &dev->paths, link)
			mpath_sooner(mp);
		alua_watch_look(dev);
	} else if (dev->state == MPDEV_FAILED) {
		io_fail_held(dev, -EIO);
		request_fail_waiting(dev, -EIO);
		flush_answer_waiting(dev, -EIO);
	}
}

static void submit_early(struct mpdev *dev);

void mpdev_update(struct mpdev *dev)
{
	enum mpdev_state state;

	mpdev_recount(dev);
	state = state_of(dev);
	if (state != dev->state) {
		dev->state = (uint8_t)state;
		/* In the end paths go because they are told to. */
		if (dev->drain < DRAIN_PATHS)
			tell_state(dev);
		enter_state(dev);
	}
	if (!dev->view.nactive)
		return;
	loop_timer_stop(dev->no_path);
	dev->expired = false;
	io_release_held(dev);
	suspect_poke(dev);
	fence_poke(dev);
	retain_check(dev);
	if (!TAILQ_EMPTY(&dev->early))
		submit_early(dev);
}

void mpdev_fail_early(struct mpdev *dev, int err)
{
	struct blk_req *blk;

	while ((blk = TAILQ_FIRST(&dev->early))) {
		TAILQ_REMOVE(&dev->early, blk, link);
		dev->early_count--;
		mpdev_answer(dev, blk, err);
	}
}

static void submit_early(struct mpdev *dev)
{
	struct blk_req_list early = TAILQ_HEAD_INITIALIZER(early);
	struct blk_req *blk;

	TAILQ_CONCAT(&early, &dev->early, link);
	dev->early_count = 0;
	while ((blk = TAILQ_FIRST(&early))) {
		TAILQ_REMOVE(&early, blk, link);
		mpdev_take(dev, blk);
	}
}

/* No path for too long, or by command: what waits fails, and so does what
 * comes, until a path is active. */
static void expire(struct mpdev *dev)
{
	if (!dev->known) {
		mpdev_fail_early(dev, -EIO);
		return;
	}
	dev->expired = true;
	mpdev_update(dev);
}

/* At once, even where alua_watch_patience() would go on waiting. */
int mpdev_abort_held(struct mpdev *dev)
{
	if (mpdev_has_path(dev))
		return -EINVAL;
	loop_timer_stop(dev->no_path);
	expire(dev);
	return 0;
}

void mpdev_no_path_over(void *arg)
{
	struct mpdev *dev = arg;

	if (alua_watch_patience(dev))
		loop_timer_set(dev->no_path, alua_watch_patience(dev));
	else
		expire(dev);
}

int mpdev_no_path_error(const struct mpdev *dev)
{
	if (dev->hurry)
		return -ESHUTDOWN;
	return dev->state == MPDEV_FAILED ? -EIO : 0;
}

void mpdev_waiting(struct mpdev *dev)
{
	if (!loop_timer_is_set(dev->no_path))
		loop_timer_set(dev->no_path, dev->options.no_path_timeout);
}

void mpdev_check_hopeless(struct mpdev *dev, const char *reason)
{
	const struct mpath *mp;

	if (dev->hopeless)
		return;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (!mp->hopeless && !mp->removed && !mp->disabled)
			return;
	dev->hopeless = true;
	notice_hopeless(dev, reason);
}

/*
 * The facts
 */

/* Of what differs between paths, the value that is safe over all of them. */
static void merge(struct lun_facts *all, const struct lun_facts *one)
{
	all->read_only |= one->read_only;
	all->write_cache |= one->write_cache;
	all->cache_claimed |= one->cache_claimed;
	all->dpofua &= one->dpofua;
	all->unmap &= one->unmap;
	all->write_same &= one->write_same;
	all->write_same_unmap &= one->write_same_unmap;
	all->reads_zero_after_unmap &= one->reads_zero_after_unmap;
	all->provisioned &= one->provisioned;
	if (one->max_transfer_blocks &&
		(!all->max_transfer_blocks ||
			one->max_transfer_blocks < all->max_transfer_blocks))
		all->max_transfer_blocks = one->max_transfer_blocks;
}

/* `blocks` in bytes; 0 when that is more than a sane 32-bit answer. */
static uint32_t bytes_of(uint32_t blocks, uint32_t block_size)
{
	uint64_t bytes = (uint64_t)blocks * block_size;

	return bytes <= SPLIT_UNMAP_MAX ? (uint32_t)bytes : 0;
}

static void learn(struct mpdev *dev)
{
	struct lun_facts *f = &dev->facts;
	uint32_t size = f->identity.block_size;
	uint32_t granule =
		bytes_of(f->unmap_granularity ? f->unmap_granularity : 1, size);

	dev->block_shift = (uint8_t)__builtin_ctz(size);
	if (!granule)
		f->unmap = f->write_same_unmap = false;
	dev->info = (struct blk_info){
		.size = f->identity.blocks * size,
		.block_size = size,
		.physical_block_size = f->physical_block_size,
		.optimal_io = bytes_of(f->optimal_blocks, size),
		.read_only = f->read_only || dev->options.read_only,
		.rotational = f->rotational,
		.write_cache = f->write_cache,
		.can_trim = f->unmap || f->write_same_unmap,
		.can_fast_zero =
			f->write_same ||
			(f->write_same_unmap && f->reads_zero_after_unmap),
		/* Writes are answered by the target, flushes cover the unit;
		 * what is left is that no copy of a retried write is late. */
		.multi_conn = dev->options.ghost_guard > 0,
	};
	dev->info.trim_granularity = dev->info.can_trim ? granule : 0;
}

/* One path's best size bounds what every command carries, since any of them may
 * go over any path. */
static void limit_transfer(struct mpdev *dev, const struct mpath *mp)
{
	struct path_facts facts = {0};

	path_facts(mp->path, &facts);
	if (facts.max_transfer &&
		(!dev->path_transfer ||
			facts.max_transfer < dev->path_transfer))
		dev->path_transfer = facts.max_transfer;
	split_init(&dev->split, &dev->facts, dev->path_transfer);
}

void mpdev_grow(struct mpdev *dev, uint64_t blocks)
{
	uint64_t size = blocks * dev->info.block_size;
	struct blkdev_watch *w;
	struct mpath *mp;
	char text[80];

	snprintf(text, sizeof text, "%" PRIu64 " bytes, %" PRIu64 " before",
		size, dev->info.size);
	dev->facts.identity.blocks = blocks;
	dev->info.size = size;
	notice_event(dev, -1, EVENT_DEVICE_GROWN, text);
	TAILQ_FOREACH (mp, &dev->paths, link)
		mpath_pardon(mp);
	TAILQ_FOREACH (w, &dev->blk.watches, link)
		w->resized(w, size);
}

/* Of a path whose port gives no access only the names are known; the rest is
 * compared before it carries I/O. */
static bool same_names(const struct mpdev *dev, const struct mpath *mp,
	char *why, unsigned size)
{
	struct lun_identity names = dev->facts.identity;

	memcpy(names.wwid, mp->facts.identity.wwid, sizeof names.wwid);
	memcpy(names.serial, mp->facts.identity.serial, sizeof names.serial);
	return lun_identity_equal(&dev->facts.identity, &names, why, size);
}

int mpdev_admit(struct mpdev *dev, struct mpath *mp, char *why, unsigned size)
{
	if (mp->facts.limited)
		return !dev->known || same_names(dev, mp, why, size)
			       ? 0
			       : -EMEDIUMTYPE;
	if (!dev->known) {
		dev->facts = mp->facts;
		learn(dev);
		dev->known = true;
		notice_ready(dev);
	} else {
		growth_probed(dev, mp);
		if (!lun_identity_equal(&dev->facts.identity,
			    &mp->facts.identity, why, size))
			return -EMEDIUMTYPE;
		merge(&dev->facts, &mp->facts);
	}
	if (!mp->facts.read_only)
		dev->protection_told = false;
	if (dev->options.write_cache == MPIO_CACHE_VOLATILE)
		dev->facts.write_cache = dev->info.write_cache = true;
	cache_probed(dev);
	retain_configure(dev);
	limit_transfer(dev, mp);
	return 0;
}

uint8_t *mpdev_zeroes(struct mpdev *dev)
{
	if (!dev->zeroes) {
		dev->zeroes = buf_get(loop_pool(dev->loop), MPDEV_ZEROES);
		if (dev->zeroes)
			memset(dev->zeroes->data, 0, MPDEV_ZEROES);
	}
	return dev->zeroes ? dev->zeroes->data : NULL;
}
