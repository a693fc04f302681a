/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h on libev. libev waits and dispatches descriptors and signals; timers
 * and tasks are the core's, so that a timer fires exactly when loop_now() has
 * reached it. One turn:
 *
 *   prepare   the posted tasks run; one libev timer is set for the core's next
 *   (poll)
 *   check     the clock is read, before any other callback
 *   default   descriptors, signals, tasks from other threads
 *   lowest    the timers: an answer that came in time is seen before the
 *             time-out that waited for it
 */
#include "loop_core.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <unistd.h>

#define TASK_ROUNDS   16
#define IDLE_NS       (5 * NS_PER_S)
/* The idle timer moves only when it would be off by this much. */
#define IDLE_SLACK_NS (500 * NS_PER_MS)

struct loop {
	struct loop_core core;
	struct ev_loop *ev;
	size_t watchers; /* struct loop_io and loop_signal that exist */
	ev_prepare prepare;
	ev_check check;
	ev_timer tick;
	uint64_t tick_due; /* LOOP_NEVER: the tick is off */
	ev_idle yield;     /* runs while the poll must not sleep */

	uint64_t awake_ns;    /* how long a hope lasts */
	uint64_t awake_until; /* 0: it may sleep */
	unsigned luck;        /* hopes that came true, lately */
	unsigned declined;    /* hopes not followed for want of luck */
	bool stopped;

	struct loop_timer *trim; /* set while there is something to give back */
	uint64_t gets;           /* of the pool, when last looked */

	ev_async wake;
	pthread_mutex_t lock; /* of all that is below */
	struct loop_task_list sent;
	bool stop;
};

#define LUCK_MAX   16
#define TRY_ANYWAY 64 /* of so many hopes one is followed without luck */

/* Loops that are awake, of all threads, and how many may be. */
static atomic_uint awake;
static atomic_uint awake_max;

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void nothing(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev, (void)w, (void)revents;
}

/* The heap's free pages and the pool's free buffers go back to the system when
 * nobody has asked for a buffer for a while. */
static void trim_due(void *arg)
{
	struct loop *loop = arg;

	buf_pool_trim(loop->core.pool);
	malloc_trim(0);
}

static void watch_idle(struct loop *loop)
{
	uint64_t gets = buf_pool_gets(loop->core.pool);

	if (gets == loop->gets)
		return;
	loop->gets = gets;
	if (!loop_timer_is_set(loop->trim) ||
		loop->trim->due < loop->core.now + IDLE_NS - IDLE_SLACK_NS)
		loop_timer_set(loop->trim, IDLE_NS);
}

static void arm_tick(struct loop *loop)
{
	uint64_t due = loop_core_due(&loop->core);
	uint64_t now = loop->core.now;

	if (due == loop->tick_due)
		return;
	loop->tick_due = due;
	ev_timer_stop(loop->ev, &loop->tick);
	if (due == LOOP_NEVER)
		return;
	ev_timer_set(&loop->tick,
		due > now ? (double)(due - now) / (double)NS_PER_S : 0., 0.);
	ev_timer_start(loop->ev, &loop->tick);
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct loop *loop = w->data;
	bool more = loop_core_run_tasks(&loop->core, TASK_ROUNDS);

	(void)revents;
	/* A task may have hoped when the kind of this poll was chosen already.
	 */
	if (more || loop->awake_until)
		ev_idle_start(ev, &loop->yield);
	else
		ev_idle_stop(ev, &loop->yield);
	watch_idle(loop);
	arm_tick(loop);
}

static void on_check(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *loop = w->data;

	(void)ev, (void)revents;
	loop->core.now = clock_now();
}

static void on_tick(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop *loop = w->data;

	(void)ev, (void)revents;
	loop->tick_due = LOOP_NEVER;
	loop_core_run_timers(&loop->core);
}

/* Moves what other threads sent to the posted tasks; true: stop. */
static bool take_sent(struct loop *loop)
{
	struct loop_task_list sent = TAILQ_HEAD_INITIALIZER(sent);
	struct loop_task *task;
	bool stop;

	pthread_mutex_lock(&loop->lock);
	TAILQ_CONCAT(&sent, &loop->sent, link);
	stop = loop->stop;
	loop->stop = false;
	pthread_mutex_unlock(&loop->lock);
	while ((task = TAILQ_FIRST(&sent))) {
		TAILQ_REMOVE(&sent, task, link);
		loop_post(loop, task);
	}
	return stop;
}

