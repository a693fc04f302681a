/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire: connections, their two pipes, and what goes wrong on them. */
#include "t_stream.h"

#include "t_net.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/loop.h>
#include <unistd.h>

#define CAPACITY (256u << 10)

/* Bytes up to `upto` of the stream arrive at `due`. */
struct mark {
	uint64_t upto, due;
};

/*
 * One direction. Its bytes are in three parts: arrived (marks that are due),
 * on the wire (marks that are not), and in the writer's send queue (behind
 * `sent`).
 */
struct pipe {
	uint8_t *data;
	size_t head, room;
	size_t len;        /* all bytes that were not read yet */
	size_t sent;       /* of them, those that have left the writer */
	uint64_t read;     /* bytes read since the beginning */
	struct mark *mark; /* in order of both */
	size_t marks, mark_room;
	bool fin;           /* the writer has closed */
	uint64_t fin_due;   /* the reader sees it; T_NEVER: not on the wire */
	uint64_t reset_due; /* the reader sees a reset; T_NEVER: none */
	uint64_t free_at;   /* the rate lets more bytes leave */
};

struct end {
	struct stream stream;
	struct t_source source;
	struct conn *conn;
	unsigned side; /* 0 has connected; writes pipe[side] */
	bool *gone;    /* set by close() while an event is being told */
};

struct conn {
	struct t_wire *wire;
	struct pipe pipe[2]; /* by enum t_way */
	struct end *end[2];
	LIST_ENTRY(conn) link;
};

struct place {
	struct addr at;
	struct t_wire wire;
	LIST_ENTRY(place) link;
};

static LIST_HEAD(, conn) conns = LIST_HEAD_INITIALIZER(conns);
static LIST_HEAD(, place) places = LIST_HEAD_INITIALIZER(places);

#define FIRST_CLIENT_PORT 40000
static uint16_t client_port = FIRST_CLIENT_PORT;

bool t_addr_equal(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
}

struct t_wire *t_wire_at(const struct addr *at)
{
	struct place *p;

	LIST_FOREACH (p, &places, link)
		if (t_addr_equal(&p->at, at))
			return &p->wire;
	p = t_new(sizeof *p);
	p->at = *at;
	for (unsigned i = 0; i < 2; i++)
		p->wire.way[i] = (struct t_wire_way){.capacity = CAPACITY,
			.cut_at = T_WIRE_NEVER,
			.flip_at = T_WIRE_NEVER};
	LIST_INSERT_HEAD(&places, p, link);
	return &p->wire;
}

void t_wires_forget(void)
{
	struct place *p;

	assert(LIST_EMPTY(&conns));
	client_port = FIRST_CLIENT_PORT;
	while ((p = LIST_FIRST(&places))) {
		LIST_REMOVE(p, link);
		free(p);
	}
}

/* Pipes */

static void *grow(void *p, size_t count, size_t size)
{
	p = reallocarray(p, count, size);
	if (!p)
		abort();
	return p;
}

static void pipe_fini(struct pipe *p)
{
	free(p->data);
	free(p->mark);
}

static void pipe_append(struct pipe *p, const void *data, size_t n)
{
	if (p->head > 0 && p->head + p->len + n > p->room) {
		memmove(p->data, p->data + p->head, p->len);
		p->head = 0;
	}
	if (p->len + n > p->room) {
		p->room = 2 * (p->len + n);
		p->data = grow(p->data, p->room, 1);
	}
	memcpy(p->data + p->head + p->len, data, n);
	p->len += n;
}

static void pipe_mark(struct pipe *p, uint64_t upto, uint64_t due)
{
	struct mark *last = p->marks ? &p->mark[p->marks - 1] : NULL;

	if (last && last->due >= due) {
		last->upto = upto;
		return;
	}
	if (p->marks == p->mark_room) {
		p->mark_room = p->mark_room ? 2 * p->mark_room : 8;
		p->mark = grow(p->mark, p->mark_room, sizeof *p->mark);
	}
	p->mark[p->marks++] = (struct mark){upto, due};
}

