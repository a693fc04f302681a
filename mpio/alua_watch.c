/* SPDX-License-Identifier: BSD-2-Clause */
#include "alua_watch.h"

#include "mpdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

#define COMMAND_TIME   (5 * NS_PER_S)
#define TRIES_MAX      8 /* of one command; unit attentions among them */
/* Every nexus has a unit attention for one and the same change. */
#define READ_REST      (100 * NS_PER_MS)
/* While no path can carry I/O, or one has to be looked at again; otherwise
 * states that are not the best are read lest nobody tells of a change. */
#define POLL           (1 * NS_PER_S)
#define POLL_SLOW      (10 * NS_PER_S)
/* SPC-5 6.36: IMPLICIT TRANSITION TIME, when the target does not say, and the
 * most that is believed. */
#define TRANSITION     (60 * NS_PER_S)
#define TRANSITION_MAX (120 * NS_PER_S)
/* Least time between two changes that nothing forces: gateways that move a unit
 * to where I/O comes from must not be followed to and fro. */
#define SWAP_REST      (5 * NS_PER_S)
#define SET_REST       (5 * NS_PER_S)
#define SENSE_HOLDS    (1 * NS_PER_S) /* how long sense goes before a report */

static void read_all(void *arg);

int alua_watch_init(struct mpdev *dev)
{
	dev->alua.transition = TRANSITION;
	dev->alua.timer = loop_timer_new(dev->loop, read_all, dev);
	return dev->alua.timer ? 0 : -ENOMEM;
}

void alua_watch_fini(struct mpdev *dev)
{
	loop_timer_free(dev->alua.timer);
}

static uint64_t now_of(const struct mpdev *dev)
{
	return loop_now(dev->loop);
}

/* All states are read again at `at`, or before. */
static void read_by(struct mpdev *dev, uint64_t at)
{
	struct alua_watch *w = &dev->alua;
	uint64_t now = now_of(dev);

	if (w->read_at && at < w->read_at + READ_REST)
		at = w->read_at + READ_REST;
	if (loop_timer_is_set(w->timer) && w->due <= at)
		return;
	w->due = at;
	loop_timer_set(w->timer, at > now ? at - now : 0);
}

/* Paths that can be asked, and to which the answer matters. */
static bool has_alua(const struct mpath *mp)
{
	return mpath_is_active(mp) && mp->facts.tpgs;
}

/*
 * What the states mean
 */
static bool is_moving(const struct mpath *mp)
{
	return mpath_is_active(mp) &&
	       mp->facts.alua_state == ALUA_TRANSITIONING;
}

static void time_transition(struct mpdev *dev)
{
	bool moving = false;
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		moving |= is_moving(mp);
	if (!moving)
		dev->alua.moving_since = 0;
	else if (!dev->alua.moving_since)
		dev->alua.moving_since = now_of(dev);
}

uint64_t alua_watch_patience(const struct mpdev *dev)
{
	const struct alua_watch *w = &dev->alua;
	uint64_t end = w->moving_since + w->transition;

	if (!w->moving_since || end <= now_of(dev))
		return 0;
	return end - now_of(dev);
}

static void note_state(struct mpath *mp, int state, bool preferred)
{
	char text[100];

	if (mp->facts.alua_state == state &&
		mp->facts.alua_preferred == preferred)
		return;
	snprintf(text, sizeof text, "target port group %u is %s%s, was %s%s",
		mp->facts.target_group, alua_state_name(state),
		preferred ? ", preferred" : "",
		alua_state_name(mp->facts.alua_state),
		mp->facts.alua_preferred ? ", preferred" : "");
	mp->facts.alua_state = state;
	mp->facts.alua_preferred = preferred;
	/* The target's will; not a failure that has been mended. */
	mp->returned_at = 0;
	notice_event(mp->dev, mp->id, EVENT_ALUA_CHANGED, text);
}

/*
 * Reading
 */
static void answered(struct path_cmd *cmd);

static void send(struct mpdev *dev, struct mpath *mp)
{
	struct alua_watch *w = &dev->alua;

	w->asked = mp;
	w->cmd.done = answered;
	w->cmd.arg = dev;
	w->cmd.data = w->data;
	w->cmd.deadline = now_of(dev) + COMMAND_TIME;
	mp->inflight++;
	overtake_ask(mp, &w->cmd);
}

