/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A unit: the part of a device that lives on workers' loops, which is the
 * multipath device, its NBD exports and its block files. The control thread
 * holds it by this header alone: calls are posted to the workers, answers come
 * back as callbacks on the control loop, in the order of the calls.
 *
 * It has one queue or several, each of which is a multipath device of its own
 * on a worker of its own, with a session for each path of the plan; a router
 * makes one device of them. A path of the plan has one id; its path in queue q
 * is unit_path_id(), which is also what people and events call it.
 */
#ifndef UMPIOD_UNIT_H
#define UMPIOD_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/blkdev.h>
#include <umpio/frontend.h>
#include <umpio/mpio.h>

struct event;
struct iscsi_config;
struct json_object;
struct endpoint;
struct plan_path;
struct plan;
struct unit;
struct worker;

#define UNIT_REASON_MAX 256

/* What a unit tells unasked, on the control loop. */
struct unit_events {
	/* First usable path. */
	void (*ready)(void *arg, uint64_t size);
	/* As mpdev_events.event. */
	void (*event)(void *arg, const struct event *event);
	void (*hopeless)(void *arg, const char *reason);
	/* The queues have found different LUNs: it will never be ready. */
	void (*mismatched)(void *arg, const char *reason);
	/* The kernel has ended the block file number `n` of the plan (umount,
	 * abort); the device goes on without it. */
	void (*fuse_ended)(void *arg, unsigned n);
	/* A drain has ended; everything of the unit on the worker is gone and
	 * unit_free() may be called. */
	void (*gone)(void *arg, int err);
};

/* The unit of `plan`, which must outlive it; the n-th of its queues lives on
 * workers[n]. NULL without memory. */
struct unit *unit_new(struct worker *const *workers, const struct plan *plan,
	const struct unit_events *events, void *arg);

/* What queue number `queue`, and people, call the plan's path `id`; and back.
 * With one queue it is `id`. */
static inline int unit_path_id(unsigned queues, unsigned queue, int id)
{
	return id * (int)queues + (int)queue;
}
static inline int unit_plan_id(unsigned queues, int path_id)
{
	return path_id / (int)queues;
}

/* Begins: the listeners, and a device without paths. done(0), or -errno and a
 * line, and then only unit_drain() is left to do. */
typedef void unit_done_fn(void *arg, int err, const char *why);
void unit_start(struct unit *unit, unit_done_fn *done);

/* Serves the device to clients, through mounts[0..nfuse) of the plan as well
 * (NULL: not mounted). done() may ask unit_active(). */
void unit_serve(struct unit *unit, struct fblk_mount *const *mounts,
	unit_done_fn *done);

/* Paths of all queues that were up when the device began to serve. */
unsigned unit_active(const struct unit *unit);

/* Adds a path to each queue; `path` must live until done(), whose `id` is that
 * of the plan's path; or -ENOMEM (in none: try again), -ESHUTDOWN. */
void unit_add_path(struct unit *unit, const struct plan_path *path,
	void (*done)(void *arg, int id, void *about), void *about);

/* Verbs on a path by its id, of one queue or of all; done(0), -ENOENT,
 * -ESHUTDOWN, or -ENOMEM: no queue was told. */
#define UNIT_ALL_QUEUES (-1)
enum unit_path_verb { UNIT_PATH_FAIL, UNIT_PATH_RESTORE, UNIT_PATH_REMOVE };
void unit_path(struct unit *unit, enum unit_path_verb verb, int id, int queue,
	void (*done)(void *arg, int err, void *about), void *about);

/* As iscsi_path_add_portal(), for the path of that id if there is one. */
void unit_add_portal(struct unit *unit, int id, const struct endpoint *portal);

/* As mpdev_fault_path(), in one queue or in all: 0 when one of them could. */
void unit_fault(struct unit *unit, int id, int queue,
	const struct path_fault *fault,
	void (*done)(void *arg, int err, void *about), void *about);

/* The credentials of `path` are used from its next login on, its
 * MaxRecvDataSegmentLength at once where the target can, and so are the times
 * after which a silent connection is given up; copied. 0 or -ENOMEM. */
int unit_renew_path(struct unit *unit, const struct plan_path *path);

/* As mpdev_pr(), with its action, type and key; `pr` is the owner's, lives
 * until done, and has the answer in its own `error` and `why`. Parameter data
 * is taken down by `take`, on a worker, before. Keys are registered in every
 * queue, and released; the others go by the first queue that has a path. */
struct unit_pr {
	struct mpio_pr pr;
	void (*take)(struct unit_pr *pr);
	void (*done)(struct unit_pr *pr);
	unsigned queue; /* private, from here */
	bool good;
};
void unit_pr(struct unit *unit, struct unit_pr *pr);

/* As mpdev_abort_held(). */
void unit_abort(struct unit *unit,
	void (*done)(void *arg, int err, void *about), void *about);

/* Changes what may change in a live device; the texts are copied. 0 or
 * -ENOMEM. */
int unit_set_options(struct unit *unit, const struct mpdev_options *options);

/* Fills `into` (an object that the control thread does not touch meanwhile)
 * with the keys of status, or of stats, and hands it back. */
enum unit_view { UNIT_STATUS, UNIT_STATS };
void unit_describe(struct unit *unit, enum unit_view view,
	struct json_object *into,
	void (*done)(void *about, struct json_object *filled), void *about);

/* Refuses new requests, finishes what is in flight, flushes, logs out; gone()
 * follows. `now`: without waiting. May be said again with `now`. */
void unit_drain(struct unit *unit, bool now);

/* After gone(), or when it was never started. NULL is allowed. */
void unit_free(struct unit *unit);

#endif
