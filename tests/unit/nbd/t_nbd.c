/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_nbd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

void world_init(struct world *w, const struct t_blkdev_options *options)
{
	const struct t_blkdev_options plain = {.size = DISK};
	const struct nbds_options nbd_options = {0};
	int err = 0;

	log_setup(LOG_LEVEL_ERROR, false);
	*w = (struct world){.loop = loop_new(), .at = t_addr("10.0.0.1:10809")};
	w->ram = t_blkdev_new(w->loop, options ? options : &plain);
	w->server = nbds_server_new(w->loop, &w->at, -1, &nbd_options, &err);
	cr_assert(w->server, "%s", strerror(-err));
	w->wire = t_wire_at(&w->at);
	cr_assert_eq(
		nbds_export_add(w->server, "disk", t_blkdev_dev(w->ram), NULL),
		0);
}

static void on_removed(void *arg)
{
	((struct world *)arg)->removals++;
}

void world_remove(struct world *w, const char *name, bool now)
{
	nbds_export_remove(w->server, name, now, on_removed, w);
}

void world_run(struct world *w, uint64_t ns)
{
	t_loop_run_for(w->loop, ns);
}

void world_fini(struct world *w)
{
	struct nbds_export *e;

	t_blkdev_hold(w->ram, false);
	world_run(w, NS_PER_S);
	while ((e = TAILQ_FIRST(&w->server->exports))) {
		if (!e->removing)
			world_remove(w, e->name, true);
		world_run(w, NS_PER_S);
	}
	cr_assert_eq(t_blkdev_counts(w->ram)->inflight, 0);
	cr_assert_eq(t_blkdev_dev(w->ram)->held, 0);
	nbds_server_free(w->server);
	t_blkdev_free(w->ram);
	loop_free(w->loop);
}

/*
 * Bytes.
 */
static void on_readable(void *arg)
{
	struct peer *p = arg;
	struct iovec iov;
	ssize_t n;

	if (p->cap - p->len < 65536) {
		p->cap = p->cap * 2 + 131072;
		p->in = realloc(p->in, p->cap);
	}
	iov = (struct iovec){p->in + p->len, p->cap - p->len};
	n = stream_readv(p->stream, &iov, 1);
	if (n > 0) {
		p->len += (size_t)n;
	} else if (n != -EAGAIN) {
		p->ended = true;
		stream_want(p->stream, false, false);
	}
}

static const struct stream_events events = {.readable = on_readable};

void peer_open(struct peer *p, struct world *w)
{
	struct stream *s[2];

	*p = (struct peer){.world = w};
	t_stream_pair(w->loop, w->loop, &w->at, s);
	p->stream = s[0];
	stream_own(p->stream, &events, p);
	stream_want(p->stream, true, false);
	nbds_server_accept(w->server, s[1]);
}

void peer_close(struct peer *p)
{
	stream_close(p->stream);
	p->stream = NULL;
	free(p->in);
	p->in = NULL;
	world_run(p->world, NS_PER_MS);
}

void peer_reading(struct peer *p, bool on)
{
	stream_want(p->stream, on, false);
}

void peer_send(struct peer *p, const void *data, size_t len)
{
	const uint8_t *at = data;

	for (int tries = 0; len > 0 && !p->ended && tries < 1000; tries++) {
		struct iovec iov = {(void *)at, len};
		ssize_t n = stream_writev(p->stream, &iov, 1);

		if (n > 0) {
			at += n;
			len -= (size_t)n;
		} else if (n != -EAGAIN) {
			return; /* the server has ended it: seen when reading */
		}
		world_run(p->world, NS_PER_MS / 10);
	}
	cr_assert(len == 0 || p->ended, "the server takes no more bytes");
}

struct wait {
	struct peer *p;
	size_t len;
};

static bool has_come(void *arg)
{
	const struct wait *wait = arg;

	return wait->p->len >= wait->len || wait->p->ended;
}

void peer_take(struct peer *p, void *out, size_t len)
{
	struct wait wait = {p, len};

	t_loop_run_until(p->world->loop, has_come, &wait, NS_PER_S);
	cr_assert_geq(p->len, len, "%zu of %zu bytes came%s", p->len, len,
		p->ended ? ", then the end" : "");
	if (out)
		memcpy(out, p->in, len);
	p->len -= len;
	memmove(p->in, p->in + len, p->len);
}