static void send_read(struct mpdev *dev, struct mpath *mp)
{
	struct alua_watch *w = &dev->alua;

	memset(w->data, 0, sizeof w->data);
	cdb_report_target_groups(w->cmd.cdb, !w->short_form, sizeof w->data);
	w->cmd.direction = PATH_DATA_IN;
	w->cmd.len = sizeof w->data;
	w->read_at = now_of(dev);
	send(dev, mp);
}

static void send_set(struct mpdev *dev, struct mpath *mp)
{
	struct alua_watch *w = &dev->alua;
	char text[80];

	alua_set_build(w->data, mp->facts.target_group, ALUA_OPTIMIZED);
	cdb_set_target_groups(w->cmd.cdb, ALUA_SET_LEN);
	w->cmd.direction = PATH_DATA_OUT;
	w->cmd.len = ALUA_SET_LEN;
	w->set_at = now_of(dev);
	snprintf(text, sizeof text,
		"the target is told to make target port group %u optimized",
		mp->facts.target_group);
	notice_event(dev, mp->id, EVENT_ALUA_CHANGED, text);
	send(dev, mp);
}

static bool same_target(const struct mpath *a, const struct mpath *b)
{
	struct path_facts fa, fb;

	if (a == b)
		return true;
	path_facts(a->path, &fa);
	path_facts(b->path, &fb);
	return strcmp(fa.target, fb.target) == 0;
}

/* What the report says of the path's group; false: nothing. */
static bool reported(const struct alua_report *report, const struct mpath *mp,
	struct alua_group *group)
{
	struct alua_report r = *report;

	while (alua_report_next(&r, group))
		if (group->id == mp->facts.target_group)
			return true;
	return false;
}

/* Two groups that both take I/O change order: that may wait. */
static bool is_swap(const struct mpath *mp, const struct alua_group *group)
{
	return alua_state_usable(group->state) && mpath_is_usable(mp) &&
	       group->state != mp->facts.alua_state;
}

static void apply_one(
	struct mpath *mp, const struct alua_group *group, bool may_swap)
{
	struct mpdev *dev = mp->dev;

	mp->alua_stale = false;
	if (is_swap(mp, group) && !may_swap) {
		read_by(dev, dev->alua.swapped_at + SWAP_REST);
		return;
	}
	/* Sense was fresher than this report may be. */
	if (alua_state_usable(group->state) &&
		mp->alua_sense_until > now_of(dev)) {
		read_by(dev, mp->alua_sense_until);
		return;
	}
	if (is_swap(mp, group))
		dev->alua.swapped_at = now_of(dev);
	note_state(mp, group->state, group->preferred);
}

static void apply(struct mpdev *dev, const struct mpath *asked, size_t len)
{
	struct alua_watch *w = &dev->alua;
	bool may_swap =
		!w->swapped_at || now_of(dev) >= w->swapped_at + SWAP_REST;
	struct alua_report report;
	struct alua_group group;
	struct mpath *mp;

	if (alua_report_open(&report, w->data, len, !w->short_form))
		return;
	if (report.transition_time)
		w->transition = report.transition_time * NS_PER_S;
	if (w->transition > TRANSITION_MAX)
		w->transition = TRANSITION_MAX;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (has_alua(mp) && same_target(mp, asked) &&
			reported(&report, mp, &group))
			apply_one(mp, &group, may_swap);
}

/* Takes the answer in; false when the command goes out again. */
static bool take(struct mpdev *dev, struct mpath *mp)
{
	struct alua_watch *w = &dev->alua;
	const struct path_result *r = &w->cmd.result;
	bool is_read = w->cmd.direction == PATH_DATA_IN;
	struct disposition d;
	size_t len = w->cmd.len;

	mp->alua_stale = false;
	if (r->outcome != PATH_DONE)
		return true;
	d = disposition_of(r->status, r->sense, r->sense_len);
	suspect_heed(mp, d.flags, d.what);
	if (!r->overflow)
		len -= r->residual < len ? r->residual : len;
	if (d.action == DISPOSITION_RETRY_HERE && w->tries < TRIES_MAX)
		return false;
	if (is_read && d.flags & DISPOSITION_UNSUPPORTED && !w->short_form) {
		w->short_form = true;
		return false;
	}
	if (is_read && d.action == DISPOSITION_OK)
		apply(dev, mp, len);
	return true;
}

static void step(struct mpdev *dev);

