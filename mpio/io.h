/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One command of a device on its way: it gets a path from the selector, is
 * retried by retry.h's verdicts, waits while there is no path, and calls done()
 * exactly once, never from within io_submit().
 */
#ifndef MPIO_IO_H
#define MPIO_IO_H

#include "overtake.h"
#include "rangelock.h"
#include "retry.h"

#include <umpio/loop.h>
#include <umpio/path.h>
#include <umpio/scsi/cdb.h>

struct mpath;
struct disposition;
struct mpdev;

struct io;

/* 0, -errno for a frontend, or -EOPNOTSUPP: the target does not have this
 * command. The io is the owner's again, to be given back. */
typedef void io_done_fn(struct io *io, int err);

struct io {
	struct path_cmd cmd; /* CDB, data and direction: the owner's */
	struct mpdev *dev;
	struct mpath *path; /* that has the command now; NULL: none */
	uint8_t kind;       /* enum io_kind */
	int from;           /* id of the path that did not finish it; -1 */
	int error;          /* while it waits to be told */
	uint64_t sent, due; /* loop_now() */
	uint64_t session;   /* of the path that has or had it (mpath.h) */
	uint64_t epoch;     /* suspect.epoch at its beginning: status.c */
	uint64_t given_up;  /* loop_now() of its ABORT TASK; 0: none */
	uint8_t gave_up;    /* how often that was */
	struct retry_history history;
	struct promise promise; /* overtake.c */
	/* Is fenced when an old copy may still be executed; NULL: the command
	 * changes nothing. */
	struct range *range;
	io_done_fn *done;
	void *owner;
	uint8_t params[UNMAP_LIST_LEN(1)]; /* of UNMAP */
	TAILQ_ENTRY(io)
	link; /* of whichever list has it; the path's when on
	       * its way */
};

TAILQ_HEAD(io_list, io);

/* The part of a device that this file keeps. */
struct io_queue {
	struct io_list spare;   /* for the next io_new() */
	struct io_list held;    /* without a path, in order */
	struct io_list delayed; /* by time, the earliest first */
	struct io_list ended;   /* to be told */
	unsigned nheld;
	struct loop_timer *delay;
	struct loop_task tell;
};

/* 0 or -ENOMEM. */
int io_queue_init(struct mpdev *dev);
/* No command may be on its way. */
void io_queue_fini(struct mpdev *dev);

/* From the pool, cleared as far as its owner does not set it; NULL without
 * memory. */
struct io *io_new(struct mpdev *dev, enum io_kind kind);
void io_put(struct io *io);

void io_submit(struct io *io);

/* What an answer over `mp` says besides the fate of its command: DISPOSITION_*
 * flags, and for logs the row's name. */
void io_heed(struct mpath *mp, unsigned flags, const char *what);

/* The same for an answer that no io has. While its path is probed before its
 * next command, or on its way out, only what tells of a reset counts. */
void io_heed_aside(struct mpath *mp, const struct path_result *result,
	const struct disposition *d);

/* A path is active: what is held goes on. */
void io_release_held(struct mpdev *dev);
/* Ends what is held or delayed with `err`. */
void io_fail_held(struct mpdev *dev, int err);

#endif
