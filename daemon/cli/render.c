/* SPDX-License-Identifier: BSD-2-Clause */
#include "render.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <umpio/control.h>

#include "table.h"
#include "text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* How a member stands in a cell. */
enum cell { CELL_TEXT, CELL_NUMBER, CELL_SIZE, CELL_COUNT };

struct field {
	const char *member;
	enum cell cell;
};

/* "" for a member that is missing. CELL_COUNT leaves out a zero, so that the
 * column shows only where something happened. */
static void add_field(
	struct table *t, struct json_object *object, const struct field *field)
{
	char text[TEXT_SIZE_MAX] = "";
	const char *cell = text;
	int64_t number = control_number(object, field->member, -1);
	if (field->cell == CELL_TEXT) {
		cell = control_text(object, field->member);
	} else if (number >= 0 && field->cell == CELL_SIZE) {
		text_size((uint64_t)number, text);
	} else if (number > 0 || (number == 0 && field->cell == CELL_NUMBER)) {
		snprintf(text, sizeof text, "%" PRId64, number);
	}
	table_add(t, cell ? cell : "");
}

static size_t array_len(struct json_object *object, const char *member,
	struct json_object **array)
{
	if (!json_object_object_get_ex(object, member, array) ||
		!json_object_is_type(*array, json_type_array))
		return 0;
	return json_object_array_length(*array);
}

static void print_text(
	struct json_object *object, const char *member, const char *before)
{
	const char *text = control_text(object, member);
	if (text && *text) {
		fputs(before, stdout);
		text_print(stdout, text);
	}
}

static void print_size(struct json_object *object)
{
	char text[TEXT_SIZE_MAX];
	int64_t size = control_number(object, "size", 0);
	if (size > 0)
		printf("  %s", text_size((uint64_t)size, text));
}

static void print_frontends(struct json_object *device, const char *kind)
{
	struct json_object *array;
	size_t n = array_len(device, kind, &array);
	for (size_t i = 0; i < n; i++) {
		struct json_object *at = json_object_array_get_idx(array, i);
		printf("  %-5s", kind);
		text_print(stdout, json_object_get_string(at));
		putchar('\n');
	}
}

static const struct table_column path_columns[] = {
	{"ID", true, false},
	{"PORTAL", false, false},
	{"STATE", false, true},
	{"GROUP", true, false},
	{"PRIO", true, false},
	{"ALUA", false, false},
	{"TARGET", false, false},
	{"LUN", true, false},
	{"CONN", true, false},
	{"INFLIGHT", true, false},
	{"READS", true, false},
	{"READ", true, false},
	{"WRITES", true, false},
	{"WRITTEN", true, false},
	{"ERRORS", true, false},
	{"FAILOVERS", true, false},
	{"FAULT", false, false},
	{"REASON", false, false},
};

static const struct field path_fields[] = {
	{"id", CELL_NUMBER},
	{"portal", CELL_TEXT},
	{"state", CELL_TEXT},
	{"group", CELL_NUMBER},
	{"priority", CELL_NUMBER},
	{"alua", CELL_TEXT},
	{"target", CELL_TEXT},
	{"lun", CELL_NUMBER},
	{"connections", CELL_NUMBER},
	{"inflight", CELL_NUMBER},
	{"reads", CELL_NUMBER},
	{"read_bytes", CELL_SIZE},
	{"writes", CELL_NUMBER},
	{"write_bytes", CELL_SIZE},
	{"errors", CELL_COUNT},
	{"failovers", CELL_COUNT},
	{"fault", CELL_TEXT},
	{"reason", CELL_TEXT},
};

static void render_paths(struct json_object *device, bool coloured)
{
	struct json_object *paths;
	struct table t;
	size_t n = array_len(device, "paths", &paths);
	table_init(&t, path_columns, COUNT(path_columns));
	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < COUNT(path_fields); f++)
			add_field(&t, json_object_array_get_idx(paths, i),
				&path_fields[f]);
	if (n)
		table_print(&t, stdout, "  ", coloured);
	table_fini(&t);
}

static void render_device(struct json_object *device, bool coloured)
{
	const char *state = control_text(device, "state");
	enum text_colour colour = state ? text_state_colour(state) : TEXT_PLAIN;
	print_text(device, "name", "");
	text_colour(stdout, coloured, colour);
	print_text(device, "state", "  ");
	text_colour(stdout, coloured, TEXT_PLAIN);
	print_size(device);
	print_text(device, "wwid", "  ");
	print_text(device, "policy", "  ");
	print_text(device, "reason", "  ");
	putchar('\n');
	print_frontends(device, "nbd");
	print_frontends(device, "fuse");
	render_paths(device, coloured);
}

void render_status(struct json_object *reply)
{
	struct json_object *devices;
	bool coloured = text_coloured(stdout);
	size_t n = array_len(reply, "devices", &devices);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar('\n');
		render_device(json_object_array_get_idx(devices, i), coloured);
	}
	if (n == 0)
		puts("no devices");
}

