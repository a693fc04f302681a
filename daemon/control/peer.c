/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "call.h"
#include "json.h"

#define SEND_TIMEOUT (5 * NS_PER_S)

struct peer {
	struct loop *loop;
	const struct peer_owner *owner;
	struct pump *pump;
	struct loop_task step;
	struct loop_timer *send_timer;
	struct control_call *call; /* the request under way; NULL: none */
	char *text;      /* of a reply that is being sent; NULL: a constant */
	const char *out; /* what is sent */
	size_t out_len, out_sent; /* with the newline */
	size_t in_len;
	bool replying;  /* a reply is being sent */
	bool full_told; /* the line was too long: the reply is the last one */
	bool closed;    /* the stream has ended */
	bool ended;     /* closed() is to be told */
	char in[CONTROL_LINE_MAX + 1];
};

/* There may be no memory to make these. */
static const char short_of_memory[] =
	"{\"error\":\"out of memory\",\"code\":1}";
static const char too_large[] =
	"{\"error\":\"the reply is larger than 16 MiB; ask for one device\","
	"\"code\":1}";

static void post_step(struct peer *c)
{
	loop_post(c->loop, &c->step);
}

/* Takes the reply over and begins to send it. */
static void peer_reply(void *owner, struct json_object *reply)
{
	struct peer *c = owner;
	size_t len = 0;
	c->call = NULL;
	c->text = control_line(reply, &len);
	c->out = c->text;
	json_object_put(reply);
	if (!c->out) {
		c->out = short_of_memory;
		len = strlen(short_of_memory);
	} else if (len >= CONTROL_REPLY_MAX) {
		c->out = too_large;
		len = strlen(too_large);
	}
	c->replying = true;
	c->out_len = len + 1;
	c->out_sent = 0;
	loop_timer_set(c->send_timer, SEND_TIMEOUT);
	if (!c->closed)
		pump_tx(c->pump);
}

static void refuse(struct peer *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void refuse(struct peer *c, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	peer_reply(c, json_error(CONTROL_USAGE, text));
}

static const struct control_command *find_command(
	const struct peer *c, const char *name)
{
	const struct control_command *command = c->owner->commands;
	while (command->name && strcmp(command->name, name) != 0)
		command++;
	return command->name ? command : NULL;
}

static void run_request(struct peer *c, struct json_object *request)
{
	const char *name = control_text(request, "command");
	const struct control_command *command =
		name ? find_command(c, name) : NULL;
	if (!command) {
		if (name)
			refuse(c, "unknown command `%.64s`", name);
		else
			refuse(c, "the request has no \"command\"");
		json_object_put(request);
		return;
	}
	struct control_call *call = call_new(request, peer_reply, c);
	if (!call) {
		refuse(c, "%s", strerror(ENOMEM));
		return;
	}
	c->call = call;
	command->run(c->owner->arg, call, request);
}

static void run_line(struct peer *c, const char *line, size_t len)
{
	while (len > 0 && strchr(" \t\r", line[len - 1]))
		len--;
	if (len == 0)
		return;
	const char *why;
	struct json_object *request = json_line_parse(line, len, &why);
	if (request)
		run_request(c, request);
	else
		refuse(c, "the request is not a line of JSON: %s", why);
}

/* Runs the next line, if there is a whole one. */
static bool next_line(struct peer *c)
{
	char *end = memchr(c->in, '\n', c->in_len);
	if (!end) {
		if (c->in_len < CONTROL_LINE_MAX)
			return false;
		c->full_told = true;
		refuse(c, "a request has at most 64 KiB");
		return false;
	}
	size_t len = (size_t)(end - c->in);
	*end = '\0';
	run_line(c, c->in, len);
	c->in_len -= len + 1;
	memmove(c->in, end + 1, c->in_len);
	return true;
}

bool peer_is_idle(const struct peer *c)
{
	return !c->call && !c->replying;
}

/* What is to be done between callbacks of the pump and commands, so that none
 * of them finds the connection gone or changed under it. */
static void peer_step(void *arg)
{
	struct peer *c = arg;
	if (!c->ended && c->full_told && peer_is_idle(c))
		c->ended = true;
	if (c->ended) {
		c->owner->closed(c->owner->owner, c);
		return;
	}
	while (peer_is_idle(c) && next_line(c))
		;
	pump_rx(c->pump);
}

static void send_late(void *arg)
{
	struct peer *c = arg;
	c->ended = true;
	post_step(c);
}

static int peer_rx(void *engine, struct iovec *iov)
{
	struct peer *c = engine;
	if (c->full_told || c->in_len == CONTROL_LINE_MAX)
		return 0;
	iov[0] =
		(struct iovec){c->in + c->in_len, CONTROL_LINE_MAX - c->in_len};
	return 1;
}

static int peer_rx_commit(void *engine, size_t n)
{
	struct peer *c = engine;
	c->in_len += n;
	post_step(c);
	return 0;
}

static int peer_tx(void *engine, struct iovec *iov, int max)
{
	struct peer *c = engine;
	int n = 0;
	if (!c->replying)
		return 0;
	size_t text = c->out_len - 1;
	assert(max >= 2);
	if (c->out_sent < text)
		iov[n++] = (struct iovec){
			(char *)c->out + c->out_sent, text - c->out_sent};
	iov[n++] = (struct iovec){(char *)"\n", 1};
	return n;
}

static void peer_tx_commit(void *engine, size_t n)
{
	struct peer *c = engine;
	c->out_sent += n;
	if (c->out_sent < c->out_len)
		return;
	loop_timer_stop(c->send_timer);
	free(c->text);
	c->text = NULL;
	c->replying = false;
	post_step(c);
}

/* A client that ends its side right behind its request still reads: what is
 * answered already is offered to the socket once, without waiting. */
static void send_rest(struct peer *c)
{
	struct iovec iov[2];
	while (peer_is_idle(c) && next_line(c))
		;
	int n = peer_tx(c, iov, 2);
	if (n > 0)
		(void)stream_writev(pump_stream(c->pump), iov, n);
}

static void peer_closed(void *engine, int err)
{
	struct peer *c = engine;
	c->closed = true;
	if (err == 0)
		send_rest(c);
	c->ended = true;
	post_step(c);
}

static const struct engine_ops peer_ops = {
	.rx = peer_rx,
	.rx_commit = peer_rx_commit,
	.tx = peer_tx,
	.tx_commit = peer_tx_commit,
	.closed = peer_closed,
};

struct peer *peer_new(struct loop *loop, struct stream *stream,
	const struct peer_owner *owner)
{
	struct peer *c = calloc(1, sizeof *c);
	if (!c) {
		stream_close(stream);
		return NULL;
	}
	c->loop = loop;
	c->owner = owner;
	loop_task_init(&c->step, peer_step, c);
	c->send_timer = loop_timer_new(loop, send_late, c);
	if (!c->send_timer) {
		stream_close(stream);
		peer_free(c);
		return NULL;
	}
	c->pump = pump_new(loop, stream, &peer_ops, c);
	if (!c->pump) {
		peer_free(c);
		return NULL;
	}
	return c;
}

void peer_free(struct peer *c)
{
	if (!c)
		return;
	if (c->call)
		call_orphan(c->call);
	loop_unpost(c->loop, &c->step);
	loop_timer_free(c->send_timer);
	pump_free(c->pump, false);
	free(c->text);
	free(c);
}
