/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A path of a device: when it connects, is probed, carries commands, is given
 * up and tried again. The table of states is in mpath.c.
 */
#ifndef MPIO_MPATH_H
#define MPIO_MPATH_H

#include "backoff.h"
#include "damping.h"
#include "depth.h"
#include "growth.h"
#include "health.h"
#include "load.h"
#include "overtake.h"
#include "pr.h"
#include "witness.h"

#include <umpio/loop.h>
#include <umpio/lun.h>
#include <umpio/mpio.h>
#include <umpio/path.h>
#include <umpio/scsi/alua.h>

#define MPATH_PHASES(X)                                                        \
	X(OFF)        /* down, and stays so: disabled, drained, removed */     \
	X(BACKOFF)    /* down; the timer will start it */                      \
	X(CONNECTING) /* started */                                            \
	X(FENCING)    /* started for its fence alone, by a sibling's portal */ \
	X(PROBING)    /* up; which LUN is it? */                               \
	X(ACTIVE)     /* takes commands */                                     \
	X(LEAVING)    /* the target wants to be left; commands end */          \
	X(STOPPING)   /* stopped by us; down will follow */

#define MPATH_INPUTS(X)                                                        \
	X(START) /* first, or enabled again */                                 \
	X(TIMER)                                                               \
	X(UP)                                                                  \
	X(DOWN)                                                                \
	X(LEAVE)                                                               \
	X(PROBED)  /* the right LUN */                                         \
	X(REFUSED) /* not usable; verdict and reason are noted */              \
	X(RECHECK) /* the target says that the LUN may have changed */         \
	X(BAD)     /* a command has shown that it is no use */                 \
	X(STOP)    /* orderly, by `grace` at the latest */                     \
	X(CUT)     /* at once */

enum mpath_phase {
#define X(id) PHASE_##id,
	MPATH_PHASES(X)
#undef X
};

enum mpath_input {
#define X(id) INPUT_##id,
	MPATH_INPUTS(X)
#undef X
};

struct fence;
struct mpdev;

struct mpath {
	struct mpdev *dev;
	struct path *path; /* owned */
	int id;
	struct mpath_options options;
	uint8_t phase; /* enum mpath_phase */
	bool disabled; /* by command */
	bool removed;  /* freed when down */
	bool refused;  /* another LUN: quarantined until a probe says no */
	bool hopeless; /* its last verdict was one that does not pass */
	bool dying;    /* commands have died; is down to follow? */
	bool cut;      /* stopped at once */
	bool shut_out; /* its own portals did not answer the last time */
	bool was_active;
	struct backoff backoff;
	uint64_t active_at; /* loop_now() of the last time it became so */
	char reason[160];   /* why it is not active; empty: never failed */
	char told[160];     /* the last reason in an event, while not active */
	struct loop_timer *timer;
	struct loop_task reap, moved_task;
	struct lun_probe *probe; /* in PROBING; in ACTIVE recheck.c's */
	struct lun_facts facts;  /* of the last good probe */
	struct fence *fence;     /* of what it has left behind */
	struct mpath_health health;
	struct damping damping;
	struct overtake overtake;

	struct depth depth;
	uint64_t session; /* witnesses.clock at its login; 0: not active yet */
	struct witness witness;

	struct growth_path growth;

	/* group.c */
	unsigned group;        /* index in the device's list */
	unsigned portal_group; /* lowest id of the paths to it */
	bool in_use;           /* usable, and of the group in use */
	bool shunned;          /* its group was left by command */
	uint64_t returned_at;  /* loop_now() when it came back after a failure;
				* 0: it is as good as any */
	/* alua_watch.c */
	bool alua_stale;           /* its state is being asked for */
	uint64_t alua_sense_until; /* sense is believed until this loop_now() */

	struct load load; /* reads and writes alone */
	struct pr_path pr;

	uint32_t inflight;
	uint64_t reads, writes, read_bytes, write_bytes, errors, failovers;
	unsigned moved;    /* commands gone to other paths, not reported yet */
	uint64_t moved_at; /* loop_now() of the first; 0: none awaits answer */
	bool counted;      /* in `failovers`, since it was last active */
	struct histogram read_latency, write_latency;
	TAILQ_ENTRY(mpath) link;
};

TAILQ_HEAD(mpath_list, mpath);

/* Takes the path over, when it succeeds. NULL without memory. */
struct mpath *mpath_new(struct mpdev *dev, struct path *path, int id);

/* Frees path and object; only when OFF. */
void mpath_free(struct mpath *mp);

/* Drives the table; never runs the owner's callbacks. */
void mpath_input(struct mpath *mp, enum mpath_input input);

/* Commands over it fail: BAD, with "commands fail: REASON". */
void mpath_bad(struct mpath *mp, const char *reason);

/* It is silent or cut off: BAD, with `reason` as it is; its own portals may not
 * answer. */
void mpath_fail(struct mpath *mp, const char *reason);

/* A command has ended without an answer. Mostly the whole path is dying and
 * down follows at once, so it gets nothing new for a moment; when it was that
 * command alone (rejected, aborted), the path goes on. */
void mpath_hold_back(struct mpath *mp);

/* The device has lost its last path: no long back-off now. */
void mpath_sooner(struct mpath *mp);

/* What the path was refused for may be over: it is tried again at once. */
void mpath_pardon(struct mpath *mp);

/* A command that this path did not finish has gone to another one. */
void mpath_moved(struct mpath *mp);

/* One that had moved was answered over another path. */
void mpath_resumed(struct mpath *mp);

enum mpath_state mpath_state(const struct mpath *mp);

static inline bool mpath_is_active(const struct mpath *mp)
{
	return mp->phase == PHASE_ACTIVE && !mp->dying;
}

/* It takes commands, but ranks behind every path that is not poor. */
static inline bool mpath_is_poor(const struct mpath *mp)
{
	return mp->damping.held || mp->damping.marginal;
}

/* It could carry I/O: the target gives access, and the LUN is the right one. */
static inline bool mpath_is_usable(const struct mpath *mp)
{
	return mpath_is_active(mp) && !mp->facts.limited &&
	       alua_state_usable(mp->facts.alua_state);
}

#endif
