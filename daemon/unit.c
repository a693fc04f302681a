/* SPDX-License-Identifier: BSD-2-Clause */
/* A unit's life, as the control thread steers it: each step is taken by all
 * queues before the next one begins. */
#include "unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static int unit_init_queue(
	struct unit *u, unsigned number, struct worker *worker)
{
	struct unit_queue *q = &u->queues[number];

	q->unit = u;
	q->number = number;
	q->worker = worker;
	q->servers = calloc(u->plan->nnbd + 1, sizeof(struct nbds_server *));
	return q->servers ? 0 : -ENOMEM;
}

static int unit_init_router(struct unit *u, struct worker *const *workers)
{
	struct loop *loops[ROUTER_QUEUES_MAX];

	for (unsigned i = 0; i < u->n; i++)
		loops[i] = worker_loop(workers[i]);
	u->router = router_new(u->plan->name, u->n, loops);
	return u->router ? 0 : -ENOMEM;
}

struct unit *unit_new(struct worker *const *workers, const struct plan *plan,
	const struct unit_events *events, void *arg)
{
	unsigned n = plan->queues;
	struct unit *u = calloc(1, sizeof *u + n * sizeof u->queues[0]);
	int err = 0;

	if (!u)
		return NULL;
	u->plan = plan;
	u->events = events;
	u->arg = arg;
	u->n = n;
	u->fuse = calloc(plan->nfuse + 1, sizeof *u->fuse);
	u->infos = calloc(n, sizeof *u->infos);
	for (unsigned i = 0; i < n; i++)
		err |= unit_init_queue(u, i, workers[i]);
	if (n > 1)
		err |= unit_init_router(u, workers);
	if (!u->fuse || !u->infos || err) {
		unit_free(u);
		return NULL;
	}
	return u;
}

void unit_free(struct unit *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->n; i++)
		free(u->queues[i].servers);
	router_free(u->router);
	free(u->infos);
	free(u->fuse);
	free(u);
}

/* One step on queues [from, to): its job is at `job` in each. */
static void unit_step(struct unit *u, size_t job, unsigned from, unsigned to,
	void (*work)(struct job *), void (*done)(struct job *))
{
	u->coming = to - from;
	for (unsigned i = from; i < to; i++) {
		struct job *j = (struct job *)((char *)&u->queues[i] + job);

		j->work = work;
		j->done = done;
		worker_run(u->queues[i].worker, j);
	}
}

/* The first queue that has failed; NULL: none. */
static struct unit_queue *unit_failed(struct unit *u)
{
	for (unsigned i = 0; i < u->n; i++)
		if (u->queues[i].err < 0)
			return &u->queues[i];
	return NULL;
}

static void unit_tell(struct unit *u, unit_done_fn *done)
{
	const struct unit_queue *q = unit_failed(u);

	done(u->arg, q ? q->err : 0, q ? q->why : "");
}

/* Start */

static void others_started(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, start)->unit;

	if (--u->coming == 0)
		unit_tell(u, u->started);
}

/* It listens; the others have their part of the clients from now on. */
static void first_started(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, start)->unit;

	if (u->n == 1 || u->draining || unit_failed(u))
		unit_tell(u, u->started);
	else
		unit_step(u, offsetof(struct unit_queue, start), 1, u->n,
			unit_queue_start, others_started);
}

void unit_start(struct unit *u, unit_done_fn *done)
{
	u->started = done;
	unit_step(u, offsetof(struct unit_queue, start), 0, 1, unit_queue_start,
		first_started);
}

/* Each queue has taken the LUN that it met first for the right one. */
static bool unit_agrees(const struct unit *u, char *why, size_t size)
{
	const struct mpdev_snapshot *a = &u->queues[0].first;

	for (unsigned i = 1; i < u->n; i++) {
		const struct mpdev_snapshot *b = &u->queues[i].first;

		if (strcmp(a->wwid, b->wwid) == 0 &&
			a->info.size == b->info.size &&
			a->info.block_size == b->info.block_size)
			continue;
		snprintf(why, size,
			"its paths lead to different LUNs: %s of %llu bytes "
			"and %s of %llu bytes; name the paths of one",
			a->wwid, (unsigned long long)a->info.size, b->wwid,
			(unsigned long long)b->info.size);
		return false;
	}
	return true;
}

