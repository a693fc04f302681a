/* SPDX-License-Identifier: BSD-2-Clause */
/* From the text of a configuration file to settings. */
#include <umpio/settings.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "file.h"
#include "ini.h"
#include "section.h"

#define FILE_MAX (1024 * 1024)

struct reading {
	struct settings *s;
	struct section *section; /* the one that keys go to; NULL: none yet */
	unsigned line;
	char *why;
	size_t why_size;
};

static int refuse(const struct reading *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct reading *r, const char *fmt, ...)
{
	char cause[320];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	snprintf(r->why, r->why_size, "%s:%u: %s", r->s->file, r->line, cause);
	return -EINVAL;
}

static int read_named(struct reading *r, enum setting_scope scope,
	const struct ini_item *item)
{
	if (!settings_name_valid(item->value))
		return refuse(r,
			"[%s NAME]: a name has 1 to 64 printable characters "
			"without / and ]",
			item->key);
	const struct section *twin = settings_find(r->s, scope, item->value);
	if (twin)
		return refuse(r, "[%s %s] stands already in line %u", item->key,
			item->value, twin->line);
	r->section = settings_add(r->s, scope, item->value);
	if (!r->section)
		return refuse(r, "%s", strerror(ENOMEM));
	r->section->line = item->line;
	return 0;
}

static int read_daemon(struct reading *r, const struct ini_item *item)
{
	r->section = r->s->daemon;
	if (*item->value)
		return refuse(r, "[daemon] has no name");
	if (r->section->line)
		return refuse(r, "[daemon] stands already in line %u",
			r->section->line);
	r->section->line = item->line;
	return 0;
}

static int read_section(struct reading *r, const struct ini_item *item)
{
	if (strcmp(item->key, "daemon") == 0)
		return read_daemon(r, item);
	if (strcmp(item->key, "target") == 0)
		return read_named(r, SETTING_TARGET, item);
	if (strcmp(item->key, "device") == 0)
		return read_named(r, SETTING_DEVICE, item);
	return refuse(r,
		"unknown section [%.64s]; there are [daemon], [target NAME] "
		"and [device NAME]",
		item->key);
}

static int read_key(struct reading *r, const struct ini_item *item)
{
	if (!r->section)
		return refuse(r, "`%.64s` stands before the first [section]",
			item->key);
	int id = setting_find(item->key);
	if (id >= 0 && setting_info(id)->type != SETTING_LIST &&
		r->section->values[id].set)
		return refuse(
			r, "%s: given twice, and it is not a list", item->key);
	char cause[300];
	if (section_set(
		    r->section, item->key, item->value, cause, sizeof cause))
		return refuse(r, "%s", cause);
	return 0;
}

static int read_items(struct reading *r, struct ini *ini)
{
	for (;;) {
		struct ini_item item = ini_next(ini);
		r->line = item.line;
		int err = 0;
		switch (item.kind) {
		case INI_END: return settings_check(r->s, r->why, r->why_size);
		case INI_SECTION: err = read_section(r, &item); break;
		case INI_KEY: err = read_key(r, &item); break;
		case INI_ERROR: err = refuse(r, "%s", item.error); break;
		}
		if (err)
			return err;
	}
}

/* Cuts `text` into strings; text[len] is its too. */
static struct settings *read_text(
	const char *file, char *text, size_t len, char *why, size_t why_size)
{
	struct settings *s = settings_new();
	if (s)
		s->file = strdup(file);
	if (!s || !s->file) {
		settings_free(s);
		snprintf(why, why_size, "%s: %s", file, strerror(ENOMEM));
		return NULL;
	}
	struct ini ini;
	ini_init(&ini, text, len);
	struct reading r = {.s = s, .why = why, .why_size = why_size};
	if (read_items(&r, &ini)) {
		settings_free(s);
		return NULL;
	}
	return s;
}

struct settings *settings_parse(const char *file, const char *text, size_t len,
	char *why, size_t why_size)
{
	char *copy = malloc(len + 1);
	if (!copy) {
		snprintf(why, why_size, "%s: %s", file, strerror(ENOMEM));
		return NULL;
	}
	memcpy(copy, text, len);
	struct settings *s = read_text(file, copy, len, why, why_size);
	free(copy);
	return s;
}

struct settings *settings_read(const char *file, char *why, size_t why_size)
{
	char *text;
	size_t len;
	if (file_read(file, FILE_MAX, false, &text, &len, why, why_size))
		return NULL;
	struct settings *s = read_text(file, text, len, why, why_size);
	free(text);
	return s;
}
