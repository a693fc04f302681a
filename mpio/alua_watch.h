/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The access states of the target port groups (ALUA, SPC-5 5.16). They are read
 * anew, once for all paths to a target, when a command's sense says that they
 * have changed, and asked for again and again while no path can carry I/O. A
 * target that wants to be told (explicit ALUA) is told to make a group
 * optimized when none takes reads and writes.
 */
#ifndef MPIO_ALUA_WATCH_H
#define MPIO_ALUA_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/path.h>

#define ALUA_WATCH_DATA 4096

struct loop_timer;
struct mpath;
struct mpdev;

struct alua_watch {
	struct path_cmd cmd;
	struct mpath *asked; /* the path that has it; NULL: none */
	bool short_form;     /* the target does not know the long header */
	unsigned tries;
	/* All loop_now(); 0: never */
	uint64_t read_at, set_at; /* the last commands */
	uint64_t swapped_at;      /* usable groups changed order */
	uint64_t moving_since;    /* a group is in transition */
	uint64_t transition;      /* ns that this may take */
	uint64_t due;             /* when `timer` is set */
	struct loop_timer *timer;
	uint8_t data[ALUA_WATCH_DATA];
};

/* 0 or -ENOMEM. */
int alua_watch_init(struct mpdev *dev);
void alua_watch_fini(struct mpdev *dev);

/* The answer to a command over `mp` says that access states have changed, or
 * that its port gives no access. */
void alua_watch_heed(struct mpath *mp, const struct path_result *result);

/* A path is active, or the device has none left that can carry I/O. */
void alua_watch_look(struct mpdev *dev);

/* ns for which requests wait for a transition to end, besides no-path-timeout;
 * 0: they do not. */
uint64_t alua_watch_patience(const struct mpdev *dev);

#endif
