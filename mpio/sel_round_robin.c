/* SPDX-License-Identifier: BSD-2-Clause */
/* Round robin: the next run takes the next path. */
#include "selector.h"

static unsigned pick(struct selector_view *view)
{
	unsigned next = view->memory.at + 1;

	return next < view->nactive ? next : 0;
}

const struct selector selector_round_robin = {"round-robin", pick};
