/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams over real sockets. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

static struct loop *loop;
static struct loop_timer *alarm_timer;
static struct stream *server, *client;
static int connect_err = 1;
static char dir[] = "/tmp/umpio-test-XXXXXX";

static void on_alarm(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void setup(void)
{
	loop = loop_new();
	alarm_timer = loop_timer_new(loop, on_alarm, NULL);
	cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
	stream_close(client);
	stream_close(server);
	loop_timer_free(alarm_timer);
	loop_free(loop);
	cr_assert_eq(rmdir(dir), 0, "a socket file was left behind");
}

TestSuite(stream, .init = setup, .fini = teardown, .timeout = 20);

static void run_ms(unsigned ms)
{
	loop_timer_set(alarm_timer, ms * NS_PER_MS);
	loop_run(loop);
	loop_timer_stop(alarm_timer);
}

static void check_both(void)
{
	if (client && server)
		loop_stop(loop);
}

static void on_accept(void *arg, struct stream *s)
{
	(void)arg;
	cr_assert_null(server);
	server = s;
	check_both();
}

static void on_connect(void *arg, struct stream *s, int err)
{
	(void)arg;
	client = s;
	connect_err = err;
	if (err < 0)
		loop_stop(loop);
	check_both();
}

static struct stream_listener *meet(
	const struct addr *at, const struct stream_options *options)
{
	int err;
	struct stream_listener *l =
		stream_listen(loop, at, 0600, on_accept, NULL, &err);

	cr_assert_not_null(l, "%s", strerror(-err));
	stream_connect(
		loop, stream_listener_addr(l), options, on_connect, NULL);
	cr_assert_eq(connect_err, 1, "not from within the call");
	run_ms(5000);
	cr_assert_eq(connect_err, 0);
	cr_assert_not_null(server);
	return l;
}

static struct addr loopback(const char *host)
{
	struct endpoint ep = {.port = 0};
	struct addr a;

	strcpy(ep.host, host);
	cr_assert_eq(addr_from_endpoint(&a, &ep), 0);
	return a;
}

static void on_readable(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static const struct stream_events events = {on_readable, on_readable};

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* The descriptor of a connection that is bound to `at`: it does not listen. */
static int socket_at(const struct addr *at)
{
	for (int fd = 3; fd < 256; fd++) {
		struct addr a = {.len = sizeof a.ss};

		if (getsockname(fd, (struct sockaddr *)&a.ss, &a.len) == 0 &&
			a.len == at->len &&
			memcmp(&a.ss, &at->ss, a.len) == 0 &&
			!option_of(fd, SOL_SOCKET, SO_ACCEPTCONN))
			return fd;
	}
	cr_assert(false, "no such socket");
	return -1;
}

Test(stream, accepted_sockets_are_watched)
{
	struct addr at = loopback("127.0.0.1");
	struct stream_listener *l = meet(&at, &(struct stream_options){0});
	int fd = socket_at(stream_listener_addr(l));

	cr_assert(option_of(fd, SOL_SOCKET, SO_KEEPALIVE));
	cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
	cr_assert_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	cr_assert(option_of(fd, IPPROTO_TCP, TCP_NODELAY));
	stream_listener_free(l);
}

#define RTO_MAX_MS 44 /* TCP_RTO_MAX_MS, newer than some headers */

Test(stream, pauses_before_sending_again_are_bounded)
{
	struct stream_options o = {.resend_ms = 1500};
	struct addr at = loopback("127.0.0.1");
	struct stream_listener *l = meet(&at, &o);
	int fd = socket_at(&client->local), value = 0;
	socklen_t len = sizeof value;

	if (getsockopt(fd, IPPROTO_TCP, RTO_MAX_MS, &value, &len) < 0)
		cr_skip_test("this kernel knows no TCP_RTO_MAX_MS");
	cr_assert_eq(value, 1500);
	stream_listener_free(l);
}

static ssize_t read_some(struct stream *s, char *text, size_t size)
{
	struct iovec iov = {text, size};

	stream_own(s, &events, NULL);
	stream_want(s, true, false);
	run_ms(5000);
	return stream_readv(s, &iov, 1);
}

static void exchange(void)
{
	struct iovec iov[2] = {{(void *)"hel", 3}, {(void *)"lo", 2}};
	char text[16];

	cr_assert_eq(stream_writev(client, iov, 2), 5);
	cr_assert_eq(read_some(server, text, sizeof text), 5);
	cr_assert_eq(memcmp(text, "hello", 5), 0);
	cr_assert_eq(stream_readv(server, iov, 1), -EAGAIN);
}

Test(stream, tcp4)
{
	struct stream_options o = {.interface = "127.0.0.1",
		.nodelay = true,
		.user_timeout_ms = 9};
	struct addr at = loopback("127.0.0.1");
	struct stream_listener *l = meet(&at, &o);

	exchange();
	cr_assert_eq(client->peer.len, server->local.len);
	cr_assert_eq(
		memcmp(&client->peer.ss, &server->local.ss, client->peer.len),
		0);
	cr_assert_eq(stream_peer_uid(server), (uid_t)-1);
	stream_listener_free(l);
}

Test(stream, tcp6)
{
	struct addr at = loopback("::1");
	int err;
	struct stream_listener *l =
		stream_listen(loop, &at, 0, on_accept, NULL, &err);

	if (!l)
		cr_skip_test("no IPv6 here");
	stream_listener_free(l);
	l = meet(&at, NULL);
	exchange();
	stream_listener_free(l);
}

Test(stream, unix_socket_mode_uid_and_staleness)
{
	char path[64];
	struct addr at;
	struct stat st;
	struct stream_listener *l;
	int err, fd;

	snprintf(path, sizeof path, "%s/s", dir);
	cr_assert_eq(addr_from_unix(&at, path), 0);
	/* A dead server's file. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at.ss, at.len), 0);
	close(fd);
	l = meet(&at, NULL);
	exchange();
	cr_assert_eq(stream_peer_uid(server), getuid());
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	/* A living one's. */
	cr_assert_null(stream_listen(loop, &at, 0600, on_accept, NULL, &err));
	cr_assert_eq(err, -EADDRINUSE);
	cr_assert_eq(stat(path, &st), 0);
	/* The probe was a connection, which must not trip the server. */
	stream_listener_free(l);
	cr_assert_eq(stat(path, &st), -1);
}

Test(stream, abort_resets_and_close_ends)
{
	struct addr at = loopback("127.0.0.1");
	struct stream_listener *l = meet(&at, NULL);
	char text[16];

	stream_abort(client);
	client = NULL;
	cr_assert_eq(read_some(server, text, sizeof text), -ECONNRESET);
	stream_close(server);
	server = NULL;
	stream_listener_free(l);
	connect_err = 1;
	l = meet(&at, NULL);
	stream_close(client);
	client = NULL;
	cr_assert_eq(read_some(server, text, sizeof text), 0);
	stream_listener_free(l);
}

Test(stream, refused_cancelled_and_bad_interface)
{
	struct stream_options o = {.interface = "nosuchif0"};
	struct addr at = loopback("127.0.0.1");
	int err;
	struct stream_listener *l =
		stream_listen(loop, &at, 0, on_accept, NULL, &err);

	at = *stream_listener_addr(l);
	stream_listener_free(l);
	stream_connect(loop, &at, NULL, on_connect, NULL);
	run_ms(5000);
	cr_assert_eq(connect_err, -ECONNREFUSED);
	cr_assert_null(client);
	connect_err = 1;
	stream_connect_cancel(
		stream_connect(loop, &at, NULL, on_connect, NULL));
	run_ms(20);
	cr_assert_eq(connect_err, 1);
	stream_connect(loop, &at, &o, on_connect, NULL);
	run_ms(5000);
	cr_assert_eq(connect_err, -ENODEV);
}

Test(stream, paused_listener)
{
	struct addr at = loopback("127.0.0.1");
	int err;
	struct stream_listener *l =
		stream_listen(loop, &at, 0, on_accept, NULL, &err);

	stream_listener_want(l, false);
	stream_connect(loop, stream_listener_addr(l), NULL, on_connect, NULL);
	run_ms(50);
	cr_assert_eq(connect_err, 0);
	cr_assert_null(server);
	stream_listener_want(l, true);
	run_ms(5000);
	cr_assert_not_null(server);
	stream_listener_free(l);
}

/* Without descriptors accepting pauses, and goes on when there are some. */
Test(stream, shortage_of_descriptors)
{
	struct addr at = loopback("127.0.0.1");
	struct rlimit old, none;
	int err;
	struct stream_listener *l =
		stream_listen(loop, &at, 0, on_accept, NULL, &err);

	stream_connect(loop, stream_listener_addr(l), NULL, on_connect, NULL);
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){0, old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	run_ms(250);
	setrlimit(RLIMIT_NOFILE, &old);
	cr_assert_eq(connect_err, 0);
	cr_assert_null(server);
	run_ms(5000);
	cr_assert_not_null(server);
	exchange();
	stream_listener_free(l);
}

static int resolved = 99;

static void on_resolved(void *arg, const struct addr *addrs, int n, int err)
{
	(void)arg;
	resolved = n > 0 && addr_is_loopback(&addrs[0]) ? 0 : err;
	loop_stop(loop);
}

Test(stream, resolve)
{
	struct endpoint ep = {.host = "127.0.0.1", .port = 1};
	struct endpoint name = {.host = "localhost", .port = 1};

	stream_resolve(loop, &ep, on_resolved, NULL);
	cr_assert_eq(resolved, 99);
	run_ms(5000);
	cr_assert_eq(resolved, 0);
	resolved = 99;
	stream_resolve(loop, &name, on_resolved, NULL);
	run_ms(5000);
	cr_assert_eq(resolved, 0);
	resolved = 99;
	stream_resolve_cancel(stream_resolve(loop, &name, on_resolved, NULL));
	run_ms(50);
	cr_assert_eq(resolved, 99);
	/* The loop may end while the helper is still at it. */
	stream_resolve_cancel(stream_resolve(loop, &name, on_resolved, NULL));
}
