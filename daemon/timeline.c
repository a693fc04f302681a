/* SPDX-License-Identifier: BSD-2-Clause */
#include "timeline.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

/* In the order of a failover. */
enum step {
	STEP_LAST_BYTE,
	STEP_SUSPECTED,
	STEP_DECLARED,
	STEP_MOVED,
	STEP_COMPLETED,
	STEP_FENCED,
	STEP_COUNT
};

static const char *const step_names[] = {
	[STEP_LAST_BYTE] = "last_byte",
	[STEP_SUSPECTED] = "suspected",
	[STEP_DECLARED] = "declared",
	[STEP_MOVED] = "tasks_moved",
	[STEP_COMPLETED] = "first_completion",
	[STEP_FENCED] = "fenced",
};

static const struct {
	const char *word;
	enum step step;
} steps[] = {
	{"path-suspected", STEP_SUSPECTED},
	{"path-failed", STEP_DECLARED},
	{"tasks-moved", STEP_MOVED},
	{"tasks-resumed", STEP_COMPLETED},
	{"fenced", STEP_FENCED},
};

struct timeline {
	char *device;
	int path;
	struct timespec at[STEP_COUNT]; /* tv_sec 0: not (yet) */
	TAILQ_ENTRY(timeline) link;
};

void timelines_init(struct timelines *t)
{
	TAILQ_INIT(&t->list);
	t->count = 0;
}

static void drop(struct timelines *t, struct timeline *line)
{
	TAILQ_REMOVE(&t->list, line, link);
	t->count--;
	free(line->device);
	free(line);
}

void timelines_fini(struct timelines *t)
{
	while (!TAILQ_EMPTY(&t->list))
		drop(t, TAILQ_FIRST(&t->list));
}

/* The path's line, at the front of the list; the oldest gives way. */
static struct timeline *find(struct timelines *t, const char *device, int path)
{
	struct timeline *line;

	TAILQ_FOREACH (line, &t->list, link)
		if (line->path == path && strcmp(line->device, device) == 0)
			break;
	if (line) {
		TAILQ_REMOVE(&t->list, line, link);
		TAILQ_INSERT_HEAD(&t->list, line, link);
		return line;
	}
	line = calloc(1, sizeof *line);
	if (!line || !(line->device = strdup(device))) {
		free(line);
		return NULL;
	}
	line->path = path;
	TAILQ_INSERT_HEAD(&t->list, line, link);
	if (++t->count > TIMELINES_KEPT)
		drop(t, TAILQ_LAST(&t->list, timeline_list));
	return line;
}

const char *time_text(const struct timespec *at, char text[TIME_TEXT_MAX])
{
	struct tm tm;
	size_t n;

	gmtime_r(&at->tv_sec, &tm);
	n = strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, TIME_TEXT_MAX - n, ".%06uZ",
		(unsigned)(at->tv_nsec / 1000) % 1000000);
	return text;
}

static struct json_object *show(const struct timeline *line)
{
	struct json_object *o = json_object_new_object();
	char text[TIME_TEXT_MAX];

	for (unsigned i = 0; i < STEP_COUNT; i++)
		if (line->at[i].tv_sec)
			control_add(o, step_names[i],
				json_object_new_string(
					time_text(&line->at[i], text)));
	return o;
}

static struct timespec before(const struct timespec *at, uint64_t ns)
{
	uint64_t t = (uint64_t)at->tv_sec * NS_PER_S + (uint64_t)at->tv_nsec;

	t -= ns < t ? ns : t; /* EVENT_NEVER too */
	return (struct timespec){(time_t)(t / NS_PER_S), (long)(t % NS_PER_S)};
}

static int64_t ns_between(const struct timespec *a, const struct timespec *b)
{
	return (int64_t)(b->tv_sec - a->tv_sec) * (int64_t)NS_PER_S +
	       (b->tv_nsec - a->tv_nsec);
}

/* The last byte may have been a little earlier or later: the loop's clock goes
 * in turns. */
static bool is_same_byte(
	const struct timeline *line, const struct timespec *last)
{
	const struct timespec *at = &line->at[STEP_LAST_BYTE];

	return at->tv_sec && ns_between(at, last) < (int64_t)(100 * NS_PER_MS);
}

/* Takes the step down. A path that fails again without a byte in between, since
 * it cannot even connect, is still in the trouble that it was in. */
static void take(
	struct timeline *line, enum step step, const struct event *event)
{
	struct timespec last = before(&event->at, event->silent);
	bool heard = event->silent != EVENT_NEVER;
	bool same = heard && is_same_byte(line, &last);

	/* STEP_COUNT has been left out by timelines_note(). */
	if (step > STEP_DECLARED) {
		/* cppcheck-suppress arrayIndexOutOfBoundsCond */
		line->at[step] = event->at;
		return;
	}
	if (same && line->at[step].tv_sec)
		return;
	if (!same)
		memset(line->at, 0, sizeof line->at);
	if (heard && !same)
		line->at[STEP_LAST_BYTE] = last;
	line->at[step] = event->at;
}

struct json_object *timelines_note(
	struct timelines *t, const char *device, const struct event *event)
{
	struct timeline *line;
	enum step step = STEP_COUNT;

	for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
		if (strcmp(steps[i].word, event->word) == 0)
			step = steps[i].step;
	if (step == STEP_COUNT || event->path < 0)
		return NULL;
	line = find(t, device, event->path);
	if (!line)
		return NULL;
	take(line, step, event);
	return show(line);
}
