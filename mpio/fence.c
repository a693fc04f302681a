/* SPDX-License-Identifier: BSD-2-Clause */
#include "fence.h"

#include "mpdev.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

static void ask(void *arg);
static void guard_over(void *arg);

struct fence *fence_new(struct mpath *mp)
{
	struct fence *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->guard = loop_timer_new(mp->dev->loop, guard_over, f);
	if (!f->guard) {
		free(f);
		return NULL;
	}
	f->dev = mp->dev;
	f->path = mp;
	f->path_id = mp->id;
	f->sibling = -1;
	TAILQ_INIT(&f->ghosts);
	loop_task_init(&f->ask, ask, f);
	TAILQ_INSERT_TAIL(&f->dev->fences, f, link);
	return f;
}

static void fence_free(struct fence *f)
{
	TAILQ_REMOVE(&f->dev->fences, f, link);
	loop_unpost(f->dev->loop, &f->ask);
	loop_timer_free(f->guard);
	free(f);
}

/*
 * Ghosts
 */
static void ghost_put(struct fence *f, struct ghost *g)
{
	TAILQ_REMOVE(&f->ghosts, g, link);
	f->count--;
	rangelock_release(&f->dev->ranges, &g->range);
	if (g != &f->spare)
		free(g);
}

/* Releases what `list` has, which is taken out of the fence: the owners of
 * ranges run meanwhile and may add to it. The spare one goes first: whenever it
 * is in use, it is among the ghosts that the next one may join. */
static void lay(struct fence *f, struct ghost_list *list)
{
	struct ghost *g;

	TAILQ_FOREACH (g, list, link)
		if (g == &f->spare)
			break;
	if (!g)
		g = TAILQ_FIRST(list);
	for (; g; g = TAILQ_FIRST(list)) {
		TAILQ_REMOVE(list, g, link);
		TAILQ_INSERT_HEAD(&f->ghosts, g, link);
		ghost_put(f, g);
	}
}

static struct ghost *ghost_get(struct fence *f)
{
	struct ghost *g = NULL;

	if (f->count < FENCE_GHOSTS_MAX)
		g = malloc(sizeof *g);
	if (!g && f->spare.range.state == RANGE_FREE)
		g = &f->spare;
	return g;
}

/* The ghost whose range grows least by taking in `range`. */
static struct ghost *nearest(struct fence *f, const struct range *range)
{
	struct ghost *g, *best = NULL;
	uint64_t least = UINT64_MAX;

	TAILQ_FOREACH (g, &f->ghosts, link) {
		uint64_t away = g->range.start >= range->end
					? g->range.start - range->end
				: range->start >= g->range.end
					? range->start - g->range.end
					: 0;

		if (away < least) {
			least = away;
			best = g;
		}
	}
	return best;
}

/* The fence under way does not cover what is taken in: it is asked for again,
 * and what it covered waits for that. */
static void widen(struct fence *f, const struct range *range, uint64_t now)
{
	struct ghost *g = nearest(f, range);

	assert(g); /* the spare one, if no other */
	rangelock_widen(&f->dev->ranges, &g->range, range->start, range->end);
	g->since = now;
	TAILQ_REMOVE(&f->ghosts, g, link);
	TAILQ_INSERT_TAIL(&f->ghosts, g, link);
	f->again |= g->asked;
	g->later = false;
}

static void add(struct fence *f, const struct range *range, uint64_t now)
{
	struct ghost *g = ghost_get(f);

	if (!g) {
		widen(f, range, now);
		return;
	}
	*g = (struct ghost){
		.range = {.start = range->start,
			.end = range->end,
			.seq = range->seq},
		.since = now,
	};
	rangelock_enter(&f->dev->ranges, &g->range);
	TAILQ_INSERT_TAIL(&f->ghosts, g, link);
	f->count++;
}

/*
 * The guard
 */
static void set_guard(struct fence *f)
{
	uint64_t now = loop_now(f->dev->loop), due;
	const struct ghost *g = TAILQ_FIRST(&f->ghosts);

	loop_timer_stop(f->guard);
	if (!g || f->dev->options.ghost_guard == MPIO_FOREVER)
		return;
	due = g->since + f->dev->options.ghost_guard;
	loop_timer_set(f->guard, due > now ? due - now : 0);
}

