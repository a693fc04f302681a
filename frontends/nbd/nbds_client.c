/* SPDX-License-Identifier: BSD-2-Clause */
#include "nbds_client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "nbds_option.h"
#include "nbds_request.h"
#include "nbds_seat.h"
#include "nbds_server.h"
#include "nbds_tls.h"

/* A payload holds a buffer of its full length, charged to the device, so it
 * must not only move but also be whole within so many times the limit on
 * standstill: 32 MiB in 600 s, which 64 KiB/s and a pause still meet. */
#define PAYLOAD_STALLS      10

#define NBDS_NAME(id, name) [NBDS_##id] = name,
static const char *const state_names[] = {NBDS_STATES(NBDS_NAME)};
#undef NBDS_NAME
#define NBDS_NAME(id, name) [NBDS_EV_##id] = name,
static const char *const event_names[] = {NBDS_EVENTS(NBDS_NAME)};
#undef NBDS_NAME

int nbds_client_complain(struct nbds_client *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (c->complained)
		return -EPROTO;
	c->complained = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log_warn("nbd client %s: %s", c->peer, text);
	return -EPROTO;
}

/*
 * Lifecycle: the actions.
 */
static void haggle(struct nbds_client *c)
{
	c->state = NBDS_OPTIONS;
}

static void secure(struct nbds_client *c)
{
	c->state = NBDS_SECURING;
	nbds_client_kick(c); /* the answer may have left already */
}

/* Nothing that was said before counts. */
static void haggle_anew(struct nbds_client *c)
{
	c->state = NBDS_OPTIONS;
	c->secured = true;
	c->structured = false;
	nbds_context_drop(c, NULL);
}

static void transmit(struct nbds_client *c)
{
	c->losses = c->export->dev->losses;
	c->state = NBDS_TRANSMISSION;
	nbds_seat_settle(c->server->seat);
	c->progress = loop_now(c->loop);
	loop_timer_set(c->timer, c->server->limits.stall);
	log_info("nbd client %s: uses %s", c->peer, c->export->name);
}

static void part(struct nbds_client *c)
{
	c->state = NBDS_PARTING;
	loop_timer_set(c->timer, c->server->limits.linger);
}

static void refuse(struct nbds_client *c)
{
	c->state = NBDS_REFUSING;
	nbds_client_kick(c);
}

static void leave(struct nbds_client *c)
{
	struct nbds_request *req = c->receiving;

	c->state = NBDS_LEAVING;
	c->receiving = NULL;
	if (req)
		nbds_request_release(req);
	nbds_client_kick(c);
}

static void let_be(struct nbds_client *c)
{
	nbds_client_kick(c);
}

static void end(struct nbds_client *c, bool abort)
{
	struct nbds_request *req = c->receiving;

	if (c->state <= NBDS_PARTING)
		nbds_seat_settle(c->server->seat);
	c->state = NBDS_GONE;
	pump_free(c->pump, abort);
	c->pump = NULL;
	loop_timer_stop(c->timer);
	c->receiving = NULL;
	if (req)
		nbds_request_release(req);
	outq_drop(&c->out);
	nbds_client_kick(c);
}

static void hang_up(struct nbds_client *c)
{
	end(c, false);
}

static void cut(struct nbds_client *c)
{
	end(c, true);
}

#define ST(id) (1u << NBDS_##id)
#define LIVE   (ST(GONE) - 1)

static const struct {
	unsigned states;
	enum nbds_event event;
	void (*action)(struct nbds_client *c);
} lifecycle[] = {
	{ST(FLAGS), NBDS_EV_GREETED, haggle},
	{ST(OPTIONS), NBDS_EV_STARTTLS, secure},
	{ST(SECURING), NBDS_EV_SECURED, haggle_anew},
	{ST(OPTIONS), NBDS_EV_CHOSEN, transmit},
	{ST(OPTIONS), NBDS_EV_ABORT, part},
	{ST(TRANSMISSION) | ST(REFUSING), NBDS_EV_DISC, leave},
	{ST(TRANSMISSION), NBDS_EV_REMOVED, refuse},
	{ST(REFUSING) | ST(LEAVING), NBDS_EV_REMOVED, let_be},
	{ST(REFUSING), NBDS_EV_DRAINED, leave},
	{ST(LEAVING), NBDS_EV_SENT, hang_up},
	{LIVE, NBDS_EV_CUT, cut},
	{LIVE, NBDS_EV_CLOSED, hang_up},
};

void nbds_client_event(struct nbds_client *c, enum nbds_event event)
{
	for (size_t i = 0; i < sizeof lifecycle / sizeof *lifecycle; i++) {
		if (lifecycle[i].event == event &&
			(lifecycle[i].states & 1u << c->state)) {
			lifecycle[i].action(c);
			return;
		}
	}
	log_error("nbd client %s: cut off: %s while %s", c->peer,
		event_names[event], state_names[c->state]);
	if (c->state != NBDS_GONE)
		cut(c);
}

/*
 * The engine.
 */
