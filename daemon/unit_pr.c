/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations asked of a unit: the answer comes when the target has given it,
 * not when the worker has taken the question. Each queue is asked in turn, as
 * far as the question is one for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/scsi/cdb.h>

#include "unit_private.h"

struct pr_call {
	struct job ask, tell;
	struct unit *unit;
	struct unit_pr *pr;
	unsigned left; /* jobs that still come back here */
};

static void ask_queue(struct unit *u, struct unit_pr *pr);

static void call_back(struct pr_call *call)
{
	if (--call->left == 0)
		free(call);
}

static void refuse(struct unit_pr *pr, int err, const char *why)
{
	pr->pr.error = err;
	snprintf(pr->pr.why, sizeof pr->pr.why, "%s", why);
}

/* One queue's session does it for all, and the others take note. */
static bool is_for_one(const struct mpio_pr *p)
{
	return p->action == MPIO_PR_RESERVE || p->action == MPIO_PR_PREEMPT ||
	       p->action == MPIO_PR_PREEMPT_ABORT || p->action == MPIO_PR_CLEAR;
}

/* Whether the next queue is asked after this answer. Every one registers, until
 * one cannot; only the one that made a reservation can release it, so all are
 * told to; for the rest one answer is enough. */
static bool goes_on(struct unit_pr *pr)
{
	const struct mpio_pr *p = &pr->pr;

	pr->good |= !p->error;
	switch (p->action) {
	case MPIO_PR_REGISTER: return !p->error;
	case MPIO_PR_RELEASE:
		return !p->error || p->error == -EINVAL ||
		       p->error == -ENOTCONN;
	default: return p->error ? p->error == -ENOTCONN : is_for_one(p);
	}
}

static void answered(struct unit *u, struct unit_pr *pr)
{
	bool on = goes_on(pr) && ++pr->queue < u->n;

	if (on && !u->ending) {
		ask_queue(u, pr);
		return;
	}
	/* What one could do is done, unless it is for each of them. */
	if (pr->good && pr->pr.action != MPIO_PR_REGISTER)
		pr->pr.error = 0;
	pr->done(pr);
	unit_answered(u);
}

static void call_told(struct job *job)
{
	struct pr_call *call =
		(struct pr_call *)((char *)job -
				   offsetof(struct pr_call, tell));

	struct unit *u = call->unit;
	struct unit_pr *pr = call->pr;

	call_back(call);
	answered(u, pr);
}

static void tell(struct pr_call *call)
{
	call->tell.done = call_told;
	worker_tell(call->unit->queues[call->pr->queue].worker, &call->tell);
}

static void on_answer(struct mpio_pr *pr, int err, const char *why)
{
	struct pr_call *call = pr->arg;

	(void)err; /* it is in `pr` */
	(void)why;
	call->pr->take(call->pr);
	tell(call);
}

static void ask_work(struct job *job)
{
	struct pr_call *call = (struct pr_call *)job; /* its first member */
	struct unit_pr *pr = call->pr;
	struct unit_queue *q = &call->unit->queues[pr->queue];

	pr->pr.done = on_answer;
	pr->pr.arg = call;
	if (!q->dev || q->draining) {
		refuse(pr, -ESHUTDOWN, "the device is being detached");
		tell(call);
	} else if (pr->good && is_for_one(&pr->pr)) {
		mpdev_pr_learn(q->dev, &pr->pr);
		tell(call);
	} else if (mpdev_pr(q->dev, &pr->pr) < 0) {
		refuse(pr, -EBUSY,
			"another reservation command is under way; try again");
		tell(call);
	}
}

static void ask_done(struct job *job)
{
	call_back((struct pr_call *)job);
}

static void ask_queue(struct unit *u, struct unit_pr *pr)
{
	struct pr_call *call = calloc(1, sizeof *call);

	if (!call) {
		refuse(pr, -ENOMEM, "out of memory");
		pr->done(pr);
		unit_answered(u);
		return;
	}
	call->left = 2;
	call->unit = u;
	call->pr = pr;
	call->ask.work = ask_work;
	call->ask.done = ask_done;
	worker_run(u->queues[pr->queue].worker, &call->ask);
}

/* A type that lets one nexus in would shut the other queues out. */
static bool shuts_out(const struct unit *u, const struct mpio_pr *pr)
{
	return u->n > 1 &&
	       (pr->action == MPIO_PR_RESERVE ||
		       pr->action == MPIO_PR_PREEMPT ||
		       pr->action == MPIO_PR_PREEMPT_ABORT) &&
	       (pr->type == PR_WRITE_EXCLUSIVE ||
		       pr->type == PR_EXCLUSIVE_ACCESS);
}

void unit_pr(struct unit *u, struct unit_pr *pr)
{
	pr->queue = 0;
	pr->good = false;
	if (!shuts_out(u, &pr->pr)) {
		unit_asked(u);
		ask_queue(u, pr);
		return;
	}
	refuse(pr, -EINVAL,
		"that type lets only one session in, and the device has one "
		"for each of its queues; take wero or earo");
	pr->done(pr);
}
