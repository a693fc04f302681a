/* SPDX-License-Identifier: BSD-2-Clause */
#include "selector.h"

#include <string.h>
#include <umpio/mpio.h>

/* The first one is the default. */
static const struct selector *const selectors[] = {
	&selector_round_robin,
	&selector_failover,
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
