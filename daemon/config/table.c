/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of all keys, as data. */
#include <umpio/settings.h>

#include <assert.h>
#include <string.h>

static const struct setting_info infos[SETTINGS] = {
#define X(id, key_, scopes_, type_, choices_, min_, max_, def_, live_, help_)  \
	[SET_##id] = {.key = key_,                                             \
		.scopes = scopes_,                                             \
		.type = SETTING_##type_,                                       \
		.choices = choices_,                                           \
		.min = min_,                                                   \
		.max = max_,                                                   \
		.def = def_,                                                   \
		.live = live_,                                                 \
		.help = help_},
#include <umpio/tbl/settings.h>
#undef X
};

const struct setting_info *setting_info(enum setting id)
{
	assert((unsigned)id < SETTINGS);
	return &infos[id];
}

int setting_find(const char *key)
{
	for (int i = 0; i < SETTINGS; i++)
		if (strcmp(infos[i].key, key) == 0)
			return i;
	return -1;
}
