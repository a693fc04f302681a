/* SPDX-License-Identifier: BSD-2-Clause */
#include "fblk_mountinfo.h"

#include <stdlib.h>
#include <string.h>

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' &&
	       s[2] >= '0' && s[2] <= '7';
}

/* Turns \040 and its like back into the characters they stand for. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && is_octal(s + 1)) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				       (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* id parent dev root path options [tags…] - type source super-options */
static bool line_parse(char *line, const char *path, struct fblk_mountinfo *m)
{
	char *field[5], *save = NULL, *word = strtok_r(line, " \n", &save);
	char *type, *source;

	for (int i = 0; i < 5; i++, word = strtok_r(NULL, " \n", &save)) {
		if (!word)
			return false;
		field[i] = word;
	}
	while (word && strcmp(word, "-") != 0)
		word = strtok_r(NULL, " \n", &save);
	type = strtok_r(NULL, " \n", &save);
	source = type ? strtok_r(NULL, " \n", &save) : NULL;
	if (!word || !source)
		return false;

	unescape(field[4]);
	if (strcmp(field[4], path) != 0)
		return false;
	unescape(source);
	snprintf(m->dev, sizeof(m->dev), "%s", field[2]);
	snprintf(m->type, sizeof(m->type), "%s", type);
	snprintf(m->source, sizeof(m->source), "%s", source);
	return true;
}

bool fblk_mountinfo_find(
	FILE *in, const char *path, struct fblk_mountinfo *found)
{
	char *line = NULL;
	size_t size = 0;
	bool any = false;

	/* Later lines lie on top of earlier ones. */
	while (getline(&line, &size, in) != -1)
		if (line_parse(line, path, found))
			any = true;
	free(line);
	return any;
}

bool fblk_mountinfo_get(const char *path, struct fblk_mountinfo *found)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	bool any;

	if (!in)
		return false;
	any = fblk_mountinfo_find(in, path, found);
	fclose(in);
	return any;
}
