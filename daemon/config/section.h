/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections, within this folder. */
#ifndef UMPIO_CONFIG_SECTION_H
#define UMPIO_CONFIG_SECTION_H

#include <umpio/settings.h>

/* A section on its own; NULL without memory. */
struct section *section_new(enum setting_scope scope, const char *name);
void section_free(struct section *section); /* NULL is allowed */

/* `[device db0]`, into `text` of `size` bytes; returns it. */
const char *section_text(
	const struct section *section, char *text, size_t size);

/* The number that `text` is for a BOOL, NUMBER, DURATION or SIZE. 0, -EINVAL,
 * or -ERANGE. */
int setting_number(
	const struct setting_info *info, const char *text, uint64_t *number);

#endif
