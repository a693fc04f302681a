/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of a plan's path that its maker needs. */
#ifndef UMPIOD_PLAN_PATH_H
#define UMPIOD_PLAN_PATH_H

#include "plan.h"

/* A path with the defaults of iscsi_config_init(). NULL without memory. */
struct plan_path *plan_path_new(void);

/* The path's own copy of `text`; NULL for NULL and without memory. */
char *plan_path_keep(struct plan_path *path, const char *text);

/* Gives the path its ISID, which follows from what the path is, so that a
 * restarted daemon reinstates the session that it left behind. 0; or -ENOMEM.
 */
int plan_path_identify(struct plan_path *path, const char *device,
	const struct plan_context *context);

/* The ISID of its session in queue number `queue`; that of the first is the
 * path's. 0 or -ENOMEM. */
int plan_path_isid(const struct plan_path *path, const char *device,
	unsigned queue, uint8_t isid[6]);

#endif
