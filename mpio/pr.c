/* SPDX-License-Identifier: BSD-2-Clause */
#include "pr.h"

#include "mpdev.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/pr.h>

#define TIME_LIMIT (10 * NS_PER_S)
#define TRIES_MAX  10 /* unit attentions among them */

/*
 * One command on one path
 */
static void answered(struct path_cmd *cmd);
static void look(struct mpath *mp);

static void submit(struct mpath *mp)
{
	mp->pr.cmd.deadline = loop_now(mp->dev->loop) + TIME_LIMIT;
	overtake_ask(mp, &mp->pr.cmd);
}

static void begin(struct mpath *mp, uint8_t direction, uint32_t len,
	void (*then)(struct mpath *mp, int err, const char *what))
{
	mp->pr.busy = true;
	mp->pr.tries = 0;
	mp->pr.then = then;
	mp->pr.cmd.direction = direction;
	mp->pr.cmd.len = len;
	mp->pr.cmd.data = mp->pr.data;
	mp->pr.cmd.done = answered;
	mp->pr.cmd.arg = mp;
	mp->inflight++;
	submit(mp);
}

static void ask(struct mpath *mp, enum pr_in action,
	void (*then)(struct mpath *mp, int err, const char *what))
{
	memset(mp->pr.data, 0, sizeof mp->pr.data);
	cdb_pr_in(mp->pr.cmd.cdb, action, PR_DATA);
	begin(mp, PATH_DATA_IN, PR_DATA, then);
}

static void order(struct mpath *mp, enum pr_out action, uint8_t type,
	uint64_t key, uint64_t action_key,
	void (*then)(struct mpath *mp, int err, const char *what))
{
	cdb_pr_out(mp->pr.cmd.cdb, action, type);
	pr_list_build(mp->pr.data, key, action_key, 0);
	begin(mp, PATH_DATA_OUT, PR_LIST_LEN, then);
}

static int outcome(const struct path_result *r, const struct disposition *d)
{
	if (r->outcome != PATH_DONE)
		return -ENOTCONN;
	if (d->action == DISPOSITION_OK)
		return 0;
	return d->flags & DISPOSITION_UNSUPPORTED ? -EOPNOTSUPP
	       : d->error == -EBADE               ? -EBADE
						  : -EIO;
}

static void answered(struct path_cmd *cmd)
{
	struct mpath *mp = cmd->arg;
	const struct path_result *r = &cmd->result;
	struct disposition d = {.what = "no answer"};

	overtake_told(mp, cmd);
	if (r->outcome == PATH_DONE)
		d = disposition_of(r->status, r->sense, r->sense_len);
	suspect_heed(mp, d.flags, d.what);
	if (r->outcome == PATH_DONE && d.action == DISPOSITION_RETRY_HERE &&
		++mp->pr.tries < TRIES_MAX) {
		submit(mp);
		return;
	}
	mp->inflight--;
	mp->pr.busy = false;
	mp->pr.then(mp, outcome(r, &d), d.what);
	if (mp->pr.wanted && !mp->pr.busy)
		look(mp);
}

static size_t data_len(const struct mpath *mp)
{
	const struct path_result *r = &mp->pr.cmd.result;

	return r->overflow || r->residual > PR_DATA ? PR_DATA
						    : PR_DATA - r->residual;
}

/*
 * Paths that log in
 */
static void lost(struct mpath *mp)
{
	struct mpdev *dev = mp->dev;
	char text[96];

	snprintf(text, sizeof text,
		"another host has removed the key 0x%" PRIx64
		"; it is not registered again",
		dev->pr.key);
	dev->pr.key = 0;
	dev->pr.type = 0;
	notice_event(dev, mp->id, EVENT_RESERVATION_LOST, text);
}

static void admit(struct mpath *mp, const char *why)
{
	if (mp->phase == PHASE_PROBING)
		mp->pr.admitted(mp, why);
}

