/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of a unit while it lives: a question goes to one queue or to
 * all, and is answered when all have answered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/control.h>
#include <umpio/iscsi.h>

#include "plan.h"
#include "plan_path.h"
#include "unit_private.h"
#include "unit_view.h"

/* A question as one queue gets it. */
struct unit_call {
	struct job job; /* first */
	struct unit_ask *ask;
	struct unit_queue *queue;
	int result;
};

struct unit_ask {
	struct unit *unit;
	const struct plan_path *path;
	enum unit_path_verb verb;
	enum unit_view view;
	struct json_object *into;
	struct mpdev_options options;
	struct path_fault fault;
	char policy[32];
	struct endpoint portal;
	int id;
	void (*done)(void *arg, int result, void *about);
	void (*described)(void *about, struct json_object *filled);
	void *about;
	unsigned left;
	unsigned ncalls;
	struct unit_call calls[];
};

/* For queue number `queue`, or for all. NULL without memory. */
static struct unit_ask *ask_new(struct unit *u, int queue,
	void (*work)(struct job *), void (*done)(struct job *))
{
	unsigned n = queue == UNIT_ALL_QUEUES ? u->n : 1;
	struct unit_ask *ask =
		calloc(1, sizeof *ask + n * sizeof ask->calls[0]);

	if (!ask)
		return NULL;
	ask->unit = u;
	ask->ncalls = n;
	for (unsigned i = 0; i < n; i++) {
		struct unit_call *call = &ask->calls[i];

		call->job.work = work;
		call->job.done = done;
		call->ask = ask;
		call->queue =
			&u->queues[n == 1 && queue > 0 ? (unsigned)queue : i];
	}
	return ask;
}

static void ask_run(struct unit_ask *ask)
{
	unsigned n = ask->ncalls;

	unit_asked(ask->unit);
	ask->left = n;
	for (unsigned i = 0; i < n; i++)
		worker_run(ask->calls[i].queue->worker, &ask->calls[i].job);
}

static void ask_end(struct unit_ask *ask, int result)
{
	struct unit *u = ask->unit;

	if (ask->done)
		ask->done(u->arg, result, ask->about);
	free(ask);
	unit_answered(u);
}

static int best_of(const struct unit_ask *ask)
{
	int best = ask->calls[0].result;

	for (unsigned i = 1; i < ask->ncalls; i++)
		if (ask->calls[i].result > best)
			best = ask->calls[i].result;
	return best;
}

/* One queue that could is enough. */
static void call_done(struct job *job)
{
	struct unit_ask *ask = ((struct unit_call *)job)->ask;

	if (--ask->left == 0)
		ask_end(ask, best_of(ask));
}

/* The queue's device, if anything may be asked of it; NULL. */
static struct mpdev *living(const struct unit_call *call)
{
	return call->queue->draining ? NULL : call->queue->dev;
}

/* The path that is meant, in the queue that is asked. */
static int own_id(const struct unit_call *call)
{
	return unit_path_id(
		call->queue->unit->n, call->queue->number, call->ask->id);
}

/* Each queue's path has a session of its own. */
static int queue_connect(struct unit_queue *q, const struct plan_path *plan)
{
	struct iscsi_config config = plan->config;
	struct path *path;
	int id;

	path = plan_path_isid(
		       plan, q->unit->plan->name, q->number, config.isid) < 0
		       ? NULL
		       : iscsi_path_new(worker_loop(q->worker), &config);
	id = mpdev_add_path(q->dev, path, &plan->options);
	if (id < 0 && path)
		path_free(path);
	return id < 0 ? id : unit_plan_id(q->unit->n, id);
}

static void add_path_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;

	call->result = living(call)
			       ? queue_connect(call->queue, call->ask->path)
			       : -ESHUTDOWN;
}

/* All queues have it, or none: who failed for want of memory tries again. */
static void add_path_done(struct job *job)
{
	struct unit_ask *ask = ((struct unit_call *)job)->ask;
	int best, worst;

	if (--ask->left > 0)
		return;
	best = worst = best_of(ask);
	for (unsigned i = 0; i < ask->ncalls; i++)
		if (ask->calls[i].result < worst)
			worst = ask->calls[i].result;
	if (worst < 0 && best >= 0)
		unit_path(ask->unit, UNIT_PATH_REMOVE, best, UNIT_ALL_QUEUES,
			NULL, NULL);
	ask_end(ask, worst < 0 ? worst : best);
}

void unit_add_path(struct unit *u, const struct plan_path *path,
	void (*done)(void *arg, int id, void *about), void *about)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, add_path_work, add_path_done);

	if (!ask) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	ask->path = path;
	ask->done = done;
	ask->about = about;
	ask_run(ask);
}

static void path_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	enum unit_path_verb verb = call->ask->verb;
	struct mpdev *dev = living(call);

	if (!dev)
		call->result = -ESHUTDOWN;
	else if (verb == UNIT_PATH_FAIL)
		call->result = mpdev_disable_path(dev, own_id(call));
	else if (verb == UNIT_PATH_RESTORE)
		call->result = mpdev_enable_path(dev, own_id(call));
	else
		call->result = mpdev_remove_path(dev, own_id(call), true);
}

