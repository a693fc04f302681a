/* SPDX-License-Identifier: BSD-2-Clause */
/* The states of a leg; the labels are those of RFC 7143 8.2.2, the connection
 * cleanup of an initiator. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "conn.h"
#include "leg.h"
#include "session.h"

#define REJOIN_MIN NS_PER_S
#define REJOIN_MAX (30 * NS_PER_S)

/* No more of this portal for now: the next one of the group may do better. */
static void rejoin_later(struct leg *leg)
{
	struct session *s = leg->session;
	uint64_t ns = REJOIN_MIN << (leg->failures < 5 ? leg->failures : 5);

	leg->failures++;
	leg->cid = s->next_cid++;
	leg->portal = (leg->portal + 1) % s->plan.nportals;
	leg_rest(leg, ns < REJOIN_MAX ? ns : REJOIN_MAX);
}

static void unreachable(struct leg *leg)
{
	if (leg->lost)
		recover(leg, RECOVER_UNREACHABLE, "nobody answers");
	else
		rejoin_later(leg);
}

/* A portal that leads to another group is not this session's (RFC 7143 4.4.2).
 */
static void mark_stray(struct leg *leg, const struct login *l)
{
	struct session *s = leg->session;
	const struct endpoint at = s->plan.portals[leg->portal];
	char text[ENDPOINT_TEXT_MAX];

	log_info("%s is in portal group %u, the session is in %u",
		endpoint_text(&at, text), l->keys.tpgt, s->group.tag);
	if (s->plan.nportals == 1)
		return;
	session_drop_portal(s, leg->portal);
	if (s->events->elsewhere)
		s->events->elsewhere(s->arg, &at);
}

static bool is_stray(const struct leg *leg, const struct login *l)
{
	const struct session *s = leg->session;

	return l->keys.has_tpgt && s->group.known &&
	       l->keys.tpgt != s->group.tag;
}

static void refused(struct leg *leg)
{
	enum recover_failure failure = RECOVER_LOGIN_REFUSED;
	char why[LOGIN_WHY_MAX] = "login failed";
	struct login *l;

	loop_timer_stop(leg->timer);
	if (leg->conn) {
		l = &leg->conn->login;
		if (leg->conn->refusal == LOGIN_WEAKER)
			leg->session->no_sha256 = true;
		if (l->why[0])
			snprintf(why, sizeof why, "%s", l->why);
		if (l->status == 0x020a)
			failure = RECOVER_LOGIN_UNKNOWN;
		if (is_stray(leg, l))
			mark_stray(leg, l);
	}
	leg_drop_conn(leg);
	if (leg->lost) {
		recover(leg, failure, why);
		return;
	}
	log_info("connection %u: %s", leg->cid, why);
	rejoin_later(leg);
}

static void accepted(struct leg *leg)
{
	if (is_stray(leg, &leg->conn->login)) {
		conn_fail(leg->conn, -EPROTO, "another portal group");
		refused(leg);
		return;
	}
	leg_joined(leg);
}

static bool has_tasks(const struct leg *leg)
{
	return leg->conn->load > 0;
}

static void log_out(struct leg *leg)
{
	leg->state = LEG_LOGOUT;
	logout_connection(leg->conn);
	loop_timer_set(leg->timer, leg->session->config->timeouts.logout);
}

/* With no other connection the session itself leaves. */
static void leave(struct leg *leg)
{
	struct session *s = leg->session;

	if (!leg_any(s)) {
		leg->state = LEG_UP;
		session_post(s, SESSION_EV_LEAVE);
		return;
	}
	if (s->conn == leg->conn)
		s->conn = leg_any(s);
	loop_timer_set(leg->timer, s->leave_limit);
	if (!has_tasks(leg))
		log_out(leg);
}

