/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection's state machine, RFC 7143 8.1; states and transitions bear
 * its labels. What needs the session goes there as an event. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <umpio/base/log.h>

#include "conn.h"
#include "session.h"

static void none(struct conn *c)
{
	(void)c;
}

/* To the session, or to the connection's place in it; the end of the session
 * itself is the session's matter. */
static void tell(struct conn *c, enum leg_event to_leg, enum session_event ev)
{
	struct session *s = c->session;

	if (!c->leg || (s->state == SESSION_LOGOUT && c == s->conn))
		session_post(s, ev);
	else
		leg_post(c->leg, to_leg);
}

/* The leading login settles it for all (RFC 7143 13.20). */
static uint32_t conn_level(const struct conn *c)
{
	if (c->login.setup.tsih)
		return c->session->params.error_recovery_level;
	return c->login.session.error_recovery_level;
}

/* Digests and limits hold from the next PDU on (RFC 7143 6.3.1). */
static void accepted(struct conn *c)
{
	c->params = c->login.conn;
	c->digests.header = c->params.header_digest;
	c->digests.data = c->params.data_digest;
	pdu_rx_set(&c->rx, c->params.header_digest, c->params.data_digest,
		c->params.max_recv_data);
	c->level = (uint8_t)conn_level(c);
	statsn_init(&c->stat, c->login.exp_stat_sn);
	tell(c, LEG_EV_ACCEPTED, SESSION_EV_ACCEPTED);
}

static void refused(struct conn *c)
{
	tell(c, LEG_EV_REFUSED, SESSION_EV_REFUSED);
}

static void wanted(struct conn *c)
{
	tell(c, LEG_EV_LEAVE, SESSION_EV_LEAVE);
}

static void done(struct conn *c)
{
	c->logged_out = true;
	tell(c, LEG_EV_LOGGED_OUT, SESSION_EV_LOGGED_OUT);
}

static void lost(struct conn *c)
{
	tell(c, LEG_EV_LOST, SESSION_EV_LOST);
}

#define S(name) (1u << CONN_##name)

static const struct {
	unsigned states;
	enum conn_event event;
	enum conn_state next;
	void (*action)(struct conn *c);
	const char *label;
} rows[] = {
	{S(FREE), CONN_EV_CONNECTED, CONN_IN_LOGIN, none, "T1 T4"},
	{S(IN_LOGIN), CONN_EV_ACCEPTED, CONN_LOGGED_IN, accepted, "T5"},
	{S(IN_LOGIN), CONN_EV_REFUSED, CONN_FREE, refused, "T7"},
	{S(IN_LOGIN), CONN_EV_LOST, CONN_FREE, lost, "T7"},
	{S(LOGGED_IN), CONN_EV_LOGOUT_SENT, CONN_IN_LOGOUT, none, "T9"},
	{S(LOGGED_IN), CONN_EV_LOGOUT_WANTED, CONN_LOGOUT_REQUESTED, wanted,
		"T11"},
	{S(LOGGED_IN), CONN_EV_LOST, CONN_CLEANUP_WAIT, lost, "T15"},
	{S(LOGOUT_REQUESTED), CONN_EV_LOGOUT_SENT, CONN_IN_LOGOUT, none, "T10"},
	{S(LOGOUT_REQUESTED), CONN_EV_LOGOUT_WANTED, CONN_LOGOUT_REQUESTED,
		none, "T12"},
	{S(LOGOUT_REQUESTED), CONN_EV_LOST, CONN_CLEANUP_WAIT, lost, "T16"},
	{S(IN_LOGOUT), CONN_EV_LOGOUT_WANTED, CONN_IN_LOGOUT, none, "T14"},
	{S(IN_LOGOUT), CONN_EV_LOGOUT_DONE, CONN_FREE, done, "T13"},
	{S(IN_LOGOUT), CONN_EV_LOST, CONN_CLEANUP_WAIT, lost, "T17"},
};

void conn_event(struct conn *c, enum conn_event event)
{
	static const char *const states[] = {
#define X(name) #name,
		CONN_STATES(X)
#undef X
	};
	static const char *const events[] = {
#define X(name) #name,
		CONN_EVENTS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!(rows[i].states & 1u << c->state) ||
			rows[i].event != event)
			continue;
		log_debug("connection %u: %s %s -> %s", c->cid, rows[i].label,
			states[c->state], states[rows[i].next]);
		c->state = rows[i].next;
		rows[i].action(c);
		return;
	}
	log_debug("connection %u: %s in %s is out of order", c->cid,
		events[event], states[c->state]);
	if (event != CONN_EV_LOST)
		conn_fail(c, -EPROTO, "%s is out of order in state %s",
			events[event], states[c->state]);
}