static size_t pipe_arrived(const struct pipe *p, uint64_t now)
{
	uint64_t upto = p->read;

	for (size_t i = 0; i < p->marks && p->mark[i].due <= now; i++)
		upto = p->mark[i].upto;
	return (size_t)(upto - p->read);
}

static void pipe_consume(struct pipe *p, size_t n)
{
	size_t done = 0;

	p->head += n;
	p->len -= n;
	p->sent -= n;
	p->read += n;
	while (done < p->marks && p->mark[done].upto <= p->read)
		done++;
	p->marks -= done;
	memmove(p->mark, p->mark + done, p->marks * sizeof *p->mark);
}

/* Drops all but the first `n` bytes. */
static void pipe_truncate(struct pipe *p, size_t n)
{
	uint64_t upto = p->read + n;

	p->len = n;
	if (p->sent > n)
		p->sent = n;
	while (p->marks > 0 && p->mark[p->marks - 1].upto > upto) {
		if (p->marks == 1 || p->mark[p->marks - 2].upto < upto) {
			p->mark[p->marks - 1].upto = upto;
			break;
		}
		p->marks--;
	}
	if (n == 0)
		p->marks = 0;
}

/* Not before the bytes that have left already. */
static uint64_t pipe_due(const struct pipe *p, uint64_t due)
{
	uint64_t last = p->marks ? p->mark[p->marks - 1].due : 0;

	return last > due ? last : due;
}

static void pipe_reset(struct pipe *p, uint64_t due)
{
	due = pipe_due(p, due);
	if (due < p->reset_due)
		p->reset_due = due;
}

/* The wire */

/* How many bytes may leave in one piece now. */
static size_t piece(const struct pipe *p, const struct t_wire_way *w)
{
	size_t n = p->len - p->sent;

	if (w->rate > 0 && n > w->rate / 1000 + 1)
		n = (size_t)(w->rate / 1000 + 1);
	return n;
}

static void flip(struct pipe *p, struct t_wire_way *w, size_t n)
{
	uint64_t first = p->read + p->sent;

	if (w->flip_at < first || w->flip_at >= first + n)
		return;
	p->data[p->head + (size_t)(w->flip_at - p->read)] ^= 0x10;
	w->flip_at = T_WIRE_NEVER;
}

/* Lets `n` bytes leave the writer. True when the connection was cut. */
static bool depart(struct conn *c, unsigned way, size_t n, uint64_t now)
{
	struct pipe *p = &c->pipe[way];
	struct t_wire_way *w = &c->wire->way[way];
	uint64_t first = p->read + p->sent;
	bool cut = w->cut_at <= first + n;

	if (cut)
		n = w->cut_at > first ? (size_t)(w->cut_at - first) : 0;
	flip(p, w, n);
	p->sent += n;
	if (n > 0)
		pipe_mark(p, first + n, now + w->delay_ns);
	if (w->rate > 0)
		p->free_at = now + n * 1000000000ull / w->rate;
	if (!cut)
		return false;
	w->cut_at = T_WIRE_NEVER;
	pipe_truncate(p, p->sent);
	pipe_reset(p, now + w->delay_ns);
	pipe_reset(&c->pipe[!way], now);
	return true;
}

/* Data for an end that is gone is answered by a reset. */
static void answer_dead(struct conn *c, unsigned way, uint64_t now)
{
	struct pipe *p = &c->pipe[way];
	const struct t_wire_way *back = &c->wire->way[!way];

	if (c->end[!way] || p->sent == 0)
		return;
	if (!back->blackhole)
		pipe_reset(&c->pipe[!way],
			now + c->wire->way[way].delay_ns + back->delay_ns);
	pipe_consume(p, p->sent);
}

static void advance(struct conn *c, unsigned way)
{
	struct pipe *p = &c->pipe[way];
	const struct t_wire_way *w = &c->wire->way[way];
	uint64_t now = t_world_now();

	if (p->reset_due != T_NEVER) /* behind a reset nothing leaves */
		pipe_truncate(p, p->sent);
	if (w->blackhole)
		return;
	while (p->sent < p->len && p->free_at <= now)
		if (depart(c, way, piece(p, w), now))
			break;
	if (p->fin && p->sent == p->len && p->fin_due == T_NEVER)
		p->fin_due = pipe_due(p, now + w->delay_ns);
	answer_dead(c, way, now);
}

