/* SPDX-License-Identifier: BSD-2-Clause */
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

/* Room for one more of `n` elements; grows in powers of two. */
static void *grown(void *array, unsigned n, size_t size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? n * 2 : 1, size);
}

/* The target of that name, or NULL; in *at where it belongs in `by_name`. */
static struct iscsi_target *search(
	const struct targets *all, const char *name, unsigned *at)
{
	unsigned low = 0, high = all->list.ntargets, middle;
	struct iscsi_target *t;
	int order;

	while (low < high) {
		middle = (low + high) / 2;
		t = &all->list.targets[all->by_name[middle]];
		order = iscsi_name_compare(name, t->name);
		if (order == 0) {
			*at = middle;
			return t;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*at = low;
	return NULL;
}

struct iscsi_target *targets_find(const struct targets *all, const char *name)
{
	unsigned at;

	return search(all, name, &at);
}

/* Room for one more, in both arrays. */
static int grow(struct targets *all)
{
	const unsigned n = all->list.ntargets;
	void *more;

	more = grown(all->list.targets, n, sizeof *all->list.targets);
	if (!more)
		return -ENOMEM;
	all->list.targets = more;
	more = grown(all->by_name, n, sizeof *all->by_name);
	if (!more)
		return -ENOMEM;
	all->by_name = more;
	return 0;
}

struct iscsi_target *targets_named(struct targets *all, const char *name)
{
	struct iscsi_target *t;
	unsigned n, at;

	if (all->added++ >= TARGETS_ADDED_MAX)
		return NULL;
	t = search(all, name, &at);
	if (t)
		return t;
	if (all->list.ntargets == TARGETS_MAX || grow(all))
		return NULL;
	n = all->list.ntargets++;
	memmove(all->by_name + at + 1, all->by_name + at,
		(n - at) * sizeof *all->by_name);
	all->by_name[at] = (uint16_t)n;
	t = &all->list.targets[n];
	*t = (struct iscsi_target){0};
	snprintf(t->name, sizeof t->name, "%s", name);
	return t;
}

int targets_add_portal(struct targets *all, struct iscsi_target *t,
	const struct iscsi_portal *portal)
{
	struct iscsi_portal *p;

	if (all->added++ >= TARGETS_ADDED_MAX)
		return -ENOSPC;
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

void targets_fini(struct targets *all)
{
	for (unsigned i = 0; i < all->list.ntargets; i++)
		free(all->list.targets[i].portals);
	free(all->list.targets);
	free(all->by_name);
	*all = (struct targets){0};
}
