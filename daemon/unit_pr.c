/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations asked of a unit: the answer comes when the target has given it,
 * not when the worker has taken the question. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit_private.h"

struct pr_call {
	struct job ask, tell;
	struct unit *unit;
	struct unit_pr *pr;
	unsigned left; /* jobs that still come back here */
};

static void call_back(struct pr_call *call)
{
	if (--call->left == 0)
		free(call);
}

static void call_told(struct job *job)
{
	struct pr_call *call =
		(struct pr_call *)((char *)job -
				   offsetof(struct pr_call, tell));
	struct unit_pr *pr = call->pr;

	pr->done(pr);
	call_back(call);
}

static void tell(struct pr_call *call)
{
	call->tell.done = call_told;
	worker_tell(call->unit->worker, &call->tell);
}

static void on_answer(struct mpio_pr *pr, int err, const char *why)
{
	struct pr_call *call = pr->arg;

	(void)err; /* it is in `pr` */
	(void)why;
	call->pr->take(call->pr);
	tell(call);
}

static void refuse(struct pr_call *call, int err, const char *why)
{
	call->pr->pr.error = err;
	snprintf(call->pr->pr.why, sizeof call->pr->pr.why, "%s", why);
	tell(call);
}

static void ask_work(struct job *job)
{
	struct pr_call *call = (struct pr_call *)job; /* its first member */
	struct unit *u = call->unit;

	call->pr->pr.done = on_answer;
	call->pr->pr.arg = call;
	if (!u->dev || u->draining)
		refuse(call, -ESHUTDOWN, "the device is being detached");
	else if (mpdev_pr(u->dev, &call->pr->pr) < 0)
		refuse(call, -EBUSY,
			"another reservation command is under way; try again");
}

static void ask_done(struct job *job)
{
	struct pr_call *call = (struct pr_call *)job;
	struct unit *u = call->unit;

	call_back(call);
	unit_returned(u);
}

void unit_pr(struct unit *u, struct unit_pr *pr)
{
	struct pr_call *call = calloc(1, sizeof *call);

	if (!call) {
		pr->pr.error = -ENOMEM;
		snprintf(pr->pr.why, sizeof pr->pr.why, "out of memory");
		pr->done(pr);
		return;
	}
	call->left = 2;
	call->unit = u;
	call->pr = pr;
	call->ask.work = ask_work;
	call->ask.done = ask_done;
	unit_send(u, &call->ask);
}
