/* SPDX-License-Identifier: BSD-2-Clause */
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "name.h"

/* Room for one more of `n` elements; grows in powers of two. */
static void *grown(void *array, unsigned n, size_t size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? n * 2 : 1, size);
}

struct iscsi_target *targets_find(
	const struct iscsi_targets *all, const char *name)
{
	for (unsigned i = 0; i < all->ntargets; i++)
		if (iscsi_name_equal(all->targets[i].name, name))
			return &all->targets[i];
	return NULL;
}

struct iscsi_target *targets_named(struct iscsi_targets *all, const char *name)
{
	struct iscsi_target *t = targets_find(all, name);

	if (t)
		return t;
	if (all->ntargets == TARGETS_MAX)
		return NULL;
	t = grown(all->targets, all->ntargets, sizeof *t);
	if (!t)
		return NULL;
	all->targets = t;
	t += all->ntargets++;
	*t = (struct iscsi_target){0};
	snprintf(t->name, sizeof t->name, "%s", name);
	return t;
}

int targets_add_portal(
	struct iscsi_target *t, const struct iscsi_portal *portal)
{
	struct iscsi_portal *p;

	for (unsigned i = 0; i < t->nportals; i++)
		if (endpoint_equal(&t->portals[i].at, &portal->at) &&
			t->portals[i].tpgt == portal->tpgt)
			return 0;
	if (t->nportals == TARGETS_PORTALS_MAX)
		return 0;
	p = grown(t->portals, t->nportals, sizeof *p);
	if (!p)
		return -ENOMEM;
	t->portals = p;
	p[t->nportals++] = *portal;
	return 0;
}

void targets_fini(struct iscsi_targets *all)
{
	for (unsigned i = 0; i < all->ntargets; i++)
		free(all->targets[i].portals);
	free(all->targets);
	*all = (struct iscsi_targets){0};
}