static const struct table_column session_columns[] = {
	{"PATH", true, false},
	{"LOGINS", true, false},
	{"SESSION-REC", true, false},
	{"CONN-REC", true, false},
	{"REASSIGNED", true, false},
	{"RETRIED", true, false},
	{"SNACKS", true, false},
	{"DIGEST-ERR", true, false},
	{"FENCES", true, false},
	{"BY-SIBLING", true, false},
	{"READ P50", true, false},
	{"P99", true, false},
	{"MAX", true, false},
	{"WRITE P50", true, false},
	{"P99", true, false},
	{"MAX", true, false},
};

static const struct field session_fields[] = {
	{"path", CELL_NUMBER},
	{"logins", CELL_NUMBER},
	{"session_recoveries", CELL_NUMBER},
	{"connection_recoveries", CELL_NUMBER},
	{"tasks_reassigned", CELL_NUMBER},
	{"tasks_retried", CELL_NUMBER},
	{"snacks_sent", CELL_NUMBER},
	{"digest_errors", CELL_NUMBER},
	{"fences", CELL_NUMBER},
	{"sibling_fences", CELL_NUMBER},
};

static void add_latency(
	struct table *t, struct json_object *session, const char *member)
{
	static const char *const points[] = {"p50", "p99", "max"};
	struct json_object *latency = NULL;
	json_object_object_get_ex(session, member, &latency);
	for (size_t i = 0; i < COUNT(points); i++) {
		char text[TEXT_SIZE_MAX] = "";
		int64_t us = control_number(latency, points[i], -1);
		if (us >= 0)
			text_latency((uint64_t)us, text);
		table_add(t, text);
	}
}

static void render_sessions(struct json_object *device, bool coloured)
{
	struct json_object *sessions;
	struct table t;
	size_t n = array_len(device, "sessions", &sessions);
	table_init(&t, session_columns, COUNT(session_columns));
	for (size_t i = 0; i < n; i++) {
		struct json_object *session =
			json_object_array_get_idx(sessions, i);
		for (size_t f = 0; f < COUNT(session_fields); f++)
			add_field(&t, session, &session_fields[f]);
		add_latency(&t, session, "read_latency_us");
		add_latency(&t, session, "write_latency_us");
	}
	if (n)
		table_print(&t, stdout, "  ", coloured);
	table_fini(&t);
}

void render_stats(struct json_object *reply)
{
	struct json_object *devices;
	bool coloured = text_coloured(stdout);
	size_t n = array_len(reply, "devices", &devices);
	for (size_t i = 0; i < n; i++) {
		struct json_object *device =
			json_object_array_get_idx(devices, i);
		if (i)
			putchar('\n');
		print_text(device, "name", "");
		printf("  failovers %" PRId64 "  queued %" PRId64 "\n",
			control_number(device, "failovers", 0),
			control_number(device, "queued", 0));
		render_sessions(device, coloured);
	}
	if (n == 0)
		puts("no devices");
}

static const struct table_column lun_columns[] = {
	{"LUN", true, false},
	{"SIZE", true, false},
	{"BLOCK", true, false},
	{"WWID", false, false},
	{"VENDOR", false, false},
	{"PRODUCT", false, false},
	{"NOTE", false, false},
};

static const struct field lun_fields[] = {
	{"lun", CELL_NUMBER},
	{"size", CELL_SIZE},
	{"block_size", CELL_NUMBER},
	{"wwid", CELL_TEXT},
	{"vendor", CELL_TEXT},
	{"product", CELL_TEXT},
	{"error", CELL_TEXT},
};

static void render_luns(struct json_object *target, bool coloured)
{
	struct json_object *luns;
	struct table t;
	size_t n = array_len(target, "luns", &luns);
	table_init(&t, lun_columns, COUNT(lun_columns));
	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < COUNT(lun_fields); f++)
			add_field(&t, json_object_array_get_idx(luns, i),
				&lun_fields[f]);
	if (n)
		table_print(&t, stdout, "  ", coloured);
	table_fini(&t);
}

static void render_target(struct json_object *target, bool coloured)
{
	struct json_object *portals;
	print_text(target, "target", "");
	putchar('\n');
	size_t n = array_len(target, "portals", &portals);
	for (size_t i = 0; i < n; i++) {
		struct json_object *portal =
			json_object_array_get_idx(portals, i);
		print_text(portal, "portal", "  portal ");
		printf("  group %" PRId64 "\n",
			control_number(portal, "tpgt", 0));
	}
	render_luns(target, coloured);
	const char *error = control_text(target, "error");
	if (error) {
		text_colour(stdout, coloured, TEXT_BAD);
		print_text(target, "error", "  LUNs not seen: ");
		text_colour(stdout, coloured, TEXT_PLAIN);
		putchar('\n');
	}
}

void render_targets(struct json_object *reply)
{
	struct json_object *targets;
	bool coloured = text_coloured(stdout);
	size_t n = array_len(reply, "targets", &targets);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putchar('\n');
		render_target(json_object_array_get_idx(targets, i), coloured);
	}
	if (n == 0)
		puts("no targets");
}
