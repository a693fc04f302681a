/* SPDX-License-Identifier: BSD-2-Clause */
/* Words and options of a command line, in any order. */
#ifndef UMPIO_CLI_ARGS_H
#define UMPIO_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct arg_option {
	const char *name;  /* --name; NULL ends a table */
	char letter;       /* -l; 0: none */
	const char *value; /* what its value is called; NULL: takes none */
};

struct arg_given {
	const struct arg_option *option;
	const char *value;
};

/* Points into argv. */
struct args {
	const char **words;
	unsigned nwords;
	struct arg_given *given;
	unsigned ngiven;
};

/* Reads argv, which ends with NULL, up to its end or, with `stop_at_word`, up
 * to the first word; options are those of both tables. Returns how many were
 * read; or -EINVAL and a line in `why`, or -ENOMEM. Freed by args_fini() either
 * way. */
int args_parse(struct args *args, const char *const *argv, bool stop_at_word,
	const struct arg_option *const tables[2], char *why, size_t why_size);
void args_fini(struct args *args);

/* The value of the option, of the last one when it was given several times; ""
 * for one that takes none; NULL: not given. */
const char *args_value(const struct args *args, const char *name);

#endif
