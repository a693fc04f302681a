/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous Messages (RFC 7143 11.9). */
#include <errno.h>
#include <stddef.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

typedef void async_fn(struct conn *c, const struct bhs *b);

static const char *portal(const struct conn *c)
{
	static _Thread_local char text[ENDPOINT_TEXT_MAX];

	return endpoint_text(&c->session->hops[c->session->nhops - 1], text);
}

/* The device's owner asks for what changed when the unit attention comes, which
 * a target raises along with it. */
static void scsi_event(struct conn *c, const struct bhs *b)
{
	(void)b;
	log_info("%s: the target reports a SCSI event", portal(c));
}

/* Parameter3: seconds until the target cuts the connection itself. */
static void leave(struct conn *c, const struct bhs *b)
{
	uint64_t limit = b->async.param3 * NS_PER_S;

	log_info("%s: the target asks for a logout", portal(c));
	/* A quarter of it is left for the logout itself. */
	if (c->state == CONN_LOGGED_IN)
		c->session->leave_limit = limit - limit / 4;
	conn_event(c, CONN_EV_LOGOUT_WANTED);
}

static void negotiate(struct conn *c, const struct bhs *b)
{
	/* A new login negotiates everything, and every target does that. */
	leave(c, b);
}

static void drop_one(struct conn *c, const struct bhs *b)
{
	c->why.wait = b->async.param2 * NS_PER_S;
	c->retain = b->async.param3 * NS_PER_S;
	c->wait_told = c->retain_told = true;
	conn_fail(c, -ECONNABORTED,
		"the target drops the connection, wait %u s", b->async.param2);
}

/* Parameter1: the CID; it may be another connection of the session. Parameter2
 * and Parameter3: Time2Wait and Time2Retain. */
static void drop(struct conn *c, const struct bhs *b)
{
	struct session *s = c->session;
	struct leg *leg = leg_by_cid(s, b->async.param1);

	if (b->async.event == ASYNC_DROP_ALL) {
		for (unsigned i = 0; i < s->nlegs; i++)
			if (s->legs[i].conn && s->legs[i].conn != c)
				drop_one(s->legs[i].conn, b);
		drop_one(c, b);
	} else if (b->async.param1 == c->cid) {
		drop_one(c, b);
	} else if (leg && leg->conn) {
		drop_one(leg->conn, b);
	} else {
		log_info("%s: the target drops a connection that is not ours",
			portal(c));
	}
}

static void log_only(struct conn *c, const struct bhs *b)
{
	log_info("%s: Async Message of event %u", portal(c), b->async.event);
}

static const struct {
	uint8_t event;
	async_fn *fn;
} events[] = {
	{ASYNC_SCSI, scsi_event},
	{ASYNC_LOGOUT, leave},
	{ASYNC_DROP_CONNECTION, drop},
	{ASYNC_DROP_ALL, drop},
	{ASYNC_NEGOTIATE, negotiate},
	{ASYNC_VENDOR, log_only},
};

void async_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (events[i].event != b->async.event)
			continue;
		events[i].fn(c, b);
		return;
	}
	log_only(c, b);
}
