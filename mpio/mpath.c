/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpath.h"

#include "lun_probe.h"
#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/path.h>
#include <umpio/scsi/disposition.h>

/* A path that was active twice within this time goes on with its back-off. */
#define STABLE       (5 * NS_PER_S)
#define HOLD_BACK    (10 * NS_PER_MS) /* see mpath_hold_back() */
#define STOP_GRACE   (5 * NS_PER_S)   /* of an orderly stop */
#define FENCING_TIME (5 * NS_PER_S)

static const char *const phase_names[] = {
#define X(id) #id,
	MPATH_PHASES(X)
#undef X
};

static const char *const input_names[] = {
#define X(id) #id,
	MPATH_INPUTS(X)
#undef X
};

#define IN(phase) (1u << PHASE_##phase)
#define DOWN      (IN(OFF) | IN(BACKOFF))
#define UP        (IN(PROBING) | IN(ACTIVE))
#define QUIET     (IN(STOPPING) | IN(FENCING)) /* why it is down is known */
#define ANY       (~0u)

static uint64_t now(const struct mpath *mp)
{
	return loop_now(mp->dev->loop);
}

__attribute__((format(printf, 2, 3))) static void set_reason(
	struct mpath *mp, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(mp->reason, sizeof mp->reason, fmt, ap);
	va_end(ap);
}

/*
 * Coming up
 */
static void probed(
	void *arg, int err, const struct lun_facts *facts, const char *reason);

static void act_start(struct mpath *mp)
{
	bool fencing = mp->shut_out && fence_by_sibling(mp->fence);

	mp->dying = mp->cut = mp->shut_out = false;
	if (fencing) { /* then it is the own portals' turn again */
		mp->phase = PHASE_FENCING;
		loop_timer_set(mp->timer, FENCING_TIME);
		return;
	}
	loop_timer_stop(mp->timer);
	backoff_attempt(mp);
	mp->pr.key = 0;
	mp->pr.wanted = false;
	mp->phase = PHASE_CONNECTING;
	path_start(mp->path);
}

static void end_probe(struct mpath *mp)
{
	lun_probe_cancel(mp->probe);
	mp->probe = NULL;
}

static void act_probe(struct mpath *mp)
{
	end_probe(mp);
	mp->phase = PHASE_PROBING;
	loop_timer_stop(mp->timer);
	mp->probe = lun_probe(mp->dev->loop, mp->path, probed, mp);
	if (mp->probe && mp->session)
		recheck_watch(mp);
	if (!mp->probe) {
		set_reason(mp, "no memory for the probe of the LUN");
		mpath_input(mp, INPUT_REFUSED);
	}
	mpdev_update(mp->dev);
}

/* What it has read may be another by now. Where it is over, it waits for its
 * reservations alone. */
static void act_probe_anew(struct mpath *mp)
{
	if (mp->probe)
		act_probe(mp);
}

static void act_activate(struct mpath *mp)
{
	bool new_session = !mp->session;
	bool news = !mp->was_active || mp->reason[0];

	mp->phase = PHASE_ACTIVE;
	if (news)
		groups_joined(mp);
	if (!mp->was_active || now(mp) - mp->active_at >= STABLE)
		mp->backoff.attempts = 0;
	mp->was_active = true;
	mp->refused = mp->hopeless = mp->counted = mp->dying = false;
	mp->dev->hopeless = false;
	mp->reason[0] = '\0';
	mp->active_at = now(mp);
	mp->backoff.slow_until = 0;
	mp->told[0] = '\0';
	load_reset(&mp->load, now(mp));
	health_begin(mp);
	if (news)
		notice_event(mp->dev, mp->id, EVENT_PATH_UP,
			mp->facts.identity.wwid);
	if (new_session)
		suspect_new_session(mp);
	overtake_poke(mp);
	mpdev_update(mp->dev);
	alua_watch_look(mp->dev);
}

/* When to try again what a probe refused: -EAGAIN passes by itself. A target
 * that starts up has portals before it has LUNs: one that was there may come
 * back. */
static enum path_cure cure_of(const struct mpath *mp, int err)
{
	if (err == -EAGAIN)
		return PATH_RETRY;
	if (err == -ENODEV)
		return mp->was_active ? PATH_RETRY : PATH_FATAL;
	return PATH_RETRY_SLOW;
}

static void refuse(struct mpath *mp, int err, const char *reason)
{
	set_reason(mp, "%s", reason);
	mp->hopeless = err != -EAGAIN;
	backoff_wait(mp, cure_of(mp, err), 0);
	mpath_input(mp, INPUT_REFUSED);
}