static void refuse(struct mpath *mp, const char *doing, const char *what)
{
	char why[160];

	snprintf(why, sizeof why, "%s: %s", doing, what);
	admit(mp, why);
}

/* The key stays registered, and requests will tell. */
static void holder_seen(struct mpath *mp, int err, const char *what)
{
	struct pr_reservation now;

	if (err || pr_reservation_decode(&now, mp->pr.data, data_len(mp))) {
		refuse(mp, "the reservation cannot be read",
			err ? what : "the answer is cut off");
		return;
	}
	if (now.held && now.key != mp->dev->pr.key) {
		mp->dev->pr.type = 0;
		notice_event(mp->dev, mp->id, EVENT_RESERVATION_LOST,
			"the target had lost the reservation, and another "
			"host has made one");
	}
	admit(mp, NULL);
}

/* A conflict here means that somebody was quicker: another host, or another
 * path of ours. */
static void reserved_again(struct mpath *mp, int err, const char *what)
{
	if (err == -EBADE)
		ask(mp, PR_READ_RESERVATION, holder_seen);
	else if (err)
		refuse(mp, "the reservation cannot be made again", what);
	else
		admit(mp, NULL);
}

static void registered_again(struct mpath *mp, int err, const char *what)
{
	struct pr *pr = &mp->dev->pr;

	if (err) {
		refuse(mp, "the reservation key cannot be registered", what);
		return;
	}
	mp->pr.key = pr->key;
	if (mp->pr.forgotten && pr->type)
		order(mp, PR_RESERVE, pr->type, pr->key, 0, reserved_again);
	else
		admit(mp, NULL);
}

static void keys_seen(struct mpath *mp, int err, const char *what)
{
	struct pr *pr = &mp->dev->pr;
	struct pr_keys keys;

	if (err || pr_keys_decode(&keys, mp->pr.data, data_len(mp))) {
		refuse(mp, "the reservation keys cannot be read",
			err ? what : "the answer is cut off");
		return;
	}
	if (!pr->key) {
		admit(mp, NULL);
		return;
	}
	mp->pr.forgotten = keys.count == 0 && !keys.cut;
	if (!mp->pr.forgotten && !keys.cut && !pr_keys_have(&keys, pr->key)) {
		lost(mp);
		admit(mp, NULL);
		return;
	}
	order(mp, PR_REGISTER_AND_IGNORE, PR_NO_TYPE, 0, pr->key,
		registered_again);
}

static void look(struct mpath *mp)
{
	mp->pr.wanted = false;
	if (mp->phase == PHASE_PROBING)
		ask(mp, PR_READ_KEYS, keys_seen);
}

bool pr_admit(
	struct mpath *mp, void (*admitted)(struct mpath *mp, const char *why))
{
	struct pr *pr = &mp->dev->pr;

	if (!pr->key || mp->pr.key == pr->key)
		return false;
	mp->pr.admitted = admitted;
	mp->pr.wanted = true;
	if (!mp->pr.busy)
		look(mp);
	return true;
}

static void checked(struct mpath *mp, int err, const char *what)
{
	struct pr *pr = &mp->dev->pr;
	struct pr_keys keys;

	(void)what;
	if (!err && pr->key && mp->pr.key == pr->key && !pr->reset &&
		!pr_keys_decode(&keys, mp->pr.data, data_len(mp)) &&
		!keys.cut && !pr_keys_have(&keys, pr->key))
		lost(mp);
}

void pr_check(struct mpath *mp)
{
	const struct pr *pr = &mp->dev->pr;

	if (pr->key && !mp->pr.busy && !pr->now && !pr->reset &&
		mp->phase == PHASE_ACTIVE)
		ask(mp, PR_READ_KEYS, checked);
}

static void renew(void *arg)
{
	struct mpdev *dev = arg;
	struct mpath *mp;

	dev->pr.reset = false;
	TAILQ_FOREACH (mp, &dev->paths, link) {
		mp->pr.key = 0;
		if (mp->phase == PHASE_ACTIVE)
			mpath_input(mp, INPUT_RECHECK);
	}
}

