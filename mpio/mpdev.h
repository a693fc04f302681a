/* SPDX-License-Identifier: BSD-2-Clause */
/* The device: what its parts share. Everything is on its loop. */
#ifndef MPIO_MPDEV_H
#define MPIO_MPDEV_H

#include "alua_watch.h"
#include "cache.h"
#include "fence.h"
#include "flush.h"
#include "group.h"
#include "growth.h"
#include "health.h"
#include "io.h"
#include "mpath.h"
#include "notice.h"
#include "pr.h"
#include "rangelock.h"
#include "recheck.h"
#include "request.h"
#include "retain.h"
#include "selector.h"
#include "split.h"
#include "status.h"
#include "suspect.h"

#include <umpio/loop.h>
#include <umpio/lun.h>
#include <umpio/mpio.h>

enum drain_step {
	DRAIN_NONE,
	DRAIN_REQUESTS, /* those in flight finish */
	DRAIN_FLUSH,
	DRAIN_PATHS, /* logging out */
	DRAIN_DONE,
};

struct mpdev {
	struct blkdev blk; /* first: a blkdev is its mpdev */
	struct loop *loop;
	const struct mpdev_events *events;
	void *arg;
	struct mpdev_options options; /* `policy` is the selector's name */

	struct mpath_list paths; /* in order of id */
	unsigned npaths;
	int next_id, queues; /* ids go in steps of `queues` */
	unsigned nup;        /* paths that are active or stand by */
	struct groups groups;
	struct alua_watch alua;
	struct mpath **active; /* those of the group in use, in order of id */
	struct load **loads;   /* theirs, for the selector */
	struct selector_view view;
	const struct selector *selector;

	uint8_t state; /* enum mpdev_state */
	bool expired;  /* no path for longer than no_path_timeout */
	struct loop_timer *no_path;

	bool known; /* a path was active once: identity and facts hold */
	struct lun_facts facts; /* of the first path; of all the safer value */
	struct blk_info info;
	uint8_t block_shift; /* info.block_size is 1 << that */
	uint32_t
		path_transfer; /* the least of the paths' best sizes; 0: none */
	struct split split;
	/* What the target turned out not to have */
	bool no_unmap, no_write_same, no_unmapping_write_same, no_lba_status;
	bool thin_warned, protection_told;
	bool hopeless; /* said so, and no path was active since */

	struct cache cache;
	struct io_queue io;
	struct health health;
	struct request_pool spare_requests;
	uint8_t gate;                  /* GATE_*: what may not start now */
	uint64_t arrivals;             /* requests so far */
	struct request_list gated;     /* in order of arrival */
	struct request_list undecided; /* reads: see request_decide() */
	struct retain retain;
	struct suspect suspect;
	struct rangelock ranges;
	struct fence_list fences; /* also of paths that are gone */
	struct flush flush;
	struct growth growth;
	struct pr pr;
	struct blk_req_list early;   /* came before the device was known */
	struct blk_req_list answers; /* to be told */
	struct loop_task answer_task;
	unsigned pending;     /* requests taken and not answered */
	unsigned early_count; /* of them, in `early` */
	bool inside;          /* in submit: answers wait for the task */
	struct buf *zeroes;   /* made at first use */

	uint64_t failovers;
	struct notices notices;

	uint8_t drain; /* enum drain_step */
	bool hurry;
	int drain_error;
	struct loop_task drain_task;
	struct blk_req last_flush;
};

/* The path of that id, unless it is being removed; NULL. */
struct mpath *mpdev_find(struct mpdev *dev, int id);

/* fault.c: what `facts` says of faults, as `umpio fault` would be told. */
void fault_text(const struct path_facts *facts, char *text, size_t size);

/* The path for one more command of `len` bytes at loop_now(); NULL when none is
 * active. */
struct mpath *mpdev_pick(struct mpdev *dev, uint64_t now, uint32_t len);

/* Another active path than this active one, if there is one. */
struct mpath *mpdev_pick_other(struct mpdev *dev, const struct mpath *than);

/* The answer to a command that has no path: -errno, or 0: it may wait. */
int mpdev_no_path_error(const struct mpdev *dev);

/* The timer of no_path_timeout. */
void mpdev_no_path_over(void *dev);

/* Something waits for a path: its time runs. */
void mpdev_waiting(struct mpdev *dev);

/* Checks and begins a request of a device that is known. */
void mpdev_take(struct mpdev *dev, struct blk_req *blk);

/* Answers a request with 0 or -errno, from here or from the task. */
void mpdev_answer(struct mpdev *dev, struct blk_req *blk, int err);

/* The list of active paths anew, from the paths. */
void mpdev_recount(struct mpdev *dev);

/* A path has changed: active list, state, what waits. */
void mpdev_update(struct mpdev *dev);

/* Ends the requests that came before the device was known. */
void mpdev_fail_early(struct mpdev *dev, int err);

/* A path has had a verdict that does not pass: tells the owner when all have.
 */
void mpdev_check_hopeless(struct mpdev *dev, const char *reason);

/* A probe of `mp` has found a LUN: 0 and the path may carry commands, or
 * -EMEDIUMTYPE when it is another one and `why` says how. */
int mpdev_admit(struct mpdev *dev, struct mpath *mp, char *why, unsigned size);

/* The LUN has `blocks` now, more than before: tells the watches. */
void mpdev_grow(struct mpdev *dev, uint64_t blocks);

/* MPDEV_ZEROES bytes of zeroes, the device's; NULL without memory. */
#define MPDEV_ZEROES (1u << 20)
uint8_t *mpdev_zeroes(struct mpdev *dev);

/* A path is OFF, or the last request is answered: a drain may go on. */
void drain_poke(struct mpdev *dev);
void drain_init(struct mpdev *dev);

static inline bool mpdev_has_path(const struct mpdev *dev)
{
	return dev->view.nactive > 0;
}

#endif
