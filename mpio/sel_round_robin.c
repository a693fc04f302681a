/* SPDX-License-Identifier: BSD-2-Clause */
/* Round robin: the next run takes the next path. */
#include "selector.h"

static unsigned pick(struct selector_view *view)
{
	if (!selector_stays(view))
		view->memory.at++;
	if (view->memory.at >= view->nactive)
		view->memory.at = 0;
	return view->memory.at;
}

const struct selector selector_round_robin = {"round-robin", pick};
