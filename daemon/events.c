/* SPDX-License-Identifier: BSD-2-Clause */
#include "events.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/queue.h>
#include <umpio/base/units.h>
#include <umpio/control.h>
#include <umpio/loop.h>

#include "daemon.h"
#include "timeline.h"

#define FOLLOWERS_MAX                                                          \
	8 /* who wait at once; the control socket has 16 places                \
	   */
#define PATIENCE (20 * NS_PER_S) /* of one that waits */

struct follower {
	struct events *events;
	struct control_call *call;
	uint64_t after;
	char *device; /* NULL: all */
	struct loop_timer *timer;
	LIST_ENTRY(follower) link;
};

struct events {
	struct loop *loop;
	/* Number n at n % EVENTS_KEPT; NULL where memory was missing. */
	struct json_object *kept[EVENTS_KEPT];
	uint64_t next; /* number of the next one */
	struct timelines timelines;
	LIST_HEAD(, follower) followers;
	unsigned nfollowers;
};

struct events *events_new(struct loop *loop)
{
	struct events *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->loop = loop;
	LIST_INIT(&e->followers);
	timelines_init(&e->timelines);
	return e;
}

static void follower_free(struct follower *f)
{
	LIST_REMOVE(f, link);
	f->events->nfollowers--;
	loop_timer_free(f->timer);
	free(f->device);
	free(f);
}

void events_free(struct events *e)
{
	struct follower *f;

	if (!e)
		return;
	while ((f = LIST_FIRST(&e->followers))) {
		control_fail(f->call, CONTROL_FAILED, "the daemon is ending");
		follower_free(f);
	}
	for (unsigned i = 0; i < EVENTS_KEPT; i++)
		json_object_put(e->kept[i]);
	timelines_fini(&e->timelines);
	free(e);
}

static bool is_of(struct json_object *event, const char *device)
{
	const char *name = control_text(event, "device");

	return !device || (name && strcmp(name, device) == 0);
}

static uint64_t oldest(const struct events *e)
{
	return e->next > EVENTS_KEPT ? e->next - EVENTS_KEPT : 0;
}

/* What came after `after`; NULL: nothing of that device. */
static struct json_object *batch(
	const struct events *e, uint64_t after, const char *device)
{
	struct json_object *reply, *list = json_object_new_array();
	uint64_t first = after < oldest(e) ? oldest(e) : after;
	uint64_t missed = first - after;

	for (uint64_t n = first; n < e->next; n++) {
		struct json_object *event = e->kept[n % EVENTS_KEPT];

		if (!event)
			missed++;
		else if (is_of(event, device))
			control_append(list, json_object_get(event));
	}
	if (list && json_object_array_length(list) == 0 && missed == 0) {
		json_object_put(list);
		return NULL;
	}
	reply = json_object_new_object();
	control_add(reply, "events", list);
	control_add(reply, "next", json_object_new_uint64(e->next));
	control_add(reply, "missed", json_object_new_uint64(missed));
	return reply;
}

static struct json_object *nothing(const struct events *e)
{
	struct json_object *reply = json_object_new_object();

	control_add(reply, "events", json_object_new_array());
	control_add(reply, "next", json_object_new_uint64(e->next));
	control_add(reply, "missed", json_object_new_uint64(0));
	return reply;
}

static struct json_object *event_object(
	struct events *e, const char *device, const struct event *event)
{
	struct json_object *o = json_object_new_object(), *timeline;
	char text[TIME_TEXT_MAX];

	control_add(
		o, "time", json_object_new_string(time_text(&event->at, text)));
	control_add(o, "device", json_object_new_string(device));
	if (event->path < 0)
		control_add_null(o, "path");
	else
		control_add(o, "path", json_object_new_int(event->path));
	control_add(o, "event", json_object_new_string(event->word));
	control_add(o, "reason", json_object_new_string(event->reason));
	timeline = timelines_note(&e->timelines, device, event);
	if (timeline)
		control_add(o, "timeline", timeline);
	return o;
}

void events_add(struct events *e, const char *device, const struct event *event)
{
	struct json_object **place = &e->kept[e->next % EVENTS_KEPT];
	struct follower *f, *next;

	json_object_put(*place);
	*place = event_object(e, device, event);
	if (!control_whole(*place)) {
		json_object_put(*place);
		*place = NULL;
	}
	e->next++;
	LIST_FOREACH_SAFE(f, &e->followers, link, next)
	{
		struct json_object *reply = batch(e, f->after, f->device);

		if (!reply)
			continue;
		control_reply(f->call, reply);
		follower_free(f);
	}
}

/* Nothing has come: the follower may ask again. */
static void on_patience_over(void *arg)
{
	struct follower *f = arg;

	control_reply(f->call, nothing(f->events));
	follower_free(f);
}

/* Followers whose client has gone need no place. */
static void sweep(struct events *e)
{
	struct follower *f, *next;

	LIST_FOREACH_SAFE(f, &e->followers, link, next)
	{
		if (!control_call_is_orphan(f->call))
			continue;
		control_reply(f->call, NULL);
		follower_free(f);
	}
}

static void follow(struct events *e, struct control_call *call, uint64_t after,
	const char *device)
{
	struct follower *f;

	sweep(e);
	if (e->nfollowers == FOLLOWERS_MAX) {
		control_fail(call, CONTROL_FAILED,
			"%u followers of events are there already; end one, or "
			"ask without waiting",
			FOLLOWERS_MAX);
		return;
	}
	f = calloc(1, sizeof *f);
	if (f && device)
		f->device = strdup(device);
	if (f)
		f->timer = loop_timer_new(e->loop, on_patience_over, f);
	if (!f || !f->timer || (device && !f->device)) {
		if (f) {
			loop_timer_free(f->timer);
			free(f->device);
		}
		free(f);
		control_fail(call, CONTROL_FAILED, "out of memory");
		return;
	}
	f->events = e;
	f->call = call;
	f->after = after;
	e->nfollowers++;
	LIST_INSERT_HEAD(&e->followers, f, link);
	loop_timer_set(f->timer, PATIENCE);
}

void api_events(
	void *daemon, struct control_call *call, struct json_object *request)
{
	struct events *e = ((struct daemon *)daemon)->events;
	const char *device = control_text(request, "device");
	int64_t after = control_number(request, "after", (int64_t)oldest(e));
	struct json_object *wait = NULL, *reply;

	if (!device && json_object_object_get_ex(request, "device", NULL)) {
		control_fail(call, CONTROL_USAGE, "events: no device is named");
		return;
	}
	if (after < 0 || (uint64_t)after > e->next) {
		control_fail(call, CONTROL_USAGE,
			"events: `after` is no number that this daemon gave");
		return;
	}
	json_object_object_get_ex(request, "wait", &wait);
	reply = batch(e, (uint64_t)after, device);
	if (reply)
		control_reply(call, reply);
	else if (json_object_get_boolean(wait))
		follow(e, call, (uint64_t)after, device);
	else
		control_reply(call, nothing(e));
}
