/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: a thread with a loop on which devices live. The control thread
 * gives it jobs and hears back; neither ever waits for the other.
 */
#ifndef UMPIOD_WORKER_H
#define UMPIOD_WORKER_H

#include <umpio/loop.h>

struct worker;

/* Work for the worker's loop, embedded in what it is about. */
struct job {
	void (*work)(struct job *job); /* on the worker's loop; may be NULL */
	void (*done)(struct job *job); /* then on the control loop; frees it */
	struct worker *worker; /* set by worker_run() and worker_tell() */
	struct loop_task task; /* private */
};

/* Starts the thread. `control` is the loop on which jobs are done, `poll_ns` as
 * loop_expect_for(). NULL without memory or threads. */
struct worker *worker_new(struct loop *control, uint64_t poll_ns);

/* Stops the loop and joins the thread. No job may be under way. NULL is
 * allowed. */
void worker_free(struct worker *worker);

struct loop *worker_loop(struct worker *worker);

/* Whoever is told, on the worker's loop, that links of this host have changed;
 * embedded in its owner. Both calls from the worker's thread. */
struct worker_links {
	loop_fn *changed;
	void *arg;
	TAILQ_ENTRY(worker_links) entry; /* private */
};
void worker_links_add(struct worker *worker, struct worker_links *links);
void worker_links_remove(struct worker *worker, struct worker_links *links);

/* From the control thread: work(job) there, then done(job) here. Jobs keep
 * their order. */
void worker_run(struct worker *worker, struct job *job);

/* From the worker's thread: done(job) on the control loop. */
void worker_tell(struct worker *worker, struct job *job);

#endif
