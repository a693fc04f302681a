/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be said only of a whole configuration. */
#ifndef UMPIO_CONFIG_CHECK_H
#define UMPIO_CONFIG_CHECK_H

#include <umpio/settings.h>

/* 0; or -EINVAL and `FILE:LINE: …` in `why`: a device names a target that is
 * there, and a LUN of it, or URLs; a target has name and portals; no LUN and no
 * block file is taken twice. */
int settings_check(const struct settings *s, char *why, size_t why_size);

#endif
