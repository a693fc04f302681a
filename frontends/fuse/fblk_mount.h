/* SPDX-License-Identifier: BSD-2-Clause */
/* The mount of a block file: made and taken away by a thread that may block,
 * served by an fblk on the device's loop in between. */
#ifndef FBLK_MOUNT_H
#define FBLK_MOUNT_H

#include <stddef.h>
#include <umpio/frontend.h>

#include "fblk_place.h"

struct fuse_session;

struct fblk_mount {
	struct fblk_place place;
	struct fblk_options options;
	struct fuse_session *session; /* its userdata is this mount */
	struct fblk *fblk;            /* who serves it; NULL: nobody yet */
	bool greeted;                 /* the kernel's INIT was answered well */
	char dev[32];                 /* as mountinfo has it; "": not there */
};

/* The largest read and write that the kernel sends, bytes. */
#define FBLK_IO_MAX (1u << 20)

/* The mount options for `device_name`, as -o takes them. Characters of the name
 * that would mean something there are replaced. Returns `text`. */
const char *fblk_mount_options(const char *device_name,
	const struct fblk_options *options, char *text, size_t size);

#endif
