/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mpio: several paths become one block device. It finds out by their identity
 * that they lead to one logical unit, spreads the requests over them by policy,
 * moves what a dead path left behind, reconnects, and holds requests while no
 * path is left. Everything here is on the device's loop.
 */
#ifndef UMPIO_MPIO_H
#define UMPIO_MPIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/histogram.h>
#include <umpio/blkdev.h>
#include <umpio/path.h>

struct loop;
struct mpdev;

/* States and their names in status and events come from one list each. */
#define MPDEV_STATES(X)                                                        \
	X(CONNECTING, "connecting") /* never had a path */                     \
	X(UP, "up")                 /* every path is active */                 \
	X(DEGRADED, "degraded")     /* some are not */                         \
	X(QUEUEING, "queueing")     /* no path; requests are held */           \
	X(FAILED, "failed")         /* no path for too long; requests get EIO */

#define MPATH_STATES(X)                                                        \
	X(CONNECTING, "connecting")                                            \
	X(ACTIVE, "active")                                                    \
	X(STANDBY, "standby")         /* usable, not in the current group */   \
	X(FAILED, "failed")           /* down; is being reconnected */         \
	X(QUARANTINED, "quarantined") /* another LUN */                        \
	X(DISABLED, "disabled")       /* by `umpio path fail` */

enum mpdev_state {
#define X(id, name) MPDEV_##id,
	MPDEV_STATES(X)
#undef X
};

enum mpath_state {
#define X(id, name) MPATH_##id,
	MPATH_STATES(X)
#undef X
};

const char *mpdev_state_name(enum mpdev_state state);
const char *mpath_state_name(enum mpath_state state);

/* What makes paths a priority group. */
enum mpio_grouping {
	MPIO_BY_ALUA, /* the target port group's state and preferred bit */
	MPIO_BY_PORTAL_GROUP,
	MPIO_BY_PRIORITY, /* mpath_options.priority */
	MPIO_ONE_GROUP,
};

/* mpdev_options.failback: nanoseconds without failure, or one of these. */
#define MPIO_FAILBACK_MANUAL     UINT64_MAX
#define MPIO_FAILBACK_FOLLOWOVER (UINT64_MAX - 1)
#define MPIO_FAILBACK_IMMEDIATE  0

/* mpdev_options.ghost_guard */
#define MPIO_FOREVER             UINT64_MAX

enum mpio_cache {
	MPIO_CACHE_AUTO,
	MPIO_CACHE_VOLATILE,
	MPIO_CACHE_NONVOLATILE
};

/* Times in ns; each is the key of the same name (tbl/settings.h). */
struct mpdev_options {
	const char *policy;  /* of mpio_policies() */
	uint8_t group_by;    /* enum mpio_grouping */
	uint8_t write_cache; /* enum mpio_cache; not live */
	bool read_only;      /* not live */
	bool shared;         /* not live */
	bool hold_down, marginal;
	uint64_t no_path_timeout; /* how long requests are held */
	uint64_t failback;
	uint64_t probe_after, fail_after, check_interval, io_timeout;
	uint64_t ghost_guard; /* MPIO_FOREVER: until there is proof */
};

/* The defaults of tbl/settings.h. */
void mpdev_options_init(struct mpdev_options *options);

/* What the configuration says of one path. */
struct mpath_options {
	int priority;    /* the highest goes first */
	unsigned weight; /* 1 to 1000 */
};

/* What the owner of a device hears; never from within a call. */
struct mpdev_events {
	/* First usable path, identity known: size and limits hold from now. */
	void (*ready)(void *arg);
	/* Something to tell: `path` is the path's id or -1; `event` a word
	 * of tbl/events.h (path-up, path-failed …), `reason` a line. */
	void (*event)(
		void *arg, int path, const char *event, const char *reason);
	/* Every path has said that it can never work (fatal), or has been
	 * refused; `reason` is the last one's. May come again. */
	void (*hopeless)(void *arg, const char *reason);
	/* A drain has ended: 0, or -EIO when unflushed writes could not be
	 * made safe. */
	void (*drained)(void *arg, int err);
};

/* A device without paths; `name` and `options` are copied, `events` not. NULL
 * without memory or for an unknown policy. */
struct mpdev *mpdev_new(struct loop *loop, const char *name,
	const struct mpdev_options *options, const struct mpdev_events *events,
	void *arg);

/* Queue `number` of `queues` that are one device to people (router.h), by
 * default 0 of 1: its paths' ids are number, number + queues …, and what it may
 * retain is that part of the whole. Before it has a path. */
void mpdev_be_queue(struct mpdev *dev, int number, int queues);

/* Adds a path that is down; it is the device's from now on, and is started.
 * `options` NULL: priority 0, weight 1. Returns its id (never used
 * again in this device), or -errno, and the path stays the caller's. One that
 * failed has used an id up, too, so that devices which are given the same paths
 * call them the same; `path` NULL: it could not be made, -ENOMEM. */
int mpdev_add_path(struct mpdev *dev, struct path *path,
	const struct mpath_options *options);

/* Takes a path out: `drain` first lets its commands finish, else they move at
 * once. It is stopped, and freed when down. 0 or -ENOENT. */
int mpdev_remove_path(struct mpdev *dev, int id, bool drain);

