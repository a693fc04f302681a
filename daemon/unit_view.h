/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device shows of itself: the stable keys of status and stats. */
#ifndef UMPIOD_UNIT_VIEW_H
#define UMPIOD_UNIT_VIEW_H

#include "unit.h"

/* Adds the keys of `view` to the object `into`; on the worker's loop. `dev` is
 * queue number `queue` of so many: those before it have filled in theirs. */
void unit_view_fill(const struct mpdev *dev, enum unit_view view,
	struct json_object *into, unsigned queue, unsigned queues);

#endif
