/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of links, and what a stream makes of it: in a network of
 * the test's own, of which the loopback interface is all there is. */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <umpio/base/units.h>
#include <umpio/link.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

static struct loop *loop;
static struct loop_timer *alarm_timer;
static struct link_watch *watch;
static struct stream *server, *client;
static unsigned calls;

static void on_alarm(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void on_change(void *arg)
{
	cr_assert_eq(arg, &calls);
	calls++;
}

static void run_ms(unsigned ms)
{
	loop_timer_set(alarm_timer, ms * NS_PER_MS);
	loop_run(loop);
}

static void set_up(bool up)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	cr_assert_geq(fd, 0);
	r.ifr_flags = up ? IFF_UP : 0;
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &r), 0);
	close(fd);
}

static void setup(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 &&
		unshare(CLONE_NEWNET) < 0)
		cr_skip_test("no network namespace: %s", strerror(errno));
	loop = loop_new();
	alarm_timer = loop_timer_new(loop, on_alarm, NULL);
	set_up(true);
	watch = link_watch_new(loop, on_change, &calls);
	cr_assert_not_null(watch);
}

static void teardown(void)
{
	if (!loop)
		return;
	stream_close(client);
	stream_close(server);
	link_watch_free(watch);
	loop_timer_free(alarm_timer);
	loop_free(loop);
}

TestSuite(link, .init = setup, .fini = teardown, .timeout = 20);

Test(link, a_change_is_told_once)
{
	run_ms(200);
	cr_assert_eq(calls, 0, "nothing has changed");
	set_up(false);
	run_ms(50);
	cr_assert_eq(calls, 1);
	run_ms(300);
	cr_assert_eq(calls, 1);
}

Test(link, many_changes_are_told_seldom)
{
	for (unsigned i = 0; i < 50; i++) {
		set_up(i % 2);
		run_ms(4);
	}
	cr_assert_geq(calls, 1);
	cr_assert_leq(calls, 12);
	/* The last one is not forgotten, nor is one that did not fit. */
	calls = 0;
	for (unsigned i = 0; i < 200; i++)
		set_up(i % 2);
	run_ms(300);
	cr_assert_geq(calls, 1);
}

static void check_both(void)
{
	if (client && server)
		loop_stop(loop);
}

static void on_accept(void *arg, struct stream *s)
{
	(void)arg;
	server = s;
	check_both();
}

static void on_connected(void *arg, struct stream *s, int err)
{
	(void)arg;
	cr_assert_eq(err, 0);
	client = s;
	check_both();
}

static void join(const char *host, const char *interface)
{
	struct stream_options options = {.interface = interface};
	struct endpoint ep = {.port = 0};
	struct stream_listener *l;
	struct addr at;
	int err;

	strcpy(ep.host, host);
	cr_assert_eq(addr_from_endpoint(&at, &ep), 0);
	l = stream_listen(loop, &at, 0, on_accept, NULL, &err);
	cr_assert_not_null(l);
	cr_assert_not_null(stream_connect(
		loop, stream_listener_addr(l), &options, on_connected, NULL));
	run_ms(5000);
	stream_listener_free(l);
	cr_assert(client && server);
}

static void check(const char *host, const char *interface)
{
	char why[100] = "";

	join(host, interface);
	cr_assert(stream_reachable(client, why, sizeof why), "%s", why);
	set_up(false);
	cr_assert_not(stream_reachable(client, why, sizeof why));
	cr_assert(strstr(why, "(lo)") || strstr(why, "no route"), "%s", why);
	set_up(true);
	cr_assert(stream_reachable(client, why, sizeof why), "%s", why);
}

Test(link, a_stream_knows)
{
	check("127.0.0.1", NULL);
}

Test(link, a_stream_that_is_bound_to_a_device_knows)
{
	check("127.0.0.1", "lo");
}

Test(link, a_stream_over_version_6_knows)
{
	check("::1", NULL);
}
