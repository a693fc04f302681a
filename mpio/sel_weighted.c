/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weighted: commands in proportion to the key `path-weight`. Each time that a
 * path has its turn it gets its weight as credit, and takes a run when that
 * makes as much as the greatest weight, which is what a command costs. So
 * shares are right, and spread as evenly as they can be.
 */
#include "selector.h"

static unsigned pick(struct selector_view *view)
{
	unsigned at = view->memory.at;
	struct load *load;

	if (!selector_stays(view)) {
		/* Some path has the greatest weight, so this ends. */
		do {
			at = at + 1 < view->nactive ? at + 1 : 0;
			load = view->loads[at];
			load->credit += load->weight;
		} while (load->credit < view->weight_max);
		view->memory.at = at;
	}
	view->loads[at]->credit -= view->weight_max;
	return at;
}

const struct selector selector_weighted = {"weighted", pick};
