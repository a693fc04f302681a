/* SPDX-License-Identifier: BSD-2-Clause */
#include "section.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>

#include "name.h"

#define NAME_MAX_BYTES 64
#define CAUSE_SIZE     256

bool settings_name_valid(const char *name)
{
	size_t len = strlen(name);
	if (len < 1 || len > NAME_MAX_BYTES || name[0] == ' ' ||
		name[len - 1] == ' ')
		return false;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name < ' ' || *name > '~' || *name == '/' || *name == ']')
			return false;
	return true;
}

struct section *section_new(enum setting_scope scope, const char *name)
{
	struct section *section = calloc(1, sizeof *section);
	if (!section)
		return NULL;
	section->scope = scope;
	section->name = strdup(name);
	if (!section->name) {
		free(section);
		return NULL;
	}
	return section;
}

static void value_clear(struct setting_value *value)
{
	for (size_t i = 0; i < value->count; i++)
		free(value->list[i]);
	free(value->list);
	free(value->text);
	*value = (struct setting_value){0};
}

void section_free(struct section *section)
{
	if (!section)
		return;
	for (int i = 0; i < SETTINGS; i++)
		value_clear(&section->values[i]);
	free(section->name);
	free(section);
}

const char *section_text(const struct section *section, char *text, size_t size)
{
	if (section->scope == SETTING_DAEMON)
		snprintf(text, size, "[daemon]");
	else
		snprintf(text, size, "[%s %s]",
			section->scope == SETTING_TARGET ? "target" : "device",
			section->name);
	return text;
}

static int parse_bool(const char *text, uint64_t *number)
{
	bool value;
	int err = units_bool(text, &value);
	*number = err == 0 && value;
	return err;
}

/* How a type of number is read, what it is called, and what one unit of its
 * bounds in the table is. */
static const struct number_type {
	int (*parse)(const char *text, uint64_t *number);
	const char *called;
	uint64_t unit;
} number_types[] = {
	[SETTING_BOOL] = {parse_bool, "yes or no", 1},
	[SETTING_NUMBER] = {units_u64, "a number", 1},
	[SETTING_DURATION] = {units_duration,
		"a duration such as 500ms, 5s, 2m", NS_PER_MS},
	[SETTING_SIZE] = {units_size, "a size such as 4096, 64KiB, 1MiB", 1},
};

int setting_number(
	const struct setting_info *info, const char *text, uint64_t *number)
{
	const struct number_type *type = &number_types[info->type];
	int err = type->parse(text, number);
	if (err || info->type == SETTING_BOOL)
		return err;
	return *number < info->min * type->unit ||
			       *number > info->max * type->unit
		       ? -ERANGE
		       : 0;
}

static void say_range(const struct setting_info *info, const char *text,
	char *why, size_t why_size)
{
	char min[32], max[32];
	if (info->type == SETTING_DURATION) {
		units_duration_text(info->min * NS_PER_MS, min, sizeof min);
		units_duration_text(info->max * NS_PER_MS, max, sizeof max);
	} else if (info->type == SETTING_SIZE) {
		units_size_text(info->min, min, sizeof min);
		units_size_text(info->max, max, sizeof max);
	} else {
		snprintf(min, sizeof min, "%ju", (uintmax_t)info->min);
		snprintf(max, sizeof max, "%ju", (uintmax_t)info->max);
	}
	snprintf(why, why_size, "`%.32s` is not from %s to %s", text, min, max);
}

static int set_number(struct setting_value *value,
	const struct setting_info *info, const char *text, char *why,
	size_t why_size)
{
	uint64_t number;
	int err = setting_number(info, text, &number);
	if (err == -ERANGE)
		say_range(info, text, why, why_size);
	else if (err)
		snprintf(why, why_size, "`%.32s` is not %s", text,
			number_types[info->type].called);
	if (err)
		return -EINVAL;
	value->number = number;
	value->set = true;
	return 0;
}

static bool is_word_of(const char *choices, const char *word, size_t len)
{
	while (*choices) {
		size_t n = strcspn(choices, "|");
		if (n == len && memcmp(choices, word, n) == 0)
			return true;
		choices += n + (choices[n] == '|');
	}
	return false;
}

/* CHOICE is one of the words; TEXT with words is a list of them with commas. */
static bool is_choice(const struct setting_info *info, const char *text)
{
	if (info->type == SETTING_CHOICE)
		return is_word_of(info->choices, text, strlen(text));
	for (;;) {
		size_t n = strcspn(text, ",");
		if (!is_word_of(info->choices, text, n))
			return false;
		if (!text[n])
			return true;
		text += n + 1;
	}
}

static int check_url(const char *text, char *why, size_t why_size)
{
	struct iscsi_url url;
	return iscsi_url_parse(&url, text, why, why_size);
}

