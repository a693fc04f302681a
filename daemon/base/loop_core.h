/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every implementation of loop.h has in common: the task queue, the
 * timers and the pool. Each begins its `struct loop` with this struct, so that
 * loop_now(), loop_pool(), the tasks and the timers are the same code on real
 * and on virtual time; what is left to an implementation is the waiting.
 */
#ifndef BASE_LOOP_CORE_H
#define BASE_LOOP_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/loop.h>

#define LOOP_NEVER UINT64_MAX

struct loop_core {
	uint64_t now; /* what loop_now() tells; the implementation sets it */
	struct buf_pool *pool;
	TAILQ_HEAD(loop_task_list, loop_task) tasks;
	struct loop_timer **heap; /* by due time, then by order of setting */
	size_t set;               /* timers in the heap */
	size_t room;              /* of the heap: at least one per timer */
	size_t timers;            /* timers that exist, set or not */
	uint64_t seq;
};

struct loop_timer {
	struct loop_core *core;
	loop_fn *fn;
	void *arg;
	uint64_t due;
	uint64_t seq; /* set later, fires later */
	size_t slot;  /* in the heap; LOOP_TIMER_OFF: not set */
};

#define LOOP_TIMER_OFF SIZE_MAX

/* 0 or -ENOMEM. */
int loop_core_init(struct loop_core *core);

/* Asserts that no timer and no task is left. */
void loop_core_fini(struct loop_core *core);

/* Runs the queued tasks and those that they post, for at most `rounds` rounds.
 * True when some are still waiting. */
bool loop_core_run_tasks(struct loop_core *core, unsigned rounds);

/* Fires the timers that are due at `now`; one that a callback sets fires in a
 * later call, even when it is due at once. */
void loop_core_run_timers(struct loop_core *core);

/* When the next timer is due; LOOP_NEVER: none is set. */
uint64_t loop_core_due(const struct loop_core *core);

#endif