/* The LUN's reservations know this path. */
static void admitted(struct mpath *mp, const char *why)
{
	if (why)
		refuse(mp, -EAGAIN, why);
	else
		mpath_input(mp, INPUT_PROBED);
}

static void probed(
	void *arg, int err, const struct lun_facts *facts, const char *reason)
{
	struct mpath *mp = arg;
	char why[160];

	mp->probe = NULL;
	if (err) {
		refuse(mp, err, reason);
		return;
	}
	mp->facts = *facts;
	err = mpdev_admit(mp->dev, mp, why, sizeof why);
	if (err) {
		mp->refused = true;
		refuse(mp, err, why);
		return;
	}
	if (!pr_admit(mp, admitted))
		mpath_input(mp, INPUT_PROBED);
}

/*
 * Going down
 */
static void stop(struct mpath *mp, bool at_once)
{
	if (mp->cut)
		return;
	end_probe(mp);
	mp->phase = PHASE_STOPPING;
	mp->cut = at_once;
	if (at_once)
		loop_timer_stop(mp->timer);
	else
		loop_timer_set(mp->timer, STOP_GRACE);
	path_stop(mp->path, at_once);
	mpdev_update(mp->dev);
}

static void act_stop(struct mpath *mp)
{
	stop(mp, false);
}

static void act_cut(struct mpath *mp)
{
	stop(mp, true);
}

/* A path that is tried again and again for the same reason is told of once. */
static void tell_failure(struct mpath *mp, enum event_word word)
{
	if (strcmp(mp->told, mp->reason) == 0)
		return;
	memcpy(mp->told, mp->reason, sizeof mp->told);
	notice_event(mp->dev, mp->id, word, mp->reason);
}

static void act_refused(struct mpath *mp)
{
	tell_failure(mp, mp->refused    ? EVENT_PATH_MISMATCHED
			 : mp->hopeless ? EVENT_PATH_REFUSED
					: EVENT_PATH_FAILED);
	/* A path that does not answer would not log out either, and what is
	 * under way on a unit that has become another one must not count. */
	stop(mp, !mp->hopeless || mp->inflight);
	mpdev_check_hopeless(mp->dev, mp->reason);
}

static void act_bad(struct mpath *mp)
{
	bool lost = mp->phase == PHASE_ACTIVE;

	tell_failure(mp, EVENT_PATH_FAILED);
	stop(mp, true);
	if (lost)
		damping_lost(mp);
}

static void act_leave(struct mpath *mp)
{
	end_probe(mp);
	loop_timer_stop(mp->timer);
	set_reason(mp, "the target asked to be left");
	mp->phase = PHASE_LEAVING;
	tell_failure(mp, EVENT_PATH_FAILED);
	mpdev_update(mp->dev);
}

/* Takes up why the path is down; what was noted when it was stopped, or did not
 * come up before, goes before what it says itself. */
static void note_down(struct mpath *mp, const struct path_down *why)
{
	enum path_cure cure = PATH_RETRY;

	if (!(QUIET & 1u << mp->phase)) {
		if (why->reason[0] || !mp->reason[0])
			set_reason(mp, "%s",
				why->reason[0] ? why->reason : "it went down");
		mp->hopeless = why->cure != PATH_RETRY;
		cure = why->cure;
		if (mp->phase != PHASE_LEAVING)
			tell_failure(mp, EVENT_PATH_FAILED);
	}
	backoff_wait(mp, cure, why->wait);
}

void mpath_sooner(struct mpath *mp)
{
	if (mp->phase == PHASE_FENCING)
		loop_timer_set(mp->timer, 0);
	backoff_hurry(mp);
}

void mpath_pardon(struct mpath *mp)
{
	if (!mp->refused)
		return;
	backoff_reset(mp);
	if (mp->phase == PHASE_BACKOFF)
		backoff_rest(mp);
}

static void switch_off(struct mpath *mp)
{
	mp->phase = PHASE_OFF;
	loop_timer_stop(mp->timer);
	if (mp->removed)
		loop_post(mp->dev->loop, &mp->reap);
	mpdev_update(mp->dev);
	drain_poke(mp->dev);
}

