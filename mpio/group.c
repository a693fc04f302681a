/* SPDX-License-Identifier: BSD-2-Clause */
#include "group.h"

#include "mpdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/path.h>
#include <umpio/scsi/alua.h>

/* Least time between two changes that nothing forces: with gateways that hand
 * a unit over to whoever asks, two initiators would hand it to and fro. */
#define SWITCH_REST (5 * NS_PER_S)

static void look_again(void *dev)
{
	mpdev_update(dev);
}

int groups_init(struct mpdev *dev)
{
	dev->groups.timer = loop_timer_new(dev->loop, look_again, dev);
	return dev->groups.timer ? 0 : -ENOMEM;
}

void groups_fini(struct mpdev *dev)
{
	loop_timer_free(dev->groups.timer);
	free(dev->groups.list);
}

int groups_reserve(struct mpdev *dev, unsigned n)
{
	struct group *list = realloc(dev->groups.list, n * sizeof *list);

	if (!list)
		return -ENOMEM;
	dev->groups.list = list;
	return 0;
}

/*
 * Which path is where
 */

/* SPC-5 5.16.2; the figures are those that multipath-tools has. */
static int alua_priority(const struct lun_facts *f)
{
	switch (f->alua_state) {
	case ALUA_NONE: return 50;
	case ALUA_OPTIMIZED: return f->alua_preferred ? 60 : 50;
	case ALUA_NON_OPTIMIZED: return f->alua_preferred ? 15 : 10;
	case ALUA_LBA_DEPENDENT: return 5;
	case ALUA_STANDBY: return 1;
	default: return 0;
	}
}

static struct group kind_of(const struct mpath *mp)
{
	int alua = alua_priority(&mp->facts);

	switch ((enum mpio_grouping)mp->dev->options.group_by) {
	case MPIO_BY_PORTAL_GROUP:
		return (struct group){alua, mp->portal_group, false, 0, 0};
	case MPIO_BY_PRIORITY:
		return (struct group){mp->options.priority,
			(unsigned)mp->options.priority, false, 0, 0};
	case MPIO_ONE_GROUP: return (struct group){50, 0, false, 0, 0};
	case MPIO_BY_ALUA: break;
	}
	return (struct group){alua, (unsigned)alua, false, 0, 0};
}

/* Poor paths are a group apart, whatever they have in common with others. */
static struct group group_of(const struct mpath *mp)
{
	struct group group = kind_of(mp);

	group.poor = mpath_is_poor(mp);
	if (group.poor)
		group.key |= 1u << 31;
	return group;
}

static struct group *find(struct groups *g, unsigned key)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->list[i].key == key)
			return &g->list[i];
	return NULL;
}

static struct group *enter(struct groups *g, const struct mpath *mp)
{
	struct group one = group_of(mp), *group = find(g, one.key);

	if (!group) {
		group = &g->list[g->n++];
		*group = one;
	}
	/* A portal group is as good as the best of its paths. */
	if (one.priority > group->priority && mpath_is_usable(mp))
		group->priority = one.priority;
	return group;
}

static bool goes_before(const struct group *a, const struct group *b)
{
	if (a->poor != b->poor)
		return b->poor;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->key < b->key;
}

static void put_in_order(struct groups *g)
{
	for (unsigned i = 1; i < g->n; i++)
		for (unsigned k = i;
			k && goes_before(&g->list[k], &g->list[k - 1]); k--) {
			struct group swap = g->list[k];

			g->list[k] = g->list[k - 1];
			g->list[k - 1] = swap;
		}
}

static void gather(struct mpdev *dev)
{
	struct groups *g = &dev->groups;
	struct mpath *mp;

	g->n = 0;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		struct group *group = enter(g, mp);

		group->up += mpath_is_active(mp);
		group->usable += mpath_is_usable(mp);
	}
	put_in_order(g);
	TAILQ_FOREACH (mp, &dev->paths, link)
		mp->group = (unsigned)(find(g, group_of(mp).key) - g->list);
}

/*
 * Which group is in use
 */

/* loop_now() from which the device may go to the path's group for its sake. */
static uint64_t ready_at(const struct mpath *mp)
{
	uint64_t failback = mp->dev->options.failback;

	if (!mp->returned_at)
		return 0;
	if (failback == MPIO_FAILBACK_FOLLOWOVER)
		return mp->shunned ? UINT64_MAX : 0;
	if (failback == MPIO_FAILBACK_MANUAL)
		return UINT64_MAX;
	return mp->returned_at + failback;
}

