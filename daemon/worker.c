/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <umpio/link.h>

struct worker {
	struct loop *control;
	struct loop *loop;
	pthread_t thread;
	struct link_watch *watch; /* NULL: nobody tells us */
	TAILQ_HEAD(, worker_links) links;
};

static void links_changed(void *arg)
{
	struct worker *w = arg;
	struct worker_links *l;

	TAILQ_FOREACH (l, &w->links, entry)
		l->changed(l->arg);
}

void worker_links_add(struct worker *w, struct worker_links *l)
{
	TAILQ_INSERT_TAIL(&w->links, l, entry);
}

void worker_links_remove(struct worker *w, struct worker_links *l)
{
	TAILQ_REMOVE(&w->links, l, entry);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	return NULL;
}

/* Signals are the control thread's: a worker must not be interrupted by them.
 */
static int worker_spawn(struct worker *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

struct worker *worker_new(struct loop *control, uint64_t poll_ns)
{
	struct worker *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->control = control;
	TAILQ_INIT(&w->links);
	w->loop = loop_new();
	if (!w->loop)
		goto no_loop;
	loop_expect_for(w->loop, poll_ns);
	w->watch = link_watch_new(w->loop, links_changed, w);
	if (worker_spawn(w) < 0)
		goto no_thread;
	return w;

no_thread:
	link_watch_free(w->watch);
	loop_free(w->loop);
no_loop:
	free(w);
	return NULL;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	loop_stop(w->loop);
	pthread_join(w->thread, NULL);
	link_watch_free(w->watch);
	loop_free(w->loop);
	free(w);
}

struct loop *worker_loop(struct worker *w)
{
	return w->loop;
}

static void job_done(void *arg)
{
	struct job *job = arg;

	job->done(job);
}

static void job_work(void *arg)
{
	struct job *job = arg;

	if (job->work)
		job->work(job);
	worker_tell(job->worker, job);
}

void worker_run(struct worker *w, struct job *job)
{
	job->worker = w;
	loop_task_init(&job->task, job_work, job);
	loop_send(w->loop, &job->task);
}

void worker_tell(struct worker *w, struct job *job)
{
	job->worker = w;
	loop_task_init(&job->task, job_done, job);
	loop_send(w->control, &job->task);
}
