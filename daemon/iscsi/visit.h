/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A login through the portal of another session, for what it ends: with our own
 * ISID and TSIH 0, in the portal group where our session was, it reinstates
 * that one (RFC 7143 6.3.5), and nothing that it left behind can be executed
 * any more. Then it logs out. So a fence does not need the portal that failed.
 */
#ifndef UMPIO_ISCSI_VISIT_H
#define UMPIO_ISCSI_VISIT_H

#include <stdbool.h>
#include <umpio/base/addr.h>

struct dial_plan;
struct session;

#define VISIT_INTERFACE_MAX 64 /* an address or the name of a device */

struct visit {
	bool on; /* from the start to the report of the end */
	struct endpoint at;
	char interface[VISIT_INTERFACE_MAX]; /* the host's; empty: any */
};

/* Starts `s`, which is down, as a visit to the portal over which `host` is up.
 * 0, or -EXDEV: `s` is not known to have left anything in its group. */
int session_visit(struct session *s, const struct session *host);

/* Where it dials; injected faults are those of the session's own way. */
void visit_plan(struct session *s, struct dial_plan *plan);

/* The source address or device of its connections; NULL: any. */
const char *visit_interface(const struct session *s);

#endif
