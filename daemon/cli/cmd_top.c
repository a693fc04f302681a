/* SPDX-License-Identifier: BSD-2-Clause */
/* umpio top: a screen of rates, once a second. */
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <umpio/control.h>
#include <unistd.h>

#include "commands.h"
#include "table.h"
#include "text.h"

#define TIMEOUT_MS 5000
#define REFRESH_MS 1000

static volatile sig_atomic_t told_to_end;

static void on_signal(int signo)
{
	(void)signo;
	told_to_end = 1;
}

/* The screen: another buffer of the terminal, without cursor and wrapping. */
static struct termios before;

static void screen_restore(void)
{
	static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	if (write(STDOUT_FILENO, leave, sizeof leave - 1) < 0)
		return; /* the terminal is gone */
}

/* False: there is no terminal. */
static bool screen_begin(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal};
	struct termios raw;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
		return false;
	for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++)
		sigaction(ends[i], &action, NULL);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	return true;
}

/* One look at the daemon. */
struct sample {
	struct json_object *status, *stats;
	double at; /* seconds */
};

static void sample_put(struct sample *s)
{
	json_object_put(s->status);
	json_object_put(s->stats);
	*s = (struct sample){0};
}

static struct json_object *look(
	const struct cli *cli, const char *command, int *status)
{
	struct json_object *request = cli_request(command);

	if (cli->args.nwords)
		cli_add(request, "device", cli->args.words[0]);
	return cli_ask(cli, request, TIMEOUT_MS, status);
}

static bool sample_take(const struct cli *cli, struct sample *s, int *status)
{
	struct timespec now;

	s->status = look(cli, "status", status);
	s->stats = s->status ? look(cli, "stats", status) : NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	return s->stats != NULL;
}

static struct json_object *list_of(struct json_object *o, const char *member)
{
	struct json_object *list = NULL;

	if (o && json_object_object_get_ex(o, member, &list) &&
		json_object_is_type(list, json_type_array))
		return list;
	return NULL;
}

static size_t length(struct json_object *list)
{
	return list ? json_object_array_length(list) : 0;
}

/* The device of that name. */
static struct json_object *device_in(
	struct json_object *reply, const char *name)
{
	struct json_object *list = list_of(reply, "devices");

	for (size_t i = 0; i < length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *its = control_text(o, "name");

		if (its && strcmp(its, name) == 0)
			return o;
	}
	return NULL;
}

/* The path of that id, in a list of paths or of sessions. */
static struct json_object *path_in(struct json_object *device, const char *list,
	const char *key, int64_t id)
{
	struct json_object *paths = list_of(device, list);

	for (size_t i = 0; i < length(paths); i++) {
		struct json_object *o = json_object_array_get_idx(paths, i);

		if (control_number(o, key, -1) == id)
			return o;
	}
	return NULL;
}

/* What a row shows of a path, or of the sum of a device's. */
struct row {
	double reads, writes, read_bytes, write_bytes; /* a second */
	int64_t inflight;
};

static double rate(struct json_object *now, struct json_object *then,
	const char *member, double seconds)
{
	int64_t a = control_number(now, member, 0);
	int64_t b = then ? control_number(then, member, 0) : a;

	return a > b && seconds > 0 ? (double)(a - b) / seconds : 0;
}

static struct row row_of(
	struct json_object *now, struct json_object *then, double seconds)
{
	return (struct row){
		.reads = rate(now, then, "reads", seconds),
		.writes = rate(now, then, "writes", seconds),
		.read_bytes = rate(now, then, "read_bytes", seconds),
		.write_bytes = rate(now, then, "write_bytes", seconds),
		.inflight = control_number(now, "inflight", 0),
	};
}

static void row_add(struct row *sum, const struct row *row)
{
	sum->reads += row->reads;
	sum->writes += row->writes;
	sum->read_bytes += row->read_bytes;
	sum->write_bytes += row->write_bytes;
	sum->inflight += row->inflight;
}

static void add_count(struct table *t, double n)
{
	char text[32];

	snprintf(text, sizeof text, "%.0f", n);
	table_add(t, text);
}

static void add_bytes(struct table *t, double n)
{
	char text[TEXT_SIZE_MAX];

	table_add(t, text_size((uint64_t)n, text));
}

static void add_row(struct table *t, const struct row *row)
{
	add_count(t, (double)row->inflight);
	add_count(t, row->reads);
	add_bytes(t, row->read_bytes);
	add_count(t, row->writes);
	add_bytes(t, row->write_bytes);
}

static void add_text(struct table *t, struct json_object *o, const char *member)
{
	const char *text = control_text(o, member);

	table_add(t, text ? text : "");
}

static void add_latencies(struct table *t, struct json_object *session)
{
	static const char *const members[] = {
		"read_latency_us", "write_latency_us"};
	static const char *const points[] = {"p50", "p99"};
	char text[TEXT_SIZE_MAX];

	for (unsigned m = 0; m < 2; m++)
		for (unsigned p = 0; p < 2; p++) {
			struct json_object *o = NULL;
			int64_t us;

			if (session)
				json_object_object_get_ex(
					session, members[m], &o);
			us = o ? control_number(o, points[p], 0) : 0;
			table_add(t,
				us > 0 ? text_latency((uint64_t)us, text) : "");
		}
}

