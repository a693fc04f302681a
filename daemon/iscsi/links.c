/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that a link of this host has cut off: of several, those that
 * others can carry on for are failed, and recovered as any that is lost. */
#include <errno.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

#include "conn.h"
#include "session.h"

/* While it logs in, that has its own time. */
static bool is_judged(const struct conn *c)
{
	return c && conn_is_up(c) && c->state != CONN_IN_LOGIN;
}

static bool is_reachable(const struct conn *c, char *why, size_t size)
{
	return stream_reachable(pump_stream(c->pump), why, size);
}

static bool judge_legs(struct session *s, char *why, size_t size)
{
	struct conn *cut_off[LEGS_MAX], *c;
	unsigned n = 0, linked = 0;

	for (unsigned i = 0; i < s->nlegs; i++) {
		c = s->legs[i].conn;
		if (!is_judged(c))
			continue;
		if (is_reachable(c, why, size))
			linked++;
		else
			cut_off[n++] = c;
	}
	for (unsigned i = 0; linked > 0 && i < n; i++)
		if (!is_reachable(cut_off[i], why, size))
			conn_fail(cut_off[i], -ENETUNREACH, "%s", why);
	return n == 0 || linked > 0;
}

bool session_links_changed(struct session *s, char *why, size_t size)
{
	if (s->state != SESSION_UP && s->state != SESSION_DRAINING)
		return true;
	if (s->managed)
		return judge_legs(s, why, size);
	return !is_judged(s->conn) || is_reachable(s->conn, why, size);
}
