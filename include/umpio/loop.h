/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: the first of the two seams through which the world comes in (the
 * other is stream.h). File descriptors, timers, deferred and foreign calls,
 * the clock, random numbers and the buffer pool. libev stands behind it in the
 * daemon, virtual time behind it in the simulator: two implementations of this
 * one header, chosen when linking.
 *
 * A loop belongs to the thread that runs it. Only loop_send() and loop_stop()
 * may be called from another one. Callbacks run on the loop's thread, one at a
 * time, and may free the object that called them.
 */
#ifndef UMPIO_LOOP_H
#define UMPIO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct buf_pool;
struct loop;

typedef void loop_fn(void *arg);

/* A loop with its own buffer pool; NULL without memory or descriptors. */
struct loop *loop_new(void);

/* No watcher, timer or task of the loop may be left. NULL is allowed. */
void loop_free(struct loop *loop);

/* Runs callbacks until loop_stop(), which may come from any thread and at any
 * time, also before loop_run(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Something is likely to come in within microseconds: the loop looks for it
 * that long before it sleeps, since going to sleep and waking up costs more
 * than a quick answer takes. Where such hopes are mostly vain it sleeps at
 * once, and so it does while as many other loops are looking as half of the
 * processors: what is hoped for has to be made somewhere. */
void loop_expect(struct loop *loop);

/* How long that is; before loop_run(). 0: it always sleeps at once. */
#define LOOP_EXPECT_DEFAULT_US 50
void loop_expect_for(struct loop *loop, uint64_t ns);

/* Monotonic nanoseconds, taken once a turn of the loop. */
uint64_t loop_now(const struct loop *loop);

/* Fills `out` with `len` random bytes; cryptographically strong in the daemon,
 * repeatable from the seed in the simulator. */
void loop_random(struct loop *loop, void *out, size_t len);

/* The pool for data buffers of this loop. */
struct buf_pool *loop_pool(struct loop *loop);

/*
 * Tasks: calls to be made soon. A task is embedded in its owner and costs no
 * allocation. While it is queued, posting it again does nothing.
 */
struct loop_task {
	loop_fn *fn;
	void *arg;
	bool queued;
	TAILQ_ENTRY(loop_task) link;
};

void loop_task_init(struct loop_task *task, loop_fn *fn, void *arg);

/* Runs `task` in this turn, after the callback that is running and before the
 * loop sleeps: the place for what should happen once a batch. Order is kept. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Takes a posted task back; nothing when it is not queued. */
void loop_unpost(struct loop *loop, struct loop_task *task);

/* Runs `task` on the loop from any thread. The caller keeps the task alive, and
 * sends it again, only after it has run. */
void loop_send(struct loop *loop, struct loop_task *task);

/* Timers: one shot, off until set. Setting again moves it. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_free(struct loop_timer *timer); /* NULL is allowed */
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* Descriptors: level triggered. Errors and hang-ups show as readable and
 * writable, whichever is asked for. The descriptor stays the caller's. */
#define LOOP_READ  1u
#define LOOP_WRITE 2u
typedef void loop_io_fn(void *arg, unsigned events);

struct loop_io;
struct loop_io *loop_io_new(
	struct loop *loop, int fd, loop_io_fn *fn, void *arg);
void loop_io_free(struct loop_io *io);                  /* NULL is allowed */
void loop_io_want(struct loop_io *io, unsigned events); /* 0: nothing */

/* Signals: delivered as callbacks; for the loop of the main thread only. */
struct loop_signal;
struct loop_signal *loop_signal_new(
	struct loop *loop, int signo, loop_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *signal); /* NULL is allowed */

#endif
