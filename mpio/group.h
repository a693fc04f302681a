/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Priority groups: paths that are as good as each other. The device uses one of
 * them, the best that has a usable path, and leaves it at once when it has none
 * any more. When it goes back to a better one is the key `failback`.
 */
#ifndef MPIO_GROUP_H
#define MPIO_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct loop_timer;
struct mpath;
struct mpdev;

struct group {
	int priority;    /* the highest goes first; of equals the lower key */
	unsigned key;    /* what its paths have in common */
	bool poor;       /* its paths are: it goes behind all that are not */
	unsigned up;     /* paths of it that are active or stand by */
	unsigned usable; /* paths of it that can carry I/O */
};

struct groups {
	struct group *list; /* in order; has place for one of each path */
	unsigned n;
	bool chosen;  /* `key` is of the group in use, or used last */
	unsigned key; /* survives that the group has no path for a while */
	uint64_t switched_at;     /* loop_now(); 0: never */
	struct loop_timer *timer; /* a better one may be ready */
};

/* 0 or -ENOMEM. */
int groups_init(struct mpdev *dev);
void groups_fini(struct mpdev *dev);
/* Makes place for `n` paths. 0 or -ENOMEM. */
int groups_reserve(struct mpdev *dev, unsigned n);

/* Puts the paths into groups, chooses the one in use, and sets `group` and
 * `in_use` of each path. */
void groups_sort(struct mpdev *dev);

/* The key group-by has changed. */
void groups_reset(struct mpdev *dev);

/* A path is active: its portal group is known now, and a better group that it
 * brings back waits for `failback`. */
void groups_joined(struct mpath *mp);

/* Switches to the group of `mp` by command; the others have to wait as if they
 * had failed. */
void groups_use(struct mpath *mp);

#endif
