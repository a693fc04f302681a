/* SPDX-License-Identifier: BSD-2-Clause */
/* Secrets: files with one password, and how they leave memory again. */
#include <umpio/settings.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define SECRET_FILE_MAX 4096

int secret_read(const char *file, char **secret, size_t *len, char *why,
	size_t why_size)
{
	int err = file_read(
		file, SECRET_FILE_MAX, true, secret, len, why, why_size);
	if (err)
		return err;
	if (*len && (*secret)[*len - 1] == '\n')
		(*secret)[--*len] = '\0';
	if (*len)
		return 0;
	secret_free(*secret, *len);
	*secret = NULL;
	snprintf(why, why_size,
		"%s: empty; write the secret into it, mode 0600 (chmod 600)",
		file);
	return -EINVAL;
}

void secret_free(char *secret, size_t len)
{
	if (secret)
		explicit_bzero(secret, len);
	free(secret);
}
