/* SPDX-License-Identifier: BSD-2-Clause */
/* A unit from within: shared by unit.c (its life), unit_queue.c (what of it is
 * on a worker) and unit_call.c (what is asked of it meanwhile). */
#ifndef UMPIOD_UNIT_PRIVATE_H
#define UMPIOD_UNIT_PRIVATE_H

#include <stddef.h>
#include <umpio/router.h>

#include "unit.h"
#include "worker.h"

struct unit_fuse {
	struct unit *unit;
	struct fblk *fblk;
	struct fblk_mount *mount;
	struct job ended;
	unsigned n;
};

/* Fields of the control thread and of the worker's are apart; jobs and what
 * they carry pass from one to the other. */
struct unit_queue {
	struct unit *unit;
	unsigned number;
	struct worker *worker;

	struct mpdev *dev; /* the worker's, from here */
	struct worker_links links;
	struct nbds_server **servers;
	unsigned busy_frontends;
	unsigned exports; /* of them, those that have ours */
	bool draining, now, paths_draining, paths_drained;
	bool idle_told, rest_told;

	/* One of each */
	struct job start, open, serve, drain, paths, hurry, close, end;
	struct job ready, idle, rest;
	int err, drain_err; /* err: of start and serve */
	char why[UNIT_REASON_MAX];
	struct mpdev_snapshot first, served_with;
};

struct unit {
	const struct plan *plan;
	const struct unit_events *events;
	void *arg;
	struct router *router;  /* NULL: one queue */
	struct blk_info *infos; /* of the queues when they were ready */
	struct unit_fuse *fuse; /* on the first queue's worker */

	unsigned coming; /* queues that have not done the step under way */
	unsigned ready, idle, resting; /* queues */
	unsigned asked;                /* questions that are not answered */
	bool draining, now, ending, ended;
	unit_done_fn *started, *served;
	unsigned n;
	struct unit_queue queues[];
};

/* A question is on its way through the workers, and is answered: a unit is gone
 * when none is left. To be said last, since it may free the unit. */
void unit_asked(struct unit *u);
void unit_answered(struct unit *u);

#define UNIT_QUEUE_OF(job, member)                                             \
	((struct unit_queue *)((char *)(job)-offsetof(                         \
		struct unit_queue, member)))

/* NBD clients of the device, on the queue's worker. */
unsigned unit_queue_clients(const struct unit_queue *q);

/* Work of the jobs, on the queue's worker. */
void unit_queue_start(struct job *job);
void unit_queue_open(struct job *job);
void unit_queue_serve(struct job *job);
void unit_queue_drain(struct job *job); /* frontends; `idle` is told */
void unit_queue_stop(struct job *job);  /* paths; `rest` is told */
void unit_queue_hurry(struct job *job);
void unit_queue_close(struct job *job);
void unit_queue_end(struct job *job);

/* On the control loop: what a queue tells. */
void unit_queue_is_ready(struct job *job);
void unit_queue_is_idle(struct job *job);
void unit_queue_is_at_rest(struct job *job);

#endif
