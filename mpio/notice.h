/* SPDX-License-Identifier: BSD-2-Clause */
/* What the owner of a device is told, later, in order: struct mpdev_events. */
#ifndef MPIO_NOTICE_H
#define MPIO_NOTICE_H

#include <stdbool.h>
#include <sys/queue.h>
#include <umpio/loop.h>

struct mpdev;
struct notice;

enum event_word {
#define X(id, word, help) EVENT_##id,
#include <umpio/tbl/events.h>
#undef X
};

const char *event_word(enum event_word word);

struct notices {
	TAILQ_HEAD(, notice) events;
	unsigned count;
	bool ready, hopeless, drained;
	int drain_error;
	char hopeless_reason[160];
	struct loop_task tell;
};

void notices_init(struct mpdev *dev);
void notices_fini(struct mpdev *dev);

/* An event of path `path` (-1: of the device), logged too. */
void notice_event(
	struct mpdev *dev, int path, enum event_word word, const char *reason);
void notice_ready(struct mpdev *dev);
void notice_hopeless(struct mpdev *dev, const char *reason);
void notice_drained(struct mpdev *dev, int err);

#endif
