/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of targets that a peer makes us gather, bounded. */
#ifndef UMPIO_ISCSI_TARGETS_H
#define UMPIO_ISCSI_TARGETS_H

#include <umpio/iscsi.h>

#define TARGETS_MAX         4096
#define TARGETS_PORTALS_MAX 256 /* of one target */

/* The target of that name; NULL when there is none. */
struct iscsi_target *targets_find(
	const struct iscsi_targets *all, const char *name);

/* The target of that name, a new one if need be; NULL without memory or above
 * the limit. */
struct iscsi_target *targets_named(struct iscsi_targets *all, const char *name);

/* Adds the portal if it is not there; those above the limit are not taken. 0
 * or -ENOMEM. */
int targets_add_portal(
	struct iscsi_target *t, const struct iscsi_portal *portal);

/* Frees what it holds; it is empty then. */
void targets_fini(struct iscsi_targets *all);

#endif
