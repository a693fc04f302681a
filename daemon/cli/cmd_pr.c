/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio pr: persistent reservations. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <umpio/control.h>

#include "commands.h"
#include "text.h"

/* What stands behind VERB and NAME. */
static const struct {
	const char *verb, *first, *second;
} verbs[] = {
	{"register", "key", NULL},
	{"reserve", "type", NULL},
	{"release", "type", NULL},
	{"preempt", "key", "type"},
	{NULL, NULL, NULL},
};

static void print_texts(struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		text_print(stdout, json_object_get_string(
					   json_object_array_get_idx(list, i)));
		putchar('\n');
	}
}

static void print_member(struct json_object *o, const char *member)
{
	const char *text = control_text(o, member);

	if (text && *text) {
		fputs("  ", stdout);
		text_print(stdout, text);
	}
}

static void print_registrants(struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *key = control_text(o, "key");

		text_print(stdout, key ? key : "?");
		print_member(o, "initiator");
		printf("  port %lld", (long long)control_number(o, "port", -1));
		print_member(o, "type");
		putchar('\n');
	}
}

static void render(struct json_object *reply)
{
	struct json_object *o;

	if (json_object_object_get_ex(reply, "keys", &o))
		print_texts(o);
	if (json_object_object_get_ex(reply, "registrants", &o))
		print_registrants(o);
	if (json_object_object_get_ex(reply, "reservation", &o)) {
		const char *key = o ? control_text(o, "key") : NULL;

		text_print(stdout, key ? key : "none");
		if (o)
			print_member(o, "type");
		putchar('\n');
	}
}

int cmd_pr(struct cli *cli)
{
	const char *const *words = cli->args.words;
	struct json_object *request = cli_request("pr");
	unsigned i = 0;

	while (verbs[i].verb && strcmp(verbs[i].verb, words[0]) != 0)
		i++;
	cli_add(request, "verb", words[0]);
	cli_add(request, "device", words[1]);
	if ((cli->args.nwords > 2 && !verbs[i].first) ||
		(cli->args.nwords > 3 && !verbs[i].second)) {
		json_object_put(request);
		return cli_misuse(cli, "pr %s: too many arguments", words[0]);
	}
	if (cli->args.nwords > 2)
		cli_add(request, verbs[i].first, words[2]);
	if (cli->args.nwords > 3)
		cli_add(request, verbs[i].second, words[3]);
	control_add(request, "abort",
		json_object_new_boolean(
			args_value(&cli->args, "abort") != NULL));
	return cli_show(cli, request, 0, render);
}
