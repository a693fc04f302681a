/* SPDX-License-Identifier: BSD-2-Clause */
#include "loop_core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <umpio/base/buf.h>

/* All that peers and clients can make all loops hold together. What is kept is
 * enough for the busiest second; what is beyond goes back to the system. */
#define POOLS_MAX (512 << 20)

static struct buf_bounds bounds = {
	.all = {POOLS_MAX},
	.held = {256 << 20},
	.size = POOLS_MAX,
	.keep = 64 << 20,
};

/* Both implementations put the core first. */
static struct loop_core *core_of(struct loop *loop)
{
	return (struct loop_core *)loop;
}

int loop_core_init(struct loop_core *core)
{
	*core = (struct loop_core){.now = 0};
	TAILQ_INIT(&core->tasks);
	core->pool = buf_pool_new(&bounds);
	return core->pool ? 0 : -ENOMEM;
}

void loop_core_fini(struct loop_core *core)
{
	assert(TAILQ_EMPTY(&core->tasks));
	assert(core->timers == 0);
	free(core->heap);
	buf_pool_free(core->pool);
}

uint64_t loop_now(const struct loop *loop)
{
	return ((const struct loop_core *)loop)->now;
}

struct buf_pool *loop_pool(struct loop *loop)
{
	return core_of(loop)->pool;
}

/* Tasks */

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg)
{
	*task = (struct loop_task){.fn = fn, .arg = arg};
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	TAILQ_INSERT_TAIL(&core_of(loop)->tasks, task, link);
}

void loop_unpost(struct loop *loop, struct loop_task *task)
{
	if (!task->queued)
		return;
	task->queued = false;
	TAILQ_REMOVE(&core_of(loop)->tasks, task, link);
}

/* A mark in the queue ends a round: what is posted meanwhile stands behind. */
static void run_round(struct loop_core *core)
{
	struct loop_task mark;

	TAILQ_INSERT_TAIL(&core->tasks, &mark, link);
	for (;;) {
		struct loop_task *task = TAILQ_FIRST(&core->tasks);

		TAILQ_REMOVE(&core->tasks, task, link);
		if (task == &mark)
			return;
		task->queued = false;
		task->fn(task->arg);
	}
}

bool loop_core_run_tasks(struct loop_core *core, unsigned rounds)
{
	while (!TAILQ_EMPTY(&core->tasks) && rounds-- > 0)
		run_round(core);
	return !TAILQ_EMPTY(&core->tasks);
}

/* Timers: a binary heap of pointers, each timer knowing its slot. */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void heap_put(struct loop_core *core, size_t slot, struct loop_timer *t)
{
	core->heap[slot] = t;
	t->slot = slot;
}

static void sift_up(struct loop_core *core, size_t slot, struct loop_timer *t)
{
	while (slot > 0 && is_before(t, core->heap[(slot - 1) / 2])) {
		heap_put(core, slot, core->heap[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	heap_put(core, slot, t);
}

static void sift_down(struct loop_core *core, size_t slot, struct loop_timer *t)
{
	size_t child;

	while ((child = 2 * slot + 1) < core->set) {
		if (child + 1 < core->set &&
			is_before(core->heap[child + 1], core->heap[child]))
			child++;
		if (!is_before(core->heap[child], t))
			break;
		heap_put(core, slot, core->heap[child]);
		slot = child;
	}
	heap_put(core, slot, t);
}

/* Setting must not fail, so room is made when a timer is born. */
static int heap_reserve(struct loop_core *core)
{
	size_t room = core->room ? core->room * 2 : 16;
	struct loop_timer **heap;

	if (core->timers < core->room)
		return 0;
	heap = reallocarray(core->heap, room, sizeof *heap);
	if (!heap)
		return -ENOMEM;
	core->heap = heap;
	core->room = room;
	return 0;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_core *core = core_of(loop);
	struct loop_timer *t = malloc(sizeof *t);

	if (!t || heap_reserve(core) < 0) {
		free(t);
		return NULL;
	}
	*t = (struct loop_timer){
		.core = core, .fn = fn, .arg = arg, .slot = LOOP_TIMER_OFF};
	core->timers++;
	return t;
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	loop_timer_stop(t);
	t->core->timers--;
	free(t);
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ns)
{
	struct loop_core *core = t->core;

	loop_timer_stop(t);
	if (delay_ns >= LOOP_NEVER - core->now)
		delay_ns = LOOP_NEVER - 1 - core->now;
	t->due = core->now + delay_ns;
	t->seq = core->seq++;
	sift_up(core, core->set++, t);
}

void loop_timer_stop(struct loop_timer *t)
{
	struct loop_core *core = t->core;
	size_t slot = t->slot;
	struct loop_timer *last;

	if (slot == LOOP_TIMER_OFF)
		return;
	t->slot = LOOP_TIMER_OFF;
	last = core->heap[--core->set];
	if (last == t)
		return;
	if (slot > 0 && is_before(last, core->heap[(slot - 1) / 2]))
		sift_up(core, slot, last);
	else
		sift_down(core, slot, last);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
	return t->slot != LOOP_TIMER_OFF;
}

void loop_core_run_timers(struct loop_core *core)
{
	uint64_t seq = core->seq;

	while (core->set > 0) {
		struct loop_timer *t = core->heap[0];

		/* Whatever is behind one that was set just now and is due, was
		 * set just now as well. */
		if (t->due > core->now || t->seq >= seq)
			return;
		loop_timer_stop(t);
		t->fn(t->arg);
	}
}

uint64_t loop_core_due(const struct loop_core *core)
{
	return core->set > 0 ? core->heap[0]->due : LOOP_NEVER;
}
