/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block request while the device works on it: a plan of phases, one after the
 * other, each of which is a run of blocks moved by one or several commands. Up
 * to REQUEST_WINDOW commands of a phase are on their way at once, so a request
 * costs the same whatever limits a target claims.
 */
#ifndef MPIO_REQUEST_H
#define MPIO_REQUEST_H

#include "rangelock.h"
#include "retry.h"

#include <umpio/blkdev.h>

#define REQUEST_WINDOW 8

/* What keeps new requests from being started. */
#define GATE_CHANGES   1 /* as much is retained as may be */
#define GATE_ALL       2 /* the target's cache is suspect */
#define GATE_SYNC      4 /* it may be: a flush at the end of FUA proves nothing */

struct buf;
struct mpdev;
struct request;

/* What one phase does: blocks [lba, end), at most `chunk` in one command. */
struct extent {
	uint64_t lba, end;
	uint32_t chunk;
	uint8_t kind;    /* enum io_kind */
	uint8_t flags;   /* of the CDB */
	bool repeat;     /* every command has the same data */
	uint8_t *data;   /* NULL: the command has none, its own, or buf */
	struct buf *buf; /* what a read reads into, from its beginning on */
};

/* Says what the phase does: 1 and an extent, 0 for nothing, or -errno. It is
 * asked again when a command of it turned out to be unsupported. */
typedef int phase_fn(struct request *r, struct extent *x);

struct request {
	struct mpdev *dev;
	struct blk_req *blk;
	phase_fn *const *phase; /* the one under way; NULL at the end */
	struct extent x;
	uint64_t at;       /* next block of it without a command */
	uint64_t lba, end; /* blocks touched, rounded outward */
	unsigned inflight;
	int err;
	bool entered, unsupported;
	bool running;     /* a change that has begun */
	bool replay;      /* of what a target may have lost: passes the gate */
	uint8_t redone;   /* times */
	uint64_t order;   /* of arrival */
	uint64_t epoch;   /* suspect.epoch when it began */
	uint64_t session; /* the newest that has answered a command of it */
	struct range range; /* of what changes blocks */
	struct buf *bounce; /* NULL: none; aligned data of an unaligned one */
	union {
		TAILQ_ENTRY(request) link; /* of those that wait */
		SLIST_ENTRY(request) spare;
	};
};

TAILQ_HEAD(request_list, request);
SLIST_HEAD(request_pool, request);

/* Takes a request of a device that is known; everything but FLUSH. */
void request_begin(struct mpdev *dev, struct blk_req *blk);

/* A request of the device itself, which writes again what is retained: it
 * passes gate and range lock. */
void request_replay(struct mpdev *dev, struct blk_req *blk);

/* Opens `gate`, and starts what waited for that. */
void request_gate_open(struct mpdev *dev, unsigned gate);

/* There is no doubt any more whether the cache was lost: reads that have waited
 * for that with what they have found are answered, or done anew. */
void request_decide(struct mpdev *dev);

/* Fails what waits for the gate or for earlier changes, and has sent nothing.
 */
void request_fail_waiting(struct mpdev *dev, int err);

/* 0, or the -errno with which a request is answered at once; 1 when there is
 * nothing to do. */
int request_check(const struct mpdev *dev, const struct blk_req *blk);

/* Frees the pool; no request may be under way. */
void request_pool_fini(struct mpdev *dev);

/* The plan for a request (plan.c); rmw.c has those of unaligned ones. */
phase_fn *const *plan_of(const struct request *r);
phase_fn *const *rmw_plan_of(enum blk_op op);
/* Phases that both kinds of plan have. */
phase_fn plan_write, plan_zero, plan_sync;

#endif