/* The target has ended what it still had (RFC 7143 11.14). */
static void logged_out(struct leg *leg)
{
	struct session *s = leg->session;
	uint64_t wait = leg->conn->wait_told ? leg->conn->why.wait : 0;

	session_end_tasks_of(s, leg->conn);
	leg_drop_conn(leg);
	leg->cid = s->next_cid++;
	leg_rest(leg, wait > REJOIN_MIN ? wait : REJOIN_MIN);
}

static void stuck(struct leg *leg)
{
	conn_fail(leg->conn, -ETIMEDOUT, "no answer to the logout");
}

static void slow_login(struct leg *leg)
{
	conn_fail(leg->conn, -ETIMEDOUT, "no answer to the login");
	leg->pending &= ~(1u << LEG_EV_LOST);
	refused(leg);
}

static void slow_cleanup(struct leg *leg)
{
	struct conn *carrier = leg->carrier;

	if (carrier)
		conn_fail(carrier, -ETIMEDOUT,
			"no answer to the logout for recovery");
}

/* The continuation's own connection died before the old one was cleaned up. */
static void lost_again(struct leg *leg)
{
	leg->pending &= ~(1u << LEG_EV_CARRIER_LOST);
	leg_drop_conn(leg);
	leg->pending &= ~(1u << LEG_EV_CARRIER_LOST);
	recover(leg, RECOVER_UNREACHABLE, "its carrier is lost");
}

#define S(name)  (1u << LEG_##name)
#define E(name)  LEG_EV_##name
#define TO(name) LEG_##name

static const struct {
	unsigned states;
	enum leg_event event;
	enum leg_state next; /* the action may go elsewhere */
	void (*action)(struct leg *leg);
	const char *label;
} rows[] = {
	{S(OFF), E(LATE), TO(DIALING), leg_dial, ""},
	{S(DIALING), E(CONNECTED), TO(LOGIN), leg_log_in, ""},
	{S(DIALING), E(UNREACHABLE), TO(OFF), unreachable, ""},
	{S(LOGIN), E(ACCEPTED), TO(UP), accepted, "M1"},
	{S(LOGIN), E(REFUSED), TO(OFF), refused, ""},
	{S(LOGIN), E(LOST), TO(OFF), refused, ""},
	{S(LOGIN), E(LATE), TO(OFF), slow_login, ""},
	{S(UP) | S(LEAVING) | S(LOGOUT), E(LOST), TO(WAIT), recover_lost, ""},
	{S(UP), E(LEAVE), TO(LEAVING), leave, ""},
	{S(LEAVING), E(LATE), TO(LOGOUT), log_out, ""},
	{S(LOGOUT), E(LOGGED_OUT), TO(OFF), logged_out, ""},
	{S(LOGOUT), E(LATE), TO(LOGOUT), stuck, ""},
	{S(WAIT), E(LATE), TO(WAIT), recover_begin, "M2"},
	{S(CLEANUP), E(CLEANED), TO(OFF), recover_cleaned, "M4"},
	{S(CLEANUP), E(CARRIER_LOST), TO(WAIT), recover_begin, "M3"},
	{S(CLEANUP), E(LATE), TO(CLEANUP), slow_cleanup, ""},
	{S(CLEANUP), E(LOST), TO(WAIT), lost_again, "M3"},
};

static const char *const states[] = {
#define X(name) #name,
	LEG_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(name) #name,
	LEG_EVENTS(X)
#undef X
};

/* An unlisted pair is what crosses with something else on its way here. */
void leg_event(struct leg *leg, enum leg_event event)
{
	struct session *s = leg->session;

	if (s->state != SESSION_UP && s->state != SESSION_DRAINING) {
		stream_abort(leg->stream);
		leg->stream = NULL;
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!(rows[i].states & 1u << leg->state) ||
			rows[i].event != event)
			continue;
		log_debug("leg %td: %s %s -> %s %s", leg - s->legs,
			events[event], states[leg->state], states[rows[i].next],
			rows[i].label);
		leg->state = rows[i].next;
		rows[i].action(leg);
		return;
	}
	log_debug("leg %td: %s in %s", leg - s->legs, events[event],
		states[leg->state]);
}
