/* SPDX-License-Identifier: BSD-2-Clause */
#include "lean_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tests/lib/t_net.h>
#include <tests/lib/t_stream.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

struct end {
	struct stream stream;
	struct t_source source;
	struct end *peer; /* NULL: it has closed */
	/* Of the bench's end; NULL: it is the daemon's */
	const struct engine_ops *ops;
	void *engine;
};

/* A run of iovecs, and how much of its first one is done. */
struct cursor {
	const struct iovec *iov;
	int n;
	size_t done;
};

/* Copies what both have; returns the bytes. */
static size_t copy(struct cursor *to, struct cursor *from)
{
	size_t sum = 0;

	while (to->n && from->n) {
		size_t room = to->iov->iov_len - to->done;
		size_t left = from->iov->iov_len - from->done;
		size_t n = room < left ? room : left;

		memcpy((uint8_t *)to->iov->iov_base + to->done,
			(uint8_t *)from->iov->iov_base + from->done, n);
		sum += n;
		to->done += n;
		from->done += n;
		if (n == room)
			to->iov++, to->n--, to->done = 0;
		if (n == left)
			from->iov++, from->n--, from->done = 0;
	}
	return sum;
}

static struct end *end_of(struct stream *s)
{
	return (struct end *)s;
}

static ssize_t end_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct end *peer = end_of(s)->peer;
	struct iovec out[PUMP_TX_IOV];
	struct cursor to = {iov, n, 0};
	size_t sum = 0;

	if (!peer)
		return 0;
	while (to.n && peer->ops) {
		struct cursor from = {
			out, peer->ops->tx(peer->engine, out, PUMP_TX_IOV), 0};
		size_t part = from.n ? copy(&to, &from) : 0;

		if (!part)
			break;
		peer->ops->tx_commit(peer->engine, part);
		sum += part;
	}
	return sum ? (ssize_t)sum : -EAGAIN;
}

static ssize_t end_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct end *peer = end_of(s)->peer;
	struct iovec in[PUMP_RX_IOV];
	struct cursor from = {iov, n, 0};
	size_t sum = 0;

	if (!peer)
		return -EPIPE;
	while (from.n && peer->ops) {
		struct cursor to = {in, peer->ops->rx(peer->engine, in), 0};
		size_t part = to.n ? copy(&to, &from) : 0;

		if (!part)
			break;
		if (peer->ops->rx_commit(peer->engine, part))
			abort();
		sum += part;
	}
	return sum ? (ssize_t)sum : -EAGAIN;
}

static bool can_read(const struct end *e)
{
	const struct end *peer = e->peer;
	struct iovec iov;

	return !peer || (peer->ops && peer->ops->tx(peer->engine, &iov, 1));
}

static bool can_write(const struct end *e)
{
	return !e->peer || e->peer->ops;
}

static bool end_ready(struct t_source *source, uint64_t now, uint64_t *due)
{
	const struct end *e = T_OWNER(source, struct end, source);
	const struct stream *s = &e->stream;

	(void)now, (void)due;
	if (e->ops)
		return !e->peer;
	return (s->want_read && can_read(e)) || (s->want_write && can_write(e));
}

static void end_free(struct end *e)
{
	if (e->peer)
		e->peer->peer = NULL;
	t_source_remove(&e->source);
	free(e);
}

static void end_fire(struct t_source *source)
{
	struct end *e = T_OWNER(source, struct end, source);
	struct stream *s = &e->stream;

	if (e->ops)
		e->ops->closed(e->engine, 0);
	else if (s->want_read && can_read(e))
		s->events->readable(s->arg);
	else
		s->events->writable(s->arg);
}

static void end_want(struct stream *s, bool read, bool write)
{
	(void)s, (void)read, (void)write;
}

static void end_close(struct stream *s, bool abort)
{
	(void)abort;
	end_free(end_of(s));
}

static bool end_hung_up(const struct stream *s)
{
	return !((const struct end *)s)->peer;
}

static const struct stream_ops end_ops = {
	.readv = end_readv,
	.writev = end_writev,
	.want = end_want,
	.close = end_close,
	.hung_up = end_hung_up,
};

static struct end *end_new(struct loop *loop, const struct addr *at)
{
	struct end *e = t_new(sizeof *e);

	e->stream.ops = &end_ops;
	e->stream.local = e->stream.peer = *at;
	e->source.ready = end_ready;
	e->source.fire = end_fire;
	t_source_add(loop, &e->source);
	return e;
}

struct lean_link *lean_link_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine)
{
	struct end *e = end_of(s);

	(void)loop;
	e->ops = ops;
	e->engine = engine;
	return (struct lean_link *)e;
}

/* Whether there is something is looked for once a turn anyway. */
void lean_link_tx(struct lean_link *link)
{
	(void)link;
}

void lean_link_free(struct lean_link *link)
{
	if (link)
		end_free((struct end *)link);
}

/*
 * What t_net.c wants of t_stream.c
 */
void t_stream_pair(struct loop *a, struct loop *b, const struct addr *at,
	struct stream *s[2])
{
	struct end *e[2] = {end_new(a, at), end_new(b, at)};

	for (unsigned i = 0; i < 2; i++) {
		e[i]->peer = e[!i];
		s[i] = &e[i]->stream;
	}
}

struct t_wire *t_wire_at(const struct addr *at)
{
	static struct t_wire wire;

	(void)at;
	return &wire;
}

void t_wires_forget(void)
{
}

bool t_addr_equal(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

void stream_leave(struct stream *s)
{
	(void)s;
}

int stream_move(struct stream *s, struct loop *to)
{
	struct end *e = end_of(s);

	t_source_remove(&e->source);
	t_source_add(to, &e->source);
	return 0;
}

uid_t stream_peer_uid(const struct stream *s)
{
	(void)s;
	return (uid_t)-1;
}