void unit_queue_is_ready(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, ready)->unit;
	char why[UNIT_REASON_MAX];
	struct blk_info info;

	if (++u->ready < u->n)
		return;
	for (unsigned i = 0; i < u->n; i++)
		u->infos[i] = u->queues[i].first.info;
	router_merge(&info, u->infos, u->n);
	if (unit_agrees(u, why, sizeof why))
		u->events->ready(u->arg, info.size);
	else
		u->events->mismatched(u->arg, why);
}

/*
 * Serve: the router is open on all loops before one serves, and the first
 * queue, which listens and has the block files, serves last.
 */
static void first_done(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, serve)->unit;

	unit_tell(u, u->served);
}

static void serve_first(struct unit *u)
{
	unit_step(u, offsetof(struct unit_queue, serve), 0, 1, unit_queue_serve,
		first_done);
}

static void others_done(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, serve)->unit;

	if (--u->coming > 0 || u->draining)
		return;
	if (unit_failed(u))
		unit_tell(u, u->served);
	else
		serve_first(u);
}

static void open_done(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, open)->unit;

	if (--u->coming == 0 && !u->draining)
		unit_step(u, offsetof(struct unit_queue, serve), 1, u->n,
			unit_queue_serve, others_done);
}

void unit_serve(
	struct unit *u, struct fblk_mount *const *mounts, unit_done_fn *done)
{
	for (unsigned i = 0; i < u->plan->nfuse; i++) {
		u->fuse[i].unit = u;
		u->fuse[i].n = i;
		u->fuse[i].mount = mounts[i];
	}
	u->served = done;
	if (u->router)
		unit_step(u, offsetof(struct unit_queue, open), 0, u->n,
			unit_queue_open, open_done);
	else
		serve_first(u);
}

unsigned unit_active(const struct unit *u)
{
	unsigned active = 0;

	for (unsigned i = 0; i < u->n; i++)
		active += u->queues[i].served_with.up;
	return active;
}

/*
 * Drain: no queue's paths go before all frontends are idle, since their
 * requests are for any of them; nothing is freed before all are at rest.
 */
static void nothing_done(struct job *job)
{
	(void)job;
}

static void unit_order(struct unit *u, size_t job, void (*work)(struct job *))
{
	unsigned coming = u->coming; /* of a step under way: its own affair */

	unit_step(u, job, 0, u->n, work, nothing_done);
	u->coming = coming;
}

void unit_queue_is_idle(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, idle)->unit;

	if (++u->idle == u->n)
		unit_order(
			u, offsetof(struct unit_queue, paths), unit_queue_stop);
}

static void unit_gone_when_alone(struct unit *u)
{
	int err = 0;

	if (!u->ended || u->asked)
		return;
	for (unsigned i = 0; i < u->n && !err; i++)
		err = u->queues[i].drain_err;
	u->events->gone(u->arg, err);
}

void unit_asked(struct unit *u)
{
	u->asked++;
}

void unit_answered(struct unit *u)
{
	u->asked--;
	unit_gone_when_alone(u);
}

static void end_done(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, end)->unit;

	if (--u->coming > 0)
		return;
	u->ended = true;
	unit_gone_when_alone(u);
}

static void unit_end(struct unit *u)
{
	unit_step(u, offsetof(struct unit_queue, end), 0, u->n, unit_queue_end,
		end_done);
}

static void close_done(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, close)->unit;

	if (--u->coming == 0)
		unit_end(u);
}

void unit_queue_is_at_rest(struct job *job)
{
	struct unit *u = UNIT_QUEUE_OF(job, rest)->unit;

	if (++u->resting < u->n)
		return;
	u->ending = true;
	if (u->router)
		unit_step(u, offsetof(struct unit_queue, close), 0, u->n,
			unit_queue_close, close_done);
	else
		unit_end(u);
}

void unit_drain(struct unit *u, bool now)
{
	if (u->ending || u->now || (u->draining && !now))
		return; /* said before */
	u->draining = true;
	u->now = now;
	if (now)
		unit_order(u, offsetof(struct unit_queue, hurry),
			unit_queue_hurry);
	else
		unit_order(u, offsetof(struct unit_queue, drain),
			unit_queue_drain);
}
