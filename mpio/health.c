/* SPDX-License-Identifier: BSD-2-Clause */
#include "health.h"

#include "mpdev.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/disposition.h>

#define LAST_GRACE (10 * NS_PER_S) /* of a path without another one */
#define ASK_TIME   (2 * NS_PER_S)  /* for TEST UNIT READY, ABORT TASK */
#define GIVE_UP    (30 * NS_PER_S) /* on a read or write, if all else lives */
#define LONG_TIME  (60 * NS_PER_S) /* io-timeout of what may take long */
#define CHECK_BUSY (2 * NS_PER_S)  /* while the device is in use */
#define IN_USE     (60 * NS_PER_S) /* that is: after the last command */
#define ASK_EACH   4               /* checks with a TEST UNIT READY */
#define RECHECK    (60 * NS_PER_S) /* the identity, at most */
/* A timer that comes later than this says that we did not run. */
#define PAUSE      (500 * NS_PER_MS)
/* A probe that is answered sooner than this found nothing but a slow command.
 */
#define BRIEF      (250 * NS_PER_MS)
#define LOOK_AGAIN (250 * NS_PER_MS) /* at a command that is late */
/* What was sent so much later and is answered has overtaken a lost one. */
#define OVERTAKEN  (1 * NS_PER_S)

static uint64_t now_of(const struct mpath *mp)
{
	return loop_now(mp->dev->loop);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void least(uint64_t *due, uint64_t at)
{
	if (at < *due)
		*due = at;
}

/* Those that can be asked and can fail. */
static bool is_judged(const struct mpath *mp)
{
	return mp->phase == PHASE_ACTIVE ||
	       ((mp->phase == PHASE_PROBING || mp->phase == PHASE_LEAVING) &&
		       !TAILQ_EMPTY(&mp->health.sent));
}

bool health_has_other(const struct mpath *mp)
{
	const struct mpath *other;

	TAILQ_FOREACH (other, &mp->dev->paths, link)
		if (other != mp && mpath_is_active(other))
			return true;
	return false;
}

/* A check is answered by any byte, also by one that came in the same turn. */
static bool owes(const struct mpath *mp)
{
	const struct mpath_health *h = &mp->health;

	return !TAILQ_EMPTY(&h->sent) ||
	       (h->checking && path_heard(mp->path) < h->checked);
}

/*
 * TEST UNIT READY
 */

/* What it has been told is told once, so it is heeded as any answer is. */
static void replied(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	const struct path_result *r = &cmd->result;
	struct disposition d;

	mp->health.asked = false;
	overtake_told(mp, cmd);
	if (r->outcome != PATH_DONE)
		return;
	mp->health.replied_at = now_of(mp);
	d = disposition_of(r->status, r->sense, r->sense_len);
	if (mp->phase == PHASE_ACTIVE && d.action == DISPOSITION_PATH_BAD)
		mpath_bad(mp, d.what);
	else
		io_heed_aside(mp, r, &d);
}

static void ask(struct mpath *mp)
{
	struct mpath_health *h = &mp->health;

	if (h->asked || mp->phase != PHASE_ACTIVE)
		return;
	h->asked = true;
	h->asked_at = now_of(mp);
	h->ask = (struct path_cmd){
		.direction = PATH_NO_DATA, .done = replied, .arg = mp};
	cdb_test_unit_ready(h->ask.cdb);
	overtake_ask(mp, &h->ask);
}

/*
 * Judging
 */
static void fail(struct mpath *mp, const char *what, uint64_t ns)
{
	char reason[120];

	snprintf(reason, sizeof reason, "%s for %llu ms", what,
		(unsigned long long)(ns / NS_PER_MS));
	mpath_fail(mp, reason);
}

static void tell_suspected(struct mpath *mp, const char *why)
{
	if (mp->health.told)
		return;
	mp->health.told = true;
	notice_event(mp->dev, mp->id, EVENT_PATH_SUSPECTED, why);
}

static void suspect(struct mpath *mp, uint64_t silent)
{
	char text[80];

	path_probe(mp->path);
	ask(mp);
	mp->health.suspected = true;
	mp->health.probed = now_of(mp);
	snprintf(text, sizeof text, "last byte %llu ms ago",
		(unsigned long long)(silent / NS_PER_MS));
	tell_suspected(mp, text);
}

/* After a pause of ours the path is as good as just suspected: whatever was to
 * come has been read (descriptors go before timers), and what is silent still
 * is asked and has the rest of its time. */
static uint64_t last_sign(const struct mpath *mp)
{
	uint64_t woke = mp->dev->health.woke;
	uint64_t sign = later(path_heard(mp->path), mp->health.owed);

	return woke ? later(sign, woke - mp->dev->options.probe_after) : sign;
}

/* False: it has failed. */
static bool judge_silence(struct mpath *mp, uint64_t now)
{
	const struct mpdev_options *o = &mp->dev->options;
	struct mpath_health *h = &mp->health;
	uint64_t silent = now - last_sign(mp), limit = o->fail_after;

	if (path_heard(mp->path) >= h->checked)
		h->checking = false;
	if (!owes(mp) || silent < o->probe_after) {
		if (h->suspected && h->probed > mp->dev->health.woke &&
			path_heard(mp->path) > h->probed + BRIEF)
			damping_fault(mp, "it was silent for a while");
		h->suspected = false;
		return true;
	}
	if (!health_has_other(mp) && limit < LAST_GRACE)
		limit = LAST_GRACE;
	if (silent >= limit) {
		fail(mp, "silent", silent);
		return false;
	}
	/* Asked once for each silence, and again when we did not run. */
	if (!h->suspected || path_heard(mp->path) >= h->probed ||
		mp->dev->health.woke > h->probed)
		suspect(mp, silent);
	return true;
}

static bool may_take_long(const struct io *io)
{
	return io->kind != IO_READ && io->kind != IO_WRITE &&
	       io->kind != IO_STATUS;
}

/* A command that was given up before gets more time. */
static uint64_t time_of(const struct io *io)
{
	unsigned twice = io->gave_up < 2 ? io->gave_up : 2;

	if (may_take_long(io))
		return LONG_TIME;
	return io->dev->options.io_timeout << twice;
}

static uint64_t since(const struct mpath *mp, uint64_t at)
{
	return later(at, mp->dev->health.woke);
}

/* Later commands have been answered, over whatever path. */
static bool is_overtaken(const struct io *io)
{
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &io->dev->paths, link)
		if (mp->health.answered >= io->sent + OVERTAKEN)
			return true;
	return false;
}

