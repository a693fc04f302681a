/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device shows of itself: the stable keys of status and stats. */
#ifndef UMPIOD_UNIT_VIEW_H
#define UMPIOD_UNIT_VIEW_H

#include "unit.h"

struct unit_view_queue {
	const struct mpdev *dev;
	unsigned number, of;
	unsigned clients; /* NBD clients that it serves */
};

/* Adds the keys of `view` to the object `into`; on the queue's worker's loop.
 * The queues before it have filled in theirs. */
void unit_view_fill(const struct unit_view_queue *queue, enum unit_view view,
	struct json_object *into);

#endif