static void act_down(struct mpath *mp)
{
	end_probe(mp);
	mp->shut_out |= mp->phase == PHASE_CONNECTING;
	mp->dying = false;
	mp->session = 0;
	mp->depth.limit = 0;
	fence_down(mp->fence);
	if (mp->disabled || mp->removed || mp->dev->drain >= DRAIN_PATHS) {
		switch_off(mp);
		return;
	}
	mp->phase = PHASE_BACKOFF;
	mpdev_recount(mp->dev);
	backoff_rest(mp);
	mpdev_update(mp->dev);
}

static void act_off(struct mpath *mp)
{
	switch_off(mp);
}

static void act_survive(struct mpath *mp)
{
	mp->dying = false;
	overtake_poke(mp);
	mpdev_update(mp->dev);
}

static void act_nothing(struct mpath *mp)
{
	(void)mp;
}

/*
 * The table
 */
static const struct {
	unsigned phases;
	enum mpath_input input;
	void (*act)(struct mpath *mp);
} table[] = {
	{DOWN, INPUT_START, act_start},
	{IN(BACKOFF), INPUT_TIMER, act_start},
	{IN(STOPPING) | IN(FENCING), INPUT_TIMER, act_cut},
	{IN(ACTIVE), INPUT_TIMER, act_survive},
	{IN(CONNECTING), INPUT_UP, act_probe},
	{IN(STOPPING), INPUT_UP, act_nothing}, /* it was on its way */
	{IN(PROBING), INPUT_PROBED, act_activate},
	{IN(PROBING), INPUT_REFUSED, act_refused},
	{IN(ACTIVE), INPUT_RECHECK, act_probe},
	{IN(PROBING), INPUT_RECHECK, act_probe_anew},
	{ANY & ~IN(ACTIVE) & ~IN(PROBING), INPUT_RECHECK, act_nothing},
	{UP, INPUT_LEAVE, act_leave},
	{IN(LEAVING) | IN(STOPPING), INPUT_LEAVE, act_nothing},
	{UP | IN(LEAVING), INPUT_BAD, act_bad},
	{ANY & ~UP & ~IN(LEAVING), INPUT_BAD, act_nothing},
	{ANY & ~DOWN, INPUT_DOWN, act_down},
	{DOWN, INPUT_STOP, act_off},
	{ANY & ~DOWN & ~IN(STOPPING), INPUT_STOP, act_stop},
	{IN(STOPPING), INPUT_STOP, act_nothing},
	{DOWN, INPUT_CUT, act_off},
	{ANY & ~DOWN, INPUT_CUT, act_cut},
};

/* A pair that is not listed is a mistake of the path or of ours; it costs this
 * path its session, and no more. */
void mpath_input(struct mpath *mp, enum mpath_input input)
{
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
		if (table[i].input == input &&
			table[i].phases & 1u << mp->phase) {
			table[i].act(mp);
			return;
		}
	log_error("%s: path %d: unexpected %s while %s; starting it anew",
		mp->dev->blk.name, mp->id, input_names[input],
		phase_names[mp->phase]);
	if (!(DOWN & 1u << mp->phase))
		act_cut(mp);
}

void mpath_bad(struct mpath *mp, const char *reason)
{
	if ((UP | IN(LEAVING)) & 1u << mp->phase)
		set_reason(mp, "commands fail: %s", reason);
	mpath_input(mp, INPUT_BAD);
}

void mpath_fail(struct mpath *mp, const char *reason)
{
	if ((UP | IN(LEAVING)) & 1u << mp->phase) {
		set_reason(mp, "%s", reason);
		mp->shut_out = true;
	}
	mpath_input(mp, INPUT_BAD);
}

void mpath_hold_back(struct mpath *mp)
{
	if (mp->phase != PHASE_ACTIVE || mp->dying)
		return;
	mp->dying = true;
	loop_timer_set(mp->timer, HOLD_BACK);
	mpdev_recount(mp->dev);
}

/*
 * What the path says
 */
static void path_is_up(struct path *path)
{
	overtake_up(path->owner);
	mpath_input(path->owner, INPUT_UP);
}

static void path_is_down(struct path *path, const struct path_down *why)
{
	struct mpath *mp = path->owner;
	bool news = !(QUIET & 1u << mp->phase);
	bool lost = mp->phase == PHASE_ACTIVE;

	note_down(mp, why);
	mpath_input(mp, INPUT_DOWN);
	overtake_down(mp);
	witness_down(mp);
	if (lost)
		damping_lost(mp);
	if (news && mp->hopeless)
		mpdev_check_hopeless(mp->dev, mp->reason);
}

