/* SPDX-License-Identifier: BSD-2-Clause */
#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct args *args;
	const char *const *argv;
	int at;
	const struct arg_option *const *tables;
	char *why;
	size_t why_size;
};

static bool is_option(
	const struct arg_option *option, const char *name, size_t len)
{
	return strlen(option->name) == len &&
	       memcmp(option->name, name, len) == 0;
}

/* By its long name of `len` bytes, or when `name` is NULL by its letter. */
static const struct arg_option *find(
	const struct scan *s, const char *name, size_t len, char letter)
{
	for (int t = 0; t < 2; t++)
		for (const struct arg_option *o = s->tables[t]; o && o->name;
			o++)
			if (name ? is_option(o, name, len)
				 : o->letter == letter)
				return o;
	return NULL;
}

static int give(
	struct scan *s, const struct arg_option *option, const char *value)
{
	if (option->value && !value) {
		value = s->argv[s->at];
		if (!value) {
			snprintf(s->why, s->why_size, "--%s needs %s",
				option->name, option->value);
			return -EINVAL;
		}
		s->at++;
	}
	s->args->given[s->args->ngiven++] =
		(struct arg_given){option, value ? value : ""};
	return 0;
}

static int unknown(const struct scan *s, const char *text, int len)
{
	snprintf(s->why, s->why_size, "unknown option %.*s", len, text);
	return -EINVAL;
}

static int read_long(struct scan *s, const char *text)
{
	size_t len = strcspn(text + 2, "=");
	const char *equals = text[2 + len] ? text + 2 + len : NULL;
	const struct arg_option *option = find(s, text + 2, len, 0);
	if (!option)
		return unknown(s, text, (int)len + 2);
	if (equals && !option->value) {
		snprintf(s->why, s->why_size, "--%s takes no value",
			option->name);
		return -EINVAL;
	}
	return give(s, option, equals ? equals + 1 : NULL);
}

static int read_letters(struct scan *s, const char *text)
{
	for (const char *p = text + 1; *p; p++) {
		const struct arg_option *option = find(s, NULL, 0, *p);
		if (!option)
			return unknown(s, text, (int)strlen(text));
		if (option->value)
			return give(s, option, p[1] ? p + 1 : NULL);
		int err = give(s, option, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int scan_all(struct scan *s, bool stop_at_word)
{
	bool only_words = false;
	while (s->argv[s->at]) {
		const char *text = s->argv[s->at];
		bool word = only_words || text[0] != '-' || !text[1];
		if (word && stop_at_word)
			break;
		s->at++;
		int err = 0;
		if (word)
			s->args->words[s->args->nwords++] = text;
		else if (strcmp(text, "--") == 0)
			only_words = true;
		else if (text[1] == '-')
			err = read_long(s, text);
		else
			err = read_letters(s, text);
		if (err)
			return err;
	}
	return s->at;
}

int args_parse(struct args *args, const char *const *argv, bool stop_at_word,
	const struct arg_option *const tables[2], char *why, size_t why_size)
{
	/* Each letter of a bundle may be an option. */
	size_t most = 1;
	for (const char *const *p = argv; *p; p++)
		most += strlen(*p) + 1;
	*args = (struct args){
		.words = calloc(most, sizeof *args->words),
		.given = calloc(most, sizeof *args->given),
	};
	if (!args->words || !args->given) {
		snprintf(why, why_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	struct scan s = {args, argv, 0, tables, why, why_size};
	return scan_all(&s, stop_at_word);
}

void args_fini(struct args *args)
{
	free(args->words);
	free(args->given);
	*args = (struct args){0};
}

const char *args_value(const struct args *args, const char *name)
{
	for (unsigned i = args->ngiven; i-- > 0;)
		if (strcmp(args->given[i].option->name, name) == 0)
			return args->given[i].value;
	return NULL;
}
