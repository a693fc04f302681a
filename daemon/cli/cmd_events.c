/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio events: what has happened, and then what happens. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

#include "commands.h"
#include "text.h"

#define LATEST     10    /* shown before following */
#define TIMEOUT_MS 60000 /* more than the daemon lets anybody wait */

/* Microseconds since 1970 of a time as events have it; -1: it is none. */
static int64_t micros(const char *text)
{
	struct tm tm = {0};
	const char *rest =
		text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest || *rest != '.')
		return -1;
	return (int64_t)timegm(&tm) * 1000000 + strtol(rest + 1, NULL, 10);
}

/* The steps of a failover, each as time since the first of them. */
static void print_timeline(struct json_object *event)
{
	struct json_object *timeline;
	const char *between = "  (";
	int64_t first = -1;

	if (!json_object_object_get_ex(event, "timeline", &timeline) ||
		json_object_object_length(timeline) < 2)
		return;
	json_object_object_foreach(timeline, name, value)
	{
		int64_t at = micros(json_object_get_string(value));

		if (first < 0)
			first = at;
		fputs(between, stdout);
		for (const char *p = name; *p; p++)
			putchar(*p == '_' ? ' ' : *p);
		printf(" +%.3f ms", (double)(at - first) / 1000);
		between = ", ";
	}
	putchar(')');
}

static void print_event(struct json_object *event)
{
	static const char *const members[] = {"time", "device"};
	const char *text;
	int64_t path = control_number(event, "path", -1);

	for (unsigned i = 0; i < 2; i++) {
		text = control_text(event, members[i]);
		text_print(stdout, text ? text : "?");
		fputs("  ", stdout);
	}
	if (path >= 0)
		printf("path %" PRId64 "  ", path);
	text = control_text(event, "event");
	text_print(stdout, text ? text : "?");
	text = control_text(event, "reason");
	if (text && *text) {
		fputs(": ", stdout);
		text_print(stdout, text);
	}
	print_timeline(event);
	putchar('\n');
}

/* The last `latest` events of a reply. Exit status. */
static int print_batch(
	const struct cli *cli, struct json_object *reply, uint64_t latest)
{
	struct json_object *list;
	int64_t missed = control_number(reply, "missed", 0);
	int status = CLI_DONE;
	size_t n, from;

	if (!json_object_object_get_ex(reply, "events", &list) ||
		!json_object_is_type(list, json_type_array))
		return status;
	if (missed > 0)
		fprintf(stderr, "umpio: %" PRId64 " events were missed\n",
			missed);
	n = json_object_array_length(list);
	from = n > latest ? n - (size_t)latest : 0;
	for (size_t i = from; i < n && status == CLI_DONE; i++) {
		struct json_object *event = json_object_array_get_idx(list, i);

		if (cli->json)
			status = cli_print_json(event);
		else
			print_event(event);
	}
	fflush(stdout);
	return status;
}

/* One question; `*after` -1: from the beginning. Exit status. */
static int ask(struct cli *cli, int64_t *after, bool wait, uint64_t latest)
{
	struct json_object *request = cli_request("events"), *reply;
	int status = CLI_DONE;

	if (cli->args.nwords)
		cli_add(request, "device", cli->args.words[0]);
	if (*after >= 0)
		control_add(request, "after", json_object_new_int64(*after));
	control_add(request, "wait", json_object_new_boolean(wait));
	reply = cli_ask(cli, request, TIMEOUT_MS, &status);
	if (!reply)
		return status;
	status = print_batch(cli, reply, latest);
	*after = control_number(reply, "next", 0);
	json_object_put(reply);
	return status;
}

int cmd_events(struct cli *cli)
{
	const char *lines = args_value(&cli->args, "lines");
	const bool once = args_value(&cli->args, "no-follow") != NULL;
	uint64_t latest = once ? UINT64_MAX : LATEST;
	int64_t after = -1;
	int status;

	if (lines && units_u64(lines, &latest))
		return cli_misuse(cli, "--lines: `%s` is not a number", lines);
	status = ask(cli, &after, false, latest);
	while (status == CLI_DONE && !once && !ferror(stdout))
		status = ask(cli, &after, true, UINT64_MAX);
	return status;
}
