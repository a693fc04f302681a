/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/settings.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "section.h"

struct settings *settings_new(void)
{
	struct settings *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->daemon = section_new(SETTING_DAEMON, "");
	if (!s->daemon) {
		free(s);
		return NULL;
	}
	return s;
}

static void free_sections(struct section *section)
{
	while (section) {
		struct section *next = section->next;
		section_free(section);
		section = next;
	}
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	free_sections(s->daemon);
	free_sections(s->targets);
	free_sections(s->devices);
	free(s->file);
	free(s);
}

struct section *settings_add(
	struct settings *s, enum setting_scope scope, const char *name)
{
	assert(scope != SETTING_DAEMON);
	if (!settings_name_valid(name))
		return NULL;
	struct section **end =
		scope == SETTING_TARGET ? &s->targets : &s->devices;
	while (*end)
		end = &(*end)->next;
	*end = section_new(scope, name);
	return *end;
}

struct section *settings_find(
	const struct settings *s, enum setting_scope scope, const char *name)
{
	if (scope == SETTING_DAEMON)
		return s->daemon;
	struct section *section =
		scope == SETTING_TARGET ? s->targets : s->devices;
	while (section && strcmp(section->name, name) != 0)
		section = section->next;
	return section;
}

/* Where the value that holds for `section` stands; NULL: nowhere. */
static const struct setting_value *find_value(const struct settings *s,
	const struct section *section, enum setting id)
{
	if (section && section->values[id].set)
		return &section->values[id];
	if (section && section->scope == SETTING_DEVICE &&
		section->values[SET_TARGET].set) {
		const struct section *target = settings_find(
			s, SETTING_TARGET, section->values[SET_TARGET].text);
		if (target && id != SET_TARGET && target->values[id].set)
			return &target->values[id];
	}
	return s->daemon->values[id].set ? &s->daemon->values[id] : NULL;
}

bool settings_is_set(
	const struct settings *s, const struct section *device, enum setting id)
{
	return find_value(s, device, id) != NULL;
}

/* The table's default, which it holds as text. */
static uint64_t default_number(enum setting id)
{
	uint64_t number = 0;
	const struct setting_info *info = setting_info(id);
	if (info->def) {
		int err = setting_number(info, info->def, &number);
		assert(err == 0);
		(void)err;
	}
	return number;
}

uint64_t settings_number(
	const struct settings *s, const struct section *device, enum setting id)
{
	assert(setting_info(id)->type <= SETTING_SIZE);
	const struct setting_value *value = find_value(s, device, id);
	return value ? value->number : default_number(id);
}

bool settings_bool(
	const struct settings *s, const struct section *device, enum setting id)
{
	assert(setting_info(id)->type == SETTING_BOOL);
	return settings_number(s, device, id) != 0;
}

const char *settings_text(
	const struct settings *s, const struct section *device, enum setting id)
{
	assert(setting_info(id)->type == SETTING_TEXT ||
		setting_info(id)->type == SETTING_CHOICE);
	const struct setting_value *value = find_value(s, device, id);
	return value ? value->text : setting_info(id)->def;
}

char *const *settings_list(
	const struct settings *s, const struct section *device, enum setting id)
{
	static char *const none[] = {NULL};
	assert(setting_info(id)->type == SETTING_LIST);
	const struct setting_value *value = find_value(s, device, id);
	return value ? value->list : none;
}
