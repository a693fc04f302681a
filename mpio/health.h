/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Health: is a path that owes us an answer still there? It is judged from the
 * device's own commands first, since any byte that comes in is a sign of life.
 * Only a path that is silent is asked, and only then is there a timer: one a
 * device, that moves about once a second however many commands are under way.
 *
 *   silent for probe-after    suspected: NOP and TEST UNIT READY
 *   silent for fail-after     failed; its commands move
 *   a command older than io-timeout, with signs of life: TEST UNIT READY
 *     answered    slow; given up (ABORT TASK) when later ones are answered, or
 *                 after GIVE_UP
 *     not so      failed after ASK_TIME more
 *   idle                      asked every CHECK_BUSY, or ever more rarely
 *
 * The last path is kept for LAST_GRACE. When our own process did not run for a
 * while, no time has passed for the paths.
 */
#ifndef MPIO_HEALTH_H
#define MPIO_HEALTH_H

#include "io.h"

#include <stdbool.h>
#include <stdint.h>
#include <umpio/path.h>

struct loop_timer;
struct mpath;
struct mpdev;

/* Of a device. Times are loop_now(). */
struct health {
	struct loop_timer *timer;
	uint64_t due;  /* when it is set for; UINT64_MAX: it is not */
	uint64_t woke; /* we did not run before it: that time does not count */
	uint64_t used; /* the last command */
	bool cut_off;  /* so is a path that is kept, as of the last look */
};

/* Of a path. */
struct mpath_health {
	struct io_list sent;  /* what it has, the oldest first */
	uint64_t owed;        /* when it began to owe an answer */
	uint64_t answered;    /* when the latest answered command was sent */
	uint64_t checked;     /* when it was asked while idle */
	uint64_t check_due;   /* when it will be */
	uint64_t check_every; /* ns */
	uint64_t recheck_due; /* when its LUN's identity is read again */
	uint64_t probed;      /* when it was asked, being suspected */
	unsigned checks;
	bool checking; /* the check is not answered */
	bool suspected;
	bool told;         /* of it, since a command was last answered */
	char cut_off[100]; /* why it cannot be reached; empty: it can */
	bool unlinked;     /* it was so, and has not been active since */

	struct path_cmd ask; /* TEST UNIT READY */
	bool asked;          /* it is under way */
	uint64_t asked_at, replied_at;
};

/* 0 or -ENOMEM. */
int health_init(struct mpdev *dev);
void health_fini(struct mpdev *dev);

/* A path is active; before that it is judged by its probe. */
void health_begin(struct mpath *mp);

/* Something has changed: the next look may be sooner. */
void health_poke(struct mpdev *dev);

/* Somebody waits for an answer to a command of the device's own: an idle path
 * owes one from now on, as if it were checked. */
void health_expect(struct mpath *mp);

/* There is reason to doubt that the path, which is active, is still there: it
 * is asked, and from now on it owes an answer. */
void health_doubt(struct mpath *mp, const char *why);

/* Whether another path could carry on in place of this one. */
bool health_has_other(const struct mpath *mp);

/* A command goes over the path, has come back from it. */
void health_sent(struct mpath *mp, struct io *io);
void health_ended(struct mpath *mp, struct io *io);

void mpath_health_init(struct mpath *mp);

#endif
