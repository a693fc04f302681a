/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the control socket is when nobody says. */
#include <umpio/control.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int control_default_path(char *path, size_t size)
{
	const char *dir = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
	if (!dir || *dir != '/')
		return -ENOENT;
	int n = snprintf(path, size, "%s/umpio/control.sock", dir);
	return (size_t)n < size ? 0 : -ENOENT;
}
