/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines of a configuration file: `[kind]`, `[kind NAME]` and `key = value`,
 * one a line of any length. A line that begins with # or ; is a comment.
 */
#ifndef UMPIO_CONFIG_INI_H
#define UMPIO_CONFIG_INI_H

#include <stddef.h>

enum ini_kind { INI_END, INI_SECTION, INI_KEY, INI_ERROR };

/* One line. The strings are pieces of the text that is read. */
struct ini_item {
	enum ini_kind kind;
	unsigned line;     /* from 1 */
	const char *key;   /* INI_KEY: the key; INI_SECTION: the kind */
	const char *value; /* INI_KEY: never empty; INI_SECTION: "": no name */
	const char *error; /* INI_ERROR: what is wrong with the line */
};

struct ini {
	char *at, *end;
	unsigned line;
};

/* Reads `len` bytes of `text`, which get cut into strings: text[len] must be
 * writable too. */
void ini_init(struct ini *ini, char *text, size_t len);

/* The next line that says something. After INI_END or INI_ERROR there is no
 * more to be had. */
struct ini_item ini_next(struct ini *ini);

#endif
