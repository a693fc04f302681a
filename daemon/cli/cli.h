/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of the umpio command: what its options say, and how it answers. */
#ifndef UMPIO_CLI_CLI_H
#define UMPIO_CLI_CLI_H

#include <stdbool.h>

#include "args.h"

struct json_object;

/* Exit status */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli {
	const char *control; /* NULL: the default */
	bool json;
	const struct command *command; /* NULL: not known yet */
	struct args args;              /* the command's */
};

/* Says what went wrong, as a line on stderr or with --json as an object on
 * stdout. Returns `code`. */
int cli_fail(const struct cli *cli, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with the command's usage. Returns CLI_USAGE. */
int cli_misuse(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Asks the daemon; `request` is put. The reply, which the caller puts; or NULL
 * when there is none or it is an error: then that has been said, and `*status`
 * is the exit status. `timeout_ms` 0: for ever. */
struct json_object *cli_ask(const struct cli *cli, struct json_object *request,
	unsigned timeout_ms, int *status);

/* The same, and prints the reply: as JSON, or as `render` shows it to people;
 * NULL: success says nothing to them. Returns the exit status. */
int cli_show(const struct cli *cli, struct json_object *request,
	unsigned timeout_ms, void (*render)(struct json_object *reply));

/* A new request {"command":name}. */
struct json_object *cli_request(const char *name);

/* Adds a text member. */
void cli_add(struct json_object *object, const char *member, const char *text);

/* Prints a reply as one line of JSON. Exit status: it fails without memory, and
 * says so. */
int cli_print_json(struct json_object *object);

#endif
