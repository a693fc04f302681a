/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Persistent reservations (SPC-5 5.14) of a device. A key is registered on
 * every path, and again on each path that logs in, before it carries I/O; but
 * not when another host has removed it meanwhile: then this host was fenced out
 * on purpose and stays out.
 */
#ifndef MPIO_PR_H
#define MPIO_PR_H

#include <umpio/loop.h>
#include <umpio/mpio.h>
#include <umpio/path.h>
#include <umpio/scsi/cdb.h>

#define PR_DATA 2048

struct mpath;
struct mpdev;

/* A path's part. */
struct pr_path {
	struct path_cmd cmd;
	bool busy;
	bool wanted;    /* to be admitted when that command has ended */
	bool forgotten; /* the target had no key at all: it has restarted */
	unsigned tries;
	uint64_t key; /* registered through this login; 0: none */
	/* The command has ended: 0; -EBADE RESERVATION CONFLICT, -EOPNOTSUPP,
	 * -EIO; -ENOTCONN without an answer. */
	void (*then)(struct mpath *mp, int err, const char *what);
	void (*admitted)(struct mpath *mp, const char *why);
	uint8_t data[PR_DATA];
};

/* The device's part. */
struct pr {
	uint64_t key;        /* to be registered; 0: none */
	uint8_t type;        /* of the reservation that we made; 0: none */
	struct mpio_pr *now; /* under way; NULL: none */
	int at;              /* path that is or was asked last */
	unsigned good;       /* paths that have agreed */
	struct loop_task end;
	bool reset; /* the target may have forgotten its keys: `renew` sees */
	struct loop_task renew;
};

void pr_init(struct mpdev *dev);
void pr_fini(struct mpdev *dev);

/* A path leads to the right LUN: true when it has to be registered before it
 * carries I/O; admitted() follows, with NULL or why it cannot be used. */
bool pr_admit(
	struct mpath *mp, void (*admitted)(struct mpath *mp, const char *why));

/* The target has said over `mp` that reservations changed: looks whether the
 * key is still there. */
void pr_check(struct mpath *mp);

/* The target was reset, and may have forgotten keys and reservation (SPC-5
 * 5.14.5, without APTPL). Every path is looked at as one that logs in, before
 * it carries more: the first to reserve anew would lock out the others. */
void pr_reset(struct mpdev *dev);

#endif
