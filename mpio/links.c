/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths that a link of this host has cut off. All are asked before one is
 * judged: a link may carry several of them, and when nothing is left to move
 * commands to, the path in hand is the best there is; the link may come back.
 */
#include "mpdev.h"

#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/mpio.h>

/* A path that was cut off is tried again with each change, but not more often:
 * which change brings its link back cannot be told. */
#define TRY_EVERY NS_PER_S

static bool is_up(const struct mpath *mp)
{
	return mp->phase == PHASE_ACTIVE || mp->phase == PHASE_PROBING ||
	       mp->phase == PHASE_LEAVING;
}

static void ask(struct mpath *mp)
{
	struct mpath_health *h = &mp->health;

	if (!is_up(mp) ||
		path_links_changed(mp->path, h->cut_off, sizeof h->cut_off))
		h->cut_off[0] = '\0';
}

static bool is_cut_off(const struct mpath *mp)
{
	return mp->health.cut_off[0] != '\0';
}

static bool one_can_carry_on(const struct mpdev *dev)
{
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mpath_is_active(mp) && !is_cut_off(mp))
			return true;
	return false;
}

static void try_sooner(struct mpath *mp)
{
	if (mp->health.unlinked)
		backoff_advance(mp, mp->backoff.started_at + TRY_EVERY);
}

void mpdev_links_changed(struct mpdev *dev)
{
	struct mpath *mp;
	bool others;

	TAILQ_FOREACH (mp, &dev->paths, link)
		ask(mp);
	others = one_can_carry_on(dev);
	dev->health.cut_off = false;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		try_sooner(mp);
		if (!is_cut_off(mp))
			continue;
		mp->health.unlinked = true;
		if (others) {
			mpath_fail(mp, mp->health.cut_off);
			mp->health.cut_off[0] = '\0';
			continue;
		}
		dev->health.cut_off = true;
		if (mp->phase == PHASE_ACTIVE)
			health_doubt(mp, mp->health.cut_off);
	}
}