/* Ends */

static struct end *end_of(struct stream *s)
{
	return (struct end *)s;
}

static struct pipe *in_of(const struct end *e)
{
	return &e->conn->pipe[!e->side];
}

static bool can_read(const struct end *e, uint64_t now)
{
	const struct pipe *p = in_of(e);

	return pipe_arrived(p, now) > 0 || p->fin_due <= now ||
	       p->reset_due <= now;
}

static bool can_write(const struct end *e, uint64_t now)
{
	return e->conn->pipe[e->side].len <
		       e->conn->wire->way[e->side].capacity ||
	       in_of(e)->reset_due <= now;
}

static void lower(uint64_t *due, uint64_t to, uint64_t now)
{
	if (to > now && to < *due)
		*due = to;
}

static bool end_ready(struct t_source *source, uint64_t now, uint64_t *due)
{
	struct end *e = T_OWNER(source, struct end, source);
	const struct stream *s = &e->stream;
	const struct pipe *p = in_of(e);

	for (unsigned way = 0; way < 2; way++)
		advance(e->conn, way);
	if ((s->want_read && can_read(e, now)) ||
		(s->want_write && can_write(e, now)))
		return true;
	for (unsigned way = 0; way < 2; way++)
		if (e->conn->pipe[way].sent < e->conn->pipe[way].len)
			lower(due, e->conn->pipe[way].free_at, now);
	if (p->marks > 0)
		lower(due, p->mark[0].due, now);
	lower(due, p->fin_due, now);
	lower(due, p->reset_due, now);
	return false;
}

static void end_fire(struct t_source *source)
{
	struct end *e = T_OWNER(source, struct end, source);
	struct stream *s = &e->stream;
	uint64_t now = t_world_now();
	bool gone = false;

	e->gone = &gone;
	if (s->want_read && can_read(e, now))
		s->events->readable(s->arg);
	if (!gone && s->want_write && can_write(e, now))
		s->events->writable(s->arg);
	if (!gone)
		e->gone = NULL;
}

static size_t read_limit(const struct t_wire_way *w)
{
	if (w->chunk == 0)
		return SIZE_MAX;
	return w->random_chunk ? 1 + t_world_random() % w->chunk : w->chunk;
}

static ssize_t end_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct end *e = end_of(s);
	struct pipe *p = in_of(e);
	uint64_t now = t_world_now();
	size_t left, limit, sum = 0;

	advance(e->conn, !e->side);
	left = pipe_arrived(p, now);
	if (left == 0 && p->reset_due <= now)
		return -ECONNRESET;
	if (left == 0)
		return p->fin_due <= now ? 0 : -EAGAIN;
	limit = read_limit(&e->conn->wire->way[!e->side]);
	if (left > limit)
		left = limit;
	for (int i = 0; i < n && left > 0; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(iov[i].iov_base, p->data + p->head, part);
		pipe_consume(p, part);
		left -= part;
		sum += part;
	}
	return (ssize_t)sum;
}

static ssize_t end_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct end *e = end_of(s);
	struct pipe *p = &e->conn->pipe[e->side];
	size_t capacity = e->conn->wire->way[e->side].capacity;
	size_t sum = 0;

	if (in_of(e)->reset_due <= t_world_now())
		return -EPIPE;
	if (p->len >= capacity)
		return -EAGAIN;
	for (int i = 0; i < n && p->len < capacity; i++) {
		size_t part = iov[i].iov_len;

		if (part > capacity - p->len)
			part = capacity - p->len;
		pipe_append(p, iov[i].iov_base, part);
		sum += part;
	}
	advance(e->conn, e->side);
	return (ssize_t)sum;
}

/* Readiness is asked for once a turn anyway. */
static void end_want(struct stream *s, bool read, bool write)
{
	(void)s, (void)read, (void)write;
}

/* A reset that is sent into a black hole is lost: the peer learns of it when
 * it writes next. */