static void free_orphan(struct fence *f)
{
	if (!f->path && !f->count)
		fence_free(f);
}

static void tell_expired(struct fence *f, const struct ghost_list *list)
{
	const struct ghost *g = TAILQ_FIRST(list), *x;
	unsigned n = 0;
	char text[160];

	TAILQ_FOREACH (x, list, link)
		n++;
	snprintf(text, sizeof text,
		"ghost-guard is over, and nothing proves that the first attempt"
		" at bytes %" PRIu64 " to %" PRIu64 " (%u in all) is dead;"
		" newer writes go on",
		g->range.start, g->range.end - 1, n);
	notice_event(f->dev, f->path_id, EVENT_FENCE_EXPIRED, text);
}

static void guard_over(void *arg)
{
	struct fence *f = arg;
	uint64_t now = loop_now(f->dev->loop);
	struct ghost_list late = TAILQ_HEAD_INITIALIZER(late);
	struct ghost *g;

	while ((g = TAILQ_FIRST(&f->ghosts)) &&
		g->since + f->dev->options.ghost_guard <= now) {
		TAILQ_REMOVE(&f->ghosts, g, link);
		TAILQ_INSERT_TAIL(&late, g, link);
	}
	if (!TAILQ_EMPTY(&late))
		tell_expired(f, &late);
	lay(f, &late);
	set_guard(f);
	free_orphan(f);
}

void fence_guards_changed(struct mpdev *dev)
{
	struct fence *f;

	TAILQ_FOREACH (f, &dev->fences, link)
		set_guard(f);
}

/*
 * Asking the path
 */
static void tell_fenced(struct fence *f, const struct ghost_list *list)
{
	const struct ghost *g, *last = TAILQ_LAST(list, ghost_list);
	uint64_t ms = (loop_now(f->dev->loop) - last->since) / NS_PER_MS;
	bool sibling = f->path && f->path->phase == PHASE_FENCING;
	unsigned n = 0;
	char text[400];

	TAILQ_FOREACH (g, list, link)
		n++;
	snprintf(text, sizeof text,
		"%u write%s of unknown outcome can no longer be executed, "
		"%" PRIu64 " ms after the last%s%s",
		n, n == 1 ? "" : "s", ms,
		sibling ? "; proven by a login at " : "",
		sibling ? f->portal : "");
	notice_event(f->dev, f->path_id, EVENT_FENCED, text);
}

static void fenced(struct path_fence *request, int err)
{
	struct fence *f = request->arg;
	struct ghost_list dead = TAILQ_HEAD_INITIALIZER(dead);
	struct ghost *g, *next;
	bool proven = !err && !f->again;

	f->asking = false;
	for (g = TAILQ_FIRST(&f->ghosts); g; g = next) {
		next = TAILQ_NEXT(g, link);
		if (!g->asked)
			continue;
		g->asked = false;
		g->later = err && !f->again;
		if (!proven)
			continue;
		TAILQ_REMOVE(&f->ghosts, g, link);
		TAILQ_INSERT_TAIL(&dead, g, link);
	}
	f->again = false;
	f->leave = err == -EAGAIN;
	loop_post(f->dev->loop, &f->ask);
	if (!TAILQ_EMPTY(&dead))
		tell_fenced(f, &dead);
	lay(f, &dead);
	set_guard(f);
}

/* Of those that the end of the session would tell of. */
static bool is_awaited(const struct fence *f)
{
	const struct ghost *g;

	TAILQ_FOREACH (g, &f->ghosts, link)
		if (g->later &&
			rangelock_is_awaited(&f->dev->ranges, &g->range))
			return true;
	return false;
}

/* The only session that can say that nothing was lost: where it could not be
 * written again, its end would be taken for a loss. */
static bool is_needed_as_witness(const struct mpdev *dev)
{
	return dev->options.shared && !retain_is_empty(&dev->retain);
}

/* One at a time. The last path stays, as time ends the wait, too: unless it
 * never does. */
static bool can_be_spared(const struct mpath *mp)
{
	const struct mpdev *dev = mp->dev;
	const struct mpath *other;
	bool last = true;

	TAILQ_FOREACH (other, &dev->paths, link) {
		if (other != mp && other->phase == PHASE_STOPPING)
			return false;
		last &= other == mp || !mpath_is_usable(other);
	}
	return !last || (dev->options.ghost_guard == MPIO_FOREVER &&
				!is_needed_as_witness(dev));
}

