/* SPDX-License-Identifier: BSD-2-Clause */
#include "api.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "api_attach.h"
#include "api_fault.h"
#include "api_pr.h"
#include "api_wait.h"
#include "daemon.h"
#include "device_set.h"
#include "events.h"

struct device *call_device(struct daemon *d, struct control_call *call,
	struct json_object *request)
{
	const char *name = control_text(request, "device");
	struct device *dev = name ? daemon_find(d, name) : NULL;

	if (!name)
		control_fail(call, CONTROL_USAGE, "no device is named");
	else if (!dev)
		control_fail(call, CONTROL_FAILED,
			"no device %s; `umpio status` shows them", name);
	return dev;
}

struct plan_path *call_path(struct device *dev, struct control_call *call,
	const char *text, int *queue)
{
	char why[256];
	struct plan_path *path =
		device_find_path(dev, text, queue, why, sizeof why);

	if (!path)
		control_fail(call, CONTROL_FAILED, "%s", why);
	return path;
}

/*
 * status and stats: each device fills in its object on its worker, one after
 * the other in the list; the last one to come back answers the call.
 */
struct survey {
	struct control_call *call;
	struct json_object *reply, *devices;
	unsigned waiting;
};

static void survey_end(struct survey *s)
{
	control_reply(s->call, s->reply);
	free(s);
}

static void on_described(void *about, struct json_object *filled)
{
	struct survey *s = about;

	(void)filled; /* it is in the list already */
	if (--s->waiting == 0)
		survey_end(s);
}

static struct json_object *texts(const struct plan *plan, bool nbd)
{
	struct json_object *list = json_object_new_array();
	unsigned n = nbd ? plan->nnbd : plan->nfuse;

	for (unsigned i = 0; i < n; i++)
		control_append(
			list, json_object_new_string(
				      nbd ? plan->nbd[i].text : plan->fuse[i]));
	return list;
}

static void survey_device(
	struct survey *s, const struct device *dev, enum unit_view view)
{
	struct json_object *o = json_object_new_object();

	control_add(o, "name", json_object_new_string(dev->plan->name));
	if (view == UNIT_STATUS) {
		control_add(o, "nbd", texts(dev->plan, true));
		control_add(o, "fuse", texts(dev->plan, false));
		control_add(o, "worker", json_object_new_int(dev->worker));
		if (dev->plan->queues > 1)
			control_add(o, "queues",
				json_object_new_int((int)dev->plan->queues));
		if (dev->changes)
			control_add(o, "set", device_changes(dev));
	}
	if (!control_append(s->devices, o))
		return;
	s->waiting++;
	unit_describe(dev->unit, view, o, on_described, s);
}

static void survey_run(struct daemon *d, struct control_call *call,
	struct json_object *request, enum unit_view view)
{
	const bool one = json_object_object_get_ex(request, "device", NULL);
	struct device *dev = one ? call_device(d, call, request) : NULL;
	struct survey *s;

	if (one && !dev)
		return;
	s = calloc(1, sizeof *s);
	if (!s) {
		control_fail(call, CONTROL_FAILED, "out of memory");
		return;
	}
	s->call = call;
	s->reply = json_object_new_object();
	s->devices = control_add(s->reply, "devices", json_object_new_array());
	s->waiting = 1;
	if (dev)
		survey_device(s, dev, view);
	else
		TAILQ_FOREACH (dev, &d->devices, link)
			survey_device(s, dev, view);
	on_described(s, NULL);
}

static void run_status(
	void *arg, struct control_call *call, struct json_object *request)
{
	survey_run(arg, call, request, UNIT_STATUS);
}

static void run_stats(
	void *arg, struct control_call *call, struct json_object *request)
{
	survey_run(arg, call, request, UNIT_STATS);
}

/* detach */

