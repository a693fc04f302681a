/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>

#include "events.h"
#include "listener.h"
#include "plan.h"

static void unit_end(void *arg);

struct unit *unit_new(struct worker *worker, const struct plan *plan,
	const struct unit_events *events, void *arg)
{
	struct unit *u = calloc(1, sizeof *u);

	if (!u)
		return NULL;
	u->worker = worker;
	u->plan = plan;
	u->events = events;
	u->arg = arg;
	loop_task_init(&u->end, unit_end, u);
	u->servers = calloc(plan->nnbd + 1, sizeof *u->servers);
	u->fuse = calloc(plan->nfuse + 1, sizeof *u->fuse);
	if (!u->servers || !u->fuse) {
		unit_free(u);
		return NULL;
	}
	return u;
}

void unit_free(struct unit *u)
{
	if (!u)
		return;
	free(u->fuse);
	free(u->servers);
	free(u);
}

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
static uint64_t silence(const struct unit *u, int path)
{
	struct mpath_info info;

	for (unsigned n = 0; mpdev_path_info(u->dev, n, &info); n++)
		if (info.id == path && info.heard)
			return loop_now(worker_loop(u->worker)) - info.heard;
	return EVENT_NEVER;
}

static void unit_tell(
	struct unit *u, int path, const char *word, const char *reason)
{
	struct unit_note *note = calloc(1, sizeof *note);

	if (!note) {
		log_error("%s: out of memory for an event", u->plan->name);
		return;
	}
	note->job.done = note_done;
	note->unit = u;
	snprintf(note->reason, sizeof note->reason, "%s", reason);
	note->event = (struct event){.path = path,
		.word = word,
		.reason = note->reason,
		.silent = silence(u, path)};
	clock_gettime(CLOCK_REALTIME, &note->event.at);
	worker_tell(u->worker, &note->job);
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	unit_tell(arg, path, event, reason);
}

static void on_hopeless(void *arg, const char *reason)
{
	unit_tell(arg, -1, NULL, reason);
}

static void ready_done(struct job *job)
{
	struct unit *u = UNIT_OF(job, ready);

	u->events->ready(u->arg, u->first.info.size);
}

static void on_ready(void *arg)
{
	struct unit *u = arg;

	mpdev_snapshot(u->dev, &u->first);
	u->ready.done = ready_done;
	worker_tell(u->worker, &u->ready);
}

static void unit_end_when_alone(struct unit *u)
{
	if (u->gone_told && u->under_way == 0)
		u->events->gone(u->arg, u->gone_err);
}

static void gone_done(struct job *job)
{
	struct unit *u = UNIT_OF(job, gone);

	u->gone_told = true;
	unit_end_when_alone(u);
}

void unit_send(struct unit *u, struct job *job)
{
	u->under_way++;
	worker_run(u->worker, job);
}

void unit_returned(struct unit *u)
{
	u->under_way--;
	unit_end_when_alone(u);
}

static void unit_drop_servers(struct unit *u)
{
	for (unsigned i = 0; i < u->plan->nnbd; i++) {
		if (u->servers[i])
			listener_put(u->servers[i]);
		u->servers[i] = NULL;
	}
}

/* Everything of the unit on the worker has come to rest. */
static void unit_end(void *arg)
{
	struct unit *u = arg;

	unit_drop_servers(u);
	for (unsigned i = 0; i < u->plan->nfuse; i++)
		fblk_free(u->fuse[i].fblk);
	if (u->dev)
		worker_links_remove(u->worker, &u->links);
	mpdev_free(u->dev);
	u->dev = NULL;
	u->gone.done = gone_done;
	worker_tell(u->worker, &u->gone);
}

/* Frontends first, so that their last requests are answered, then the paths;
 * in a hurry both at once. */
static void unit_drain_on(struct unit *u)
{
	if (!u->paths_draining && (u->busy_frontends == 0 || u->now)) {
		u->paths_draining = true;
		if (u->dev)
			mpdev_drain(u->dev, u->now);
		else
			u->paths_drained = true; /* the start had failed */
	}
	if (u->paths_drained && u->busy_frontends == 0 && u->draining)
		loop_post(worker_loop(u->worker), &u->end);
}

static void on_drained(void *arg, int err)
{
	struct unit *u = arg;

	u->gone_err = err;
	u->paths_drained = true;
	unit_drain_on(u);
}

static const struct mpdev_events unit_device_events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

/* Start */

static int unit_listen(struct unit *u)
{
	const struct plan *plan = u->plan;

	for (unsigned i = 0; i < plan->nnbd; i++) {
		u->servers[i] = listener_get(
			worker_loop(u->worker), plan, i, u->why, sizeof u->why);
		if (!u->servers[i])
			return -EADDRINUSE;
	}
	return 0;
}

static void on_links_changed(void *arg)
{
	struct unit *u = arg;

	mpdev_links_changed(u->dev);
}