static void give_up(struct io *io, uint64_t now)
{
	io->given_up = now;
	io->gave_up++;
	path_abort(io->path->path, &io->cmd);
}

/* A command whose time is over, while the path shows signs of life. True when
 * the unit has been asked for longer than it may take. */
static bool judge_late(struct mpath *mp, struct io *io, uint64_t now)
{
	const struct mpath_health *h = &mp->health;
	uint64_t age = now - since(mp, io->sent);
	uint64_t late_at = since(mp, io->sent) + time_of(io);

	if (io->given_up)
		return now - since(mp, io->given_up) >= ASK_TIME;
	if (h->asked)
		return now - since(mp, h->asked_at) >= ASK_TIME &&
		       h->answered < h->asked_at;
	if (h->replied_at < late_at)
		ask(mp);
	else if (is_overtaken(io) ||
		 age >= GIVE_UP + (may_take_long(io) ? LONG_TIME : 0))
		give_up(io, now);
	else if (now - h->replied_at >= ASK_TIME)
		ask(mp);
	return false;
}

/* The age of the oldest command that has had its time and shows that the unit
 * is dead behind a connection that lives; 0: none. */
static uint64_t judge_commands(struct mpath *mp, uint64_t now)
{
	uint64_t quick = mp->dev->options.io_timeout, age;
	struct io *io, *next;

	least(&quick, LONG_TIME);
	for (io = TAILQ_FIRST(&mp->health.sent); io; io = next) {
		next = TAILQ_NEXT(io, link);
		age = now - since(mp, io->sent);
		if (age < quick)
			break;
		if ((io->given_up || age >= time_of(io)) &&
			judge_late(mp, io, now))
			return age;
	}
	return 0;
}

/* A TEST UNIT READY of a check that nobody answers; one that others have
 * overtaken was lost alone. */
static uint64_t judge_ask(struct mpath *mp, uint64_t now)
{
	struct mpath_health *h = &mp->health;
	uint64_t age = now - since(mp, h->asked_at);

	if (!h->asked || age < mp->dev->options.io_timeout)
		return 0;
	if (h->answered < h->asked_at)
		return age;
	path_abort(mp->path, &h->ask);
	return 0;
}

static void judge_unit(struct mpath *mp, uint64_t now)
{
	uint64_t age = judge_commands(mp, now);

	if (!age)
		age = judge_ask(mp, now);
	if (age && (age >= LAST_GRACE || health_has_other(mp)))
		fail(mp, "connected, but no command is answered", age);
}

/*
 * Idle paths
 */
static void check(struct mpath *mp, uint64_t now)
{
	struct mpath_health *h = &mp->health;

	if (!owes(mp))
		h->owed = now;
	h->checking = true;
	h->checked = now;
	path_probe(mp->path);
	if (++h->checks % ASK_EACH == 0)
		ask(mp);
}

static void check_idle(struct mpath *mp, uint64_t now)
{
	const struct mpdev *dev = mp->dev;
	struct mpath_health *h = &mp->health;
	uint64_t most = dev->options.check_interval;
	bool in_use = now - dev->health.used < IN_USE;

	if (in_use)
		h->check_every = CHECK_BUSY;
	least(&h->check_every, most);
	least(&h->check_due, now + h->check_every);
	if (now < h->check_due)
		return;
	if (TAILQ_EMPTY(&h->sent) && !h->checking)
		check(mp, now);
	if (!in_use)
		h->check_every *= 2;
	least(&h->check_every, most);
	h->check_due = now + h->check_every;
	if (h->check_due > h->recheck_due) {
		h->recheck_due = now + RECHECK;
		recheck_begin(mp);
	}
}

