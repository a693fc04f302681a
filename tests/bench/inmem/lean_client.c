/* SPDX-License-Identifier: BSD-2-Clause */
#include "lean_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

#include "lean_wire.h"

/* Numbers of the NBD protocol; the handshake is fixed newstyle, one option. */
#define GREETING      18
#define EXPORT_REPLY  10 /* to NBD_OPT_EXPORT_NAME without zeroes */
#define REQUEST       28
#define REPLY         16
#define REQUEST_MAGIC 0x25609513u
#define DEPTH_MAX     64

enum step { STEP_GREETING, STEP_EXPORT, STEP_READY };

struct lean_client {
	struct loop *loop;
	struct stream_connect *connecting;
	struct lean_link *wire; /* NULL: not connected */
	struct lean_job job;
	enum step step;
	uint64_t asked, sent, answered;
	uint64_t offset;
	/* One message under way in each direction, and the counts of bytes */
	uint8_t hello[4 + 16];
	size_t hello_sent;
	uint8_t head[DEPTH_MAX][REQUEST];
	unsigned first, queued; /* requests in `head` to be sent */
	size_t out_done;        /* bytes of the first one sent */
	uint8_t *payload;       /* of a write, and where reads go */
	size_t in_want, in_have;
};

static size_t request_bytes(const struct lean_client *c)
{
	return REQUEST + (c->job.write ? c->job.len : 0);
}

static size_t reply_bytes(const struct lean_client *c)
{
	return REPLY + (c->job.write ? 0 : c->job.len);
}

static void fill(struct lean_client *c)
{
	while (c->sent < c->asked && c->sent - c->answered < c->job.depth) {
		uint8_t *h = c->head[(c->first + c->queued) % DEPTH_MAX];

		put_be32(h, REQUEST_MAGIC);
		put_be16(h + 4, 0);
		put_be16(h + 6, c->job.write ? 1 : 0);
		put_be64(h + 8, c->sent);
		put_be64(h + 16, c->offset);
		put_be32(h + 24, c->job.len);
		c->offset = (c->offset + c->job.len) % c->job.span;
		c->queued++;
		c->sent++;
	}
}

static int on_rx(void *engine, struct iovec *iov)
{
	struct lean_client *c = engine;

	*iov = (struct iovec){c->payload, c->in_want - c->in_have};
	return 1;
}

static void say_hello(struct lean_client *c)
{
	put_be32(c->hello, 3); /* fixed newstyle, no zeroes */
	memcpy(c->hello + 4, "IHAVEOPT", 8);
	put_be32(c->hello + 12, 1); /* NBD_OPT_EXPORT_NAME */
	put_be32(c->hello + 16, 0); /* the empty name */
	c->step = STEP_EXPORT;
	c->in_want = EXPORT_REPLY;
}

static int on_rx_commit(void *engine, size_t n)
{
	struct lean_client *c = engine;

	c->in_have += n;
	if (c->in_have < c->in_want)
		return 0;
	c->in_have = 0;
	if (c->step == STEP_GREETING) {
		say_hello(c);
		return 0;
	}
	if (c->step == STEP_READY)
		c->answered++;
	c->step = STEP_READY;
	c->in_want = reply_bytes(c);
	fill(c);
	return 0;
}

/* The messages as header and payload, from the byte that is due. */
static int on_tx(void *engine, struct iovec *iov, int max)
{
	struct lean_client *c = engine;
	size_t skip = c->out_done;
	int n = 0;

	if (c->step == STEP_EXPORT && c->hello_sent < sizeof c->hello) {
		*iov = (struct iovec){c->hello + c->hello_sent,
			sizeof c->hello - c->hello_sent};
		return 1;
	}
	if (max < 2)
		return c->queued > 0; /* asked whether there is something */
	for (unsigned i = 0; i < c->queued && n + 2 <= max; i++) {
		uint8_t *h = c->head[(c->first + i) % DEPTH_MAX];

		if (skip < REQUEST)
			iov[n++] = (struct iovec){h + skip, REQUEST - skip};
		skip = skip > REQUEST ? skip - REQUEST : 0;
		if (c->job.write)
			iov[n++] = (struct iovec){
				c->payload + skip, c->job.len - skip};
		skip = 0;
	}
	return n;
}

static void on_tx_commit(void *engine, size_t n)
{
	struct lean_client *c = engine;

	if (c->hello_sent < sizeof c->hello) {
		c->hello_sent += n;
		return;
	}
	c->out_done += n;
	while (c->queued && c->out_done >= request_bytes(c)) {
		c->out_done -= request_bytes(c);
		c->first = (c->first + 1) % DEPTH_MAX;
		c->queued--;
	}
}

static void on_closed(void *engine, int err)
{
	(void)engine;
	fprintf(stderr, "the server closed the connection: %s\n",
		strerror(-err));
	exit(1);
}

static const struct engine_ops ops = {
	on_rx, on_rx_commit, on_tx, on_tx_commit, on_closed};

static void on_connected(void *arg, struct stream *s, int err)
{
	struct lean_client *c = arg;

	c->connecting = NULL;
	if (!s) {
		on_closed(c, err);
		return;
	}
	c->wire = lean_link_new(c->loop, s, &ops, c);
}

struct lean_client *lean_client_new(
	struct loop *loop, const struct addr *to, const struct lean_job *job)
{
	const struct stream_options options = {.nodelay = true};
	struct lean_client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->loop = loop;
	c->job = *job;
	c->in_want = GREETING;
	c->payload = calloc(1, REPLY + job->len);
	c->connecting = stream_connect(loop, to, &options, on_connected, c);
	if (!c->payload || !c->connecting) {
		lean_client_free(c);
		return NULL;
	}
	return c;
}

void lean_client_run(struct lean_client *c, uint64_t count)
{
	c->asked += count;
	if (c->step == STEP_READY)
		fill(c);
}

bool lean_client_idle(const struct lean_client *c)
{
	return c->answered == c->asked;
}

void lean_client_free(struct lean_client *c)
{
	if (!c)
		return;
	stream_connect_cancel(c->connecting);
	lean_link_free(c->wire);
	free(c->payload);
	free(c);
}
