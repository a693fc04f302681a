/* SPDX-License-Identifier: BSD-2-Clause */
#include "name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool has_type(const char *name)
{
	static const char *const types[] = {"iqn.", "eui.", "naa."};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strncmp(name, types[i], 4) == 0 && name[4])
			return true;
	return false;
}

static bool has_foreign(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f ||
			*name == '/')
			return true;
	return false;
}

int name_check(const char *name, char *why, size_t why_size)
{
	if (strlen(name) >= NAME_SIZE)
		snprintf(why, why_size, "an iSCSI name has at most %d bytes",
			NAME_SIZE - 1);
	else if (!has_type(name) || has_foreign(name))
		snprintf(why, why_size,
			"`%.64s` is not an iSCSI name (iqn.…, eui.… or naa.…)",
			name);
	else
		return 0;
	return -EINVAL;
}