static void answered(struct path_cmd *cmd)
{
	struct mpdev *dev = cmd->arg;
	struct alua_watch *w = &dev->alua;
	struct mpath *mp = w->asked;
	bool is_read = cmd->direction == PATH_DATA_IN;

	mp->inflight--;
	overtake_told(mp, cmd);
	w->asked = NULL;
	if (!take(dev, mp) && mpath_is_active(mp)) {
		w->tries++;
		if (is_read)
			send_read(dev, mp);
		else
			send(dev, mp);
		return;
	}
	w->tries = 0;
	if (!is_read)
		read_by(dev, now_of(dev));
	step(dev);
}

/*
 * What is to be done
 */
static struct mpath *next_to_ask(struct mpdev *dev)
{
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->alua_stale && has_alua(mp))
			return mp;
	return NULL;
}

/* The path over which the target is asked to make its group optimized: when
 * nothing else will help, and not too often. */
static struct mpath *next_to_set(struct mpdev *dev)
{
	struct mpath *mp, *best = NULL;

	if (mpdev_has_path(dev) || dev->alua.moving_since)
		return NULL;
	if (dev->alua.set_at && now_of(dev) < dev->alua.set_at + SET_REST)
		return NULL;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		int state = mp->facts.alua_state;

		if (!has_alua(mp) || !(mp->facts.tpgs & 2) ||
			(state != ALUA_STANDBY && state != ALUA_UNAVAILABLE))
			continue;
		if (!best || state < best->facts.alua_state ||
			(mp->facts.alua_preferred &&
				!best->facts.alua_preferred))
			best = mp;
	}
	return best;
}

static bool is_barred(const struct mpath *mp)
{
	return mpath_is_active(mp) && !alua_state_usable(mp->facts.alua_state);
}

/* Paths of which not all is known are probed again once they give access; so
 * are those whose target has no other way to tell whether they do. */
static bool wants_probe(const struct mpath *mp)
{
	if (!mpath_is_active(mp))
		return false;
	if (!mp->facts.tpgs)
		return is_barred(mp);
	return mp->facts.limited && !is_barred(mp);
}

/* The next time, when nobody tells of a change. */
static void plan_read(struct mpdev *dev)
{
	bool soon = false, later = false;
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link) {
		soon |= wants_probe(mp) || is_moving(mp);
		soon |= is_barred(mp) && !mpdev_has_path(dev);
		later |= has_alua(mp) && mp->facts.alua_state != ALUA_OPTIMIZED;
	}
	if (soon)
		read_by(dev, now_of(dev) + POLL);
	else if (later)
		read_by(dev, now_of(dev) + POLL_SLOW);
}

/* Every target has told its states. */
static void conclude(struct mpdev *dev)
{
	struct mpath *mp;

	time_transition(dev);
	mpdev_update(dev);
	mp = next_to_set(dev);
	if (mp) {
		send_set(dev, mp);
		return;
	}
	plan_read(dev);
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (wants_probe(mp))
			mpath_input(mp, INPUT_RECHECK);
}

static void step(struct mpdev *dev)
{
	struct mpath *mp = next_to_ask(dev);

	if (dev->drain >= DRAIN_PATHS)
		return;
	if (mp)
		send_read(dev, mp);
	else
		conclude(dev);
}

static void read_all(void *arg)
{
	struct mpdev *dev = arg;
	struct mpath *mp;

	if (dev->alua.asked) {
		read_by(dev, now_of(dev) + READ_REST);
		return;
	}
	TAILQ_FOREACH (mp, &dev->paths, link)
		mp->alua_stale = true;
	step(dev);
}

void alua_watch_look(struct mpdev *dev)
{
	time_transition(dev);
	plan_read(dev);
	if (!mpdev_has_path(dev))
		read_by(dev, now_of(dev));
}

void alua_watch_heed(struct mpath *mp, const struct path_result *result)
{
	struct mpdev *dev = mp->dev;
	int state = alua_state_of_sense(result->sense, result->sense_len);

	if (state != ALUA_NONE && state == mp->facts.alua_state)
		return; /* as is known: it was asked in that state */
	if (state != ALUA_NONE && mpath_is_active(mp)) {
		mp->alua_sense_until = now_of(dev) + SENSE_HOLDS;
		note_state(mp, state, mp->facts.alua_preferred);
		time_transition(dev);
		mpdev_update(dev);
	}
	read_by(dev, now_of(dev));
}