static int discard(struct nbds_client *c)
{
	intake_consume(&c->in, intake_len(&c->in));
	return 0;
}

/* Until TLS is under way no byte is looked at. */
static int wait_for_tls(struct nbds_client *c)
{
	return nbds_client_block(c);
}

static int (*const steps[])(struct nbds_client *c) = {
	[NBDS_FLAGS] = nbds_handshake_step,
	[NBDS_OPTIONS] = nbds_option_step,
	[NBDS_SECURING] = wait_for_tls,
	[NBDS_PARTING] = discard,
	[NBDS_TRANSMISSION] = nbds_request_step,
	[NBDS_REFUSING] = nbds_request_step,
	[NBDS_LEAVING] = discard,
};

/* Parses what is staged. 0 or -errno. */
static int parse(struct nbds_client *c)
{
	int rc = 1;

	while (rc > 0 && c->state != NBDS_GONE && !intake_diverting(&c->in)) {
		if (c->receiving)
			nbds_request_received(c);
		rc = steps[c->state](c);
	}
	return rc < 0 ? rc : 0; /* 1: a payload has begun */
}

static int client_rx(void *engine, struct iovec *iov)
{
	struct nbds_client *c = engine;

	if (c->blocked || c->state == NBDS_LEAVING)
		return 0;
	return intake_iov(&c->in, iov);
}

static int client_rx_commit(void *engine, size_t n)
{
	struct nbds_client *c = engine;

	intake_commit(&c->in, n);
	if (intake_diverting(&c->in)) {
		c->moved = loop_now(c->loop);
		loop_expect(c->loop); /* the rest of the payload */
	}
	return parse(c);
}

static int client_tx(void *engine, struct iovec *iov, int max)
{
	struct nbds_client *c = engine;

	return outq_iov(&c->out, iov, max);
}

static void client_tx_commit(void *engine, size_t n)
{
	struct nbds_client *c = engine;

	c->progress = loop_now(c->loop);
	outq_commit(&c->out, n);
	if (c->state == NBDS_SECURING)
		nbds_client_kick(c);
}

static void client_closed(void *engine, int err)
{
	struct nbds_client *c = engine;

	if (err == -EPROTO || c->state <= NBDS_PARTING)
		log_debug("nbd client %s: closed while %s", c->peer,
			state_names[c->state]);
	else if (err)
		(void)nbds_client_complain(
			c, "connection lost: %s", strerror(-err));
	nbds_client_event(c, NBDS_EV_CLOSED);
}

static const struct engine_ops engine_ops = {
	.rx = client_rx,
	.rx_commit = client_rx_commit,
	.tx = client_tx,
	.tx_commit = client_tx_commit,
	.closed = client_closed,
};

/* When the timer fires it is set again for as long as there is a reason. */
static void watch(struct nbds_client *c)
{
	if (!loop_timer_is_set(c->timer))
		loop_timer_set(c->timer, c->server->limits.stall);
}

void nbds_client_await(struct nbds_client *c)
{
	c->began = c->moved = loop_now(c->loop);
	watch(c);
}

void nbds_client_send(struct nbds_client *c, struct outq_item *item)
{
	if (outq_is_empty(&c->out)) {
		c->progress = loop_now(c->loop);
		watch(c);
	}
	outq_push(&c->out, item);
	pump_tx(c->pump);
}

int nbds_client_block(struct nbds_client *c)
{
	c->blocked = true;
	return 0;
}

void nbds_client_kick(struct nbds_client *c)
{
	loop_post(c->loop, &c->turn);
}

/* A client that has gone meanwhile may have come back over another connection,
 * and written newer data there: what it left here unread must not follow them.
 */
static void resume(struct nbds_client *c)
{
	int err;

	if (stream_hung_up(pump_stream(c->pump))) {
		nbds_client_event(c, NBDS_EV_CUT);
		return;
	}
	c->blocked = false;
	err = parse(c);
	if (err)
		nbds_client_event(c, NBDS_EV_CUT);
	else if (!c->blocked)
		pump_rx(c->pump);
}

/* The answer to STARTTLS is out: what comes next is TLS. */
static void start_tls(struct nbds_client *c)
{
	struct stream *s =
		nbds_tls_stream(c->server->tls, c->loop, pump_stream(c->pump));

	if (!s) {
		nbds_client_event(c, NBDS_EV_CUT);
		return;
	}
	pump_replace(c->pump, s);
	nbds_client_event(c, NBDS_EV_SECURED);
}

/* What is left to do after a batch, when no callback is on the stack. */
static void client_turn(void *arg)
{
	struct nbds_client *c = arg;

	if (c->state == NBDS_SECURING && outq_is_empty(&c->out))
		start_tls(c);
	if (c->blocked && c->state != NBDS_GONE)
		resume(c);
	if (c->state == NBDS_REFUSING && !c->submitted)
		nbds_client_event(c, NBDS_EV_DRAINED);
	if (c->state == NBDS_LEAVING && !c->inflight)
		nbds_client_event(c, NBDS_EV_SENT);
	if (c->state == NBDS_GONE && !c->inflight)
		nbds_client_free(c);
}

