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

void selector_begin(struct selector_view *view, const struct selector *selector,
	uint64_t now, uint32_t len)
{
	unsigned n = len > SELECTOR_RUN_BYTES / SELECTOR_RUN
			     ? SELECTOR_RUN_BYTES / len
			     : SELECTOR_RUN;

	view->turn = now;
	view->len = len;
	view->memory.at = selector->pick(view);
	view->memory.commands = n ? n : 1;
	view->memory.left = view->memory.commands - 1;
}