void unit_path(struct unit *u, enum unit_path_verb verb, int id, int queue,
	void (*done)(void *arg, int err, void *about), void *about)
{
	struct unit_ask *ask = ask_new(u, queue, path_work, call_done);

	if (!ask && !done)
		return;
	if (!ask) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	ask->verb = verb;
	ask->id = id;
	ask->done = done;
	ask->about = about;
	ask_run(ask);
}

static void fault_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct mpdev *dev = living(call);

	call->result =
		dev ? mpdev_fault_path(dev, own_id(call), &call->ask->fault)
		    : -ESHUTDOWN;
}

void unit_fault(struct unit *u, int id, int queue,
	const struct path_fault *fault,
	void (*done)(void *arg, int err, void *about), void *about)
{
	struct unit_ask *ask = ask_new(u, queue, fault_work, call_done);

	if (!ask) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	ask->id = id;
	ask->fault = *fault;
	ask->done = done;
	ask->about = about;
	ask_run(ask);
}

static void abort_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct mpdev *dev = living(call);

	call->result = dev ? mpdev_abort_held(dev) : -ESHUTDOWN;
}

void unit_abort(struct unit *u, void (*done)(void *arg, int err, void *about),
	void *about)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, abort_work, call_done);

	if (!ask) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	ask->done = done;
	ask->about = about;
	ask_run(ask);
}

/* A plan's path carries it all over: it knows how to own credentials. */
static void renew_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	const struct iscsi_config *config = &call->ask->path->config;
	struct mpdev *dev = call->queue->dev;
	struct path *path = dev ? mpdev_path(dev, own_id(call)) : NULL;

	if (!path)
		return;
	if (iscsi_path_set_chap(path, &config->chap) < 0)
		log_error("%s: out of memory for credentials",
			call->ask->unit->plan->name);
	iscsi_path_set_max_recv(
		path, config->offer.max_recv_data_segment_length);
	iscsi_path_set_patience(
		path, config->timeouts.suspect, config->timeouts.stalled);
}

static void renew_done(struct job *job)
{
	struct unit_ask *ask = ((struct unit_call *)job)->ask;

	if (--ask->left > 0)
		return;
	plan_path_free((struct plan_path *)ask->path);
	ask_end(ask, 0);
}

int unit_renew_path(struct unit *u, const struct plan_path *path)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, renew_work, renew_done);
	struct plan_path *copy = ask ? plan_path_copy(path) : NULL;

	if (!copy) {
		free(ask);
		return -ENOMEM;
	}
	ask->id = path->id;
	ask->path = copy;
	ask_run(ask);
	return 0;
}

static void portal_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct mpdev *dev = living(call);
	struct path *path = dev ? mpdev_path(dev, own_id(call)) : NULL;

	if (path)
		(void)iscsi_path_add_portal(path, &call->ask->portal);
}

void unit_add_portal(struct unit *u, int id, const struct endpoint *portal)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, portal_work, call_done);

	if (!ask) {
		log_error("%s: out of memory", u->plan->name);
		return;
	}
	ask->id = id;
	ask->portal = *portal;
	ask_run(ask);
}

static void options_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;

	if (call->queue->dev)
		mpdev_set_options(call->queue->dev, &call->ask->options);
}

int unit_set_options(struct unit *u, const struct mpdev_options *options)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, options_work, call_done);

	if (!ask)
		return -ENOMEM;
	ask->options = *options;
	snprintf(ask->policy, sizeof ask->policy, "%s", options->policy);
	ask->options.policy = ask->policy;
	ask_run(ask);
	return 0;
}

/* One queue after the other fills in what is its own: the object is nobody
 * else's meanwhile. None is asked any more once the unit ends. */
static void describe_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	const struct unit_queue *q = call->queue;
	const struct unit_view_queue view = {
		.dev = q->dev,
		.number = q->number,
		.of = q->unit->n,
		.clients = unit_queue_clients(q),
	};

	if (q->dev)
		unit_view_fill(&view, call->ask->view, call->ask->into);
}

static void describe_done(struct job *job)
{
	struct unit_ask *ask = ((struct unit_call *)job)->ask;

	if (--ask->left > 0 && !ask->unit->ending) {
		struct unit_call *next = &ask->calls[ask->ncalls - ask->left];

		worker_run(next->queue->worker, &next->job);
		return;
	}
	ask->described(ask->about, ask->into);
	ask_end(ask, 0);
}

void unit_describe(struct unit *u, enum unit_view view,
	struct json_object *into,
	void (*done)(void *about, struct json_object *filled), void *about)
{
	struct unit_ask *ask =
		ask_new(u, UNIT_ALL_QUEUES, describe_work, describe_done);

	if (!ask) {
		control_add(into, "state", NULL); /* so it is not whole */
		done(about, into);
		return;
	}
	ask->view = view;
	ask->into = into;
	ask->described = done;
	ask->about = about;
	ask->left = ask->ncalls;
	unit_asked(u);
	worker_run(u->queues[0].worker, &ask->calls[0].job);
}
