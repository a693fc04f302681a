/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that change something. None has a time limit of its own: what has
 * been begun is begun, and giving up here would only hide how it ends. */
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/control.h>
#include <unistd.h>

#include "commands.h"

/* A file as the daemon, whose working directory is another, has to name it. */
static void absolute(
	const char *path, const char *prefix, char *text, size_t size)
{
	char here[PATH_MAX];
	if (*path && *path != '/' && getcwd(here, sizeof here))
		snprintf(text, size, "%s%s/%s", prefix, here, path);
	else
		snprintf(text, size, "%s%s", prefix, path);
}

static struct json_object *array_of(
	struct json_object *request, const char *member)
{
	struct json_object *array;
	if (json_object_object_get_ex(request, member, &array))
		return array;
	return control_add(request, member, json_object_new_array());
}

static void add_frontend(
	struct json_object *request, const char *kind, const char *place)
{
	char text[2 * PATH_MAX];
	if (strcmp(kind, "fuse") == 0)
		absolute(place, "", text, sizeof text);
	else if (strncmp(place, "unix:", 5) == 0)
		absolute(place + 5, "unix:", text, sizeof text);
	else
		snprintf(text, sizeof text, "%s", place);
	control_append(array_of(request, kind), json_object_new_string(text));
}

static bool names_file(const char *key)
{
	size_t len = strlen(key), tail = strlen("-file");
	return (len > tail && strcmp(key + len - tail, "-file") == 0) ||
	       strcmp(key, "tls-certificates") == 0;
}

struct setting {
	char key[64], value[2 * PATH_MAX];
};

/* KEY=VALUE, as `what` was given it. False: said what is wrong. */
static bool setting_parse(
	struct setting *s, struct cli *cli, const char *what, const char *text)
{
	size_t len = strcspn(text, "=");
	if (!text[len] || len == 0 || len >= sizeof s->key) {
		cli_misuse(cli, "%s: `%.64s` is not KEY=VALUE", what, text);
		return false;
	}
	memcpy(s->key, text, len);
	s->key[len] = '\0';
	if (names_file(s->key))
		absolute(text + len + 1, "", s->value, sizeof s->value);
	else
		snprintf(s->value, sizeof s->value, "%s", text + len + 1);
	return true;
}

/* Into {"options":{KEY:[VALUE,…]}}. False: said what is wrong. */
static bool add_option(struct cli *cli, struct json_object *request,
	struct json_object *options, const char *text)
{
	struct setting s;
	if (!setting_parse(&s, cli, "-o", text))
		return false;
	if (strcmp(s.key, "nbd") == 0 || strcmp(s.key, "fuse") == 0) {
		add_frontend(request, s.key, s.value);
		return true;
	}
	control_append(
		array_of(options, s.key), json_object_new_string(s.value));
	return true;
}

/* Onto the list of pairs. False: said what is wrong. */
static bool add_pair(
	struct cli *cli, struct json_object *pairs, const char *text)
{
	struct setting s;
	struct json_object *pair;
	if (!setting_parse(&s, cli, "set", text))
		return false;
	pair = json_object_new_array();
	control_append(pair, json_object_new_string(s.key));
	control_append(pair, json_object_new_string(s.value));
	control_append(pairs, pair);
	return true;
}

static bool add_given(struct cli *cli, struct json_object *request,
	struct json_object *options)
{
	for (unsigned i = 0; i < cli->args.ngiven; i++) {
		const struct arg_given *given = &cli->args.given[i];
		const char *name = given->option->name;
		if (strcmp(name, "nbd") == 0 || strcmp(name, "fuse") == 0)
			add_frontend(request, name, given->value);
		else if (strcmp(name, "policy") == 0)
			cli_add(request, "policy", given->value);
		else if (strcmp(name, "option") == 0 &&
			 !add_option(cli, request, options, given->value))
			return false;
	}
	return true;
}

int cmd_attach(struct cli *cli)
{
	struct json_object *request = cli_request("attach");
	struct json_object *options;
	cli_add(request, "name", cli->args.words[0]);
	for (unsigned i = 1; i < cli->args.nwords; i++)
		control_append(array_of(request, "urls"),
			json_object_new_string(cli->args.words[i]));
	array_of(request, "nbd");
	array_of(request, "fuse");
	options = control_add(request, "options", json_object_new_object());
	if (!add_given(cli, request, options)) {
		json_object_put(request);
		return CLI_USAGE;
	}
	return cli_show(cli, request, 0, NULL);
}

int cmd_detach(struct cli *cli)
{
	struct json_object *request = cli_request("detach");
	cli_add(request, "device", cli->args.words[0]);
	control_add(request, "now",
		json_object_new_boolean(args_value(&cli->args, "now") != NULL));
	return cli_show(cli, request, 0, NULL);
}

int cmd_path(struct cli *cli)
{
	const char *const *words = cli->args.words;
	if (strcmp(words[0], "fail") != 0 && strcmp(words[0], "restore") != 0)
		return cli_misuse(
			cli, "path: `%.32s` is not fail or restore", words[0]);
	struct json_object *request = cli_request("path");
	cli_add(request, "verb", words[0]);
	cli_add(request, "device", words[1]);
	cli_add(request, "path", words[2]);
	return cli_show(cli, request, 0, NULL);
}

/* The words between KIND and NAME are the daemon's to judge. */
int cmd_fault(struct cli *cli)
{
	const char *const *words = cli->args.words;
	const bool in = args_value(&cli->args, "in") != NULL;
	const bool out = args_value(&cli->args, "out") != NULL;
	unsigned n = cli->args.nwords;
	struct json_object *request = cli_request("fault");

	cli_add(request, "kind", words[0]);
	if (n == 4)
		cli_add(request, "value", words[1]);
	cli_add(request, "device", words[n - 2]);
	cli_add(request, "path", words[n - 1]);
	control_add(request, "in", json_object_new_boolean(in));
	control_add(request, "out", json_object_new_boolean(out));
	return cli_show(cli, request, 0, NULL);
}

int cmd_set(struct cli *cli)
{
	struct json_object *request = cli_request("set");

	cli_add(request, "device", cli->args.words[0]);
	for (unsigned i = 1; i < cli->args.nwords; i++)
		if (!add_pair(cli, array_of(request, "values"),
			    cli->args.words[i])) {
			json_object_put(request);
			return CLI_USAGE;
		}
	return cli_show(cli, request, 0, NULL);
}

int cmd_abort(struct cli *cli)
{
	struct json_object *request = cli_request("abort");

	cli_add(request, "device", cli->args.words[0]);
	return cli_show(cli, request, 0, NULL);
}

int cmd_reload(struct cli *cli)
{
	return cli_show(cli, cli_request("reload"), 0, NULL);
}
