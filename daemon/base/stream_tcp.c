/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams over TCP and unix sockets. */
#include "stream_tcp.h"

#include "reach.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

struct sock {
	struct stream stream;
	struct loop_io *io;
	int fd;
	bool *gone; /* set by close() while an event is being told */
};

static struct sock *sock_of(struct stream *s)
{
	return (struct sock *)s;
}

static ssize_t sock_readv(struct stream *s, const struct iovec *iov, int n)
{
	ssize_t r;

	do
		r = readv(sock_of(s)->fd, iov, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static ssize_t sock_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n,
	};
	ssize_t r;

	do
		r = sendmsg(sock_of(s)->fd, &msg, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static void sock_want(struct stream *s, bool read, bool write)
{
	loop_io_want(sock_of(s)->io,
		(read ? LOOP_READ : 0) | (write ? LOOP_WRITE : 0));
}

static void sock_close(struct stream *s, bool abort)
{
	static const struct linger now = {.l_onoff = 1, .l_linger = 0};
	struct sock *sock = sock_of(s);

	if (sock->gone)
		*sock->gone = true;
	if (abort)
		setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	loop_io_free(sock->io);
	close(sock->fd);
	free(sock);
}

static bool sock_hung_up(const struct stream *s)
{
	struct pollfd p = {
		.fd = ((const struct sock *)s)->fd,
		.events = POLLRDHUP,
	};

	return poll(&p, 1, 0) > 0;
}

static bool sock_reachable(const struct stream *s, char *why, size_t size)
{
	const struct sock *sock = (const struct sock *)s;
	int device = 0;
	socklen_t len = sizeof device;

	if (getsockopt(sock->fd, SOL_SOCKET, SO_BINDTOIFINDEX, &device, &len) <
		0)
		device = 0;
	return reach(&s->local, &s->peer, (unsigned)device, why, size);
}

static const struct stream_ops sock_ops = {
	.readv = sock_readv,
	.writev = sock_writev,
	.want = sock_want,
	.close = sock_close,
	.hung_up = sock_hung_up,
	.reachable = sock_reachable,
};

/* What is not asked for any more after the first callback is not told. */
static void on_event(void *arg, unsigned events)
{
	struct sock *sock = arg;
	struct stream *s = &sock->stream;
	bool gone = false;

	sock->gone = &gone;
	if (events & LOOP_READ && s->want_read)
		s->events->readable(s->arg);
	if (!gone && events & LOOP_WRITE && s->want_write)
		s->events->writable(s->arg);
	if (!gone)
		sock->gone = NULL;
}

struct stream *stream_tcp_new(struct loop *loop, int fd)
{
	struct sock *sock = calloc(1, sizeof *sock);
	struct stream *s;

	if (!sock)
		return NULL;
	sock->fd = fd;
	sock->io = loop_io_new(loop, fd, on_event, sock);
	if (!sock->io) {
		free(sock);
		return NULL;
	}
	s = &sock->stream;
	s->ops = &sock_ops;
	s->local.len = s->peer.len = sizeof s->local.ss;
	if (getsockname(fd, (struct sockaddr *)&s->local.ss, &s->local.len) < 0)
		s->local.len = 0;
	if (getpeername(fd, (struct sockaddr *)&s->peer.ss, &s->peer.len) < 0)
		s->peer.len = 0;
	return s;
}

void stream_leave(struct stream *s)
{
	struct sock *sock = sock_of(s);

	loop_io_free(sock->io);
	sock->io = NULL;
}

int stream_move(struct stream *s, struct loop *to)
{
	struct sock *sock = sock_of(s);

	sock->io = loop_io_new(to, sock->fd, on_event, sock);
	return sock->io ? 0 : -ENOMEM;
}

uid_t stream_peer_uid(const struct stream *s)
{
	const struct sock *sock = (const struct sock *)s;
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (s->ops != &sock_ops || s->local.ss.ss_family != AF_UNIX)
		return (uid_t)-1;
	if (getsockopt(sock->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return (uid_t)-1;
	return cred.uid;
}
