/* SPDX-License-Identifier: BSD-2-Clause */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>

/* There while somebody is inside or waits. */
struct gate {
	struct loop *loop;
	struct endpoint portal;
	unsigned inside;
	TAILQ_HEAD(, gate_pass) waiting;
	TAILQ_ENTRY(gate) link;
};

/* A loop stays on its thread, and so do its gates. */
static _Thread_local TAILQ_HEAD(, gate) gates;

static struct gate *find(struct loop *loop, const struct endpoint *portal)
{
	struct gate *g;

	if (!gates.tqh_last)
		TAILQ_INIT(&gates);
	TAILQ_FOREACH (g, &gates, link)
		if (g->loop == loop && endpoint_equal(&g->portal, portal))
			return g;
	g = calloc(1, sizeof *g);
	if (!g)
		return NULL;
	g->loop = loop;
	g->portal = *portal;
	TAILQ_INIT(&g->waiting);
	TAILQ_INSERT_TAIL(&gates, g, link);
	return g;
}

static void admit(struct gate *g)
{
	struct gate_pass *pass;

	while (g->inside < GATE_PASSES && (pass = TAILQ_FIRST(&g->waiting))) {
		TAILQ_REMOVE(&g->waiting, pass, link);
		g->inside++;
		pass->inside = true;
		loop_post(g->loop, &pass->enter);
	}
}

int gate_enter(struct gate_pass *pass, struct loop *loop,
	const struct endpoint *portal, loop_fn *go, void *arg)
{
	gate_leave(pass);
	pass->gate = find(loop, portal);
	if (!pass->gate)
		return -ENOMEM;
	loop_task_init(&pass->enter, go, arg);
	TAILQ_INSERT_TAIL(&pass->gate->waiting, pass, link);
	admit(pass->gate);
	return 0;
}

void gate_leave(struct gate_pass *pass)
{
	struct gate *g = pass ? pass->gate : NULL;

	if (!g)
		return;
	pass->gate = NULL;
	if (pass->inside) {
		loop_unpost(g->loop, &pass->enter);
		pass->inside = false;
		g->inside--;
		admit(g);
	} else {
		TAILQ_REMOVE(&g->waiting, pass, link);
	}
	if (g->inside || !TAILQ_EMPTY(&g->waiting))
		return;
	TAILQ_REMOVE(&gates, g, link);
	free(g);
}
