/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate of a portal: at most GATE_PASSES logins at once on one loop, so that
 * hundreds of sessions do not fall upon a target that has just come up. Who
 * dials waits in front of it, first come first served, and stays inside until
 * its login has ended one way or the other.
 */
#ifndef UMPIO_ISCSI_GATE_H
#define UMPIO_ISCSI_GATE_H

#include <stdbool.h>
#include <umpio/base/addr.h>
#include <umpio/loop.h>

#define GATE_PASSES 8

struct gate;

/* Embedded in who logs in; zero is outside. */
struct gate_pass {
	struct gate *gate; /* NULL: outside */
	bool inside;
	struct loop_task enter;
	TAILQ_ENTRY(gate_pass) link;
};

/* Calls `go` from the loop once the pass is inside; it leaves first where it
 * was. 0 or -ENOMEM. */
int gate_enter(struct gate_pass *pass, struct loop *loop,
	const struct endpoint *portal, loop_fn *go, void *arg);

/* Out of the gate or of the queue before it; nothing when outside.
 * NULL is allowed. */
void gate_leave(struct gate_pass *pass);

#endif