void pr_reset(struct mpdev *dev)
{
	if (!dev->pr.key)
		return;
	dev->pr.reset = true;
	loop_post(dev->loop, &dev->pr.renew);
}

/*
 * What a person asks for
 */
static void next(struct mpdev *dev);

static void fail(struct mpio_pr *pr, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The first failure stands. */
static void fail(struct mpio_pr *pr, int err, const char *fmt, ...)
{
	va_list ap;

	if (pr->error)
		return;
	pr->error = err;
	va_start(ap, fmt);
	vsnprintf(pr->why, sizeof pr->why, fmt, ap);
	va_end(ap);
}

static bool on_every_path(const struct mpio_pr *pr)
{
	return pr->action == MPIO_PR_REGISTER || pr->action == MPIO_PR_RELEASE;
}

/* What an agreement of the target changes here. */
static void note(struct mpath *mp, const struct mpio_pr *pr)
{
	struct pr *own = &mp->dev->pr;

	switch (pr->action) {
	case MPIO_PR_REGISTER:
		mp->pr.key = own->key = pr->key;
		if (!pr->key)
			own->type = 0;
		break;
	case MPIO_PR_RESERVE:
	case MPIO_PR_PREEMPT:
	case MPIO_PR_PREEMPT_ABORT: own->type = pr->type; break;
	case MPIO_PR_RELEASE: own->type = 0; break;
	case MPIO_PR_CLEAR:
		own->key = 0;
		own->type = 0;
		break;
	default: break;
	}
}

static void ordered(struct mpath *mp, int err, const char *what)
{
	struct mpdev *dev = mp->dev;
	struct mpio_pr *pr = dev->pr.now;

	if (!err) {
		dev->pr.good++;
		note(mp, pr);
	} else if (err == -EBADE && pr->action == MPIO_PR_CLEAR) {
		fail(pr, err, "path %d: %s: no key is registered by us", mp->id,
			what);
	} else if (err == -EBADE) {
		fail(pr, err,
			"path %d: %s: another host holds a reservation, or "
			"our key is not registered; see read-keys and "
			"read-reservation",
			mp->id, what);
	} else if (err != -ENOTCONN) {
		fail(pr, err, "path %d: %s", mp->id, what);
	}
	next(dev);
}

static void told(struct mpath *mp, int err, const char *what)
{
	struct mpdev *dev = mp->dev;
	struct mpio_pr *pr = dev->pr.now;

	if (!err) {
		dev->pr.good++;
		pr->data = mp->pr.data;
		pr->len = data_len(mp);
	} else if (err != -ENOTCONN) {
		fail(pr, err, "path %d: %s", mp->id, what);
	}
	next(dev);
}

static void send(struct mpath *mp, const struct mpio_pr *pr)
{
	const uint64_t own = mp->dev->pr.key;

	switch (pr->action) {
	case MPIO_PR_REGISTER:
		order(mp, PR_REGISTER_AND_IGNORE, PR_NO_TYPE, 0, pr->key,
			ordered);
		break;
	case MPIO_PR_RESERVE:
		order(mp, PR_RESERVE, pr->type, own, 0, ordered);
		break;
	case MPIO_PR_RELEASE:
		order(mp, PR_RELEASE, pr->type, own, 0, ordered);
		break;
	case MPIO_PR_PREEMPT:
		order(mp, PR_PREEMPT, pr->type, own, pr->key, ordered);
		break;
	case MPIO_PR_PREEMPT_ABORT:
		order(mp, PR_PREEMPT_AND_ABORT, pr->type, own, pr->key,
			ordered);
		break;
	case MPIO_PR_CLEAR:
		order(mp, PR_CLEAR, PR_NO_TYPE, own, 0, ordered);
		break;
	case MPIO_PR_READ_KEYS: ask(mp, PR_READ_KEYS, told); break;
	case MPIO_PR_READ_RESERVATION:
		ask(mp, PR_READ_RESERVATION, told);
		break;
	case MPIO_PR_READ_FULL: ask(mp, PR_FULL, told); break;
	}
}

/* The path that is asked next; NULL: that was all. */
static struct mpath *next_path(struct mpdev *dev)
{
	struct mpath *mp;

	if (dev->pr.good && !on_every_path(dev->pr.now))
		return NULL;
	if (dev->pr.now->error)
		return NULL;
	TAILQ_FOREACH (mp, &dev->paths, link)
		if (mp->id > dev->pr.at && mp->phase == PHASE_ACTIVE &&
			!mp->dying && !mp->pr.busy)
			return mp;
	return NULL;
}

static void next(struct mpdev *dev)
{
	struct mpath *mp = next_path(dev);

	if (!mp) {
		loop_post(dev->loop, &dev->pr.end);
		return;
	}
	dev->pr.at = mp->id;
	send(mp, dev->pr.now);
}

/* Those that came up meanwhile were let in by the key of before; one that has
 * refused the order has been asked. */
static void catch_up(struct mpdev *dev)
{
	int refused = dev->pr.now->error ? dev->pr.at : -1;
	struct mpath *mp;

	TAILQ_FOREACH (mp, &dev->paths, link)
		if (dev->pr.key && mp->pr.key != dev->pr.key &&
			mp->id != refused && mp->phase == PHASE_ACTIVE)
			mpath_input(mp, INPUT_RECHECK);
}

static void end(void *arg)
{
	struct mpdev *dev = arg;
	struct mpio_pr *pr = dev->pr.now;

	if (pr->action == MPIO_PR_REGISTER && dev->pr.good)
		catch_up(dev);
	if (!dev->pr.good)
		fail(pr, -ENOTCONN,
			"no path is active to ask the target over; `umpio "
			"status` says why");
	dev->pr.now = NULL;
	pr->done(pr, pr->error, pr->why);
}

int mpdev_pr(struct mpdev *dev, struct mpio_pr *pr)
{
	const bool own = pr->action == MPIO_PR_RESERVE ||
			 pr->action == MPIO_PR_PREEMPT ||
			 pr->action == MPIO_PR_PREEMPT_ABORT ||
			 pr->action == MPIO_PR_RELEASE ||
			 pr->action == MPIO_PR_CLEAR;
	const bool one = pr->type == PR_WRITE_EXCLUSIVE ||
			 pr->type == PR_EXCLUSIVE_ACCESS;

	if (dev->pr.now)
		return -EBUSY;
	pr->error = 0;
	pr->why[0] = '\0';
	dev->pr.now = pr;
	dev->pr.at = -1;
	dev->pr.good = 0;
	if (pr->action == MPIO_PR_RELEASE && !pr->type)
		pr->type = dev->pr.type;
	if (own && !dev->pr.key)
		fail(pr, -EINVAL,
			"no key is registered; say `umpio pr register` first");
	else if (one && dev->npaths > 1 && pr->action != MPIO_PR_RELEASE)
		fail(pr, -EINVAL,
			"that type lets only one path in, and the device has "
			"%u; take wero or earo",
			dev->npaths);
	else if (pr->action == MPIO_PR_RELEASE && !pr->type)
		fail(pr, -EINVAL,
			"this daemon has made no reservation; give its type");
	dev->pr.good = pr->error ? 1 : 0; /* nobody is to be asked */
	next(dev);
	return 0;
}

void mpdev_pr_learn(struct mpdev *dev, const struct mpio_pr *pr)
{
	if (pr->action == MPIO_PR_CLEAR)
		dev->pr.key = 0;
	dev->pr.type = pr->action == MPIO_PR_CLEAR ? 0 : pr->type;
}

void pr_init(struct mpdev *dev)
{
	loop_task_init(&dev->pr.end, end, dev);
	loop_task_init(&dev->pr.renew, renew, dev);
}

void pr_fini(struct mpdev *dev)
{
	loop_unpost(dev->loop, &dev->pr.end);
	loop_unpost(dev->loop, &dev->pr.renew);
}
