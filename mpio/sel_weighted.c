/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weighted: commands in proportion to the key `path-weight`. In each round a
 * path gets its weight as credit, for each command of the run before the round,
 * and has runs as long as it has credit; of that a command costs the greatest
 * weight. So shares are right, and spread as evenly as runs let them be.
 */
#include "selector.h"

static unsigned pick(struct selector_view *view)
{
	unsigned had = view->memory.commands - view->memory.left;
	unsigned at = view->memory.at;
	struct load *load;

	if (had) {
		load = view->loads[at];
		load->credit -= (int64_t)view->weight_max * had;
		if (load->credit > 0)
			return at;
	}
	/* Some path has the greatest weight, so this ends. */
	do {
		at = at + 1 < view->nactive ? at + 1 : 0;
		if (at == 0)
			view->memory.grant = had ? had : 1;
		load = view->loads[at];
		load->credit += (int64_t)load->weight * view->memory.grant;
	} while (load->credit <= 0);
	return at;
}

const struct selector selector_weighted = {"weighted", pick};