void peer_expect(struct peer *p, const void *bytes, size_t len)
{
	uint8_t *got = malloc(len);

	peer_take(p, got, len);
	cr_assert_arr_eq(got, bytes, len);
	free(got);
}

void peer_expect_silence(struct peer *p)
{
	world_run(p->world, 100 * NS_PER_MS);
	cr_assert_eq(p->len, 0, "%zu bytes came", p->len);
	cr_assert_not(p->ended);
}

void peer_expect_end(struct peer *p)
{
	struct wait wait = {p, SIZE_MAX};

	t_loop_run_until(p->world->loop, has_come, &wait, NS_PER_S);
	cr_assert(p->ended, "still connected");
	cr_assert_eq(p->len, 0, "%zu bytes came before the end", p->len);
}

void peer_hello(struct peer *p, struct world *w, uint32_t flags)
{
	uint8_t wire[4];

	peer_open(p, w);
	peer_take(p, NULL, NBD_GREETING_LEN);
	put_be32(wire, flags);
	peer_send(p, wire, sizeof wire);
}

/*
 * Options.
 */
void option_send(struct peer *p, uint32_t option, const void *data, size_t len)
{
	uint8_t head[NBD_OPT_HEADER_LEN];

	put_be64(head, NBD_OPTION_MAGIC);
	put_be32(head + 8, option);
	put_be32(head + 12, (uint32_t)len);
	peer_send(p, head, sizeof head);
	if (len)
		peer_send(p, data, len);
}

uint32_t option_take(
	struct peer *p, uint32_t option, uint8_t *data, size_t *len)
{
	uint8_t head[NBD_OPT_REPLY_LEN], sink[8193];
	uint32_t n;

	peer_take(p, head, sizeof head);
	cr_assert_eq(get_be64(head), NBD_OPT_REPLY_MAGIC);
	cr_assert_eq(get_be32(head + 8), option);
	n = get_be32(head + 16);
	cr_assert_leq(n, 8192);
	peer_take(p, data ? data : sink, n);
	if (data)
		data[n] = 0;
	if (len)
		*len = n;
	return get_be32(head + 12);
}

void go_send(struct peer *p, uint32_t option, const char *name, int n,
	const uint16_t *types)
{
	size_t len = strlen(name);
	uint8_t data[8192];

	put_be32(data, (uint32_t)len);
	memcpy(data + 4, name, len);
	put_be16(data + 4 + len, (uint16_t)n);
	for (int i = 0; i < n; i++)
		put_be16(data + 6 + len + 2 * i, types[i]);
	option_send(p, option, data, 6 + len + 2 * (size_t)n);
}

void offer_take(struct peer *p, uint32_t option, struct offer *o)
{
	uint8_t d[8193];
	size_t len;

	*o = (struct offer){0};
	while ((o->end = option_take(p, option, d, &len)) == NBD_REP_INFO) {
		o->infos |= 1u << get_be16(d);
		switch (get_be16(d)) {
		case NBD_INFO_EXPORT:
			cr_assert_eq(len, 12);
			o->size = get_be64(d + 2);
			o->flags = get_be16(d + 10);
			break;
		case NBD_INFO_BLOCK_SIZE:
			cr_assert_eq(len, 14);
			o->min = get_be32(d + 2);
			o->preferred = get_be32(d + 6);
			o->max = get_be32(d + 10);
			break;
		case NBD_INFO_NAME:
			cr_assert_lt(len - 2, sizeof o->name);
			memcpy(o->name, d + 2, len - 2);
			break;
		case NBD_INFO_DESCRIPTION:
			cr_assert_lt(len - 2, sizeof o->description);
			memcpy(o->description, d + 2, len - 2);
			break;
		default: cr_assert(false, "info type %u", get_be16(d));
		}
	}
}

void context_send(struct peer *p, uint32_t option, const char *name,
	const char *const *queries)
{
	size_t len = strlen(name), at = 4 + len + 4;
	uint8_t data[8192];
	uint32_t n = 0;

	put_be32(data, (uint32_t)len);
	memcpy(data + 4, name, len);
	for (; queries[n]; n++) {
		len = strlen(queries[n]);
		put_be32(data + at, (uint32_t)len);
		memcpy(data + at + 4, queries[n], len);
		at += 4 + len;
	}
	put_be32(data + 4 + strlen(name), n);
	option_send(p, option, data, at);
}

