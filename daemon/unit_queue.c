/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of a unit: what is on its worker's loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>

#include "events.h"
#include "listener.h"
#include "plan.h"
#include "unit_private.h"

/* What the device tells, carried over to the control loop. */

struct unit_note {
	struct job job;
	struct unit *unit;
	struct event event; /* word NULL: hopeless */
	char reason[UNIT_REASON_MAX];
};

static void note_done(struct job *job)
{
	struct unit_note *note = (struct unit_note *)job;
	struct unit *u = note->unit;

	if (note->event.word)
		u->events->event(u->arg, &note->event);
	else
		u->events->hopeless(u->arg, note->reason);
	free(note);
}

/* Since the path's last byte. */
static uint64_t silence(const struct unit_queue *q, int path)
{
	struct mpath_info info;

	for (unsigned n = 0; mpdev_path_info(q->dev, n, &info); n++)
		if (info.id == path && info.heard)
			return loop_now(worker_loop(q->worker)) - info.heard;
	return EVENT_NEVER;
}

static void queue_tell(
	struct unit_queue *q, int path, const char *word, const char *reason)
{
	struct unit_note *note = calloc(1, sizeof *note);
	struct unit *u = q->unit;

	if (!note) {
		log_error("%s: out of memory for an event", u->plan->name);
		return;
	}
	note->job.done = note_done;
	note->unit = u;
	snprintf(note->reason, sizeof note->reason, "%s", reason);
	note->event = (struct event){
		.path = path,
		.word = word,
		.reason = note->reason,
		.silent = silence(q, path),
	};
	clock_gettime(CLOCK_REALTIME, &note->event.at);
	worker_tell(q->worker, &note->job);
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	queue_tell(arg, path, event, reason);
}

static void on_hopeless(void *arg, const char *reason)
{
	queue_tell(arg, -1, NULL, reason);
}

static void on_ready(void *arg)
{
	struct unit_queue *q = arg;

	mpdev_snapshot(q->dev, &q->first);
	q->ready.done = unit_queue_is_ready;
	worker_tell(q->worker, &q->ready);
}

/* Frontends first, so that their last requests are answered, then the paths;
 * in a hurry both at once. */
static void queue_go_on(struct unit_queue *q)
{
	if (!q->draining || q->busy_frontends)
		return;
	if (!q->idle_told) {
		q->idle_told = true;
		q->idle.done = unit_queue_is_idle;
		worker_tell(q->worker, &q->idle);
	}
	if (q->paths_drained && !q->rest_told) {
		q->rest_told = true;
		q->rest.done = unit_queue_is_at_rest;
		worker_tell(q->worker, &q->rest);
	}
}

static void on_drained(void *arg, int err)
{
	struct unit_queue *q = arg;

	q->drain_err = err;
	q->paths_drained = true;
	queue_go_on(q);
}

static const struct mpdev_events device_events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

/* Start */

static int queue_listen(struct unit_queue *q)
{
	struct nbds_server **first = q->unit->queues[0].servers;
	struct loop *loop = worker_loop(q->worker);
	const struct plan *plan = q->unit->plan;

	for (unsigned i = 0; i < plan->nnbd; i++) {
		q->servers[i] = q->number == 0
					? listener_get(loop, plan, i, q->why,
						  sizeof q->why)
					: listener_join(loop, plan, i, first[i],
						  q->why, sizeof q->why);
		if (!q->servers[i])
			return q->number == 0 ? -EADDRINUSE : -ENOMEM;
	}
	return 0;
}

static void on_links_changed(void *arg)
{
	struct unit_queue *q = arg;

	mpdev_links_changed(q->dev);
}

void unit_queue_start(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, start);
	const struct plan *plan = q->unit->plan;

	q->err = queue_listen(q);
	if (q->err < 0)
		return;
	q->dev = mpdev_new(worker_loop(q->worker), plan->name, &plan->device,
		&device_events, q);
	if (!q->dev) {
		q->err = -ENOMEM;
		snprintf(q->why, sizeof q->why, "out of memory");
		return;
	}
	mpdev_be_queue(q->dev, (int)q->number, (int)q->unit->n);
	q->links.changed = on_links_changed;
	q->links.arg = q;
	worker_links_add(q->worker, &q->links);
}

/* Serve */

void unit_queue_open(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, open);
	struct unit *u = q->unit;

	if (q->dev && !q->draining)
		router_open(
			u->router, q->number, mpdev_blkdev(q->dev), u->infos);
}

static struct blkdev *queue_blkdev(struct unit_queue *q)
{
	struct unit *u = q->unit;

	return u->router ? router_blkdev(u->router, q->number)
			 : mpdev_blkdev(q->dev);
}

