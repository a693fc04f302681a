/* SPDX-License-Identifier: BSD-2-Clause */
/* The doubles themselves: what tests rely on has to hold. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

static struct loop *loop, *other;

static void setup(void)
{
	loop = loop_new();
	other = loop_new();
}

static void teardown(void)
{
	loop_free(other);
	loop_free(loop);
}

TestSuite(t_world, .init = setup, .fini = teardown);

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static bool is_set(void *arg)
{
	return *(unsigned *)arg > 0;
}

Test(t_world, time_jumps_to_timers)
{
	unsigned fired = 0, late = 0;
	struct loop_timer *t = loop_timer_new(loop, count, &fired);
	struct loop_timer *u = loop_timer_new(other, count, &late);

	loop_timer_set(t, 3600 * NS_PER_S);
	loop_timer_set(u, 3600 * NS_PER_S + 1);
	t_loop_run_for(loop, 3600 * NS_PER_S - 1);
	cr_assert_eq(fired, 0);
	t_loop_run_for(loop, 1);
	cr_assert_eq(fired, 1);
	cr_assert_eq(late, 0);
	cr_assert(t_loop_run_until(loop, is_set, &late, NS_PER_S));
	cr_assert_eq(loop_now(loop), T_EPOCH + 3600 * NS_PER_S + 1);
	cr_assert_eq(loop_now(other), loop_now(loop));
	late = 0;
	cr_assert_not(t_loop_run_until(loop, is_set, &late, 5));
	cr_assert_eq(loop_now(loop), T_EPOCH + 3600 * NS_PER_S + 6);
	loop_timer_free(t);
	loop_timer_free(u);
}

Test(t_world, random_repeats_from_the_seed)
{
	uint8_t x[16], y[16];

	t_world_seed(7);
	loop_random(loop, x, sizeof x);
	loop_random(loop, y, sizeof y);
	cr_assert_arr_neq(x, y, 16);
	t_world_seed(7);
	loop_random(other, y, sizeof y);
	cr_assert_arr_eq(x, y, 16);
}

Test(t_world, signals)
{
	unsigned hup = 0, term = 0;
	struct loop_signal *s = loop_signal_new(loop, SIGHUP, count, &hup);
	struct loop_signal *t = loop_signal_new(loop, SIGTERM, count, &term);

	t_loop_raise(loop, SIGTERM);
	cr_assert_eq(hup, 0);
	cr_assert_eq(term, 1);
	loop_signal_free(s);
	loop_signal_free(t);
}

/* Streams */

static struct stream *server, *client;
static int connect_err;

static void on_accept(void *arg, struct stream *s)
{
	(void)arg;
	server = s;
}

static void on_connect(void *arg, struct stream *s, int err)
{
	(void)arg;
	client = s;
	connect_err = err;
}

static ssize_t put(struct stream *s, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	return stream_writev(s, &iov, 1);
}

static ssize_t get(struct stream *s, char *text, size_t size)
{
	struct iovec iov = {text, size - 1};
	ssize_t n = stream_readv(s, &iov, 1);

	text[n > 0 ? n : 0] = '\0';
	return n;
}

static struct stream_listener *meet(const struct addr *at)
{
	int err;
	struct stream_listener *l =
		stream_listen(other, at, 0, on_accept, NULL, &err);

	cr_assert_not_null(l);
	stream_connect(loop, at, NULL, on_connect, NULL);
	cr_assert_null(client, "not from within the call");
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_not_null(client);
	cr_assert_not_null(server);
	return l;
}

Test(t_world, connect_listen_and_names)
{
	struct addr at = t_addr("[2001:db8::1]:3260");
	struct stream_listener *l = meet(&at);
	char text[64];
	int err;

	cr_assert_null(stream_listen(loop, &at, 0, on_accept, NULL, &err));
	cr_assert_eq(err, -EADDRINUSE);
	cr_assert_eq(put(client, "hello"), 5);
	cr_assert_eq(get(server, text, sizeof text), 5);
	cr_assert_str_eq(text, "hello");
	cr_assert_eq(get(server, text, sizeof text), -EAGAIN);
	stream_close(client);
	cr_assert_eq(get(server, text, sizeof text), 0);
	cr_assert_eq(put(server, "x"), 1);
	cr_assert_eq(put(server, "x"), -EPIPE, "nobody is there");
	stream_close(server);
	stream_listener_free(l);
	stream_connect(loop, &at, NULL, on_connect, NULL);
	t_loop_run_for(loop, 0);
	cr_assert_eq(connect_err, -ECONNREFUSED);
	cr_assert_null(client);
}

Test(t_world, delay_blackhole_and_flip)
{
	struct addr at = t_addr("10.0.0.1:3260");
	struct t_wire *w = t_wire_at(&at);
	struct stream_listener *l = meet(&at);
	char text[64];

	w->way[T_OUT].delay_ns = 100;
	w->way[T_OUT].flip_at = 1;
	put(client, "abc");
	t_loop_run_for(loop, 99);
	cr_assert_eq(get(server, text, sizeof text), -EAGAIN);
	t_loop_run_for(loop, 1);
	cr_assert_eq(get(server, text, sizeof text), 3);
	cr_assert_str_eq(text, "arc");
	/* What waits behind a black hole never arrives after an abort. */
	w->way[T_OUT].blackhole = true;
	put(client, "stale");
	stream_abort(client);
	w->way[T_OUT].blackhole = false;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(get(server, text, sizeof text), -EAGAIN);
	put(server, "anyone?");
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(get(server, text, sizeof text), -ECONNRESET);
	stream_close(server);
	stream_listener_free(l);
}

Test(t_world, reset_comes_after_what_arrived)
{
	struct addr at = t_addr("10.0.0.1:3260");
	struct stream_listener *l = meet(&at);
	char text[64];

	put(client, "data");
	t_wire_reset(&at);
	cr_assert_eq(get(server, text, 3), 2);
	cr_assert_eq(get(server, text, 9), 2);
	cr_assert_eq(get(server, text, 9), -ECONNRESET);
	cr_assert_eq(get(client, text, 9), -ECONNRESET);
	stream_abort(server);
	stream_abort(client);
	stream_listener_free(l);
	cr_assert_eq(t_wire_connections(&at), 0);
}

static int resolved;

static void on_resolved(void *arg, const struct addr *addrs, int n, int err)
{
	struct addr want = t_addr("10.9.9.9:99");

	(void)arg;
	if (n > 0)
		cr_assert_eq(memcmp(&addrs[0].ss, &want.ss, want.len), 0);
	resolved = n > 0 ? n : err;
}

Test(t_world, names)
{
	struct endpoint ep = {.host = "array", .port = 99};
	struct addr a = t_addr("10.9.9.9:1");

	stream_resolve(loop, &ep, on_resolved, NULL);
	t_loop_run_for(loop, 0);
	cr_assert_eq(resolved, -ENOENT);
	t_name_set("array", &a, 1);
	stream_resolve(loop, &ep, on_resolved, NULL);
	t_loop_run_for(loop, 0);
	cr_assert_eq(resolved, 1);
	resolved = 0;
	stream_resolve_cancel(stream_resolve(loop, &ep, on_resolved, NULL));
	t_loop_run_for(loop, 0);
	cr_assert_eq(resolved, 0);
}