static void on_wake(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop *loop = w->data;

	(void)ev, (void)revents;
	if (take_sent(loop))
		loop->stopped = true;
}

static void init_watchers(struct loop *loop)
{
	ev_prepare_init(&loop->prepare, on_prepare);
	ev_check_init(&loop->check, on_check);
	ev_timer_init(&loop->tick, on_tick, 0., 0.);
	ev_idle_init(&loop->yield, nothing);
	ev_async_init(&loop->wake, on_wake);
	loop->prepare.data = loop->check.data = loop;
	loop->tick.data = loop->wake.data = loop;
	ev_set_priority(&loop->check, EV_MAXPRI);
	ev_set_priority(&loop->tick, EV_MINPRI);
	ev_set_priority(&loop->yield, EV_MINPRI);
	ev_prepare_start(loop->ev, &loop->prepare);
	ev_check_start(loop->ev, &loop->check);
	ev_async_start(loop->ev, &loop->wake);
}

/* Hopes */

/* A hope that takes the processor from those who are to fulfil it is vain. */
static unsigned awake_allowed(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	return CPU_COUNT(&set) > 3 ? (unsigned)CPU_COUNT(&set) / 2 : 1;
}

void loop_expect_for(struct loop *loop, uint64_t ns)
{
	loop->awake_ns = ns;
}

static void fall_asleep(struct loop *loop)
{
	if (!loop->awake_until)
		return;
	loop->awake_until = 0;
	atomic_fetch_sub_explicit(&awake, 1, memory_order_relaxed);
}

static bool stay_awake(void)
{
	if (atomic_fetch_add_explicit(&awake, 1, memory_order_relaxed) <
		atomic_load_explicit(&awake_max, memory_order_relaxed))
		return true;
	atomic_fetch_sub_explicit(&awake, 1, memory_order_relaxed);
	return false;
}

void loop_expect(struct loop *loop)
{
	if (loop->awake_ns == 0)
		return;
	if (loop->luck == 0 && ++loop->declined % TRY_ANYWAY != 0)
		return;
	if (loop->awake_until || stay_awake())
		loop->awake_until = loop->core.now + loop->awake_ns;
}

/* Keeps account of the hope that is under way, if any. */
static bool is_awake(struct loop *loop)
{
	if (!loop->awake_until)
		return false;
	if (clock_now() < loop->awake_until)
		return true;
	fall_asleep(loop);
	if (loop->luck > 0)
		loop->luck--;
	return false;
}

/* libev ends the program when it gets no pipe for wake-ups. */
static bool pipe_is_to_be_had(void)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return false;
	close(fd[0]);
	close(fd[1]);
	return true;
}

/* Without memory libev has no way but abort(). What it asks for is small, and
 * nothing at all once there are no more descriptors than before, so it is worth
 * a wait. */
static void *ev_memory(void *p, long size)
{
	const struct timespec while_others_free = {.tv_nsec = 10000000};
	void *at = NULL;

	if (size == 0) {
		free(p);
		return NULL;
	}
	for (int i = 0; !at && i < 500; i++) {
		if (i > 0)
			nanosleep(&while_others_free, NULL);
		at = realloc(p, (size_t)size);
	}
	return at;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return NULL;
	if (loop_core_init(&loop->core) < 0)
		goto no_core;
	loop->core.now = clock_now();
	loop->awake_ns = LOOP_EXPECT_DEFAULT_US * NS_PER_US;
	atomic_store(&awake_max, awake_allowed());
	loop->trim = loop_timer_new(loop, trim_due, loop);
	if (!loop->trim)
		goto no_trim;
	ev_set_allocator(ev_memory);
	/* The environment may not choose another backend for us. */
	loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!loop->ev)
		loop->ev = ev_loop_new(EVFLAG_NOENV);
	if (!loop->ev)
		goto no_ev;
	if (!pipe_is_to_be_had())
		goto no_pipe;
	loop->tick_due = LOOP_NEVER;
	TAILQ_INIT(&loop->sent);
	pthread_mutex_init(&loop->lock, NULL);
	init_watchers(loop);
	return loop;