static int check_nbd(const char *text, char *why, size_t why_size)
{
	struct nbd_address address;
	return nbd_address_parse(&address, text, why, why_size);
}

static int check_portal(const char *text, char *why, size_t why_size)
{
	struct endpoint ep;
	if (endpoint_parse(&ep, text, strlen(text), 3260) == 0)
		return 0;
	snprintf(why, why_size, "`%.128s` is not HOST[:PORT]", text);
	return -EINVAL;
}

/* Texts with a form of their own. In [device], `target` names a section and
 * has none. */
static const struct form {
	enum setting id;
	unsigned scopes;
	int (*check)(const char *text, char *why, size_t why_size);
} forms[] = {
	{SET_INITIATOR_NAME, SETTING_DAEMON | SETTING_TARGET, name_check},
	{SET_TARGET, SETTING_TARGET, name_check},
	{SET_PORTAL, SETTING_TARGET, check_portal},
	{SET_URL, SETTING_DEVICE, check_url},
	{SET_NBD, SETTING_DEVICE, check_nbd},
};

static int check_text(const struct section *section, enum setting id,
	const char *text, char *why, size_t why_size)
{
	const struct setting_info *info = setting_info(id);
	if (!*text) {
		snprintf(why, why_size, "the value is empty");
		return -EINVAL;
	}
	if (info->choices && !is_choice(info, text)) {
		snprintf(why, why_size, "`%.64s` is none of %s", text,
			info->choices);
		return -EINVAL;
	}
	if (info->max && strlen(text) > info->max) {
		snprintf(why, why_size, "longer than %ju bytes",
			(uintmax_t)info->max);
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (forms[i].id == id && forms[i].scopes & section->scope)
			return forms[i].check(text, why, why_size);
	return 0;
}

static int list_add(struct setting_value *value, const char *text)
{
	char **list =
		realloc(value->list, (value->count + 2) * sizeof *value->list);
	if (!list)
		return -ENOMEM;
	value->list = list;
	list[value->count] = strdup(text);
	if (!list[value->count])
		return -ENOMEM;
	list[++value->count] = NULL;
	value->set = true;
	return 0;
}

static int set_text(struct section *section, enum setting id, const char *text,
	char *why, size_t why_size)
{
	struct setting_value *value = &section->values[id];
	int err = check_text(section, id, text, why, why_size);
	if (err)
		return err;
	if (setting_info(id)->type == SETTING_LIST) {
		err = list_add(value, text);
	} else {
		char *copy = strdup(text);
		if (copy) {
			value_clear(value);
			*value = (struct setting_value){
				.set = true, .text = copy};
		}
		err = copy ? 0 : -ENOMEM;
	}
	if (err)
		snprintf(why, why_size, "%s", strerror(-err));
	return err;
}

static void say_scopes(const struct setting_info *info,
	const struct section *section, char *why, size_t why_size)
{
	char text[96];
	snprintf(why, why_size, "`%s` does not belong in %s but in%s%s%s",
		info->key, section_text(section, text, sizeof text),
		info->scopes & SETTING_DAEMON ? " [daemon]" : "",
		info->scopes & SETTING_TARGET ? " [target NAME]" : "",
		info->scopes & SETTING_DEVICE ? " [device NAME]" : "");
}

int section_set(struct section *section, const char *key, const char *value,
	char *why, size_t why_size)
{
	int id = setting_find(key);
	if (id < 0) {
		snprintf(why, why_size, "unknown key `%.64s`", key);
		return -EINVAL;
	}
	const struct setting_info *info = setting_info(id);
	if (!(info->scopes & section->scope)) {
		say_scopes(info, section, why, why_size);
		return -EINVAL;
	}
	char cause[CAUSE_SIZE];
	int err = info->type <= SETTING_SIZE
			  ? set_number(&section->values[id], info, value, cause,
				    sizeof cause)
			  : set_text(section, id, value, cause, sizeof cause);
	if (err)
		snprintf(why, why_size, "%s: %s", key, cause);
	return err;
}

static void clear_in(struct section *sections, int id)
{
	for (; sections; sections = sections->next)
		value_clear(&sections->values[id]);
}

int settings_override(struct settings *s, const struct settings *over)
{
	for (int id = 0; id < SETTINGS; id++) {
		const struct setting_value *from = &over->daemon->values[id];
		struct setting_value *to = &s->daemon->values[id];
		if (!from->set)
			continue;
		assert(setting_info((enum setting)id)->type != SETTING_LIST);
		clear_in(s->targets, id);
		clear_in(s->devices, id);
		value_clear(to);
		to->set = true;
		to->number = from->number;
		if (from->text && !(to->text = strdup(from->text)))
			return -ENOMEM;
	}
	return 0;
}
