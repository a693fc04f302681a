/* SPDX-License-Identifier: BSD-2-Clause */
#include "api_wait.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

#include "daemon.h"

struct waiter {
	struct daemon *daemon;
	struct control_call *call;
	char *device;
	int64_t paths, active;
	struct loop_timer *timer;
	bool asking; /* the device's answer is on its way */
	bool again;  /* it changed meanwhile */
	bool over;   /* answered; freed when the device's answer is here */
	LIST_ENTRY(waiter) link;
};

static void waiter_free(struct waiter *w)
{
	LIST_REMOVE(w, link);
	loop_timer_free(w->timer);
	free(w->device);
	free(w);
}

static void waiter_end(struct waiter *w)
{
	w->over = true;
	loop_timer_stop(w->timer);
	if (!w->asking)
		waiter_free(w);
}

static int64_t active_paths(struct json_object *status)
{
	struct json_object *paths, *state;
	int64_t active = 0;

	if (!json_object_object_get_ex(status, "paths", &paths))
		return 0;
	for (size_t i = 0; i < json_object_array_length(paths); i++) {
		struct json_object *path = json_object_array_get_idx(paths, i);

		if (json_object_object_get_ex(path, "state", &state) &&
			strcmp(json_object_get_string(state), "active") == 0)
			active++;
	}
	return active;
}

static void waiter_look(struct waiter *w);

static void on_status(void *about, struct json_object *status)
{
	struct waiter *w = about;
	const bool whole = control_whole(status);

	w->active = whole ? active_paths(status) : 0;
	json_object_put(status);
	w->asking = false;
	if (w->over) {
		waiter_free(w);
	} else if (!whole) {
		control_fail(w->call, CONTROL_FAILED, "out of memory");
		waiter_end(w);
	} else if (w->active >= w->paths) {
		control_reply(w->call, json_object_new_object());
		waiter_end(w);
	} else if (w->again) {
		w->again = false;
		waiter_look(w);
	}
}

/* A device that is still opening is not yet usable, whatever its paths are. */
static void waiter_look(struct waiter *w)
{
	struct device *dev = daemon_find(w->daemon, w->device);

	if (w->over)
		return;
	if (!dev || dev->state == DEVICE_CLOSING) {
		control_fail(w->call, CONTROL_FAILED, "device %s is gone",
			w->device);
		waiter_end(w);
	} else if (w->asking) {
		w->again = true;
	} else if (dev->state == DEVICE_SERVING) {
		w->asking = true;
		unit_describe(dev->unit, UNIT_STATUS, json_object_new_object(),
			on_status, w);
	}
}

static void on_waiter_timeout(void *arg)
{
	struct waiter *w = arg;

	control_fail(w->call, CONTROL_FAILED,
		"device %s: %lld of %lld paths are active; `umpio status` "
		"says why",
		w->device, (long long)w->active, (long long)w->paths);
	waiter_end(w);
}

void api_wait(void *arg, struct control_call *call, struct json_object *request)
{
	struct daemon *d = arg;
	const char *name = control_text(request, "device");
	int64_t timeout = control_number(request, "timeout", 0);
	struct waiter *w;

	if (!name || timeout < 0 || timeout > 86400) {
		control_fail(call, CONTROL_USAGE,
			"wait: wants a device, and a timeout of 0 to 86400 s");
		return;
	}
	if (!daemon_find(d, name)) {
		control_fail(call, CONTROL_FAILED,
			"no device %s; `umpio status` shows them", name);
		return;
	}
	w = calloc(1, sizeof *w);
	if (w) {
		w->device = strdup(name);
		w->timer = loop_timer_new(d->loop, on_waiter_timeout, w);
	}
	if (!w || !w->device || !w->timer) {
		control_fail(call, CONTROL_FAILED, "out of memory");
		if (w) {
			loop_timer_free(w->timer);
			free(w->device);
		}
		free(w);
		return;
	}
	w->daemon = d;
	w->call = call;
	w->paths = control_number(request, "paths", 1);
	LIST_INSERT_HEAD(&d->waiters, w, link);
	if (timeout > 0)
		loop_timer_set(w->timer, (uint64_t)timeout * NS_PER_S);
	waiter_look(w);
}

void api_wait_changed(struct daemon *d)
{
	struct waiter *w, *next;

	LIST_FOREACH_SAFE(w, &d->waiters, link, next)
	waiter_look(w);
}

void api_wait_stop(struct daemon *d)
{
	struct waiter *w, *next;

	LIST_FOREACH_SAFE(w, &d->waiters, link, next)
	{
		if (!w->over)
			control_fail(w->call, CONTROL_FAILED,
				"the daemon is ending");
		waiter_free(w);
	}
}
