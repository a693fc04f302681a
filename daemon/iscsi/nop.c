/* SPDX-License-Identifier: BSD-2-Clause */
/* Pings in both directions (RFC 7143 11.18, 11.19). Ours are immediate, so that
 * a closed window does not stop them, and overtake data that waits. */
#include <errno.h>
#include <string.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

static void answer(struct conn *c, const struct bhs *ping)
{
	struct bhs b = bhs_make(OP_NOP_OUT);

	b.immediate = true;
	memcpy(b.lun, ping->lun, sizeof b.lun);
	b.ttt = ping->ttt;
	b.cmd_sn = c->session->window.cmd_sn;
	conn_send(c, &b, NULL, 0, true);
}

void nop_answered(struct conn *c)
{
	task_put(&c->session->tasks, c->ping);
	c->ping = NULL;
}

void nop_in(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	(void)data;
	(void)len;
	if (b->itt == BHS_TAG_NONE) {
		if (b->ttt != BHS_TAG_NONE && c->state != CONN_IN_LOGOUT)
			answer(c, b);
		return;
	}
	if (!c->ping || c->ping->itt != b->itt) {
		conn_fail(c, -EPROTO, "NOP-In for a ping that is not ours");
		return;
	}
	nop_answered(c);
}

void nop_ping(struct conn *c)
{
	struct bhs b = bhs_make(OP_NOP_OUT);
	struct session *s = c->session;

	if (c->ping || c->state == CONN_IN_LOGIN || c->state == CONN_IN_LOGOUT)
		return;
	c->ping = task_get(&s->tasks, TASK_NOP);
	if (!c->ping)
		return;
	c->ping->conn = c;
	c->pinged = loop_now(s->loop);
	b.immediate = true;
	b.itt = c->ping->itt;
	b.cmd_sn = s->window.cmd_sn;
	conn_send(c, &b, NULL, 0, true);
	session_watch(s);
}

void nop_tick(struct conn *c, uint64_t now)
{
	const struct iscsi_timeouts *t = &c->session->config->timeouts;

	if (c->ping) {
		if (t->ping && now - c->pinged >= t->ping)
			conn_fail(c, -ETIMEDOUT,
				"no answer to a NOP-Out for %llu ms",
				(unsigned long long)(t->ping / NS_PER_MS));
		return;
	}
	if (t->ping_interval && now - c->heard >= t->ping_interval)
		nop_ping(c);
}

/* True when another connection was heard after this one was asked. */
static bool another_lives(const struct conn *c)
{
	const struct session *s = c->session;
	const struct conn *other;
	unsigned place = 0;

	while ((other = session_next_conn(s, &place)))
		if (other != c && other->heard >= c->pinged)
			return true;
	return false;
}

/* When all are silent, the session is the path's owner's to judge. */
void nop_watch(struct conn *c, uint64_t now)
{
	const struct iscsi_timeouts *t = &c->session->config->timeouts;

	if (!t->suspect || now - c->heard < t->suspect ||
		(c->load == 0 && !c->ping))
		return;
	nop_ping(c);
	if (!c->ping || now - c->pinged < t->stalled - t->suspect ||
		!another_lives(c))
		return;
	conn_fail(c, -ETIMEDOUT,
		"silent for %llu ms while others of the session are not",
		(unsigned long long)((now - c->heard) / NS_PER_MS));
}
