/* SPDX-License-Identifier: BSD-2-Clause */
/* What the settings say of a device's paths together: part of making a plan. */
#ifndef UMPIOD_PLAN_MPIO_H
#define UMPIOD_PLAN_MPIO_H

#include "plan.h"

/* Fills in `plan->device` but for its policy's name, which the plan owns. 0, or
 * -EINVAL, and `key` and `why` say which setting is wrong and how. */
int plan_mpio_device(struct plan *plan, const struct settings *settings,
	const struct section *device, const char **key, const char **why);

/* Fills in the options of `path`, whose portals are set. The same. */
int plan_mpio_path(struct plan_path *path, const struct settings *settings,
	const struct section *device, const char **key, const char **why);

#endif