/* What came up together is not looked at together. */
static uint64_t first_recheck(const struct mpath *mp)
{
	uint64_t random;

	loop_random(mp->dev->loop, &random, sizeof random);
	return RECHECK / 2 + random % (RECHECK / 2);
}

void health_expect(struct mpath *mp)
{
	if (mp->phase != PHASE_ACTIVE || owes(mp))
		return;
	check(mp, now_of(mp));
	health_poke(mp->dev);
}

void health_doubt(struct mpath *mp, const char *why)
{
	if (!mp->health.checking)
		check(mp, now_of(mp));
	tell_suspected(mp, why);
	health_poke(mp->dev);
}

/*
 * The timer
 */

/* When it is worth looking at this path again. A suspected one is looked at
 * more often, so that a pause of ours shows. */
static uint64_t next_look(const struct mpath *mp, uint64_t now)
{
	const struct mpdev_options *o = &mp->dev->options;
	const struct mpath_health *h = &mp->health;
	uint64_t due = UINT64_MAX, at;

	if (mp->phase == PHASE_ACTIVE)
		due = h->check_due;
	if (owes(mp) && h->suspected)
		least(&due, now + (o->fail_after - o->probe_after) / 4 + 1);
	else if (owes(mp))
		least(&due, last_sign(mp) + o->probe_after);
	if (!TAILQ_EMPTY(&h->sent)) {
		at = since(mp, TAILQ_FIRST(&h->sent)->sent) + o->io_timeout;
		least(&due, at > now ? at : now + LOOK_AGAIN);
	}
	if (h->asked)
		least(&due, now + LOOK_AGAIN);
	return due;
}

static void set_timer(struct mpdev *dev, uint64_t due)
{
	uint64_t now = loop_now(dev->loop);

	dev->health.due = due;
	if (due == UINT64_MAX)
		loop_timer_stop(dev->health.timer);
	else
		loop_timer_set(dev->health.timer, due > now ? due - now : 1);
}

static void arm(struct mpdev *dev)
{
	uint64_t now = loop_now(dev->loop), due = UINT64_MAX;
	const struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (is_judged(mp))
			least(&due, next_look(mp, now));
	least(&due, damping_due(dev));
	set_timer(dev, due);
}

static void look(void *arg)
{
	struct mpdev *dev = arg;
	uint64_t now = loop_now(dev->loop);
	struct mpath *mp;

	if (now > dev->health.due && now - dev->health.due > PAUSE)
		dev->health.woke = now;
	if (dev->health.cut_off)
		mpdev_links_changed(dev);
	TAILQ_FOREACH (mp, &dev->paths, link) {
		if (!is_judged(mp))
			continue;
		if (!judge_silence(mp, now))
			continue;
		judge_unit(mp, now);
		if (mp->phase == PHASE_ACTIVE)
			check_idle(mp, now);
	}
	damping_look(dev, now);
	retain_check(dev);
	arm(dev);
}

int health_init(struct mpdev *dev)
{
	dev->health.due = UINT64_MAX;
	dev->health.used = loop_now(dev->loop);
	dev->health.timer = loop_timer_new(dev->loop, look, dev);
	return dev->health.timer ? 0 : -ENOMEM;
}

void health_fini(struct mpdev *dev)
{
	loop_timer_free(dev->health.timer);
}

void health_poke(struct mpdev *dev)
{
	arm(dev);
}

void health_begin(struct mpath *mp)
{
	struct mpath_health *h = &mp->health;

	h->checking = h->suspected = h->told = false;
	h->check_every = CHECK_BUSY;
	h->check_due = now_of(mp) + CHECK_BUSY;
	h->recheck_due = now_of(mp) + first_recheck(mp);
	h->cut_off[0] = '\0';
	h->unlinked = false;
	arm(mp->dev);
	if (mp->dev->health.cut_off)
		set_timer(mp->dev, now_of(mp));
}

/* With the timer set as it is for the first of many, the others cost a list
 * operation each. */
void health_sent(struct mpath *mp, struct io *io)
{
	struct health *h = &mp->dev->health;
	uint64_t look_at = io->sent + mp->dev->options.probe_after;

	if (!owes(mp))
		mp->health.owed = io->sent;
	h->used = io->sent;
	TAILQ_INSERT_TAIL(&mp->health.sent, io, link);
	if (h->due > look_at)
		set_timer(mp->dev, look_at);
}

void health_ended(struct mpath *mp, struct io *io)
{
	TAILQ_REMOVE(&mp->health.sent, io, link);
	if (io->cmd.result.outcome != PATH_DONE)
		return;
	mp->health.told = false;
	if (io->sent > mp->health.answered)
		mp->health.answered = io->sent;
}

void mpath_health_init(struct mpath *mp)
{
	TAILQ_INIT(&mp->health.sent);
}
