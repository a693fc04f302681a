/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue length: the path with the fewest commands in flight. */
#include "selector.h"

static uint64_t cost(const struct load *load, const struct selector_view *view)
{
	(void)view;
	return load->commands;
}

static unsigned pick(struct selector_view *view)
{
	return selector_cheapest(view, cost);
}

const struct selector selector_queue_length = {"queue-length", pick};
