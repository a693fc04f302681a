/* SPDX-License-Identifier: BSD-2-Clause */
/* How a failover went: for each path that is or was in trouble, when which step
 * was taken, gathered from its events. */
#ifndef UMPIOD_TIMELINE_H
#define UMPIOD_TIMELINE_H

#include <umpio/base/queue.h>

#include "events.h"

#define TIMELINES_KEPT 64

struct timeline;

struct timelines {
	TAILQ_HEAD(timeline_list, timeline) list; /* the latest first */
	unsigned count;
};

void timelines_init(struct timelines *t);
void timelines_fini(struct timelines *t);

/* Takes the event down. The steps so far, for the event that is one of them:
 * an object {"last_byte":TIME,…}, the caller's; else NULL. */
struct json_object *timelines_note(
	struct timelines *t, const char *device, const struct event *event);

/* `at` as events show it, 2026-01-31T12:00:00.123456Z. */
#define TIME_TEXT_MAX 32
const char *time_text(const struct timespec *at, char text[TIME_TEXT_MAX]);

#endif
