/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a path may have left behind: changes that it has ended as PATH_UNKNOWN,
 * of which the target may hold a copy in a receive buffer and execute it later
 * (SAM-5 knows no time limit). Trying such a write again elsewhere is safe; a
 * newer write over it is not, before the old copy is known to be dead. So its
 * range stays held (rangelock.h), beyond the answer to the client, until
 *
 *   - the path's fence says that none can be executed any more, which for
 *     iSCSI is the login that reinstates the session, or a logout (RFC 7143
 *     6.3.5); or
 *   - `ghost-guard` is over, which is told in an event with the range.
 *
 * The second need not be waited for when the path lives on after the command
 * (the target has rejected it): once somebody waits, the path is made to log in
 * anew.
 *
 * One fence serves all that a path has ended so far. While nothing is unfenced
 * a write pays nothing for this.
 */
#ifndef MPIO_FENCE_H
#define MPIO_FENCE_H

#include "rangelock.h"

#include <stdbool.h>
#include <umpio/loop.h>
#include <umpio/path.h>

#define FENCE_GHOSTS_MAX 4096 /* of one path; more are merged */

struct mpath;
struct mpdev;

/* The range of a write that may still be executed. */
struct ghost {
	struct range range;
	uint64_t since; /* loop_now() of its unknown end */
	bool asked;     /* the fence under way covers it */
	bool later; /* the session that is up cannot tell: asked again when the
		     * path is down */
	TAILQ_ENTRY(ghost) link;
};

TAILQ_HEAD(ghost_list, ghost);

struct fence {
	struct mpdev *dev;
	struct mpath *path;       /* NULL: it is gone, time alone decides */
	int path_id;              /* for messages */
	struct ghost_list ghosts; /* in order of `since` */
	unsigned count;
	bool asking, again; /* again: an older one was widened meanwhile */
	bool leave;         /* so it is when the session ends, and not before */
	int sibling;        /* the last one that was asked to help; -1: none */
	char portal[280];   /* of that */
	struct path_fence request;
	struct loop_task ask;
	struct loop_timer *guard;
	struct ghost spare; /* without memory this one is there */
	TAILQ_ENTRY(fence) link;
};

TAILQ_HEAD(fence_list, fence);

/* One for each path, with it. NULL without memory. */
struct fence *fence_new(struct mpath *mp);

/* The path is gone (freed before this call, so that no fence is under way). It
 * frees itself when nothing is unfenced any more. */
void fence_orphan(struct fence *fence);

/* A change of `range`, which is held, has ended unknown on the path. */
void fence_note(struct fence *fence, const struct range *range);

/* The path is down: what its session could not tell is asked again. */
void fence_down(struct fence *fence);

/* Somebody waits for a range, or a path has come or gone. Where that range is
 * held for what the end of a session would tell, and the others can do without
 * that path, it logs out and in anew. */
void fence_poke(struct mpdev *dev);

/* The path is down and does not come up by itself: another one, of the same
 * port of the target, is used to prove what is owed (path_fence_by()). False:
 * there is no need, or no such path; the own portals are tried. */
bool fence_by_sibling(struct fence *fence);

/* The option ghost_guard has changed. */
void fence_guards_changed(struct mpdev *dev);

/* The device ends: nothing will be sent any more, nothing waits. */
void fence_forget_all(struct mpdev *dev);

/* Frees what is left of all paths, which are gone. */
void fence_fini(struct mpdev *dev);

#endif
