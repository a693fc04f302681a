/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a session has left commands of unknown outcome: in which portal groups.
 * The group's tag belongs to the session's name (ISID rule, RFC 7143 4.4.3.1),
 * so a login reinstates the session of its own group alone, and a logout ends
 * none but that.
 */
#ifndef UMPIO_ISCSI_PAST_H
#define UMPIO_ISCSI_PAST_H

#include <stdbool.h>
#include <stdint.h>

#define PAST_GROUPS_MAX 4

/* A portal group, as the target has said at a login, or has not: then it is
 * taken for its only one. */
struct portal_group {
	bool known;
	uint16_t tag;
};

struct past {
	unsigned ngroups;
	uint16_t groups[PAST_GROUPS_MAX];
	bool unnamed; /* in the group of a target that does not name it */
	bool beyond;  /* in more groups than these: for ever */
};

/* Commands were left in `group`. */
void past_leave(struct past *past, struct portal_group group);

/* A login into `group` was accepted, or a logout out of it confirmed before
 * which all had ended: nothing is left there. */
void past_settle(struct past *past, struct portal_group group);

/* Nothing is left anywhere. */
bool past_is_settled(const struct past *past);

/* Something is left in the group of this tag. */
bool past_is_in(const struct past *past, uint16_t tag);

/* past_settle() for `group` would settle all. */
bool past_is_in_only(const struct past *past, struct portal_group group);

#endif
