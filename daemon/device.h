/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device as the control thread knows it: its plan, its mounts, its unit on a
 * worker, and where it is in its life.
 */
#ifndef UMPIOD_DEVICE_H
#define UMPIOD_DEVICE_H

#include <stdbool.h>
#include <umpio/base/queue.h>

#include "isns_watch.h"
#include "plan.h"
#include "unit.h"

struct daemon;
struct json_object;
struct settings;

#define DEVICE_STATES(X)                                                       \
	X(STARTING)   /* the unit is being made */                             \
	X(CONNECTING) /* waiting for the first path */                         \
	X(OPENING)    /* frontends are being opened */                         \
	X(SERVING)                                                             \
	X(CLOSING) /* draining */

enum device_state {
#define X(id) DEVICE_##id,
	DEVICE_STATES(X)
#undef X
};

struct device {
	struct daemon *daemon;
	enum device_state state;
	struct plan *plan;
	int worker;          /* its number; -1: not assigned yet */
	struct device *wave; /* workers.c, while they are assigned */
	struct unit *unit;
	struct fblk_mount **mounts; /* plan->nfuse */
	bool configured;            /* by the file: `reload` may take it away */
	bool incomplete;            /* memory was missing in device_update() */
	bool strict; /* must have a path in time, else it is given up */
	struct loop_timer *patience, *settle;
	struct loop_timer *add_again; /* paths for which memory was missing */
	struct iscsi_discover *discovery;
	struct loop_timer *discover_again;
	struct isns_watch *watch; /* the server that it follows */
	unsigned discover_at;     /* the path whose portal is asked next */
	bool discover_with_chap;
	uint64_t size;               /* when it came up */
	char why[UNIT_REASON_MAX];   /* last reason for not being up */
	int err;                     /* of the opening that failed */
	struct settings *made;       /* of what; NULL: of the daemon's */
	struct json_object *changes; /* by `umpio set`; NULL: none */
	struct plan *next; /* with which a restarted device opens again */

	/* Once each, on the control loop; NULL when nobody waits. */
	void (*opened)(void *arg, struct device *dev, int err, const char *why);
	void *opened_arg;
	void (*closed)(void *arg, int err);
	void *closed_arg;
	TAILQ_ENTRY(device) link;
};

/* A device of `plan`, which becomes its own; it is added to the daemon's list.
 * NULL without memory, and the plan is freed. */
struct device *device_new(
	struct daemon *daemon, struct plan *plan, bool configured);

/* It begins to connect. `strict`: opened() reports failure when no path is up
 * within 10 s or all refuse, and the device is gone by then; otherwise it tries
 * for ever. Devices that come together are all made before the first is opened,
 * so that those with an address in common find each other. -ENOMEM: without
 * memory or threads, and the device is gone. */
int device_open(struct device *dev, bool strict,
	void (*opened)(void *arg, struct device *dev, int err, const char *why),
	void *arg);

/* Drains and frees it; closed() follows (NULL: nobody waits). Again with `now`:
 * hurries. */
void device_close(struct device *dev, bool now,
	void (*closed)(void *arg, int err), void *arg);

/* Brings a live device to a new plan of the same name, which becomes its own:
 * paths come and go, options change; where frontends differ it is closed and
 * opened anew. 0; or -ENOMEM: not all was done, and is to be tried again. */
int device_update(struct device *dev, struct plan *plan);

/* The path that `text` names: an id, which is one in `queue`, or HOST:PORT,
 * which is one in all of them. NULL, and a line in `why`, which asks for the id
 * where several match. */
struct plan_path *device_find_path(const struct device *dev, const char *text,
	int *queue, char *why, size_t why_size);

/* Adds a path to plan and unit; it becomes the device's. */
void device_add_path(struct device *dev, struct plan_path *path);

/* Takes `path` out of plan and unit, and frees it, at once or when the unit has
 * let go of it. */
void device_remove_path(struct device *dev, struct plan_path *path);

/* The URIs and file names of its frontends, separated by ", ". */
const char *device_frontends(const struct device *dev, char *text, size_t size);

/* device_discover.c: asks the target for its portals and adds those that are
 * not there; tries again until one has answered. Follows the iSNS server, if
 * there is one. */
void device_discover(struct device *dev);
void device_discover_stop(struct device *dev);
/* The portal `text` of path `id` is in another portal group: a path of its
 * own, unless there is one. */
void device_portal_elsewhere(struct device *dev, int id, const char *text);

/* What the iSNS server lists now. */
void device_listed(struct device *dev, const struct iscsi_targets *targets);

#endif
