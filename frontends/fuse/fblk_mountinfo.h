/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self/mountinfo, see proc_pid_mountinfo(5): what is mounted at a path,
 * without asking the file system there, which may not answer. */
#ifndef FBLK_MOUNTINFO_H
#define FBLK_MOUNTINFO_H

#include <stdbool.h>
#include <stdio.h>

struct fblk_mountinfo {
	char dev[32]; /* major:minor, one for each super block */
	char type[64];
	char source[256];
};

/* The topmost mount at `path` (absolute, without symlinks), out of `in`. False
 * when nothing is mounted there. Lines that make no sense are passed over. */
bool fblk_mountinfo_find(
	FILE *in, const char *path, struct fblk_mountinfo *found);

/* The same, of this process. False also when /proc cannot be read. */
bool fblk_mountinfo_get(const char *path, struct fblk_mountinfo *found);

#endif