uint32_t context_take(struct peer *p, uint32_t option, uint32_t *id)
{
	uint32_t type, n = 0;
	uint8_t d[8193];
	size_t len;

	while ((type = option_take(p, option, d, &len)) ==
		NBD_REP_META_CONTEXT) {
		cr_assert_eq(len, 4 + strlen(NBD_CONTEXT_NAME));
		cr_assert_str_eq((char *)d + 4, NBD_CONTEXT_NAME);
		if (id)
			*id = get_be32(d);
		n++;
	}
	return type == NBD_REP_ACK ? n : type;
}

void peer_go_status(struct peer *p, struct world *w)
{
	static const char *const query[] = {NBD_CONTEXT_NAME, NULL};
	struct offer o;

	peer_hello(p, w, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	option_send(p, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	cr_assert_eq(option_take(p, NBD_OPT_STRUCTURED_REPLY, NULL, NULL),
		NBD_REP_ACK);
	context_send(p, NBD_OPT_SET_META_CONTEXT, "disk", query);
	cr_assert_eq(context_take(p, NBD_OPT_SET_META_CONTEXT, NULL), 1);
	go_send(p, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
}

unsigned status_take(
	struct peer *p, uint64_t cookie, uint32_t (*x)[2], unsigned room)
{
	uint8_t wire[NBD_CHUNK_LEN + 4], pair[NBD_EXTENT_LEN];
	unsigned n;

	peer_take(p, wire, sizeof wire);
	cr_assert_eq(get_be32(wire), NBD_STRUCTURED_REPLY_MAGIC);
	cr_assert_eq(get_be16(wire + 4), NBD_REPLY_FLAG_DONE);
	cr_assert_eq(get_be16(wire + 6), NBD_REPLY_TYPE_BLOCK_STATUS);
	cr_assert_eq(get_be64(wire + 8), cookie);
	cr_assert_eq(get_be32(wire + NBD_CHUNK_LEN), NBD_CONTEXT_ID);
	n = (get_be32(wire + 16) - 4) / NBD_EXTENT_LEN;
	cr_assert_leq(n, room);
	for (unsigned i = 0; i < n; i++) {
		peer_take(p, pair, sizeof pair);
		x[i][0] = get_be32(pair);
		x[i][1] = get_be32(pair + 4);
	}
	return n;
}

void peer_go(struct peer *p, struct world *w, bool structured)
{
	struct offer o;

	peer_hello(p, w, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	if (structured) {
		option_send(p, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
		cr_assert_eq(
			option_take(p, NBD_OPT_STRUCTURED_REPLY, NULL, NULL),
			NBD_REP_ACK);
	}
	go_send(p, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
}

/*
 * Commands.
 */
void cmd_send(struct peer *p, unsigned flags, unsigned type, uint64_t cookie,
	uint64_t offset, uint32_t len)
{
	uint8_t wire[NBD_REQUEST_LEN];

	put_be32(wire, NBD_REQUEST_MAGIC);
	put_be16(wire + 4, (uint16_t)flags);
	put_be16(wire + 6, (uint16_t)type);
	put_be64(wire + 8, cookie);
	put_be64(wire + 16, offset);
	put_be32(wire + 24, len);
	peer_send(p, wire, sizeof wire);
}

uint32_t simple_take(struct peer *p, uint64_t cookie)
{
	uint8_t wire[NBD_SIMPLE_REPLY_LEN];

	peer_take(p, wire, sizeof wire);
	cr_assert_eq(get_be32(wire), NBD_SIMPLE_REPLY_MAGIC);
	cr_assert_eq(get_be64(wire + 8), cookie);
	return get_be32(wire + 4);
}

uint32_t error_take(struct peer *p, uint64_t cookie, char *text, size_t size)
{
	uint8_t wire[NBD_CHUNK_LEN + 6], body[4097] = {0};
	unsigned len;

	peer_take(p, wire, sizeof wire);
	cr_assert_eq(get_be32(wire), NBD_STRUCTURED_REPLY_MAGIC);
	cr_assert_eq(get_be16(wire + 4), NBD_REPLY_FLAG_DONE);
	cr_assert_eq(get_be16(wire + 6), NBD_REPLY_TYPE_ERROR);
	cr_assert_eq(get_be64(wire + 8), cookie);
	len = get_be16(wire + NBD_CHUNK_LEN + 4);
	cr_assert_eq(get_be32(wire + 16), 6 + len);
	cr_assert_leq(len, 4096);
	peer_take(p, body, len);
	if (text)
		snprintf(text, size, "%.*s", (int)len, body);
	return get_be32(wire + NBD_CHUNK_LEN);
}
