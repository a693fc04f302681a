/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Latency: the path with the shortest queue in time: the decaying average of
 * what its commands took, for each one in flight. A path that stands still is
 * tried once in a while, for it may have become fast.
 */
#include "selector.h"

static uint64_t cost(const struct load *load, const struct selector_view *view)
{
	if (selector_explores(load, view))
		return 0;
	/* Busy and not measured yet: after all that are known. */
	if (!load->latency)
		return UINT64_MAX / 2 + load->commands;
	return load->latency * (load->commands + 1);
}

static unsigned pick(struct selector_view *view)
{
	return selector_cheapest(view, cost);
}

const struct selector selector_latency = {"latency", pick};