/* Of the time `allowed` from `since` on, what is left. */
static uint64_t time_left(
	const struct nbds_client *c, uint64_t since, uint64_t allowed)
{
	uint64_t past = loop_now(c->loop) - since;

	return past < allowed ? allowed - past : 0;
}

static uint64_t output_left(const struct nbds_client *c)
{
	if (outq_is_empty(&c->out))
		return UINT64_MAX;
	return time_left(c, c->progress, c->server->limits.stall);
}

/* While a payload is under way we read all that comes: who is slow then is the
 * client. */
static uint64_t payload_left(const struct nbds_client *c)
{
	uint64_t stall = c->server->limits.stall;
	uint64_t moves, all;

	if (!c->receiving)
		return UINT64_MAX;
	moves = time_left(c, c->moved, stall);
	all = time_left(c, c->began, PAYLOAD_STALLS * stall);
	return moves < all ? moves : all;
}

static void complain_of_payload(struct nbds_client *c)
{
	uint64_t now = loop_now(c->loop);
	unsigned stall = (unsigned)(c->server->limits.stall / NS_PER_S);

	(void)nbds_client_complain(c,
		"cut off: %zu of the %u bytes of its write have not come, "
		"%u s after its beginning and %u s after the last that came "
		"(at most %u and %u s): see what holds up that client, or its "
		"network",
		c->in.want, c->receiving->len,
		(unsigned)((now - c->began) / NS_PER_S),
		(unsigned)((now - c->moved) / NS_PER_S), PAYLOAD_STALLS * stall,
		stall);
}

/* What stalls is looked for when the timer fires, not at every message. */
static void check_stall(struct nbds_client *c)
{
	uint64_t out = output_left(c), in = payload_left(c);
	uint64_t left = out < in ? out : in;

	if (left == UINT64_MAX)
		return;
	if (left > 0) {
		loop_timer_set(c->timer, left);
		return;
	}
	if (in == 0)
		complain_of_payload(c);
	else
		(void)nbds_client_complain(c,
			"cut off: it took no reply for %u s",
			(unsigned)(c->server->limits.stall / NS_PER_S));
	nbds_client_event(c, NBDS_EV_CUT);
}

static void client_timeout(void *arg)
{
	struct nbds_client *c = arg;

	if (c->state > NBDS_PARTING) {
		check_stall(c);
		return;
	}
	if (c->state != NBDS_PARTING)
		(void)nbds_client_complain(c,
			"cut off: no export chosen within %u ms",
			(unsigned)(c->server->limits.handshake / NS_PER_MS));
	nbds_client_event(c, NBDS_EV_CUT);
}

static struct nbds_client *client_alloc(struct nbds_server *server)
{
	struct nbds_client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->server = server;
	c->loop = server->loop;
	c->state = NBDS_FLAGS;
	outq_init(&c->out);
	SLIST_INIT(&c->spare);
	loop_task_init(&c->turn, client_turn, c);
	c->timer = loop_timer_new(c->loop, client_timeout, c);
	if (c->timer && intake_init(&c->in, NBDS_STAGE) == 0)
		return c;
	loop_timer_free(c->timer);
	free(c);
	return NULL;
}

/* A unix socket has no address of the other end, but its user. */
static void name_peer(struct nbds_client *c, const struct stream *s)
{
	uid_t uid = stream_peer_uid(s);
	size_t len;

	addr_text(uid == (uid_t)-1 ? &s->peer : &s->local, c->peer,
		sizeof c->peer);
	len = strlen(c->peer);
	if (uid != (uid_t)-1)
		snprintf(c->peer + len, sizeof c->peer - len, " (uid %u)",
			(unsigned)uid);
}

int nbds_client_new(struct nbds_server *server, struct stream *s)
{
	struct nbds_client *c = client_alloc(server);

	if (!c) {
		stream_abort(s);
		nbds_seat_settle(server->seat);
		nbds_seat_leave(server->seat);
		return -ENOMEM;
	}
	name_peer(c, s);
	c->pump = pump_new(c->loop, s, &engine_ops, c);
	TAILQ_INSERT_TAIL(&server->clients, c, link);
	if (!c->pump || nbds_handshake_greet(c)) {
		end(c, true);
		return -ENOMEM;
	}
	loop_timer_set(c->timer, server->limits.handshake);
	return 0;
}

void nbds_client_free(struct nbds_client *c)
{
	assert(c->state == NBDS_GONE && !c->inflight);
	TAILQ_REMOVE(&c->server->clients, c, link);
	nbds_seat_leave(c->server->seat);
	if (c->export)
		nbds_export_leave(c->export);
	nbds_request_fini(c);
	nbds_context_drop(c, NULL);
	intake_fini(&c->in);
	loop_unpost(c->loop, &c->turn);
	loop_timer_free(c->timer);
	free(c);
}
