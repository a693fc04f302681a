/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_loop.h"

#include "t_world.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/loop_core.h"

#define TASK_ROUNDS   16
/* A transfer byte by byte is long; what is longer runs in circles. */
#define TURNS_AT_ONCE 20000000u

struct loop {
	struct loop_core core; /* first: see loop_core.h */
	TAILQ_HEAD(, t_source) sources;
	LIST_HEAD(, loop_signal) signals;
	bool stop;
	uint64_t resumes; /* it is paused until then */
	TAILQ_ENTRY(loop) link;
};

static struct {
	TAILQ_HEAD(t_loop_list, loop) loops;
	struct loop *current;
	uint64_t now;
	uint64_t random; /* the generator's state */
	uint64_t turn;
	unsigned turns_at_once;
} world = {
	.loops = TAILQ_HEAD_INITIALIZER(world.loops),
	.now = T_EPOCH,
	.random = 1,
};

/* reallocarray(), since a test may let the others fail. */
void *t_new(size_t size)
{
	void *p = reallocarray(NULL, size, 1);

	if (!p)
		abort();
	return memset(p, 0, size);
}

void t_world_seed(uint64_t seed)
{
	world.random = seed;
}

uint64_t t_world_now(void)
{
	return world.now;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t t_world_random(void)
{
	uint64_t z = world.random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Running */

void t_source_add(struct loop *loop, struct t_source *source)
{
	source->loop = loop;
	source->turn = 0;
	TAILQ_INSERT_TAIL(&loop->sources, source, link);
}

void t_source_remove(struct t_source *source)
{
	TAILQ_REMOVE(&source->loop->sources, source, link);
}

/* Fires the next source that is ready and had no turn yet; false: none. A
 * callback may add and free sources, so the search starts anew each time. */
static bool fire_next(struct loop *loop, uint64_t *due)
{
	struct t_source *source;

	TAILQ_FOREACH (source, &loop->sources, link) {
		if (source->turn == world.turn)
			continue;
		source->turn = world.turn;
		if (!source->ready(source, world.now, due))
			continue;
		source->fire(source);
		return true;
	}
	return false;
}

/* One turn of one loop, as the real one has it: tasks, descriptors, timers. */
static bool loop_turn(struct loop *loop, uint64_t *due)
{
	bool busy = !TAILQ_EMPTY(&loop->core.tasks);
	uint64_t timer;

	if (loop->resumes > world.now) {
		if (loop->resumes < *due)
			*due = loop->resumes;
		return false;
	}
	world.current = loop;
	loop_core_run_tasks(&loop->core, TASK_ROUNDS);
	while (fire_next(loop, due))
		busy = true;
	timer = loop_core_due(&loop->core);
	if (timer <= world.now) {
		loop_core_run_timers(&loop->core);
		return true;
	}
	if (timer < *due)
		*due = timer;
	return busy || !TAILQ_EMPTY(&loop->core.tasks);
}

static void set_time(uint64_t now)
{
	struct loop *loop;

	world.now = now;
	world.turns_at_once = 0;
	TAILQ_FOREACH (loop, &world.loops, link)
		loop->core.now = now;
}

/* One turn of all loops. False when nothing was to do; then `due` tells when
 * there will be. */
static bool turn(uint64_t *due)
{
	struct loop *loop, *next;
	bool busy = false;

	*due = T_NEVER;
	world.turn++;
	if (++world.turns_at_once > TURNS_AT_ONCE) {
		fprintf(stderr, "t_loop: the loops run in circles\n");
		abort();
	}
	for (loop = TAILQ_FIRST(&world.loops); loop; loop = next) {
		next = TAILQ_NEXT(loop, link);
		busy |= loop_turn(loop, due);
	}
	world.current = NULL;
	assert(busy || *due > world.now);
	return busy;
}

bool t_loop_run_until(
	struct loop *loop, t_predicate *is_so, void *arg, uint64_t limit_ns)
{
	uint64_t end = world.now + limit_ns, due;

	(void)loop;
	if (end < world.now)
		end = T_NEVER - 1;
	for (;;) {
		if (is_so && is_so(arg))
			return true;
		if (turn(&due))
			continue;
		if (due > end)
			break;
		set_time(due);
	}
	set_time(end);
	return is_so && is_so(arg);
}

void t_loop_run_for(struct loop *loop, uint64_t ns)
{
	t_loop_run_until(loop, NULL, NULL, ns);
}

void t_loop_skip(struct loop *loop, uint64_t ns)
{
	(void)loop;
	set_time(world.now + ns);
}

void t_loop_pause(struct loop *loop, uint64_t ns)
{
	loop->resumes = world.now + ns;
}

struct loop *t_loop_current(void)
{
	return world.current;
}

static bool is_stopped(void *arg)
{
	const struct loop *loop = arg;
	return loop->stop;
}

/* Comes back as well when nothing can ever happen any more. */
void loop_run(struct loop *loop)
{
	uint64_t due;

	while (!is_stopped(loop)) {
		if (turn(&due))
			continue;
		if (due == T_NEVER)
			break;
		set_time(due);
	}
	loop->stop = false;
}

/* Virtual time does not pass while a loop is awake. */
void loop_expect(struct loop *loop)
{
	(void)loop;
}

void loop_expect_for(struct loop *loop, uint64_t ns)
{
	(void)loop;
	(void)ns;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

struct loop *loop_new(void)
{
	struct loop *loop = t_new(sizeof *loop);

	if (loop_core_init(&loop->core) < 0)
		abort();
	loop->core.now = world.now;
	TAILQ_INIT(&loop->sources);
	LIST_INIT(&loop->signals);
	TAILQ_INSERT_TAIL(&world.loops, loop, link);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop_core_run_tasks(&loop->core, TASK_ROUNDS))
		;
	assert(TAILQ_EMPTY(&loop->sources) && LIST_EMPTY(&loop->signals));
	TAILQ_REMOVE(&world.loops, loop, link);
	loop_core_fini(&loop->core);
	free(loop);
	if (!TAILQ_EMPTY(&world.loops))
		return;
	t_net_end();
	set_time(T_EPOCH);
	t_world_seed(1);
}

/* There is one thread. */
void loop_send(struct loop *loop, struct loop_task *task)
{
	loop_post(loop, task);
}

void loop_random(struct loop *loop, void *out, size_t len)
{
	uint8_t *p = out;

	(void)loop;
	while (len-- > 0)
		*p++ = (uint8_t)t_world_random();
}

/* Real descriptors, for a test that brings some: looked at once a turn. What
 * arrives on them is outside of virtual time. */

struct loop_io {
	struct t_source source;
	int fd;
	unsigned want, events;
	loop_io_fn *fn;
	void *arg;
};

static bool io_ready(struct t_source *source, uint64_t now, uint64_t *due)
{
	struct loop_io *io = (struct loop_io *)source;
	struct pollfd pfd = {.fd = io->fd};

	(void)now, (void)due;
	if (io->want & LOOP_READ)
		pfd.events |= POLLIN;
	if (io->want & LOOP_WRITE)
		pfd.events |= POLLOUT;
	if (!io->want || poll(&pfd, 1, 0) <= 0)
		return false;
	io->events = 0;
	if (pfd.revents & ~POLLOUT)
		io->events |= LOOP_READ;
	if (pfd.revents & ~POLLIN)
		io->events |= LOOP_WRITE;
	io->events &= io->want;
	return io->events != 0;
}

static void io_fire(struct t_source *source)
{
	struct loop_io *io = (struct loop_io *)source;

	io->fn(io->arg, io->events);
}

struct loop_io *loop_io_new(
	struct loop *loop, int fd, loop_io_fn *fn, void *arg)
{
	struct loop_io *io = t_new(sizeof *io);

	*io = (struct loop_io){.fd = fd, .fn = fn, .arg = arg};
	io->source.ready = io_ready;
	io->source.fire = io_fire;
	t_source_add(loop, &io->source);
	return io;
}

void loop_io_free(struct loop_io *io)
{
	if (!io)
		return;
	t_source_remove(&io->source);
	free(io);
}

void loop_io_want(struct loop_io *io, unsigned events)
{
	io->want = events;
}

/* Signals come by t_loop_raise() alone. */

struct loop_signal {
	int signo;
	loop_fn *fn;
	void *arg;
	LIST_ENTRY(loop_signal) link;
};

struct loop_signal *loop_signal_new(
	struct loop *loop, int signo, loop_fn *fn, void *arg)
{
	struct loop_signal *signal = t_new(sizeof *signal);

	*signal = (struct loop_signal){.signo = signo, .fn = fn, .arg = arg};
	LIST_INSERT_HEAD(&loop->signals, signal, link);
	return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
	if (!signal)
		return;
	LIST_REMOVE(signal, link);
	free(signal);
}

void t_loop_raise(struct loop *loop, int signo)
{
	struct loop_signal *signal = LIST_FIRST(&loop->signals), *next;

	for (; signal; signal = next) {
		next = LIST_NEXT(signal, link);
		if (signal->signo == signo)
			signal->fn(signal->arg);
	}
}