/* `umpio path fail` and `restore`. 0 or -ENOENT. To restore a path that stands
 * by is to use its group, until `failback` says otherwise. */
int mpdev_disable_path(struct mpdev *dev, int id);
int mpdev_enable_path(struct mpdev *dev, int id);

/* The path of that id, for what only its maker knows how to do; NULL. */
struct path *mpdev_path(struct mpdev *dev, int id);

/* `umpio fault`: as path_fault(); -ENOENT: there is no such path. */
int mpdev_fault_path(struct mpdev *dev, int id, const struct path_fault *fault);

/* Persistent reservations (SPC-5 5.14), mpio/pr.h. */
enum mpio_pr_action {
	MPIO_PR_REGISTER, /* on every path; key 0 unregisters */
	MPIO_PR_RESERVE,
	MPIO_PR_RELEASE, /* type 0: of the reservation made here */
	MPIO_PR_PREEMPT,
	MPIO_PR_PREEMPT_ABORT,
	MPIO_PR_CLEAR,
	MPIO_PR_READ_KEYS,
	MPIO_PR_READ_RESERVATION,
	MPIO_PR_READ_FULL,
};

/* One request, embedded in its owner. */
struct mpio_pr {
	uint8_t action; /* enum mpio_pr_action */
	uint8_t type;   /* enum pr_type of scsi/cdb.h; 0: none */
	uint64_t key;   /* that is registered, or preempted */
	/* 0 or -errno, and a line. Parameter data of the READ actions is valid
	 * during the call. Once, later. */
	void (*done)(struct mpio_pr *pr, int err, const char *why);
	void *arg;

	const uint8_t *data; /* the device's, from here */
	size_t len;
	int error;
	char why[200];
};

/* 0, and done() follows; or -EBUSY: one is under way. */
int mpdev_pr(struct mpdev *dev, struct mpio_pr *pr);

/* Another device of the same host, and of the same keys, has done `pr`, a
 * RESERVE, PREEMPT or CLEAR: what is registered and reserved again when the
 * target has forgotten it follows from that. */
void mpdev_pr_learn(struct mpdev *dev, const struct mpio_pr *pr);

/* Changes what may change in a live device. 0, or -EINVAL with nothing
 * changed. */
int mpdev_set_options(struct mpdev *dev, const struct mpdev_options *options);

/* Links of this host have changed (link.h). A path whose target cannot be
 * reached any more fails at once, when another one can carry on; else it is
 * suspected, and kept as the last path is. */
void mpdev_links_changed(struct mpdev *dev);

/* `umpio abort`: what is held for want of a path fails with -EIO now, and so
 * does what follows until a path is active again. 0, or -EINVAL when a path is
 * active. */
int mpdev_abort_held(struct mpdev *dev);

/* Refuses new requests (-ESHUTDOWN), finishes those in flight, flushes, stops
 * all paths in order; drained() follows. `now`: without waiting or flushing.
 * A second call with `now` hurries the first. */
void mpdev_drain(struct mpdev *dev, bool now);

/* Frees a drained device, or one that never had a path. NULL is allowed. */
void mpdev_free(struct mpdev *dev);

/* The block device that frontends use. Requests that come before ready() wait
 * like those without a path. */
struct blkdev *mpdev_blkdev(struct mpdev *dev);

/* Names of all policies, NULL at the end. */
const char *const *mpio_policies(void);

/* Snapshots for status and stats. */
struct mpath_group_info {
	int priority;    /* the highest goes first */
	unsigned up;     /* paths that are active or stand by */
	unsigned usable; /* those that carry I/O, or could */
	bool in_use;
};

struct mpath_info {
	int id;
	enum mpath_state state;
	const char *alua; /* optimized, non-optimized, standby …, none */
	/* Why it is not active, or is used only when no other path is left;
	 * empty otherwise. */
	char reason[160];
	char fault[96]; /* what is injected; empty: nothing */
	/* For so many ns it is used only when no other path is left: it was
	 * lost too often; it has too many faults. */
	uint64_t held_down, marginal;
	unsigned group; /* for mpdev_group_info() */
	int priority;   /* of the group */
	struct path_facts facts;
	struct path_counters counters;
	uint64_t heard; /* loop_now() of its last byte; 0: none came */
	uint32_t inflight;
	uint64_t reads, writes, read_bytes, write_bytes, errors, failovers;
	const struct histogram *read_latency, *write_latency;
};

struct mpdev_snapshot {
	enum mpdev_state state;
	const char *policy;
	char wwid[80]; /* naa.…, eui.…, name.…, t10.…, serial.…; may be cut */
	struct blk_info info; /* zero until ready */
	uint64_t pr_key;      /* reservation key that is registered; 0: none */
	uint64_t failovers, queued; /* moves of tasks; requests held now */
	unsigned paths, up;         /* up: active or standing by */
	unsigned active, groups;
};

void mpdev_snapshot(const struct mpdev *dev, struct mpdev_snapshot *snapshot);

/* The `n`th priority group, the best first. False when there is none. */
bool mpdev_group_info(
	const struct mpdev *dev, unsigned n, struct mpath_group_info *info);

/* The `n`th path in order of id. False when there is none. Strings are valid
 * until the loop's next turn. */
bool mpdev_path_info(
	const struct mpdev *dev, unsigned n, struct mpath_info *info);

#endif
