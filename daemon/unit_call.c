/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of a unit while it lives: each call carries something of its
 * own to the worker and brings the answer back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/base/log.h>
#include <umpio/control.h>
#include <umpio/iscsi.h>

#include "plan.h"
#include "unit_private.h"
#include "unit_view.h"

struct unit_call {
	struct job job;
	struct unit *unit;
	const struct plan_path *path;
	enum unit_path_verb verb;
	enum unit_view view;
	struct json_object *into;
	struct mpdev_options options;
	struct path_fault fault;
	char policy[32];
	struct endpoint portal;
	int id, result;
	void (*done)(void *arg, int result, void *about);
	void (*described)(void *about, struct json_object *filled);
	void *about;
};

static struct unit_call *call_new(
	struct unit *u, void (*work)(struct job *), void (*done)(struct job *))
{
	struct unit_call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	call->job.work = work;
	call->job.done = done;
	call->unit = u;
	return call;
}

static void call_done(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	if (call->done)
		call->done(u->arg, call->result, call->about);
	free(call);
	unit_returned(u);
}

static int unit_connect(struct unit *u, const struct plan_path *plan)
{
	struct path *path =
		iscsi_path_new(worker_loop(u->worker), &plan->config);
	int id;

	if (!path)
		return -ENOMEM;
	id = mpdev_add_path(u->dev, path, &plan->options);
	if (id < 0)
		path_free(path);
	return id;
}

static void add_path_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	call->result = u->dev && !u->draining ? unit_connect(u, call->path)
					      : -ESHUTDOWN;
}

void unit_add_path(struct unit *u, const struct plan_path *path,
	void (*done)(void *arg, int id, void *about), void *about)
{
	struct unit_call *call = call_new(u, add_path_work, call_done);

	if (!call) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	call->path = path;
	call->done = done;
	call->about = about;
	unit_send(u, &call->job);
}

static void path_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	if (!u->dev || u->draining)
		call->result = -ESHUTDOWN;
	else if (call->verb == UNIT_PATH_FAIL)
		call->result = mpdev_disable_path(u->dev, call->id);
	else if (call->verb == UNIT_PATH_RESTORE)
		call->result = mpdev_enable_path(u->dev, call->id);
	else
		call->result = mpdev_remove_path(u->dev, call->id, true);
}

void unit_path(struct unit *u, enum unit_path_verb verb, int id,
	void (*done)(void *arg, int err, void *about), void *about)
{
	struct unit_call *call = call_new(u, path_work, call_done);

	if (!call) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	call->verb = verb;
	call->id = id;
	call->done = done;
	call->about = about;
	unit_send(u, &call->job);
}

static void fault_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	call->result = u->dev && !u->draining ? mpdev_fault_path(u->dev,
							call->id, &call->fault)
					      : -ESHUTDOWN;
}

void unit_fault(struct unit *u, int id, const struct path_fault *fault,
	void (*done)(void *arg, int err, void *about), void *about)
{
	struct unit_call *call = call_new(u, fault_work, call_done);

	if (!call) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	call->id = id;
	call->fault = *fault;
	call->done = done;
	call->about = about;
	unit_send(u, &call->job);
}

static void abort_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	call->result =
		u->dev && !u->draining ? mpdev_abort_held(u->dev) : -ESHUTDOWN;
}

void unit_abort(struct unit *u, void (*done)(void *arg, int err, void *about),
	void *about)
{
	struct unit_call *call = call_new(u, abort_work, call_done);

	if (!call) {
		done(u->arg, -ENOMEM, about);
		return;
	}
	call->done = done;
	call->about = about;
	unit_send(u, &call->job);
}

/* A plan's path carries it all over: it knows how to own credentials. */
static void renew_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;
	struct path *path = u->dev ? mpdev_path(u->dev, call->id) : NULL;
	const struct iscsi_config *config = &call->path->config;

	if (!path)
		return;
	if (iscsi_path_set_chap(path, &config->chap) < 0)
		log_error("%s: out of memory for credentials", u->plan->name);
	iscsi_path_set_max_recv(
		path, config->offer.max_recv_data_segment_length);
	iscsi_path_set_patience(
		path, config->timeouts.suspect, config->timeouts.stalled);
}

static void renew_done(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	plan_path_free((struct plan_path *)call->path);
	free(call);
	unit_returned(u);
}

int unit_renew_path(struct unit *u, const struct plan_path *path)
{
	struct unit_call *call = call_new(u, renew_work, renew_done);
	struct plan_path *copy = call ? plan_path_copy(path) : NULL;

	if (!copy) {
		free(call);
		return -ENOMEM;
	}
	call->id = path->id;
	call->path = copy;
	unit_send(u, &call->job);
	return 0;
}

static void portal_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;
	struct path *path = u->dev ? mpdev_path(u->dev, call->id) : NULL;

	if (path && !u->draining)
		(void)iscsi_path_add_portal(path, &call->portal);
}

void unit_add_portal(struct unit *u, int id, const struct endpoint *portal)
{
	struct unit_call *call = call_new(u, portal_work, call_done);

	if (!call) {
		log_error("%s: out of memory", u->plan->name);
		return;
	}
	call->id = id;
	call->portal = *portal;
	unit_send(u, &call->job);
}

static void options_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;

	if (call->unit->dev)
		mpdev_set_options(call->unit->dev, &call->options);
}

int unit_set_options(struct unit *u, const struct mpdev_options *options)
{
	struct unit_call *call = call_new(u, options_work, call_done);

	if (!call)
		return -ENOMEM;
	call->options = *options;
	snprintf(call->policy, sizeof call->policy, "%s", options->policy);
	call->options.policy = call->policy;
	unit_send(u, &call->job);
	return 0;
}

static void describe_work(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;

	if (call->unit->dev)
		unit_view_fill(call->unit->dev, call->view, call->into);
}

static void describe_done(struct job *job)
{
	struct unit_call *call = (struct unit_call *)job;
	struct unit *u = call->unit;

	call->described(call->about, call->into);
	free(call);
	unit_returned(u);
}

void unit_describe(struct unit *u, enum unit_view view,
	struct json_object *into,
	void (*done)(void *about, struct json_object *filled), void *about)
{
	struct unit_call *call = call_new(u, describe_work, describe_done);

	if (!call) {
		control_add(into, "state", NULL); /* so it is not whole */
		done(about, into);
		return;
	}
	call->view = view;
	call->into = into;
	call->described = done;
	call->about = about;
	unit_send(u, &call->job);
}
