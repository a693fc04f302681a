/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which connection of a session takes the next command. Commands are executed
 * in the order of their CmdSN over all connections (RFC 7143 4.2.2.1), so one
 * that stalls with many of them in its queue would close the window for all:
 * queues are short, and what does not fit stays with the session.
 */
#include <stddef.h>
#include <umpio/iscsi.h>

#include "conn.h"
#include "leg.h"
#include "session.h"

#define QUEUE_BYTES (256u << 10)
#define BATCH_BYTES (32u << 10) /* of data, for one turn of a connection */

static bool may_take(const struct leg *leg)
{
	return leg->state == LEG_UP && conn_takes_commands(leg->conn) &&
	       leg->conn->out.bytes < QUEUE_BYTES;
}

/* What gathers in a turn of the loop leaves with one system call, and is often
 * answered with one, so small commands do not go round one by one. */
static bool goes_along(struct session *s, uint32_t len)
{
	struct leg *leg = &s->legs[s->spread_at];

	s->spread_bytes += len;
	return s->spread_at < s->nlegs && s->spread_bytes <= BATCH_BYTES &&
	       may_take(leg) && !outq_is_empty(&leg->conn->out);
}

static struct conn *round_robin(struct session *s, uint32_t len)
{
	unsigned at = s->spread_at;

	if (goes_along(s, len))
		return s->legs[at].conn;
	s->spread_bytes = len;
	for (unsigned i = 0; i < s->nlegs; i++) {
		if (++at >= s->nlegs)
			at = 0;
		if (!may_take(&s->legs[at]))
			continue;
		s->spread_at = at;
		return s->legs[at].conn;
	}
	return NULL;
}

static struct conn *least_queue(struct session *s)
{
	struct conn *best = NULL;

	for (unsigned i = 0; i < s->nlegs; i++) {
		if (!may_take(&s->legs[i]))
			continue;
		if (!best || s->legs[i].conn->load < best->load)
			best = s->legs[i].conn;
	}
	return best;
}

struct conn *leg_pick(struct session *s, uint32_t len)
{
	if (s->nlegs == 1)
		return may_take(&s->legs[0]) ? s->legs[0].conn : NULL;
	if (s->config->spread == ISCSI_SPREAD_LEAST_QUEUE)
		return least_queue(s);
	return round_robin(s, len);
}
