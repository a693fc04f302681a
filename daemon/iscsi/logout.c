/* SPDX-License-Identifier: BSD-2-Clause */
/* Logout of the session or of one connection (RFC 7143 11.14, 11.15). It is
 * immediate: commands are either done by then or meant to be ended by it. What
 * recover.c asks for a connection that is lost is answered here too. */
#include <errno.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

static void send_request(struct conn *c, enum logout_reason reason)
{
	struct bhs b = bhs_make(OP_LOGOUT_REQ);
	struct session *s = c->session;

	c->logout = task_get(&s->tasks, TASK_LOGOUT);
	if (!c->logout) {
		conn_fail(c, -ENOBUFS, "no task left for the logout");
		return;
	}
	c->logout->conn = c;
	b.immediate = true;
	b.itt = c->logout->itt;
	b.cmd_sn = s->window.cmd_sn;
	b.logout.reason = (uint8_t)reason;
	if (reason == LOGOUT_CONNECTION)
		b.logout.cid = c->cid;
	conn_send(c, &b, NULL, 0, false);
	conn_event(c, CONN_EV_LOGOUT_SENT);
}

void logout_send(struct conn *c)
{
	send_request(c, LOGOUT_SESSION);
}

void logout_connection(struct conn *c)
{
	send_request(c, LOGOUT_CONNECTION);
}

/* The answer to a Logout for recovery of another connection. */
static bool is_for_recovery(struct conn *c, const struct bhs *b)
{
	struct session *s = c->session;
	struct leg *leg;

	for (unsigned i = 0; i < s->nlegs; i++) {
		leg = &s->legs[i];
		if (leg->carrier != c || !leg->logout ||
			leg->logout->itt != b->itt)
			continue;
		task_put(&s->tasks, leg->logout);
		leg->logout = NULL;
		leg->response = b->logout_rsp.response;
		leg->time2wait = b->logout_rsp.time2wait;
		leg->time2retain = b->logout_rsp.time2retain;
		leg_post(leg, LEG_EV_CLEANED);
		return true;
	}
	return false;
}

void logout_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	if (is_for_recovery(c, b))
		return;
	if (!c->logout || b->itt != c->logout->itt) {
		conn_fail(c, -EPROTO, "Logout Response with another tag");
		return;
	}
	c->why.wait = b->logout_rsp.time2wait * NS_PER_S;
	c->wait_told = true;
	if (b->logout_rsp.response != LOGOUT_RSP_CLOSED) {
		conn_fail(c, -EREMOTEIO, "the target refused the logout (%u)",
			b->logout_rsp.response);
		return;
	}
	pdu_rx_stop(&c->rx, -ESHUTDOWN);
	conn_event(c, CONN_EV_LOGOUT_DONE);
}