static const struct table_column columns[] = {
	{"PATH", false, false},
	{"STATE", false, true},
	{"INFLIGHT", true, false},
	{"READ/s", true, false},
	{"BYTES/s", true, false},
	{"WRITE/s", true, false},
	{"BYTES/s", true, false},
	{"READ P50", true, false},
	{"P99", true, false},
	{"WRITE P50", true, false},
	{"P99", true, false},
	{"FAILOVERS", true, false},
	{"FAULT", false, false},
};

static void add_path(struct table *t, struct json_object *path,
	struct json_object *session, const struct row *row)
{
	char id[64];
	const char *portal = control_text(path, "portal");

	snprintf(id, sizeof id, "%" PRId64 " %s", control_number(path, "id", 0),
		portal ? portal : "");
	table_add(t, id);
	add_text(t, path, "state");
	add_row(t, row);
	add_latencies(t, session);
	add_count(t, (double)control_number(path, "failovers", 0));
	add_text(t, path, "fault");
}

static void add_sum(struct table *t, const struct row *sum)
{
	table_add(t, "all");
	table_add(t, "");
	add_row(t, sum);
	for (unsigned i = 0; i < 6; i++)
		table_add(t, "");
}

static void draw_device(FILE *out, struct json_object *device,
	const struct sample *now, const struct sample *then)
{
	const char *name = control_text(device, "name");
	const char *state = control_text(device, "state");
	struct json_object *paths = list_of(device, "paths");
	struct json_object *old = device_in(then->status, name ? name : "");
	struct json_object *stats = device_in(now->stats, name ? name : "");
	const bool coloured = text_coloured(stdout);
	struct row sum = {0};
	struct table t;

	text_print(out, name ? name : "?");
	fputs("  ", out);
	text_colour(out, coloured, text_state_colour(state ? state : ""));
	text_print(out, state ? state : "");
	text_colour(out, coloured, TEXT_PLAIN);
	fprintf(out, "  held %" PRId64 "  failovers %" PRId64 "\n",
		control_number(stats, "queued", 0),
		control_number(stats, "failovers", 0));
	table_init(&t, columns, sizeof columns / sizeof *columns);
	for (size_t i = 0; i < length(paths); i++) {
		struct json_object *path = json_object_array_get_idx(paths, i);
		int64_t id = control_number(path, "id", 0);
		struct row row = row_of(path, path_in(old, "paths", "id", id),
			now->at - then->at);

		add_path(
			&t, path, path_in(stats, "sessions", "path", id), &row);
		row_add(&sum, &row);
	}
	add_sum(&t, &sum);
	table_print(&t, out, "  ", coloured);
	table_fini(&t);
}

static unsigned screen_rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1
		       ? size.ws_row
		       : 24;
}

/* As many lines of `text` as the screen has; the rest of it is cleared. */
static void screen_show(const char *text)
{
	unsigned rows = screen_rows() - 1;

	fputs("\033[H", stdout);
	while (*text && rows-- > 0) {
		size_t len = strcspn(text, "\n");

		fwrite(text, 1, len, stdout);
		fputs("\033[K\r\n", stdout);
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

static void draw(const struct sample *now, const struct sample *then)
{
	struct json_object *devices = list_of(now->status, "devices");
	char *text = NULL, at[32];
	bool lost;
	size_t len;
	time_t clock = time(NULL);
	struct tm tm;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	strftime(at, sizeof at, "%H:%M:%S", localtime_r(&clock, &tm));
	fprintf(out, "umpio  %s  %zu device%s  (q ends)\n", at, length(devices),
		length(devices) == 1 ? "" : "s");
	for (size_t i = 0; i < length(devices); i++) {
		fputc('\n', out);
		draw_device(
			out, json_object_array_get_idx(devices, i), now, then);
	}
	lost = fflush(out) != 0 || ferror(out);
	/* Without memory the screen stays as it is for a second. */
	if (fclose(out) == 0 && !lost && text)
		screen_show(text);
	free(text);
}

/* Waits for the next second. True: it is to end. */
static bool pause_or_quit(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char key;

	if (poll(&in, 1, REFRESH_MS) <= 0)
		return told_to_end;
	return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q';
}

int cmd_top(struct cli *cli)
{
	struct sample now = {0}, then = {0};
	int status = CLI_DONE;

	if (cli->json)
		return cli_misuse(cli, "top is for a screen; ask stats --json");
	/* What is wrong is said before the screen changes. */
	if (!sample_take(cli, &then, &status)) {
		sample_put(&then);
		return status;
	}
	if (!screen_begin()) {
		sample_put(&then);
		return cli_misuse(cli, "top needs a terminal");
	}
	draw(&then, &then);
	while (!told_to_end && !pause_or_quit()) {
		if (!sample_take(cli, &now, &status))
			break;
		draw(&now, &then);
		sample_put(&then);
		then = now;
		now = (struct sample){0};
	}
	screen_restore();
	sample_put(&now);
	sample_put(&then);
	return status;
}
