/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a small file whole, without being held up or flooded by it. */
#ifndef UMPIO_CONFIG_FILE_H
#define UMPIO_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the regular file `path` of at most `max` bytes into `*text`, with a NUL
 * behind it; the caller frees it. A secret file must besides be no symlink, our
 * own, and closed to all others; its bytes are cleared wherever they were on an
 * error. 0; or -errno, and a line in `why` that names the file and the cause.
 */
int file_read(const char *path, size_t max, bool secret, char **text,
	size_t *len, char *why, size_t why_size);

#endif
