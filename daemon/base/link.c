/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel tells of links (rtnetlink(7)). The messages are not read for
 * what they say, only for that they came: whoever is told asks about its own
 * links, and one that was lost in an overrun (ENOBUFS) was a change too. So the
 * socket is not looked at between two calls, and its buffer is small: a host
 * whose routes change a thousand times a second costs us ten wake-ups.
 */
#include <umpio/link.h>

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <unistd.h>

#define SETTLE       (10 * NS_PER_MS)  /* changes come in bursts */
#define REST         (100 * NS_PER_MS) /* after a call */
#define BUFFER       4096              /* bytes that the kernel keeps for us */
#define MESSAGES_MAX 1000              /* more than can be in it */

#define GROUPS                                                                 \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |               \
		RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |     \
		1u << (RTNLGRP_IPV6_RULE - 1))

struct link_watch {
	struct loop *loop;
	loop_fn *changed;
	void *arg;
	int fd;
	struct loop_io *io;
	struct loop_timer *timer;
	bool resting;
};

static void drain(int fd)
{
	char byte;

	for (unsigned n = 0; n < MESSAGES_MAX; n++)
		if (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != ENOBUFS &&
			errno != EINTR)
			return;
}

static void on_message(void *arg, unsigned events)
{
	struct link_watch *w = arg;

	(void)events;
	loop_io_want(w->io, 0);
	loop_timer_set(w->timer, SETTLE);
}

static void on_time(void *arg)
{
	struct link_watch *w = arg;

	w->resting = !w->resting;
	if (!w->resting) {
		loop_io_want(w->io, LOOP_READ);
		return;
	}
	loop_timer_set(w->timer, REST);
	drain(w->fd);
	w->changed(w->arg);
}

static int listen_to_kernel(void)
{
	const struct sockaddr_nl at = {
		.nl_family = AF_NETLINK, .nl_groups = GROUPS};
	const int buffer = BUFFER;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

struct link_watch *link_watch_new(
	struct loop *loop, loop_fn *changed, void *arg)
{
	struct link_watch *w = malloc(sizeof *w);

	if (!w)
		return NULL;
	*w = (struct link_watch){.loop = loop,
		.changed = changed,
		.arg = arg,
		.fd = listen_to_kernel()};
	if (w->fd < 0) {
		log_info("the kernel does not tell of links (%s): one that "
			 "goes down shows as silence",
			strerror(-w->fd));
		free(w);
		return NULL;
	}
	w->timer = loop_timer_new(loop, on_time, w);
	w->io = loop_io_new(loop, w->fd, on_message, w);
	if (!w->timer || !w->io) {
		link_watch_free(w);
		return NULL;
	}
	loop_io_want(w->io, LOOP_READ);
	return w;
}

void link_watch_free(struct link_watch *w)
{
	if (!w)
		return;
	loop_io_free(w->io);
	loop_timer_free(w->timer);
	close(w->fd);
	free(w);
}
