/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The place of a block file: the empty regular file that the mount covers. All
 * calls here block. None of them touches what is mounted there by a living
 * daemon, this one included: it would wait for itself.
 */
#ifndef FBLK_PLACE_H
#define FBLK_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The subtype of our mounts, by which a stale one is known as ours. */
#define FBLK_SUBTYPE "umpio"

struct fblk_place {
	char path[PATH_MAX]; /* absolute; its directory without symlinks */
	bool made;           /* by us, as dev and ino */
	dev_t dev;
	ino_t ino;
};

/* Makes `file` ready to be mounted over: detaches stale mounts of ours, refuses
 * whatever else is there, makes the file when it is missing. 0; or -errno and
 * one line in `why`. */
int fblk_place_take(
	struct fblk_place *place, const char *file, char *why, size_t why_size);

/* Removes the file when it was made by us and is still that file. */
void fblk_place_leave(const struct fblk_place *place);

/* Takes the topmost mount away, even a busy one, with the help of fusermount3
 * where we have no right to. 0 or -errno. */
int fblk_place_detach(const struct fblk_place *place);

#endif
