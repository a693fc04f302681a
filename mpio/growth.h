/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A LUN that grows. When one path hears of it (unit attention 2A/09, SPC-5),
 * all active ones are asked for the capacity, while they go on with I/O; when
 * they agree on more than the device has, it grows. It never shrinks.
 */
#ifndef MPIO_GROWTH_H
#define MPIO_GROWTH_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/path.h>
#include <umpio/scsi/capacity.h>

struct loop_timer;
struct mpath;
struct mpdev;

/* A path's part. */
struct growth_path {
	struct path_cmd cmd; /* READ CAPACITY(16) */
	uint8_t data[CAPACITY16_LEN];
	unsigned tries;
	bool asked; /* the command is on its way */
};

struct growth {
	unsigned asking; /* paths that have not answered */
	unsigned rounds; /* since the first one that did not agree */
	bool again;      /* somebody asked meanwhile */
	struct loop_timer *timer;
};

/* 0 or -ENOMEM. */
int growth_init(struct mpdev *dev);
void growth_fini(struct mpdev *dev);

/* The capacity may have changed. */
void growth_check(struct mpdev *dev);

/* A probe of `mp` says what the LUN is now, before that is compared: the last
 * path of a device that had none is believed, others have the active ones
 * asked. */
void growth_probed(struct mpdev *dev, struct mpath *mp);

#endif
