/* SPDX-License-Identifier: BSD-2-Clause */
/* Where an NBD export is served: unix:PATH or tcp:HOST:PORT. */
#include <umpio/settings.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NBD_PORT 10809

static int parse_unix(
	struct nbd_address *a, const char *path, char *why, size_t why_size)
{
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof a->path) {
		snprintf(why, why_size,
			"`unix:%.128s`: a socket's path has 1 to %zu bytes",
			path, sizeof a->path - 1);
		return -EINVAL;
	}
	a->is_unix = true;
	memcpy(a->path, path, len + 1);
	return 0;
}

int nbd_address_parse(
	struct nbd_address *a, const char *text, char *why, size_t why_size)
{
	*a = (struct nbd_address){0};
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(a, text + 5, why, why_size);
	if (strncmp(text, "tcp:", 4) == 0 &&
		endpoint_parse(&a->tcp, text + 4, strlen(text + 4), NBD_PORT) ==
			0)
		return 0;
	snprintf(why, why_size,
		"`%.128s` is neither unix:PATH nor tcp:HOST:PORT", text);
	return -EINVAL;
}
