/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round robin in runs: up to RUN commands that arrive in one turn of the loop
 * take the same path, so that they leave in one system call; the next run takes
 * the next path.
 */
#include "selector.h"

#define RUN 8

static unsigned pick(struct selector_view *view)
{
	if (view->memory.turn != view->turn || view->memory.run >= RUN) {
		view->memory.turn = view->turn;
		view->memory.run = 0;
		view->memory.at++;
	}
	view->memory.run++;
	/* The number of paths may have changed since the last call. */
	if (view->memory.at >= view->nactive)
		view->memory.at = 0;
	return view->memory.at;
}

const struct selector selector_round_robin = {"round-robin", pick};