static void on_detached(void *arg, int err)
{
	struct control_call *call = arg;

	if (err < 0)
		control_fail(call, CONTROL_FAILED,
			"detached, but writes that were not flushed may be "
			"lost: %s",
			strerror(-err));
	else
		control_reply(call, json_object_new_object());
}

static void run_detach(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct device *dev = call_device(arg, call, request);
	struct json_object *now;

	if (!dev)
		return;
	json_object_object_get_ex(request, "now", &now);
	if (dev->closed) {
		if (json_object_get_boolean(now))
			device_close(dev, true, NULL, NULL);
		control_fail(call, CONTROL_FAILED,
			"device %s is being detached already", dev->plan->name);
		return;
	}
	plan_free(dev->next);
	dev->next = NULL;
	device_close(dev, json_object_get_boolean(now), on_detached, call);
}

/* path fail, path restore */

static void on_path_done(void *arg, int err, void *about)
{
	struct control_call *call = about;

	(void)arg;
	if (err < 0)
		control_fail(call, CONTROL_FAILED, "the path is gone");
	else
		control_reply(call, json_object_new_object());
}

static void run_path(
	void *arg, struct control_call *call, struct json_object *request)
{
	const char *verb = control_text(request, "verb");
	const char *text = control_text(request, "path");
	struct device *dev;
	struct plan_path *path;
	int queue;

	if (!verb || !text ||
		(strcmp(verb, "fail") != 0 && strcmp(verb, "restore") != 0)) {
		control_fail(call, CONTROL_USAGE,
			"path: wants fail or restore, a device and a path");
		return;
	}
	dev = call_device(arg, call, request);
	if (!dev)
		return;
	path = call_path(dev, call, text, &queue);
	if (path)
		unit_path(dev->unit,
			strcmp(verb, "fail") == 0 ? UNIT_PATH_FAIL
						  : UNIT_PATH_RESTORE,
			path->id, queue, on_path_done, call);
}

/* abort */

static void on_aborted(void *arg, int err, void *about)
{
	struct control_call *call = about;

	(void)arg;
	if (err == -EINVAL)
		control_fail(call, CONTROL_FAILED,
			"a path is active, so nothing is held for want of one; "
			"`umpio status` shows it");
	else if (err < 0)
		control_fail(call, CONTROL_FAILED, "abort: %s", strerror(-err));
	else
		control_reply(call, json_object_new_object());
}

static void run_abort(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct device *dev = call_device(arg, call, request);

	if (dev)
		unit_abort(dev->unit, on_aborted, call);
}

/* set */

static void run_set(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct device *dev = call_device(arg, call, request);
	struct json_object *values = NULL;
	char why[512];
	int err;

	if (!dev)
		return;
	json_object_object_get_ex(request, "values", &values);
	if (dev->state == DEVICE_CLOSING)
		control_fail(call, CONTROL_FAILED,
			"device %s is being detached", dev->plan->name);
	else if ((err = device_set(dev, values, why, sizeof why)) < 0)
		control_fail(call,
			err == -EINVAL ? CONTROL_USAGE : CONTROL_FAILED, "%s%s",
			why, err == -EAGAIN ? "" : "; nothing was changed");
	else
		control_reply(call, json_object_new_object());
}

/* reload */

static void run_reload(
	void *arg, struct control_call *call, struct json_object *request)
{
	char why[512];
	int err = daemon_reload(arg, why, sizeof why);

	(void)request;
	if (err < 0)
		control_fail(call,
			err == -EINVAL ? CONTROL_USAGE : CONTROL_FAILED, "%s",
			why);
	else
		control_reply(call, json_object_new_object());
}

const struct control_command api_commands[] = {
	{"status", run_status},
	{"stats", run_stats},
	{"wait", api_wait},
	{"attach", api_attach},
	{"detach", run_detach},
	{"path", run_path},
	{"fault", api_fault},
	{"pr", api_pr},
	{"events", api_events},
	{"set", run_set},
	{"abort", run_abort},
	{"reload", run_reload},
	{NULL, NULL},
};
