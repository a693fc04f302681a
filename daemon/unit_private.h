/* SPDX-License-Identifier: BSD-2-Clause */
/* A unit from within: shared by unit.c (its life) and unit_call.c (what is
 * asked of it meanwhile). */
#ifndef UMPIOD_UNIT_PRIVATE_H
#define UMPIOD_UNIT_PRIVATE_H

#include <stddef.h>

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
struct unit {
	struct worker *worker;
	const struct plan *plan;
	const struct unit_events *events;
	void *arg;

	struct mpdev *dev; /* the worker's, from here */
	struct worker_links links;
	struct nbds_server **servers;
	struct unit_fuse *fuse;
	unsigned busy_frontends;
	unsigned exports; /* that were added, the first of plan->nbd */
	bool draining, now, paths_draining, paths_drained;
	struct loop_task end;

	unsigned under_way; /* jobs with the worker; the control thread's */
	bool gone_told;     /* the worker has nothing left of it */

	struct job start, serve, drain, hurry, gone, ready; /* one of each */
	unit_done_fn *started, *served;
	int start_err, serve_err, gone_err;
	char why[UNIT_REASON_MAX];
	struct mpdev_snapshot first, served_with;
};

/* A job for the worker; whoever is called when it is done says so last. A unit
 * is gone when none is left: the worker may have let go of it while more were
 * on their way. */
void unit_send(struct unit *u, struct job *job);
void unit_returned(struct unit *u);

#define UNIT_OF(job, member)                                                   \
	((struct unit *)((char *)(job)-offsetof(struct unit, member)))

#endif
