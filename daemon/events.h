/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has happened to the devices: the last EVENTS_KEPT events, numbered, for
 * whoever asks. A follower asks again and again for what came after the last
 * number that it knows, and may wait for it; so a slow one holds nothing up and
 * costs nothing, it only misses what is gone by then, and is told how much.
 */
#ifndef UMPIOD_EVENTS_H
#define UMPIOD_EVENTS_H

#include <stdint.h>
#include <time.h>

struct control_call;
struct events;
struct json_object;
struct loop;

#define EVENTS_KEPT 256

#define EVENT_NEVER UINT64_MAX

struct event {
	struct timespec at; /* CLOCK_REALTIME */
	int path;           /* its id; -1: the device's */
	const char *word;   /* tbl/events.h */
	const char *reason;
	uint64_t silent; /* ns since the path's last byte; EVENT_NEVER: none */
};

/* NULL without memory. */
struct events *events_new(struct loop *loop);

/* Those who wait are told that the daemon ends. NULL is allowed. */
void events_free(struct events *events);

/* An event of `device`, copied. */
void events_add(
	struct events *events, const char *device, const struct event *event);

/* The command: `after` (a number that came as `next`; without it all that is
 * kept), `wait` (for the next one if there is none), `device`. Replies
 * {"events":[…],"next":N,"missed":N}. */
void api_events(
	void *daemon, struct control_call *call, struct json_object *request);

#endif
