/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/control.h>

#include "commands.h"
#include "text.h"

static void say_error(const struct cli *cli, int code, const char *message)
{
	if (cli->json) {
		struct json_object *error = json_object_new_object();
		cli_add(error, "error", message);
		control_add(error, "code", json_object_new_int(code));
		cli_print_json(error);
		json_object_put(error);
	} else {
		fputs("umpio: ", stderr);
		text_print(stderr, message);
		fputc('\n', stderr);
	}
}

int cli_fail(const struct cli *cli, int code, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	say_error(cli, code, message);
	return code;
}

int cli_misuse(const struct cli *cli, const char *fmt, ...)
{
	char cause[512], message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	if (cli->command)
		snprintf(message, sizeof message, "%s; usage: umpio %s %s",
			cause, cli->command->name, cli->command->synopsis);
	else
		snprintf(
			message, sizeof message, "%s; see umpio --help", cause);
	say_error(cli, CLI_USAGE, message);
	return CLI_USAGE;
}

struct json_object *cli_request(const char *name)
{
	struct json_object *request = json_object_new_object();
	cli_add(request, "command", name);
	return request;
}

void cli_add(struct json_object *object, const char *member, const char *text)
{
	control_add(object, member, json_object_new_string(text));
}

int cli_print_json(struct json_object *object)
{
	size_t len;
	char *text = control_line(object, &len);

	if (!text) {
		fputs("umpio: out of memory\n", stderr);
		return CLI_FAILED;
	}
	puts(text);
	free(text);
	return CLI_DONE;
}

/* True when the reply is an error, which is then said. */
static bool is_error(
	const struct cli *cli, struct json_object *reply, int *status)
{
	const char *error = control_text(reply, "error");
	if (!error)
		return false;
	int64_t code = control_number(reply, "code", CLI_FAILED);
	*status = cli_fail(
		cli, code == CLI_USAGE ? CLI_USAGE : CLI_FAILED, "%s", error);
	return true;
}

struct json_object *cli_ask(const struct cli *cli, struct json_object *request,
	unsigned timeout_ms, int *status)
{
	char place[256], why[512];
	const char *path = cli->control;
	struct json_object *reply = NULL;
	if (!path && control_default_path(place, sizeof place) == 0)
		path = place;
	if (!path) {
		*status = cli_fail(cli, CLI_USAGE,
			"no control socket: XDG_RUNTIME_DIR is not set; name "
			"the daemon's with --control PATH");
	} else {
		reply = control_ask(path, request, timeout_ms, why, sizeof why);
		if (!reply)
			*status = cli_fail(cli, CLI_FAILED, "%s", why);
	}
	json_object_put(request);
	if (reply && is_error(cli, reply, status)) {
		json_object_put(reply);
		return NULL;
	}
	return reply;
}

int cli_show(const struct cli *cli, struct json_object *request,
	unsigned timeout_ms, void (*render)(struct json_object *reply))
{
	int status = CLI_DONE;
	struct json_object *reply = cli_ask(cli, request, timeout_ms, &status);
	if (reply && cli->json)
		status = cli_print_json(reply);
	else if (reply && render)
		render(reply);
	json_object_put(reply);
	return status;
}
