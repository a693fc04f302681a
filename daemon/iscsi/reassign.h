/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TASK REASSIGN (RFC 7143 7.2.2, 11.5): commands that the target has, and whose
 * connection is gone, get their allegiance to another one. One request at a
 * time on each connection, which is what every target must take (11.5.1).
 *
 * Targets are known that answer with the wrong code, even success with
 * "function rejected". So an answer alone decides nothing: what the target then
 * sends for the task proves that it goes on, and only silence gives the code
 * its say.
 */
#ifndef UMPIO_ISCSI_REASSIGN_H
#define UMPIO_ISCSI_REASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "task.h"

struct leg;

struct reassign {             /* of a leg */
	struct task *request; /* its tag; NULL: none is under way */
	struct task *task;    /* what it is about; NULL: that has ended */
	uint64_t late;
};

/* A task without connection that is to be carried on. */
void reassign_add(struct session *s, struct task *t);

/* Sends requests, as far as there are connections for them. */
void reassign_next(struct session *s);

/* A Task Management Response; false when it is not one of ours. */
bool reassign_response(struct conn *c, const struct bhs *b);

/* A task that was once to be reassigned has ended. */
void reassign_forget(struct session *s, struct task *t);

/* The leg's connection is gone, and with it the request under way. */
void reassign_conn_lost(struct leg *leg);

/* A request without answer; and a task that is not heard of. */
void reassign_tick(struct session *s, uint64_t now);
void reassign_task_tick(struct session *s, struct task *t, uint64_t now);

#endif
