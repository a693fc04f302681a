/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous Messages (RFC 7143 11.9). */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <umpio/base/cursor.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "renegotiate.h"
#include "session.h"

typedef void async_fn(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

static const char *portal(const struct conn *c)
{
	static _Thread_local char text[ENDPOINT_TEXT_MAX];

	return endpoint_text(&c->session->hops[c->session->nhops - 1], text);
}

/* SenseLength, then the sense (RFC 7143 11.9.4), of the unit that LUN names;
 * another unit's is none of ours. */
static void scsi_event(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct session *s = c->session;
	struct cursor at = cursor_over(data, data ? len : 0), sense;
	size_t n = cursor_be16(&at);

	sense = cursor_sub(&at, n < PATH_SENSE_MAX ? n : PATH_SENSE_MAX);
	if (memcmp(b->lun, s->config->lun, sizeof b->lun) != 0)
		return;
	log_info("%s: the target reports a SCSI event", portal(c));
	if (!sense.bad && sense.left > 0 && s->events->sense)
		s->events->sense(s->arg, sense.at, sense.left);
}

/* Parameter3: seconds until the target cuts the connection itself. */
static void leave(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	uint64_t limit = b->async.param3 * NS_PER_S;

	log_info("%s: the target asks for a logout", portal(c));
	/* A quarter of it is left for the logout itself. */
	if (c->state == CONN_LOGGED_IN)
		c->session->leave_limit = limit - limit / 4;
	conn_event(c, CONN_EV_LOGOUT_WANTED);
}

/* Parameter3: seconds in which the Text Request is to be sent. */
static void negotiate(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	(void)b;
	log_info("%s: the target asks for a negotiation", portal(c));
	renegotiate(c);
}

/* With FastAbort the target ends all tasks of a unit: no more of their data,
 * and an acknowledgement at once, for which the target waits (RFC 7143
 * 4.2.3.4). Where it was not we who asked for that, no answer to any of them
 * will come. */
static void terminate(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	struct session *s = c->session;
	struct bhs ack = bhs_make(OP_NOP_OUT);

	if (s->params.task_reporting != TASK_REPORTING_FAST_ABORT) {
		log_info("%s: Async Message 5 without FastAbort", portal(c));
		return;
	}
	if (memcmp(b->lun, s->config->lun, sizeof b->lun) == 0)
		tmf_terminated(c);
	if (c->level > 0)
		statsn_settle(&c->stat, b->stat_sn);
	ack.immediate = true;
	ack.itt = BHS_TAG_NONE;
	ack.cmd_sn = s->window.cmd_sn;
	memcpy(ack.lun, b->lun, sizeof ack.lun);
	conn_send(c, &ack, NULL, 0, false);
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
static void drop(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	struct session *s = c->session;
	struct leg *leg = leg_by_cid(s, b->async.param1);
	unsigned place = 0;
	struct conn *each;

	if (b->async.event == ASYNC_DROP_ALL) {
		while ((each = session_next_conn(s, &place)))
			drop_one(each, b);
	} else if (b->async.param1 == c->cid) {
		drop_one(c, b);
	} else if (leg && leg->conn) {
		drop_one(leg->conn, b);
	} else {
		log_info("%s: the target drops a connection that is not ours",
			portal(c));
	}
}

static void log_only(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
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
	{ASYNC_TASKS_TERMINATED, terminate},
	{ASYNC_VENDOR, log_only},
};

void async_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (events[i].event != b->async.event)
			continue;
		events[i].fn(c, b, data, len);
		return;
	}
	log_only(c, b, data, len);
}
