/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop on libev. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <unistd.h>

static struct loop *loop;
static char order[32];

static void setup(void)
{
	loop = loop_new();
}

static void teardown(void)
{
	loop_free(loop);
}

TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

static void note(char c)
{
	size_t n = strlen(order);

	order[n] = c;
	order[n + 1] = '\0';
}

static void note_a(void *arg)
{
	(void)arg;
	note('a');
}

static void note_b(void *arg)
{
	(void)arg;
	note('b');
}

static void stop(void *arg)
{
	(void)arg;
	note('.');
	loop_stop(loop);
}

Test(loop, stop_before_run)
{
	loop_stop(loop);
	loop_run(loop);
}

Test(loop, tasks_in_order_and_once)
{
	struct loop_task a, b, c, end;

	loop_task_init(&a, note_a, NULL);
	loop_task_init(&b, note_b, NULL);
	loop_task_init(&c, note_a, NULL);
	loop_task_init(&end, stop, NULL);
	loop_post(loop, &b);
	loop_post(loop, &a);
	loop_post(loop, &b);
	loop_post(loop, &c);
	loop_post(loop, &end);
	loop_unpost(loop, &c);
	loop_unpost(loop, &c);
	loop_run(loop);
	cr_assert_str_eq(order, "ba.");
}

static void repost(void *arg)
{
	loop_post(loop, arg);
}

/* A task that posts itself for ever does not starve timers. */
Test(loop, tasks_do_not_starve_the_rest)
{
	struct loop_task t;
	struct loop_timer *timer = loop_timer_new(loop, stop, NULL);

	loop_task_init(&t, repost, &t);
	loop_post(loop, &t);
	loop_timer_set(timer, 5 * NS_PER_MS);
	loop_run(loop);
	loop_unpost(loop, &t);
	loop_timer_free(timer);
}

static uint64_t due;

static void on_time(void *arg)
{
	(void)arg;
	cr_assert_geq(loop_now(loop), due, "never early");
	note('t');
}

Test(loop, timers)
{
	struct loop_timer *t[4];

	t[0] = loop_timer_new(loop, on_time, NULL);
	t[1] = loop_timer_new(loop, note_a, NULL);
	t[2] = loop_timer_new(loop, note_b, NULL);
	t[3] = loop_timer_new(loop, stop, NULL);
	loop_timer_set(t[3], 30 * NS_PER_MS);
	loop_timer_set(t[1], 3600 * NS_PER_S);
	loop_timer_set(t[2], 1);
	loop_timer_set(t[1], 10 * NS_PER_MS);
	due = loop_now(loop) + 20 * NS_PER_MS + 1;
	loop_timer_set(t[0], 20 * NS_PER_MS + 1);
	loop_timer_stop(t[2]);
	cr_assert_not(loop_timer_is_set(t[2]));
	cr_assert(loop_timer_is_set(t[1]));
	loop_run(loop);
	cr_assert_str_eq(order, "at.");
	for (int i = 0; i < 4; i++)
		loop_timer_free(t[i]);
}

/* Many timers, set and stopped in an order without order, fire by time. */
static unsigned fired;
static uint64_t last_due;
static uint64_t dues[500];

static void in_order(void *arg)
{
	const uint64_t *mine = arg;

	cr_assert_geq(*mine, last_due);
	last_due = *mine;
	fired++;
}

Test(loop, heap_keeps_order)
{
	struct loop_timer *t[500], *end = loop_timer_new(loop, stop, NULL);
	unsigned stopped = 0;

	for (unsigned i = 0; i < 500; i++) {
		t[i] = loop_timer_new(loop, in_order, &dues[i]);
		dues[i] = i * 7919 % 503 * 10000;
		loop_timer_set(t[i], dues[i]);
	}
	for (unsigned i = 0; i < 500; i += 3, stopped++)
		loop_timer_stop(t[i]);
	loop_timer_set(end, 10 * NS_PER_MS);
	loop_run(loop);
	cr_assert_eq(fired, 500 - stopped);
	for (unsigned i = 0; i < 500; i++)
		loop_timer_free(t[i]);
	loop_timer_free(end);
}

struct self {
	struct loop_timer *timer;
	struct loop_io *io;
	unsigned n;
};

static void free_self(void *arg)
{
	struct self *self = arg;

	loop_timer_free(self->timer);
	self->timer = NULL;
	loop_stop(loop);
}

static void reset_self(void *arg)
{
	struct self *self = arg;

	if (++self->n < 5)
		loop_timer_set(self->timer, 0);
	else
		free_self(self);
}

Test(loop, timer_resets_and_frees_itself)
{
	struct self self = {0};

	self.timer = loop_timer_new(loop, reset_self, &self);
	loop_timer_set(self.timer, 0);
	loop_run(loop);
	cr_assert_eq(self.n, 5);
}

static void on_pipe(void *arg, unsigned events)
{
	struct self *self = arg;

	cr_assert_eq(events, LOOP_READ);
	self->n++;
	if (self->n < 3)
		return; /* level triggered: it comes again */
	loop_io_free(self->io);
	loop_stop(loop);
}

Test(loop, io_is_level_triggered_and_frees_itself)
{
	struct self self = {0};
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	self.io = loop_io_new(loop, fd[0], on_pipe, &self);
	loop_io_want(self.io, LOOP_READ | LOOP_WRITE);
	loop_io_want(self.io, LOOP_READ);
	cr_assert_eq(write(fd[1], "x", 1), 1);
	loop_run(loop);
	cr_assert_eq(self.n, 3);
	close(fd[0]);
	close(fd[1]);
}

Test(loop, signals)
{
	struct loop_signal *s = loop_signal_new(loop, SIGUSR1, stop, NULL);

	raise(SIGUSR1);
	loop_run(loop);
	cr_assert_str_eq(order, ".");
	loop_signal_free(s);
}

Test(loop, idle_pool_is_trimmed)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	buf_put(buf_get(loop_pool(loop), 1 << 20));
	cr_assert_gt(buf_pool_kept(loop_pool(loop)), 0);
	loop_timer_set(t, 5200 * NS_PER_MS);
	loop_run(loop);
	cr_assert_eq(buf_pool_kept(loop_pool(loop)), 0);
	loop_timer_free(t);
}

Test(loop, random)
{
	uint8_t x[300] = {0}, y[300] = {0};

	loop_random(loop, x, sizeof x);
	loop_random(loop, y, sizeof y);
	cr_assert_arr_neq(x, y, sizeof x);
}