static void end_close(struct stream *s, bool abort)
{
	struct end *e = end_of(s);
	struct conn *c = e->conn;
	struct pipe *out = &c->pipe[e->side], *in = in_of(e);
	const struct t_wire_way *w = &c->wire->way[e->side];

	if (e->gone)
		*e->gone = true;
	c->end[e->side] = NULL;
	pipe_truncate(in, 0);
	out->fin = !abort;
	if (abort) {
		pipe_truncate(out, out->sent);
		if (!w->blackhole)
			pipe_reset(out, t_world_now() + w->delay_ns);
	}
	advance(c, e->side);
	t_source_remove(&e->source);
	free(e);
	if (c->end[0] || c->end[1])
		return;
	pipe_fini(&c->pipe[0]);
	pipe_fini(&c->pipe[1]);
	LIST_REMOVE(c, link);
	free(c);
}

static bool end_hung_up(const struct stream *s)
{
	const struct pipe *p = in_of((const struct end *)s);
	uint64_t now = t_world_now();

	return p->fin_due <= now || p->reset_due <= now;
}

static bool end_reachable(const struct stream *s, char *why, size_t size)
{
	const struct end *e = (const struct end *)s;

	if (e->conn->wire->cut_off)
		snprintf(why, size, "the link to it is down (wire)");
	return !e->conn->wire->cut_off;
}

static const struct stream_ops end_ops = {
	.readv = end_readv,
	.writev = end_writev,
	.want = end_want,
	.close = end_close,
	.hung_up = end_hung_up,
	.reachable = end_reachable,
};

static struct end *end_new(struct conn *c, unsigned side, struct loop *loop)
{
	struct end *e = t_new(sizeof *e);

	e->stream.ops = &end_ops;
	e->conn = c;
	e->side = side;
	e->source.ready = end_ready;
	e->source.fire = end_fire;
	t_source_add(loop, &e->source);
	c->end[side] = e;
	c->pipe[side].fin_due = c->pipe[side].reset_due = T_NEVER;
	return e;
}

/* Where the client seems to come from: a port of its own. */
static struct addr client_addr(const struct addr *to)
{
	struct addr a = {.len = sizeof(sa_family_t)};
	struct endpoint ep = {.port = client_port++};

	a.ss.ss_family = AF_UNIX;
	if (to->ss.ss_family == AF_UNIX)
		return a;
	strcpy(ep.host, to->ss.ss_family == AF_INET6 ? "::1" : "127.0.0.1");
	if (addr_from_endpoint(&a, &ep) < 0)
		abort();
	return a;
}

void t_stream_pair(struct loop *a, struct loop *b, const struct addr *at,
	struct stream *s[2])
{
	struct conn *c = t_new(sizeof *c);

	c->wire = t_wire_at(at);
	LIST_INSERT_HEAD(&conns, c, link);
	s[0] = &end_new(c, 0, a)->stream;
	s[1] = &end_new(c, 1, b)->stream;
	s[0]->peer = s[1]->local = *at;
	s[0]->local = s[1]->peer = client_addr(at);
}

void t_wire_reset(const struct addr *at)
{
	const struct t_wire *wire = t_wire_at(at);
	uint64_t now = t_world_now();
	struct conn *c;

	LIST_FOREACH (c, &conns, link)
		for (unsigned way = 0; c->wire == wire && way < 2; way++) {
			struct pipe *p = &c->pipe[way];

			pipe_truncate(p, pipe_arrived(p, now));
			p->reset_due = now;
		}
}

unsigned t_wire_connections(const struct addr *at)
{
	const struct t_wire *wire = t_wire_at(at);
	unsigned n = 0;
	struct conn *c;

	LIST_FOREACH (c, &conns, link)
		n += c->wire == wire;
	return n;
}

uint64_t t_wire_passed(const struct addr *at, enum t_way way)
{
	const struct t_wire *wire = t_wire_at(at);
	uint64_t most = 0;
	struct conn *c;

	LIST_FOREACH (c, &conns, link) {
		uint64_t passed = c->pipe[way].read + c->pipe[way].sent;

		if (c->wire == wire && passed > most)
			most = passed;
	}
	return most;
}

/* One thread runs all loops here. */
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
	bool local = s->local.ss.ss_family == AF_UNIX;

	return s->ops == &end_ops && local ? getuid() : (uid_t)-1;
}
