/* SPDX-License-Identifier: BSD-2-Clause */
/* The portals of a session, all of one portal group (RFC 7143 4.4.2). */
#include <errno.h>
#include <string.h>
#include <umpio/base/units.h>

#include "session.h"

#define MOVE_LIMIT (30 * NS_PER_S) /* for what a connection still carries */

void session_fill_portals(struct session *s)
{
	if (s->plan.nportals > 0)
		return;
	s->plan.nportals = s->config->nportals;
	memcpy(s->plan.portals, s->config->portals, sizeof s->plan.portals);
}

/* Where it logs in next; one that is up logs out for that when it is idle, and
 * when it is not the only one. */
static void move(struct leg *leg, unsigned portal)
{
	leg->portal = portal;
	leg->moves = leg->state == LEG_DIALING || leg->state == LEG_LOGIN ||
		     leg->state == LEG_UP;
	leg_move(leg);
}

void leg_move(struct leg *leg)
{
	struct session *s = leg->session;

	if (!leg->moves || leg->state != LEG_UP ||
		leg->conn->state != CONN_LOGGED_IN || legs_up(s) < 2)
		return;
	leg->moves = false;
	s->leave_limit = MOVE_LIMIT;
	conn_event(leg->conn, CONN_EV_LOGOUT_WANTED);
}

int session_add_portal(struct session *s, const struct endpoint *at)
{
	unsigned added;

	session_fill_portals(s);
	for (unsigned i = 0; i < s->plan.nportals; i++)
		if (endpoint_equal(&s->plan.portals[i], at))
			return -EEXIST;
	if (s->plan.nportals == ISCSI_PORTALS_MAX)
		return -ENOSPC;
	added = s->plan.nportals++;
	s->plan.portals[added] = *at;
	for (unsigned i = 1; i < s->nlegs; i++)
		if ((s->plan.first + i) % s->plan.nportals == added)
			move(&s->legs[i], added);
	return 0;
}

static unsigned without(unsigned at, unsigned portal, unsigned left)
{
	at -= at > portal;
	return at < left ? at : 0;
}

void session_drop_portal(struct session *s, unsigned portal)
{
	struct dial_plan *plan = &s->plan;
	unsigned left = plan->nportals - 1;

	if (left == 0)
		return;
	memmove(plan->portals + portal, plan->portals + portal + 1,
		(left - portal) * sizeof plan->portals[0]);
	plan->nportals = left;
	plan->first = without(plan->first, portal, left);
	for (unsigned i = 0; i < s->nlegs; i++)
		s->legs[i].portal = without(s->legs[i].portal, portal, left);
}