static void start_work(struct job *job)
{
	struct unit *u = UNIT_OF(job, start);
	const struct plan *plan = u->plan;

	u->start_err = unit_listen(u);
	if (u->start_err < 0)
		return;
	u->dev = mpdev_new(worker_loop(u->worker), plan->name, &plan->device,
		&unit_device_events, u);
	if (!u->dev) {
		u->start_err = -ENOMEM;
		snprintf(u->why, sizeof u->why, "out of memory");
		return;
	}
	u->links.changed = on_links_changed;
	u->links.arg = u;
	worker_links_add(u->worker, &u->links);
}

static void start_done(struct job *job)
{
	struct unit *u = UNIT_OF(job, start);

	u->started(u->arg, u->start_err, u->why);
	unit_returned(u);
}

void unit_start(struct unit *u, unit_done_fn *done)
{
	u->started = done;
	u->start.work = start_work;
	u->start.done = start_done;
	unit_send(u, &u->start);
}

/* Serve */

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

	if (f->unit->draining)
		return;
	f->ended.done = fuse_ended_done;
	worker_tell(f->unit->worker, &f->ended);
}

static int unit_serve_fuse(struct unit *u, unsigned n)
{
	struct unit_fuse *f = &u->fuse[n];

	if (!f->mount)
		return 0;
	f->fblk = fblk_new(worker_loop(u->worker), f->mount,
		mpdev_blkdev(u->dev), on_fuse_ended, f);
	if (f->fblk)
		return 0;
	snprintf(u->why, sizeof u->why, "fuse %s: out of memory",
		u->plan->fuse[n]);
	return -ENOMEM;
}

static int unit_serve_nbd(struct unit *u, unsigned n)
{
	int err = nbds_export_add(u->servers[n], u->plan->name,
		mpdev_blkdev(u->dev),
		u->plan->tls_allow[0] ? u->plan->tls_allow : NULL);

	if (err < 0)
		snprintf(u->why, sizeof u->why, "nbd %s: export %s: %s",
			u->plan->nbd[n].text, u->plan->name, strerror(-err));
	else
		u->exports++;
	return err;
}

static void serve_work(struct job *job)
{
	struct unit *u = UNIT_OF(job, serve);

	u->serve_err = 0;
	if (!u->dev || u->draining) {
		u->serve_err = -ESHUTDOWN;
		return;
	}
	mpdev_snapshot(u->dev, &u->served_with);
	for (unsigned i = 0; i < u->plan->nfuse && u->serve_err == 0; i++)
		u->serve_err = unit_serve_fuse(u, i);
	for (unsigned i = 0; i < u->plan->nnbd && u->serve_err == 0; i++)
		u->serve_err = unit_serve_nbd(u, i);
}

static void serve_done(struct job *job)
{
	struct unit *u = UNIT_OF(job, serve);

	u->served(u->arg, u->serve_err, u->why);
	unit_returned(u);
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
	u->serve.work = serve_work;
	u->serve.done = serve_done;
	unit_send(u, &u->serve);
}

unsigned unit_active(const struct unit *u)
{
	return u->served_with.up;
}

/* Drain */

static void on_frontend_idle(void *arg)
{
	struct unit *u = arg;

	u->busy_frontends--;
	unit_drain_on(u);
}

static void drain_work(struct job *job)
{
	struct unit *u = UNIT_OF(job, drain);

	if (u->draining)
		return;
	u->draining = true;
	u->busy_frontends = 1; /* this call itself */
	for (unsigned i = 0; i < u->exports; i++) {
		u->busy_frontends++;
		nbds_export_remove(u->servers[i], u->plan->name, u->now,
			on_frontend_idle, u);
	}
	for (unsigned i = 0; i < u->plan->nfuse; i++) {
		if (!u->fuse[i].fblk)
			continue;
		u->busy_frontends++;
		fblk_drain(u->fuse[i].fblk, on_frontend_idle, u);
	}
	on_frontend_idle(u);
}

static void hurry_work(struct job *job)
{
	struct unit *u = UNIT_OF(job, hurry);

	if (u->gone.done)
		return; /* it has come to rest meanwhile */
	u->now = true;
	drain_work(&u->drain);
	if (u->dev && u->paths_draining)
		mpdev_drain(u->dev, true);
	unit_drain_on(u);
}

static void drain_done(struct job *job)
{
	unit_returned(UNIT_OF(job, drain));
}

static void hurry_done(struct job *job)
{
	unit_returned(UNIT_OF(job, hurry));
}

void unit_drain(struct unit *u, bool now)
{
	struct job *job = now ? &u->hurry : &u->drain;

	if (job->done)
		return; /* said before */
	job->work = now ? hurry_work : drain_work;
	job->done = now ? hurry_done : drain_done;
	unit_send(u, job);
}
