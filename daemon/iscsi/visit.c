/* SPDX-License-Identifier: BSD-2-Clause */
#include "visit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session.h"

/* `a` has left something in the portal group where `b` is: one SCSI port. The
 * same tag at another target, or none, says nothing (RFC 7143 4.4.2). */
static bool can_settle(const struct session *a, const struct session *b)
{
	return b->group.known && past_is_in(&a->past, b->group.tag) &&
	       !a->past.unnamed &&
	       strcmp(a->config->target_name, b->config->target_name) == 0 &&
	       strcmp(a->config->initiator_name, b->config->initiator_name) ==
		       0;
}

/* Of several connections any that is up shows a portal that answers. */
static const struct endpoint *portal_in_use(const struct session *s)
{
	if (!s->managed)
		return &s->hops[s->nhops - 1];
	for (unsigned i = 0; i < s->nlegs; i++)
		if (s->legs[i].state == LEG_UP)
			return &s->plan.portals[s->legs[i].portal];
	return NULL;
}

int session_visit(struct session *s, const struct session *host)
{
	const struct endpoint *at = portal_in_use(host);
	const char *interface = host->config->interface;

	if (s->state != SESSION_DOWN || host->state != SESSION_UP ||
		host->visit.on || !at || !can_settle(s, host))
		return -EXDEV;
	s->visit.on = true;
	s->visit.at = *at;
	snprintf(s->visit.interface, sizeof s->visit.interface, "%s",
		interface ? interface : "");
	session_start(s);
	return 0;
}

const char *visit_interface(const struct session *s)
{
	return s->visit.interface[0] ? s->visit.interface : NULL;
}

void visit_plan(struct session *s, struct dial_plan *plan)
{
	*plan = (struct dial_plan){.portals = {s->visit.at},
		.nportals = 1,
		.interface = visit_interface(s),
		.timeout = s->config->timeouts.connect,
		.pass = &s->pass};
}
