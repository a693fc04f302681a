/* SPDX-License-Identifier: BSD-2-Clause */
#include "ini.h"

#include <stdbool.h>
#include <string.h>

void ini_init(struct ini *ini, char *text, size_t len)
{
	*ini = (struct ini){.at = text, .end = text + len};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends of [from, to) and ends it with a NUL at or before
 * `to`. */
static char *trim(char *from, char *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (to > from && is_blank(to[-1]))
		to--;
	*to = '\0';
	return from;
}

/* Bytes that an editor does not leave behind: a binary file, or an attempt to
 * smuggle something past the reader of a message. */
static bool has_control(const char *line, const char *end)
{
	for (; line < end; line++)
		if (((unsigned char)*line < ' ' && *line != '\t' &&
			    !(*line == '\r' && line + 1 == end)) ||
			*line == 0x7f)
			return true;
	return false;
}

static struct ini_item fail(struct ini *ini, const char *error)
{
	ini->at = ini->end;
	return (struct ini_item){
		.kind = INI_ERROR, .line = ini->line, .error = error};
}

static struct ini_item read_section(struct ini *ini, char *line)
{
	size_t len = strlen(line);
	if (line[len - 1] != ']')
		return fail(ini, "section without closing ]");
	char *kind = trim(line + 1, line + len - 1);
	char *name = kind + strcspn(kind, " \t");
	if (*name)
		*name++ = '\0';
	name = trim(name, name + strlen(name));
	if (!*kind)
		return fail(ini, "section without a name");
	return (struct ini_item){.kind = INI_SECTION,
		.line = ini->line,
		.key = kind,
		.value = name};
}

static struct ini_item read_key(struct ini *ini, char *line)
{
	char *equals = strchr(line, '=');
	if (!equals)
		return fail(ini, "neither [section] nor key = value");
	char *end = equals + strlen(equals);
	char *key = trim(line, equals);
	char *value = trim(equals + 1, end);
	if (!*key)
		return fail(ini, "no key before =");
	if (!*value)
		return fail(ini, "no value after =");
	return (struct ini_item){
		.kind = INI_KEY, .line = ini->line, .key = key, .value = value};
}

struct ini_item ini_next(struct ini *ini)
{
	while (ini->at < ini->end) {
		char *line = ini->at;
		char *end = memchr(line, '\n', (size_t)(ini->end - line));
		ini->at = end ? end + 1 : ini->end;
		if (!end)
			end = ini->end;
		ini->line++;
		if (has_control(line, end))
			return fail(ini, "control character in the line");
		line = trim(line, end);
		if (*line == '[')
			return read_section(ini, line);
		if (*line && *line != '#' && *line != ';')
			return read_key(ini, line);
	}
	return (struct ini_item){.kind = INI_END, .line = ini->line};
}
