/* SPDX-License-Identifier: BSD-2-Clause */
/* Logout of the session (RFC 7143 11.14, 11.15). It is immediate: commands are
 * either done by then or meant to be ended by it. */
#include <errno.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

void logout_send(struct conn *c)
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
	b.logout.reason = LOGOUT_SESSION;
	conn_send(c, &b, NULL, 0, false);
	conn_event(c, CONN_EV_LOGOUT_SENT);
}

void logout_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
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
