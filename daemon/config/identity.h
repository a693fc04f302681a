/* SPDX-License-Identifier: BSD-2-Clause */
/* Who we are, with the places to look at given by the caller. */
#ifndef UMPIO_CONFIG_IDENTITY_H
#define UMPIO_CONFIG_IDENTITY_H

#include <stddef.h>

/* The directory in which a name is kept, into `path` of `size` bytes. 0, or
 * -ENOENT where there is none. */
int identity_state_dir(char *path, size_t size);

/* The name in a file of open-iscsi's form, `InitiatorName=…`. 0; -ENOENT when
 * there is no such file, it cannot be read by us, or has no such line; or
 * -EINVAL and a line in `why`. */
int identity_read(const char *file, char *name, char *why, size_t why_size);

/* The name kept in the directory `dir`, made when there is none. 0; or -errno
 * and a line in `why`. */
int identity_keep(const char *dir, char *name, char *why, size_t why_size);

#endif
