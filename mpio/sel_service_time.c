/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service time: the path that would be first to finish the command, by what it
 * has in flight and the throughput that it showed while it was busy. A path
 * that stands still is tried once in a while, for it may have become fast.
 */
#include "selector.h"

static uint64_t cost(const struct load *load, const struct selector_view *view)
{
	if (selector_explores(load, view))
		return 0;
	/* Busy and not measured yet: after all that are known. */
	if (!load->rate)
		return UINT64_MAX / 2 + load->work;
	return (load->work + view->len + LOAD_COMMAND) * load->pace;
}

static unsigned pick(struct selector_view *view)
{
	return selector_cheapest(view, cost);
}

const struct selector selector_service_time = {"service-time", pick};
