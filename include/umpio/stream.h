/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: the second seam to the world. A stream is a non-blocking,
 * bidirectional run of bytes: a TCP or unix socket in the daemon, memory in
 * tests and in the simulator. The functions that make one (connect, listen,
 * resolve) are chosen when linking; a stream itself is an object with
 * operations, so that another one can wrap it (TLS, fault injection).
 *
 * Callbacks come from the loop, never from within a call made here.
 */
#ifndef UMPIO_STREAM_H
#define UMPIO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <umpio/base/addr.h>

struct loop;
struct stream;

/* What the owner of a stream is told. `arg` is what stream_own() was given. */
struct stream_events {
	void (*readable)(void *arg); /* while reading is enabled */
	void (*writable)(void *arg); /* while writing is enabled */
};

struct stream_ops {
	ssize_t (*readv)(struct stream *s, const struct iovec *iov, int n);
	ssize_t (*writev)(struct stream *s, const struct iovec *iov, int n);
	void (*want)(struct stream *s, bool read, bool write);
	void (*close)(struct stream *s, bool abort);
	bool (*hung_up)(const struct stream *s);
	/* NULL: it cannot be known. */
	bool (*reachable)(const struct stream *s, char *why, size_t size);
};

/* The head of every implementation's own struct. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *arg;
	bool want_read, want_write;
	struct addr local, peer;
};

/* Says who hears of the stream's events. Reading and writing start disabled. */
void stream_own(
	struct stream *s, const struct stream_events *events, void *arg);
void stream_want(struct stream *s, bool read, bool write);

/* Bytes moved (> 0), 0 at the end of the stream (readv only), -EAGAIN when it
 * would block, or another -errno once the stream is broken. Never SIGPIPE. */
static inline ssize_t stream_readv(
	struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->readv(s, iov, n);
}

static inline ssize_t stream_writev(
	struct stream *s, const struct iovec *iov, int n)
{
	return s->ops->writev(s, iov, n);
}

/* True when the peer has ended its side. What it wrote before may still wait to
 * be read; whether that is worth anything is the reader's to know. */
static inline bool stream_hung_up(const struct stream *s)
{
	return s->ops->hung_up(s);
}

/* False when this host knows that what is written cannot get to the peer any
 * more: a link is down, a route is gone. `why` is a line that says so. To be
 * asked when links have changed (link.h). */
static inline bool stream_reachable(
	const struct stream *s, char *why, size_t size)
{
	return !s->ops->reachable || s->ops->reachable(s, why, size);
}

/* Both end the stream and free it; no callback follows. close() lets the
 * kernel deliver what was written. abort() does not: bytes in our own send
 * queue never reach the peer (SO_LINGER 0), which is what a failed iSCSI
 * connection needs so that no stale write arrives later. NULL is allowed. */
void stream_close(struct stream *s);
void stream_abort(struct stream *s);

struct stream_options {
	const char *interface;    /* source address or device name; NULL: any */
	bool nodelay;             /* TCP_NODELAY */
	unsigned user_timeout_ms; /* TCP_USER_TIMEOUT; 0: the system's */
	/* The longest pause between two times that TCP sends something again
	 * (TCP_RTO_MAX_MS, 1000 and more), where the kernel can be told, as
	 * Linux 6.15 can; 0: the system's. */
	unsigned resend_ms;
};

/* Connecting: `done` is called once, later, with a stream that the callee then
 * owns, or with NULL and -errno. NULL without memory: then it is not called. */
typedef void stream_connect_fn(void *arg, struct stream *s, int err);
struct stream_connect;
struct stream_connect *stream_connect(struct loop *loop, const struct addr *to,
	const struct stream_options *options, stream_connect_fn *done,
	void *arg);

/* Gives the attempt up; `done` is not called. NULL is allowed. */
void stream_connect_cancel(struct stream_connect *c);

/* Listening: each accepted stream is the callee's. */
typedef void stream_accept_fn(void *arg, struct stream *s);
struct stream_listener;

/* `err` gets -errno when NULL comes back. A unix socket is made with `mode`; a
 * stale socket file of a dead server is replaced, a living one is -EADDRINUSE.
 * Several `addr` of one name: one listener each. */
struct stream_listener *stream_listen(struct loop *loop, const struct addr *at,
	mode_t mode, stream_accept_fn *accepted, void *arg, int *err);

/* The same on a socket that a service manager opened; the fd becomes ours.
 * NULL without memory, and then the fd is closed. */
struct stream_listener *stream_listen_fd(
	struct loop *loop, int fd, stream_accept_fn *accepted, void *arg);

/* Pauses and resumes accepting, for limits. */
void stream_listener_want(struct stream_listener *l, bool accept);

/* The address bound, with the port that the kernel chose. */
const struct addr *stream_listener_addr(const struct stream_listener *l);

/* Stops listening and removes a unix socket file that it made. NULL is
 * allowed. */
void stream_listener_free(struct stream_listener *l);

/* Moves an accepted stream that nobody owns yet to another loop: leave() on the
 * thread of the one, then move() on that of the other. 0 or -ENOMEM. In between
 * and after a failure only stream_close() and stream_abort() are allowed. */
void stream_leave(struct stream *s);
int stream_move(struct stream *s, struct loop *to);

/* The peer's uid of a unix stream; -1 where there is none. */
uid_t stream_peer_uid(const struct stream *s);

/* Name look-up on a helper thread: `done` once, later, with up to 8 addresses
 * in the system's order, or n = 0 and -errno (`-ENOENT`: no such name). A
 * numeric host needs no helper but answers the same way. NULL without memory:
 * then `done` is not called. */
typedef void stream_resolve_fn(
	void *arg, const struct addr *addrs, int n, int err);
struct stream_resolve;
struct stream_resolve *stream_resolve(struct loop *loop,
	const struct endpoint *ep, stream_resolve_fn *done, void *arg);
void stream_resolve_cancel(struct stream_resolve *r); /* NULL is allowed */

#endif