no_pipe:
	ev_loop_destroy(loop->ev);
no_ev:
	loop_timer_free(loop->trim);
no_trim:
	loop_core_fini(&loop->core);
no_core:
	free(loop);
	return NULL;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	/* Answers to look-ups that were given up may still have been under way;
	 * their owners are gone, the tasks only free themselves. */
	take_sent(loop);
	while (loop_core_run_tasks(&loop->core, TASK_ROUNDS))
		;
	assert(loop->watchers == 0);
	fall_asleep(loop);
	ev_loop_destroy(loop->ev);
	pthread_mutex_destroy(&loop->lock);
	loop_timer_free(loop->trim);
	loop_core_fini(&loop->core);
	free(loop);
}

void loop_run(struct loop *loop)
{
	ev_now_update(loop->ev);
	loop->core.now = clock_now();
	/* The tick was set by the old time. */
	loop->tick_due = LOOP_NEVER;
	ev_timer_stop(loop->ev, &loop->tick);
	for (loop->stopped = false; !loop->stopped;) {
		ev_run(loop->ev, is_awake(loop) ? EVRUN_NOWAIT : EVRUN_ONCE);
	}
}

void loop_stop(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->stop = true;
	ev_async_send(loop->ev, &loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

/* Waking under the lock: once the task is visible its owner may end the loop.
 */
void loop_send(struct loop *loop, struct loop_task *task)
{
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = TAILQ_EMPTY(&loop->sent);
	TAILQ_INSERT_TAIL(&loop->sent, task, link);
	if (first)
		ev_async_send(loop->ev, &loop->wake);
	pthread_mutex_unlock(&loop->lock);
}

void loop_random(struct loop *loop, void *out, size_t len)
{
	uint8_t *p = out;

	(void)loop;
	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0) {
			assert(errno == EINTR);
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
}

/* Descriptors */

struct loop_io {
	ev_io ev;
	struct loop *loop;
	loop_io_fn *fn;
	void *arg;
};

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = w->data;
	unsigned events = 0;

	(void)ev;
	if (io->loop->awake_until) { /* before the callback hopes anew */
		fall_asleep(io->loop);
		if (io->loop->luck < LUCK_MAX)
			io->loop->luck++;
	}
	if (revents & EV_READ)
		events |= LOOP_READ;
	if (revents & EV_WRITE)
		events |= LOOP_WRITE;
	io->fn(io->arg, events);
}

struct loop_io *loop_io_new(
	struct loop *loop, int fd, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = malloc(sizeof *io);

	if (!io)
		return NULL;
	*io = (struct loop_io){.loop = loop, .fn = fn, .arg = arg};
	ev_io_init(&io->ev, on_io, fd, 0);
	io->ev.data = io;
	loop->watchers++;
	return io;
}

void loop_io_free(struct loop_io *io)
{
	if (!io)
		return;
	ev_io_stop(io->loop->ev, &io->ev);
	io->loop->watchers--;
	free(io);
}

/* libev gathers the changes of a turn: back and forth costs no system call. */
void loop_io_want(struct loop_io *io, unsigned events)
{
	int want = 0;

	if (events & LOOP_READ)
		want |= EV_READ;
	if (events & LOOP_WRITE)
		want |= EV_WRITE;
	if (want == (io->ev.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(io->loop->ev, &io->ev);
	ev_io_modify(&io->ev, want);
	if (want)
		ev_io_start(io->loop->ev, &io->ev);
}

/* Signals */

struct loop_signal {
	ev_signal ev;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
};

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
	struct loop_signal *signal = w->data;

	(void)ev, (void)revents;
	signal->fn(signal->arg);
}

struct loop_signal *loop_signal_new(
	struct loop *loop, int signo, loop_fn *fn, void *arg)
{
	struct loop_signal *signal = malloc(sizeof *signal);

	if (!signal)
		return NULL;
	*signal = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
	ev_signal_init(&signal->ev, on_signal, signo);
	signal->ev.data = signal;
	ev_signal_start(loop->ev, &signal->ev);
	loop->watchers++;
	return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
	if (!signal)
		return;
	ev_signal_stop(signal->loop->ev, &signal->ev);
	signal->loop->watchers--;
	free(signal);
}
