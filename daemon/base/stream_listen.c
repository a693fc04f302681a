/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening on TCP and unix sockets. */
#include "stream_tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

#define BACKLOG          128
#define ACCEPTS_PER_TURN 16
#define RETRY_NS         (100 * NS_PER_MS)

struct stream_listener {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *retry; /* set while descriptors are short */
	stream_accept_fn *accepted;
	void *arg;
	int fd;
	bool want;
	bool is_short;    /* of descriptors or memory; said once */
	bool *gone;       /* set by free() while a stream is handed over */
	bool unlink;      /* the socket file is ours: */
	struct stat file; /* and this one */
	struct addr addr;
};

static const char *unix_path(const struct addr *a)
{
	return ((const struct sockaddr_un *)(const void *)&a->ss)->sun_path;
}

static void update(struct stream_listener *l)
{
	bool on = l->want && !loop_timer_is_set(l->retry);

	loop_io_want(l->io, on ? LOOP_READ : 0);
}

static void retry(void *arg)
{
	update(arg);
}

static bool is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM;
}

static void back_off(struct stream_listener *l, int err)
{
	char text[160];

	if (!l->is_short)
		log_warn("cannot accept on %s: %s; trying again every 100 ms",
			addr_text(&l->addr, text, sizeof text), strerror(err));
	l->is_short = true;
	loop_timer_set(l->retry, RETRY_NS);
	update(l);
}

/* A peer that has gone without a word is found out: 30 s of silence, then three
 * probes 10 s apart; data that it does not acknowledge, after 60 s. */
static void prepare_tcp(int fd)
{
	static const struct {
		int level, name, value;
	} wanted[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 30},
		{IPPROTO_TCP, TCP_KEEPINTVL, 10},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		setsockopt(fd, wanted[i].level, wanted[i].name,
			&wanted[i].value, sizeof wanted[i].value);
}

/* A unix socket's buffer does not grow by itself, and a large reply that goes
 * out in one piece costs one wake-up of either side. Beyond the system's limit
 * only for the privileged; less is no failure. */
static void prepare_unix(int fd)
{
	static const int size = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* One connection. False when there is none to be had now. */
static bool accept_one(struct stream_listener *l)
{
	struct stream *s;
	int err;
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		err = errno;
		if (is_shortage(err))
			back_off(l, err);
		/* Others concern the one connection that was to come. */
		return !is_shortage(err) && err != EAGAIN && err != EINVAL &&
		       err != EBADF;
	}
	if (l->addr.ss.ss_family == AF_UNIX)
		prepare_unix(fd);
	else
		prepare_tcp(fd);
	s = stream_tcp_new(l->loop, fd);
	if (!s) {
		close(fd);
		back_off(l, ENOMEM);
		return false;
	}
	l->is_short = false;
	l->accepted(l->arg, s);
	return true;
}

static void on_acceptable(void *arg, unsigned events)
{
	struct stream_listener *l = arg;
	bool gone = false;

	(void)events;
	l->gone = &gone;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (!accept_one(l) || gone || !l->want)
			break;
	if (!gone)
		l->gone = NULL;
}

/* True when a socket file is there that nobody listens on. */
static bool is_stale(const struct addr *at)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(unix_path(at), &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)&at->ss, at->len) < 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* Nobody can connect before listen(), so the mode is never too wide. */
static int bind_unix(
	struct stream_listener *l, const struct addr *at, mode_t mode)
{
	const struct sockaddr *sa = (const void *)&at->ss;
	const char *path = unix_path(at);

	if (bind(l->fd, sa, at->len) < 0) {
		if (errno != EADDRINUSE || !is_stale(at))
			return -errno;
		unlink(path);
		if (bind(l->fd, sa, at->len) < 0)
			return -errno;
	}
	l->unlink = stat(path, &l->file) == 0;
	return chmod(path, mode) < 0 ? -errno : 0;
}

static int bind_inet(int fd, const struct addr *at)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (at->ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)&at->ss, at->len) < 0)
		return -errno;
	return 0;
}

static int open_socket(
	struct stream_listener *l, const struct addr *at, mode_t mode)
{
	int err;

	l->addr = *at;
	l->fd = socket(at->ss.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	err = at->ss.ss_family == AF_UNIX ? bind_unix(l, at, mode)
					  : bind_inet(l->fd, at);
	if (err == 0 && listen(l->fd, BACKLOG) < 0)
		err = -errno;
	return err;
}

/* Watches the socket, which is open by now. */
static int watch(struct stream_listener *l)
{
	l->addr.len = sizeof l->addr.ss;
	if (getsockname(l->fd, (struct sockaddr *)&l->addr.ss, &l->addr.len) <
		0)
		return -errno;
	l->io = loop_io_new(l->loop, l->fd, on_acceptable, l);
	l->retry = loop_timer_new(l->loop, retry, l);
	if (!l->io || !l->retry)
		return -ENOMEM;
	stream_listener_want(l, true);
	return 0;
}

static struct stream_listener *listener_new(
	struct loop *loop, stream_accept_fn *accepted, void *arg)
{
	struct stream_listener *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->loop = loop;
	l->accepted = accepted;
	l->arg = arg;
	l->fd = -1;
	return l;
}

struct stream_listener *stream_listen(struct loop *loop, const struct addr *at,
	mode_t mode, stream_accept_fn *accepted, void *arg, int *err)
{
	struct stream_listener *l = listener_new(loop, accepted, arg);

	*err = l ? open_socket(l, at, mode) : -ENOMEM;
	if (*err == 0)
		*err = watch(l);
	if (*err < 0) {
		stream_listener_free(l);
		return NULL;
	}
	return l;
}

struct stream_listener *stream_listen_fd(
	struct loop *loop, int fd, stream_accept_fn *accepted, void *arg)
{
	struct stream_listener *l = listener_new(loop, accepted, arg);

	if (!l) {
		close(fd);
		return NULL;
	}
	l->fd = fd;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (watch(l) < 0) {
		stream_listener_free(l);
		return NULL;
	}
	return l;
}

void stream_listener_want(struct stream_listener *l, bool accept)
{
	l->want = accept;
	update(l);
}

const struct addr *stream_listener_addr(const struct stream_listener *l)
{
	return &l->addr;
}

/* Another server may have taken the name since. */
static void unlink_own(const struct stream_listener *l)
{
	struct stat st;

	if (l->unlink && stat(unix_path(&l->addr), &st) == 0 &&
		st.st_dev == l->file.st_dev && st.st_ino == l->file.st_ino)
		unlink(unix_path(&l->addr));
}

void stream_listener_free(struct stream_listener *l)
{
	if (!l)
		return;
	if (l->gone)
		*l->gone = true;
	loop_io_free(l->io);
	loop_timer_free(l->retry);
	unlink_own(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}
