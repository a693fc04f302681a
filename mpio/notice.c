/* SPDX-License-Identifier: BSD-2-Clause */
#include "notice.h"

#include "mpdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <umpio/base/log.h>

#define NOTICES_MAX 1024 /* waiting; more are only logged */

struct notice {
	int path;
	enum event_word word;
	char reason[160];
	TAILQ_ENTRY(notice) link;
};

const char *event_word(enum event_word word)
{
	static const char *const words[] = {
#define X(id, word, help) word,
#include <umpio/tbl/events.h>
#undef X
	};

	return words[word];
}

static void tell_events(struct mpdev *dev)
{
	struct notices *n = &dev->notices;
	struct notice *e;

	while ((e = TAILQ_FIRST(&n->events))) {
		TAILQ_REMOVE(&n->events, e, link);
		n->count--;
		dev->events->event(
			dev->arg, e->path, event_word(e->word), e->reason);
		free(e);
	}
}

/* The owner may free the device when it hears that it is drained, and so that
 * comes last. */
static void tell(void *arg)
{
	struct mpdev *dev = arg;
	struct notices *n = &dev->notices;

	tell_events(dev);
	if (n->ready) {
		n->ready = false;
		dev->events->ready(dev->arg);
	}
	if (n->hopeless) {
		n->hopeless = false;
		dev->events->hopeless(dev->arg, n->hopeless_reason);
	}
	if (n->drained) {
		n->drained = false;
		dev->events->drained(dev->arg, n->drain_error);
	}
}

void notices_init(struct mpdev *dev)
{
	TAILQ_INIT(&dev->notices.events);
	loop_task_init(&dev->notices.tell, tell, dev);
}

void notices_fini(struct mpdev *dev)
{
	struct notice *e;

	loop_unpost(dev->loop, &dev->notices.tell);
	while ((e = TAILQ_FIRST(&dev->notices.events))) {
		TAILQ_REMOVE(&dev->notices.events, e, link);
		free(e);
	}
}

static void log_event(const struct mpdev *dev, int path, enum event_word word,
	const char *reason)
{
	enum log_level level = word == EVENT_PATH_FAILED ||
					       word == EVENT_PATH_HELD_DOWN ||
					       word == EVENT_PATH_MARGINAL ||
					       word == EVENT_PATH_REFUSED ||
					       word == EVENT_PATH_MISMATCHED ||
					       word == EVENT_FENCE_EXPIRED ||
					       word == EVENT_DEVICE_PROTECTED ||
					       word == EVENT_CACHE_LOST ||
					       word == EVENT_CACHE_REPLAYED ||
					       word == EVENT_DEVICE_QUEUEING ||
					       word == EVENT_DEVICE_FAILED
				       ? LOG_LEVEL_WARN
				       : LOG_LEVEL_INFO;

	if (path < 0)
		log_write(level, "%s: %s: %s", dev->blk.name, event_word(word),
			reason);
	else
		log_write(level, "%s: path %d: %s: %s", dev->blk.name, path,
			event_word(word), reason);
}

void notice_event(
	struct mpdev *dev, int path, enum event_word word, const char *reason)
{
	struct notices *n = &dev->notices;
	struct notice *e;

	log_event(dev, path, word, reason);
	if (n->count >= NOTICES_MAX || !(e = malloc(sizeof *e)))
		return;
	e->path = path;
	e->word = word;
	snprintf(e->reason, sizeof e->reason, "%s", reason);
	TAILQ_INSERT_TAIL(&n->events, e, link);
	n->count++;
	loop_post(dev->loop, &n->tell);
}

void notice_ready(struct mpdev *dev)
{
	dev->notices.ready = true;
	loop_post(dev->loop, &dev->notices.tell);
}

void notice_hopeless(struct mpdev *dev, const char *reason)
{
	struct notices *n = &dev->notices;

	n->hopeless = true;
	snprintf(n->hopeless_reason, sizeof n->hopeless_reason, "%s", reason);
	loop_post(dev->loop, &n->tell);
}

void notice_drained(struct mpdev *dev, int err)
{
	dev->notices.drained = true;
	dev->notices.drain_error = err;
	loop_post(dev->loop, &dev->notices.tell);
}