/* In order: what is under way over the path ends, and leaves nothing behind. */
static void leave(struct fence *f)
{
	struct mpath *mp = f->path;

	if (!mpath_is_active(mp) || suspect_holds_flushes(&mp->dev->suspect) ||
		!can_be_spared(mp) || !is_awaited(f))
		return;
	f->leave = false;
	log_info("%s: path %d: logging in anew, to make sure of writes of "
		 "unknown outcome",
		f->dev->blk.name, mp->id);
	mpath_input(mp, INPUT_STOP);
}

void fence_poke(struct mpdev *dev)
{
	struct fence *f;

	TAILQ_FOREACH (f, &dev->fences, link)
		if (f->leave && f->path)
			loop_post(dev->loop, &f->ask);
}

void fence_down(struct fence *f)
{
	struct ghost *g;

	f->leave = false;
	TAILQ_FOREACH (g, &f->ghosts, link)
		g->later = false;
	loop_post(f->dev->loop, &f->ask);
}

/* From a task: by then the path has ended all that it ends. */
static void ask(void *arg)
{
	struct fence *f = arg;
	struct ghost *g;
	bool any = false;

	if (f->asking || !f->path)
		return;
	TAILQ_FOREACH (g, &f->ghosts, link)
		if (!g->later)
			any = g->asked = true;
	if (!any && f->leave)
		leave(f);
	if (!any)
		return;
	f->asking = true;
	f->request = (struct path_fence){.done = fenced, .arg = f};
	path_fence(f->path->path, &f->request);
}

/*
 * The help of another path
 */
/* Its session is the same port's, as far as the unit says: a gateway whose
 * nodes share a portal group tag may tell them apart by their groups. */
static bool may_help(const struct mpath *mp, const struct mpath *other)
{
	return other != mp && mpath_is_active(other) &&
	       other->facts.target_group == mp->facts.target_group;
}

/* Those in [from, to), in the order of their ids, which is that of the list. */
static bool ask_for_help(struct fence *f, int from, int to)
{
	struct mpath *mp = f->path, *other;

	TAILQ_FOREACH (other, &f->dev->paths, link) {
		if (other->id < from || other->id >= to ||
			!may_help(mp, other) ||
			path_fence_by(mp->path, other->path, f->portal,
				sizeof f->portal))
			continue;
		f->sibling = other->id;
		return true;
	}
	return false;
}

bool fence_by_sibling(struct fence *f)
{
	int from = f->sibling + 1;

	return !TAILQ_EMPTY(&f->ghosts) &&
	       (ask_for_help(f, from, INT_MAX) || ask_for_help(f, 0, from));
}

void fence_note(struct fence *f, const struct range *range)
{
	const struct ghost *last = TAILQ_LAST(&f->ghosts, ghost_list);
	uint64_t now = loop_now(f->dev->loop);

	if (f->dev->hurry) /* nothing newer will be sent */
		return;
	/* Commands of one request mostly end one after the other. */
	if (last && last->range.seq == range->seq &&
		last->range.start == range->start &&
		last->range.end == range->end && !last->asked && !last->later &&
		last->since == now)
		return;
	add(f, range, now);
	loop_post(f->dev->loop, &f->ask);
	if (!loop_timer_is_set(f->guard))
		set_guard(f);
}

/*
 * The end
 */
void fence_orphan(struct fence *f)
{
	assert(!f->asking);
	f->path = NULL;
	loop_unpost(f->dev->loop, &f->ask);
	free_orphan(f);
}

void fence_forget_all(struct mpdev *dev)
{
	struct fence *f;

	TAILQ_FOREACH (f, &dev->fences, link) {
		struct ghost_list all = TAILQ_HEAD_INITIALIZER(all);

		TAILQ_CONCAT(&all, &f->ghosts, link);
		lay(f, &all);
		loop_timer_stop(f->guard);
	}
}

void fence_fini(struct mpdev *dev)
{
	struct fence *f;

	fence_forget_all(dev);
	while ((f = TAILQ_FIRST(&dev->fences)))
		fence_free(f);
}
