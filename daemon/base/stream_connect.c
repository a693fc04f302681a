/* SPDX-License-Identifier: BSD-2-Clause */
/* Connecting TCP and unix sockets. The owner times an attempt out. */
#include "stream_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* newer than the headers of Debian 12 */
#endif

struct stream_connect {
	struct loop *loop;
	stream_connect_fn *done;
	void *arg;
	int fd;               /* -1: none */
	int err;              /* of an attempt that ended at once */
	struct loop_io *io;   /* while the kernel is connecting */
	struct loop_task now; /* tells what ended at once */
};

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno
								       : 0;
}

/* Binds to the address `text`. 0, -errno, or 1: it is no address. */
static int bind_address(int fd, sa_family_t family, const char *text)
{
	struct endpoint ep = {.port = 0};
	struct addr from;

	if (strlen(text) > ENDPOINT_HOST_MAX)
		return -ENAMETOOLONG;
	snprintf(ep.host, sizeof ep.host, "%s", text);
	if (addr_from_endpoint(&from, &ep) < 0)
		return 1;
	if (from.ss.ss_family != family)
		return -EAFNOSUPPORT;
	/* The port is chosen when connecting, so that few suffice for many. */
	set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (bind(fd, (const struct sockaddr *)&from.ss, from.len) < 0)
		return -errno;
	return 0;
}

static int bind_interface(int fd, sa_family_t family, const char *text)
{
	int err = bind_address(fd, family, text);

	if (err > 0) {
		err = 0;
		if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, text,
			    (socklen_t)strlen(text)) < 0)
			err = -errno;
	}
	if (err < 0)
		log_warn("cannot connect from interface %s: %s", text,
			strerror(-err));
	return err;
}

static int set_options(
	int fd, sa_family_t family, const struct stream_options *o)
{
	int err = 0;

	if (!o || family == AF_UNIX)
		return 0;
	if (o->interface)
		err = bind_interface(fd, family, o->interface);
	if (err == 0 && o->nodelay)
		err = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (err == 0 && o->user_timeout_ms)
		err = set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			(int)o->user_timeout_ms);
	if (err == 0 && o->resend_ms)
		set_int(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, (int)o->resend_ms);
	return err;
}

static void connect_free(struct stream_connect *c)
{
	loop_unpost(c->loop, &c->now);
	loop_io_free(c->io);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* Ends the attempt and tells its owner. */
static void finish(struct stream_connect *c, int err)
{
	stream_connect_fn *done = c->done;
	void *arg = c->arg;
	struct stream *s = NULL;

	/* The stream puts a watcher of its own on the socket. */
	loop_io_free(c->io);
	c->io = NULL;
	if (err == 0) {
		s = stream_tcp_new(c->loop, c->fd);
		if (s)
			c->fd = -1;
		else
			err = -ENOMEM;
	}
	connect_free(c);
	done(arg, s, err);
}

static void finish_now(void *arg)
{
	struct stream_connect *c = arg;

	finish(c, c->err);
}

static void on_connected(void *arg, unsigned events)
{
	struct stream_connect *c = arg;
	int err = 0;
	socklen_t len = sizeof err;

	(void)events;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	finish(c, -err);
}

/* 0: connected; -EINPROGRESS: under way; or another -errno. */
static int begin(struct stream_connect *c, const struct addr *to,
	const struct stream_options *options)
{
	int err;

	c->fd = socket(to->ss.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	err = set_options(c->fd, to->ss.ss_family, options);
	if (err < 0)
		return err;
	if (connect(c->fd, (const struct sockaddr *)&to->ss, to->len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	c->io = loop_io_new(c->loop, c->fd, on_connected, c);
	return c->io ? -EINPROGRESS : -ENOMEM;
}

struct stream_connect *stream_connect(struct loop *loop, const struct addr *to,
	const struct stream_options *options, stream_connect_fn *done,
	void *arg)
{
	struct stream_connect *c = malloc(sizeof *c);

	if (!c)
		return NULL;
	*c = (struct stream_connect){
		.loop = loop, .done = done, .arg = arg, .fd = -1};
	loop_task_init(&c->now, finish_now, c);
	c->err = begin(c, to, options);
	if (c->err == -EINPROGRESS)
		loop_io_want(c->io, LOOP_WRITE);
	else
		loop_post(loop, &c->now);
	return c;
}

void stream_connect_cancel(struct stream_connect *c)
{
	if (c)
		connect_free(c);
}