static void fuse_ended_done(struct job *job)
{
	struct unit_fuse *f =
		(struct unit_fuse *)((char *)job -
				     offsetof(struct unit_fuse, ended));

	f->unit->events->fuse_ended(f->unit->arg, f->n);
}

static void on_fuse_ended(void *arg)
{
	struct unit_fuse *f = arg;
	struct unit_queue *q = &f->unit->queues[0];

	if (q->draining)
		return;
	f->ended.done = fuse_ended_done;
	worker_tell(q->worker, &f->ended);
}

static int queue_serve_fuse(struct unit_queue *q, unsigned n)
{
	struct unit_fuse *f = &q->unit->fuse[n];

	if (!f->mount)
		return 0;
	f->fblk = fblk_new(worker_loop(q->worker), f->mount, queue_blkdev(q),
		on_fuse_ended, f);
	if (f->fblk)
		return 0;
	snprintf(q->why, sizeof q->why, "fuse %s: out of memory",
		q->unit->plan->fuse[n]);
	return -ENOMEM;
}

static int queue_serve_nbd(struct unit_queue *q, unsigned n)
{
	const struct plan *plan = q->unit->plan;
	int err;

	err = nbds_export_add(q->servers[n], plan->name, queue_blkdev(q),
		plan->tls_allow[0] ? plan->tls_allow : NULL);
	if (err < 0)
		snprintf(q->why, sizeof q->why, "nbd %s: export %s: %s",
			plan->nbd[n].text, plan->name, strerror(-err));
	else
		q->exports = n + 1;
	return err;
}

unsigned unit_queue_clients(const struct unit_queue *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->exports; i++)
		n += q->servers[i] ? nbds_export_clients(
					     q->servers[i], q->unit->plan->name)
				   : 0;
	return n;
}

void unit_queue_serve(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, serve);
	const struct plan *plan = q->unit->plan;
	unsigned nfuse = q->number == 0 ? plan->nfuse : 0;

	q->err = 0;
	if (!q->dev || q->draining) {
		q->err = -ESHUTDOWN;
		return;
	}
	mpdev_snapshot(q->dev, &q->served_with);
	for (unsigned i = 0; i < nfuse && q->err == 0; i++)
		q->err = queue_serve_fuse(q, i);
	for (unsigned i = 0; i < plan->nnbd && q->err == 0; i++)
		q->err = queue_serve_nbd(q, i);
}

/* Drain */

static void on_frontend_idle(void *arg)
{
	struct unit_queue *q = arg;

	q->busy_frontends--;
	queue_go_on(q);
}

static void queue_drain(struct unit_queue *q)
{
	const struct plan *plan = q->unit->plan;

	if (q->draining)
		return;
	q->draining = true;
	q->busy_frontends = 1; /* this call itself */
	for (unsigned i = 0; i < q->exports; i++) {
		q->busy_frontends++;
		nbds_export_remove(
			q->servers[i], plan->name, q->now, on_frontend_idle, q);
	}
	for (unsigned i = 0; i < plan->nfuse && q->number == 0; i++) {
		if (!q->unit->fuse[i].fblk)
			continue;
		q->busy_frontends++;
		fblk_drain(q->unit->fuse[i].fblk, on_frontend_idle, q);
	}
	on_frontend_idle(q);
}

void unit_queue_drain(struct job *job)
{
	queue_drain(UNIT_QUEUE_OF(job, drain));
}

static void queue_stop(struct unit_queue *q)
{
	if (q->paths_draining)
		return;
	q->paths_draining = true;
	if (q->dev)
		mpdev_drain(q->dev, q->now);
	else
		q->paths_drained = true; /* the start had failed */
	queue_go_on(q);
}

void unit_queue_stop(struct job *job)
{
	queue_stop(UNIT_QUEUE_OF(job, paths));
}

void unit_queue_hurry(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, hurry);

	q->now = true;
	queue_drain(q);
	if (q->dev && q->paths_draining && !q->paths_drained)
		mpdev_drain(q->dev, true);
	queue_stop(q);
}

void unit_queue_close(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, close);

	router_close(q->unit->router, q->number);
}

/* Everything of the unit has come to rest. */
void unit_queue_end(struct job *job)
{
	struct unit_queue *q = UNIT_QUEUE_OF(job, end);
	const struct plan *plan = q->unit->plan;

	for (unsigned i = 0; i < plan->nnbd; i++) {
		if (q->servers[i])
			listener_put(q->servers[i]);
		q->servers[i] = NULL;
	}
	for (unsigned i = 0; i < plan->nfuse && q->number == 0; i++)
		fblk_free(q->unit->fuse[i].fblk);
	if (q->dev)
		worker_links_remove(q->worker, &q->links);
	mpdev_free(q->dev);
	q->dev = NULL;
}
