/* SPDX-License-Identifier: BSD-2-Clause */
#include "damping.h"

#include "mpdev.h"

#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>

#define WINDOW     (60 * NS_PER_S)
#define TERM       (30 * NS_PER_S)
#define TERM_MAX   (600 * NS_PER_S)
#define LOOK_EVERY (2 * NS_PER_S)
/* What is far slower than the others. */
#define SLOW_TIMES 8
#define SLOW       (50 * NS_PER_MS)

static const char lost_too_often[] = "lost 3 times within 60 s";

/* True when it is one too many. */
static bool strike(struct strikes *s, uint64_t now)
{
	uint64_t first = s->at[0];

	if (s->until > now)
		return false;
	memmove(s->at, s->at + 1, sizeof s->at - sizeof s->at[0]);
	s->at[DAMPING_STRIKES - 2] = now;
	if (!first || now - first > WINDOW)
		return false;
	if (!s->term || now - s->until > TERM_MAX)
		s->term = TERM;
	else
		s->term = s->term < TERM_MAX / 2 ? s->term * 2 : TERM_MAX;
	s->until = now + s->term;
	memset(s->at, 0, sizeof s->at);
	return true;
}

static void tell(struct mpath *mp, enum event_word word, const char *why,
	const struct strikes *s)
{
	char text[160];

	snprintf(text, sizeof text,
		"%s; for %llu s it is used only when no other path is left",
		why, (unsigned long long)(s->term / NS_PER_S));
	notice_event(mp->dev, mp->id, word, text);
}

/* What is over, or switched off, no longer counts. */
void damping_apply(struct mpath *mp, uint64_t now)
{
	const struct mpdev_options *o = &mp->dev->options;
	struct damping *d = &mp->damping;
	bool was = mpath_is_poor(mp);

	d->held = o->hold_down && d->losses.until > now;
	d->marginal = o->marginal && d->faults.until > now;
	if (was == mpath_is_poor(mp))
		return;
	if (was)
		notice_event(mp->dev, mp->id, EVENT_PATH_TRUSTED,
			"it is used like the others again");
	mpdev_update(mp->dev);
}

void damping_lost(struct mpath *mp)
{
	uint64_t now = loop_now(mp->dev->loop);
	struct damping *d = &mp->damping;

	if (!mp->dev->options.hold_down || !health_has_other(mp) ||
		!strike(&d->losses, now))
		return;
	tell(mp, EVENT_PATH_HELD_DOWN, lost_too_often, &d->losses);
	damping_apply(mp, now);
}

void damping_fault(struct mpath *mp, const char *what)
{
	uint64_t now = loop_now(mp->dev->loop);
	struct damping *d = &mp->damping;

	if (!mp->dev->options.marginal || !health_has_other(mp) ||
		!strike(&d->faults, now))
		return;
	snprintf(d->why, sizeof d->why,
		"3 faults within 60 s, the last one: %s", what);
	tell(mp, EVENT_PATH_MARGINAL, d->why, &d->faults);
	damping_apply(mp, now);
}

static void look_at_digests(struct mpath *mp)
{
	struct damping *d = &mp->damping;
	struct path_counters c = {0};

	path_counters(mp->path, &c);
	for (unsigned n = 0; d->digest_errors < c.digest_errors; n++) {
		d->digest_errors++;
		if (n < DAMPING_STRIKES)
			damping_fault(mp, "digest error");
	}
}

static void look_at_latency(struct mpdev *dev, uint64_t now)
{
	uint64_t best = UINT64_MAX;
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->load.latency && !load_is_old(&mp->load, now) &&
			mp->load.latency < best)
			best = mp->load.latency;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->load.latency > SLOW && !load_is_old(&mp->load, now) &&
			mp->load.latency / SLOW_TIMES > best)
			damping_fault(mp, "far slower than another path");
}

void damping_look(struct mpdev *dev, uint64_t now)
{
	struct mpath *mp;
	bool latency = false;

	TAILQ_FOREACH (mp, &dev->paths, link) {
		struct damping *d = &mp->damping;

		damping_apply(mp, now);
		if (now - d->seen_at < LOOK_EVERY)
			continue;
		d->seen_at = now;
		latency = true;
		look_at_digests(mp);
	}
	if (latency)
		look_at_latency(dev, now);
}

uint64_t damping_due(const struct mpdev *dev)
{
	uint64_t due = UINT64_MAX;
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link) {
		const struct damping *d = &mp->damping;

		if (d->held && d->losses.until < due)
			due = d->losses.until;
		if (d->marginal && d->faults.until < due)
			due = d->faults.until;
	}
	return due;
}

/* A reason of its own goes before this one. */
static void put_reason(struct mpath_info *info, const char *what, uint64_t left,
	const char *why)
{
	if (info->reason[0])
		return;
	snprintf(info->reason, sizeof info->reason, "%s for %llu s more: %s",
		what, (unsigned long long)(1 + left / NS_PER_S), why);
}

void damping_info(const struct mpath *mp, struct mpath_info *info)
{
	uint64_t now = loop_now(mp->dev->loop);
	const struct damping *d = &mp->damping;

	if (d->held && d->losses.until > now) {
		info->held_down = d->losses.until - now;
		put_reason(info, "held down", info->held_down, lost_too_often);
	}
	if (d->marginal && d->faults.until > now) {
		info->marginal = d->faults.until - now;
		put_reason(info, "marginal", info->marginal, d->why);
	}
}