static void path_is_leaving(struct path *path)
{
	mpath_input(path->owner, INPUT_LEAVE);
}

#define CHECK_CONDITION 0x02 /* SAM-5 5.3.1 */

static void path_has_sense(struct path *path, const uint8_t *sense, size_t len)
{
	struct disposition d = disposition_of(CHECK_CONDITION, sense, len);
	struct path_result r = {.status = CHECK_CONDITION};

	io_heed(path->owner, d.flags, d.what);
	if (!(d.flags & DISPOSITION_REREAD_ALUA))
		return;
	r.sense_len = (uint16_t)(len < sizeof r.sense ? len : sizeof r.sense);
	memcpy(r.sense, sense, r.sense_len);
	alua_watch_heed(path->owner, &r);
}

static void path_is_elsewhere(struct path *path, const char *portal)
{
	struct mpath *mp = path->owner;

	notice_event(mp->dev, mp->id, EVENT_PORTAL_ELSEWHERE, portal);
}

static const struct path_events path_events = {
	.sense = path_has_sense,
	.elsewhere = path_is_elsewhere,
	.up = path_is_up,
	.down = path_is_down,
	.leaving = path_is_leaving,
};

static void timer(void *arg)
{
	mpath_input(arg, INPUT_TIMER);
}

static void reap(void *arg)
{
	struct mpath *mp = arg;
	struct mpdev *dev = mp->dev;

	TAILQ_REMOVE(&dev->paths, mp, link);
	dev->npaths--;
	mpath_free(mp);
	mpdev_update(dev);
}

static void report_moved(void *arg)
{
	struct mpath *mp = arg;
	char text[64];

	snprintf(text, sizeof text, "%u command%s went to another path",
		mp->moved, mp->moved == 1 ? "" : "s");
	mp->moved = 0;
	notice_event(mp->dev, mp->id, EVENT_TASKS_MOVED, text);
}

void mpath_moved(struct mpath *mp)
{
	if (!mp->counted) {
		mp->counted = true;
		mp->failovers++;
		mp->dev->failovers++;
	}
	if (mp->moved++ == 0)
		mp->moved_at = loop_now(mp->dev->loop);
	loop_post(mp->dev->loop, &mp->moved_task);
}

void mpath_resumed(struct mpath *mp)
{
	char reason[80];
	uint64_t us;

	if (!mp->moved_at)
		return;
	us = (loop_now(mp->dev->loop) - mp->moved_at) / NS_PER_US;
	mp->moved_at = 0;
	snprintf(reason, sizeof reason,
		"the first moved command was answered after %llu.%03llu ms",
		(unsigned long long)us / 1000, (unsigned long long)us % 1000);
	notice_event(mp->dev, mp->id, EVENT_TASKS_RESUMED, reason);
}

struct mpath *mpath_new(struct mpdev *dev, struct path *path, int id)
{
	struct mpath *mp = calloc(1, sizeof *mp);

	if (!mp)
		return NULL;
	mp->timer = loop_timer_new(dev->loop, timer, mp);
	mp->dev = dev;
	mp->path = path;
	mp->id = id;
	mp->fence = mp->timer ? fence_new(mp) : NULL;
	if (!mp->fence) {
		loop_timer_free(mp->timer);
		free(mp);
		return NULL;
	}
	loop_task_init(&mp->reap, reap, mp);
	loop_task_init(&mp->moved_task, report_moved, mp);
	mpath_health_init(mp);
	overtake_init(mp);
	mp->options.weight = 1;
	mp->facts.alua_state = ALUA_NONE;
	mp->portal_group = (unsigned)id;
	path->events = &path_events;
	path->owner = mp;
	return mp;
}

void mpath_free(struct mpath *mp)
{
	assert(mp->phase == PHASE_OFF && !mp->inflight);
	loop_unpost(mp->dev->loop, &mp->reap);
	loop_unpost(mp->dev->loop, &mp->moved_task);
	overtake_fini(mp);
	loop_timer_free(mp->timer);
	path_free(mp->path);
	fence_orphan(mp->fence);
	free(mp);
}

enum mpath_state mpath_state(const struct mpath *mp)
{
	if (mp->disabled)
		return MPATH_DISABLED;
	if (mp->refused)
		return MPATH_QUARANTINED;
	if (mpath_is_active(mp))
		return mp->in_use ? MPATH_ACTIVE : MPATH_STANDBY;
	return mp->reason[0] ? MPATH_FAILED : MPATH_CONNECTING;
}