static uint64_t group_ready_at(const struct mpdev *dev, unsigned n)
{
	uint64_t ready = UINT64_MAX;
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->group == n && mpath_is_usable(mp) &&
			ready_at(mp) < ready)
			ready = ready_at(mp);
	if (dev->groups.switched_at &&
		ready < dev->groups.switched_at + SWITCH_REST)
		ready = dev->groups.switched_at + SWITCH_REST;
	return ready;
}

static void switch_to(struct mpdev *dev, unsigned n, const char *why)
{
	struct groups *g = &dev->groups;
	struct mpath *mp;
	char text[120];

	if (g->chosen) {
		g->switched_at = loop_now(dev->loop);
		snprintf(text, sizeof text,
			"%u path%s of priority %d in use: %s",
			g->list[n].usable, g->list[n].usable == 1 ? "" : "s",
			g->list[n].priority, why);
		notice_event(dev, -1, EVENT_GROUP_CHANGED, text);
	}
	g->chosen = true;
	g->key = g->list[n].key;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->group == n) {
			mp->returned_at = 0;
			mp->shunned = false;
		}
}

/* The first group that has a path; the number of groups when none has. */
static unsigned best_of(const struct groups *g)
{
	unsigned n = 0;

	while (n < g->n && !g->list[n].usable)
		n++;
	return n;
}

/* A better group than `current` that may be used now; else `current`, and the
 * timer is set to when one will be. */
static unsigned improve(struct mpdev *dev, unsigned current)
{
	uint64_t now = loop_now(dev->loop), next = UINT64_MAX;

	for (unsigned n = 0; n < current; n++) {
		uint64_t ready;

		if (!dev->groups.list[n].usable)
			continue;
		ready = group_ready_at(dev, n);
		if (ready <= now)
			return n;
		if (ready < next)
			next = ready;
	}
	if (next != UINT64_MAX)
		loop_timer_set(dev->groups.timer, next - now);
	return current;
}

static void choose(struct mpdev *dev)
{
	struct groups *g = &dev->groups;
	struct group *current = g->chosen ? find(g, g->key) : NULL;
	unsigned n = best_of(g);

	loop_timer_stop(g->timer);
	if (n == g->n)
		return;
	if (!current || !current->usable) {
		switch_to(dev, n, "the one before has no path left");
		return;
	}
	if (current->poor && !g->list[n].poor) {
		switch_to(dev, n, "the one before has poor paths alone");
		return;
	}
	n = improve(dev, (unsigned)(current - g->list));
	if (&g->list[n] != current)
		switch_to(dev, n, "it is the better one");
}

void groups_sort(struct mpdev *dev)
{
	struct groups *g = &dev->groups;
	struct mpath *mp;

	gather(dev);
	choose(dev);
	TAILQ_FOREACH (mp, &dev->paths, link)
		mp->in_use = g->chosen && mpath_is_usable(mp) &&
			     g->list[mp->group].key == g->key;
}

void groups_reset(struct mpdev *dev)
{
	dev->groups.chosen = false;
	mpdev_update(dev);
}

void groups_joined(struct mpath *mp)
{
	struct path_facts mine, its;
	struct mpath *other;

	path_facts(mp->path, &mine);
	mp->portal_group = (unsigned)mp->id;
	TAILQ_FOREACH (other, &mp->dev->paths, link) {
		if (other == mp || !other->was_active)
			continue;
		path_facts(other->path, &its);
		if (its.tpgt != mine.tpgt || strcmp(its.target, mine.target))
			continue;
		/* The lowest id names the group. */
		if (other->portal_group > mp->portal_group)
			other->portal_group = mp->portal_group;
		else
			mp->portal_group = other->portal_group;
	}
	mp->shunned = false;
	mp->returned_at = mp->was_active ? loop_now(mp->dev->loop) : 0;
}

void groups_use(struct mpath *mp)
{
	struct mpdev *dev = mp->dev;
	struct mpath *other;

	TAILQ_FOREACH (other, &dev->paths, link) {
		other->shunned = true;
		other->returned_at = loop_now(dev->loop);
	}
	switch_to(dev, mp->group, "by command");
	mpdev_update(dev);
}
