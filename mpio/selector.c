/* SPDX-License-Identifier: BSD-2-Clause */
#include "selector.h"

#include <string.h>
#include <umpio/mpio.h>

/* The first one is the default. */
static const struct selector *const selectors[] = {
	&selector_round_robin,
	&selector_failover,
	&selector_queue_length,
	&selector_service_time,
	&selector_latency,
	&selector_weighted,
};

#define SELECTORS (sizeof selectors / sizeof selectors[0])

const struct selector *selector_find(const char *name)
{
	for (unsigned i = 0; i < SELECTORS; i++)
		if (!strcmp(selectors[i]->name, name))
			return selectors[i];
	return NULL;
}

const char *const *mpio_policies(void)
{
	static const char *names[SELECTORS + 1];

	for (unsigned i = 0; i < SELECTORS; i++)
		names[i] = selectors[i]->name;
	return names;
}

unsigned selector_cheapest(struct selector_view *view, selector_cost *cost)
{
	unsigned look =
		view->nactive < SELECTOR_LOOK ? view->nactive : SELECTOR_LOOK;
	unsigned at = view->memory.at;
	uint64_t least = UINT64_MAX;

	while (look--) {
		uint64_t c;

		at = at + 1 < view->nactive ? at + 1 : 0;
		c = cost(view->loads[at], view);
		if (c < least || least == UINT64_MAX) {
			least = c;
			view->memory.at = at;
		}
	}
	return view->memory.at;
}

bool selector_explores(
	const struct load *load, const struct selector_view *view)
{
	return !load->commands && load_is_old(load, view->turn);
}
