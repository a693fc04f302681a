/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of targets that a peer makes us gather: bounded, and so is the work
 * for it, whatever is repeated in it. */
#ifndef UMPIO_ISCSI_TARGETS_H
#define UMPIO_ISCSI_TARGETS_H

#include <umpio/iscsi.h>

#define TARGETS_MAX         4096
#define TARGETS_PORTALS_MAX 256                /* of one target */
#define TARGETS_ADDED_MAX   (16 * TARGETS_MAX) /* with those that were there */

struct targets {
	struct iscsi_targets list; /* as they were reported */
	uint16_t *by_name;         /* its indices */
	unsigned added;            /* names and portals */
};

/* The target of that name; NULL when there is none. */
struct iscsi_target *targets_find(const struct targets *all, const char *name);

/* The target of that name, a new one if need be, which moves the others; NULL
 * without memory or above a limit. */
struct iscsi_target *targets_named(struct targets *all, const char *name);

/* Adds the portal to `t`, one of `all`, if it is not there; those above the
 * limit of one target are not taken. 0, -ENOMEM, or -ENOSPC above the limit of
 * all. */
int targets_add_portal(struct targets *all, struct iscsi_target *t,
	const struct iscsi_portal *portal);

/* Frees what it holds; it is empty then. */
void targets_fini(struct targets *all);

#endif
