/* SPDX-License-Identifier: BSD-2-Clause */
#include "past.h"

void past_leave(struct past *past, struct portal_group group)
{
	if (!group.known)
		past->unnamed = true;
	else if (past_is_in(past, group.tag))
		return;
	else if (past->ngroups < PAST_GROUPS_MAX)
		past->groups[past->ngroups++] = group.tag;
	else
		past->beyond = true;
}

void past_settle(struct past *past, struct portal_group group)
{
	unsigned n = 0;

	past->unnamed = false;
	for (unsigned i = 0; group.known && i < past->ngroups; i++)
		if (past->groups[i] != group.tag)
			past->groups[n++] = past->groups[i];
	past->ngroups = n;
}

bool past_is_settled(const struct past *past)
{
	return !past->ngroups && !past->unnamed && !past->beyond;
}

bool past_is_in(const struct past *past, uint16_t tag)
{
	for (unsigned i = 0; i < past->ngroups; i++)
		if (past->groups[i] == tag)
			return true;
	return false;
}

bool past_is_in_only(const struct past *past, struct portal_group group)
{
	struct past rest = *past;

	past_settle(&rest, group);
	return past_is_settled(&rest);
}
