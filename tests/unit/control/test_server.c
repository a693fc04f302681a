/* SPDX-License-Identifier: BSD-2-Clause */
/* The server on a real socket and a real loop, in a thread of its own, so that
 * the blocking client and hostile ones can be at its other end. */
#include <criterion/criterion.h>
#include <daemon/control/json.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <umpio/control.h>
#include <umpio/loop.h>
#include <unistd.h>

static char dir[64], path[96], why[512];
static struct loop *loop;
static struct control_server *server;
static pthread_t thread;
static struct control_call *held[CONTROL_CLIENTS_MAX]; /* of `hold` */
static unsigned nheld;
static struct loop_task stop_task;

static void run_echo(
	void *arg, struct control_call *call, struct json_object *request)
{
	cr_expect_eq(arg, &held);
	control_reply(call, json_object_get(request));
}

static void run_hold(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	(void)request;
	held[nheld++] = call;
}

static void run_release(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	(void)request;
	while (nheld)
		control_fail(
			held[--nheld], CONTROL_FAILED, "released %s", "%n");
	control_reply(call, json_object_new_object());
}

/* A reply of `bytes` bytes and a few. */
static void run_big(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	size_t n = (size_t)control_number(request, "bytes", 0);
	char *text = malloc(n + 1);
	memset(text, 'b', n);
	text[n] = '\0';
	struct json_object *reply = json_object_new_object();
	json_object_object_add(reply, "big", json_object_new_string(text));
	free(text);
	control_reply(call, reply);
}

/* A reply that memory was too short for, somewhere within. */
static void run_lack(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	(void)request;
	struct json_object *reply = json_object_new_object();
	struct json_object *list =
		control_add(reply, "list", json_object_new_array());
	struct json_object *within =
		control_append(list, json_object_new_object());
	control_add(within, "number", json_object_new_int(1));
	control_add(within, "text", NULL);
	control_reply(call, reply);
}

static const struct control_command commands[] = {
	{"echo", run_echo},
	{"lack", run_lack},
	{"hold", run_hold},
	{"release", run_release},
	{"big", run_big},
	{0},
};

static void *run_loop(void *arg)
{
	(void)arg;
	loop_run(loop);
	return NULL;
}

static void start(void)
{
	int err;
	strcpy(dir, "/tmp/umpio-test-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/sub/control.sock", dir);
	loop = loop_new();
	server = control_server_new(
		loop, path, commands, &held, &err, why, sizeof why);
	cr_assert(server, "%s", why);
	cr_assert_eq(pthread_create(&thread, NULL, run_loop, NULL), 0);
}

static void stop_server(void *arg)
{
	(void)arg;
	control_server_free(server);
	while (nheld) /* outlive clients and server */
		control_reply(held[--nheld], json_object_new_object());
	loop_stop(loop);
}

static void stop(void)
{
	loop_task_init(&stop_task, stop_server, NULL);
	loop_send(loop, &stop_task);
	pthread_join(thread, NULL);
	loop_free(loop);
	cr_expect_neq(access(path, F_OK), 0, "the socket is left behind");
	*strrchr(path, '/') = '\0';
	rmdir(path);
	cr_expect_eq(rmdir(dir), 0);
}

TestSuite(control, .init = start, .fini = stop, .timeout = 30);

static int dial(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	strcpy(sa.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
		(ssize_t)strlen(text));
}

/* One line without its newline, or "" at the end of the stream. */
static const char *hear(int fd)
{
	static char line[4096];
	size_t n = 0;
	while (n < sizeof line - 1 && recv(fd, line + n, 1, 0) == 1 &&
		line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

static bool ended(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;
	return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, 0) <= 0;
}

/* True once the server takes a new client, within 5 s. */
static bool eventually_alive(void)
{
	struct json_object *request =
		json_tokener_parse("{\"command\":\"echo\"}");
	bool alive = false;
	for (int i = 0; i < 100 && !alive; i++) {
		struct json_object *reply =
			control_ask(path, request, 5000, why, sizeof why);
		alive = reply && !control_text(reply, "error");
		json_object_put(reply);
		if (!alive)
			usleep(50000);
	}
	json_object_put(request);
	return alive;
}

/* A living server answers others, whatever the rest of the test does to it. */
static void expect_alive(void)
{
	struct json_object *request = json_object_new_object();
	json_object_object_add(
		request, "command", json_object_new_string("echo"));
	struct json_object *reply =
		control_ask(path, request, 5000, why, sizeof why);
	cr_expect(reply, "%s", why);
	json_object_put(reply);
	json_object_put(request);
}

Test(control, place_is_closed_to_others)
{
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	*strrchr(path, '/') = '\0';
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	path[strlen(path)] = '/';
}

Test(control, second_server_finds_the_first)
{
	int err = 0;
	struct loop *other = loop_new();
	cr_expect_null(control_server_new(
		other, path, commands, NULL, &err, why, sizeof why));
	cr_expect_eq(err, -EADDRINUSE);
	cr_expect(strstr(why, path) && strstr(why, "--control"), "%s", why);
	loop_free(other);
	expect_alive();
}

Test(control, answers_in_order)
{
	int fd = dial();
	say(fd, "{\"command\":\"echo\",\"n\":1}\n\n  \r\n"
		"{\"command\":\"echo\",\"n\":2}\r\n"
		"{\"command\":\"ech\"}\n{\"n\":1}\n[]\n");
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\",\"n\":1}");
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\",\"n\":2}");
	cr_expect_str_eq(
		hear(fd), "{\"error\":\"unknown command `ech`\",\"code\":2}");
	cr_expect(strstr(hear(fd), "no \\\"command\\\""));
	cr_expect(strstr(hear(fd), "not an object"));
	close(fd);
}

Test(control, bytes_may_dribble)
{
	int fd = dial();
	const char *text = "{\"command\":\"echo\"}\n";
	for (; *text; text++)
		cr_assert_eq(send(fd, text, 1, MSG_NOSIGNAL), 1);
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\"}");
	close(fd);
}

Test(control, client_that_ends_its_side_is_answered)
{
	int fd = dial();
	say(fd, "{\"command\":\"echo\"}\n");
	shutdown(fd, SHUT_WR);
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\"}");
	cr_expect(ended(fd, 5000));
	close(fd);
}

Test(control, garbage_is_an_error_and_no_more)
{
	static const char *const lines[] = {"\n{", "}\n", "{}{}\n",
		"{\"command\":\"echo\"} x\n", "nul\n", "\xff\xfe\n", "1\n",
		"{\"command\":7}\n", "{\"command\":null}\n",
		"{\"command\":\"\\u0000echo\"}\n", "'a'\n", "{'a':1}\n",
		"{\"command\":\"%n%s%n\"}\n",
		"{\"command\":\"\\u001b[31mred\"}\n"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		int fd = dial();
		say(fd, lines[i]);
		if (!strchr(lines[i] + 1, '\n'))
			say(fd, "\n");
		const char *line = hear(fd);
		cr_expect(
			strstr(line, "\"error\"") && strstr(line, "\"code\":2"),
			"%s: %s", lines[i], line);
		cr_expect_null(strchr(line, '\x1b'));
		say(fd, "{\"command\":\"echo\"}\n");
		cr_expect_str_eq(hear(fd), "{\"command\":\"echo\"}");
		close(fd);
	}
}

Test(control, depth_is_bounded)
{
	char text[60000];
	memset(text, '[', sizeof text);
	memcpy(text, "{\"command\":\"echo\",\"a\":", 22);
	text[sizeof text - 2] = '\n';
	text[sizeof text - 1] = '\0';
	int fd = dial();
	say(fd, text);
	cr_expect(strstr(hear(fd), "nesting too deep"));
	close(fd);
}

Test(control, reply_is_whole_or_an_error)
{
	int fd = dial();
	say(fd, "{\"command\":\"lack\"}\n");
	cr_expect_str_eq(hear(fd), "{\"error\":\"out of memory\",\"code\":1}");
	say(fd, "{\"command\":\"echo\",\"a\":null}\n");
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\",\"a\":null}");
	close(fd);
}

Test(control, builders_go_on_without_memory)
{
	struct json_object *o = json_object_new_object();
	size_t len;
	control_add_null(o, "nothing");
	cr_expect(control_whole(o));
	char *line = control_line(o, &len);
	cr_expect_str_eq(line, "{\"nothing\":null}");
	cr_expect_eq(len, strlen(line));
	free(line);
	cr_expect_null(control_add(NULL, "a", json_object_new_int(1)));
	cr_expect_null(control_append(NULL, json_object_new_int(1)));
	cr_expect_null(control_add(o, "a", NULL));
	cr_expect_not(control_whole(o));
	cr_expect_not(control_whole(NULL));
	cr_expect_null(control_line(o, &len));
	cr_expect_null(control_ask(path, o, 1000, why, sizeof why));
	json_object_put(o);
}

Test(control, line_reads_back)
{
	static const char text[] =
		"{\"a\":[[],{},[1,-2],\"\",true,false,null],\"b\":{\"c\":"
		"18446744073709551615,\"d\":9223372036854775807,\"e\":0.5},"
		"\"\\\"\\\\/"
		"\\n\\t\\r\\b\\f\":\"\\u0001\\u0000\\u001f\303\244,[{\"}";
	struct json_object *o = json_tokener_parse(text);
	size_t len;
	char *line = control_line(o, &len);
	cr_expect_str_eq(line, text);
	cr_expect_eq(len, strlen(text));
	free(line);
	json_object_put(o);
}

/* One of the two would be dropped without a word. */
Test(control, member_given_twice_is_refused)
{
	int fd = dial();
	say(fd, "{\"command\":\"echo\",\"a\":\"x:\\\":\",\"b\":[{\"a\":1}]}\n");
	cr_expect_null(strstr(hear(fd), "error"));
	say(fd, "{\"command\":\"echo\",\"a\":1,\"a\":2}\n");
	cr_expect(strstr(hear(fd), "twice"));
	close(fd);
}

Test(control, huge_numbers)
{
	struct json_object *o = json_tokener_parse(
		"{\"a\":99999999999999999999999,\"b\":1e400,\"c\":\"5\","
		"\"d\":-3,\"e\":\"x\\u0000y\"}");
	cr_assert(o);
	cr_expect_geq(control_number(o, "a", 0), INT64_MAX);
	cr_expect_eq(control_number(o, "b", 7), 7);
	cr_expect_eq(control_number(o, "c", 7), 7);
	cr_expect_eq(control_number(o, "d", 7), -3);
	cr_expect_eq(control_number(o, "none", 7), 7);
	cr_expect_str_eq(control_text(o, "c"), "5");
	cr_expect_null(control_text(o, "d"));
	cr_expect_null(control_text(o, "e"));
	cr_expect_null(control_text(o, "none"));
	json_object_put(o);
}

/* 1 MiB without a newline: an error, the end, and no growth. */
Test(control, line_is_bounded)
{
	char text[65536];
	memset(text, ' ', sizeof text);
	int fd = dial();
	cr_assert_eq(send(fd, text, sizeof text, MSG_NOSIGNAL), sizeof text);
	cr_expect(strstr(hear(fd), "at most 64 KiB"));
	for (int i = 0; i < 16; i++)
		if (send(fd, text, sizeof text, MSG_NOSIGNAL) < 0)
			break;
	cr_expect(ended(fd, 5000));
	close(fd);
	fd = dial();
	memcpy(text, "{\"command\":\"echo\"}", 18);
	text[sizeof text - 1] = '\n';
	cr_assert_eq(send(fd, text, sizeof text, MSG_NOSIGNAL), sizeof text);
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\"}");
	close(fd);
}

Test(control, reply_is_bounded)
{
	int fd = dial();
	say(fd, "{\"command\":\"big\",\"bytes\":17000000}\n");
	cr_expect(strstr(hear(fd), "larger than 16 MiB"));
	close(fd);
	struct json_object *request =
		json_tokener_parse("{\"command\":\"big\",\"bytes\":16000000}");
	struct json_object *reply =
		control_ask(path, request, 20000, why, sizeof why);
	cr_assert(reply, "%s", why);
	cr_expect_eq(strlen(control_text(reply, "big")), 16000000);
	json_object_put(reply);
	json_object_put(request);
}

Test(control, client_that_does_not_read_is_dropped)
{
	int fd = dial();
	say(fd, "{\"command\":\"big\",\"bytes\":2000000}\n");
	for (int i = 0; i < 20; i++)
		say(fd, "{\"command\":\"big\",\"bytes\":2000000}\n");
	expect_alive();
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	cr_expect_eq(poll(&p, 1, 500), 0, "dropped too early");
	cr_expect_eq(poll(&p, 1, 8000), 1, "still there after 8 s");
	expect_alive();
	close(fd);
}

Test(control, call_survives_its_client)
{
	int fd = dial();
	say(fd, "{\"command\":\"hold\"}\n{\"command\":\"echo\"}\n");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cr_expect_eq(poll(&p, 1, 100), 0, "out of order");
	close(fd);
	expect_alive();
	fd = dial();
	say(fd, "{\"command\":\"release\"}\n");
	cr_expect_str_eq(hear(fd), "{}");
	close(fd);
}

Test(control, call_is_answered_later_and_in_order)
{
	int fd = dial(), other = dial();
	say(fd, "{\"command\":\"hold\"}\n{\"command\":\"echo\"}\n");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	cr_expect_eq(poll(&p, 1, 100), 0);
	say(other, "{\"command\":\"release\"}\n");
	cr_expect_str_eq(hear(fd), "{\"error\":\"released %n\",\"code\":1}");
	cr_expect_str_eq(hear(fd), "{\"command\":\"echo\"}");
	close(fd);
	close(other);
}

/* stop() frees the server while the call is open, and answers it then. */
Test(control, call_survives_the_server)
{
	int fd = dial();
	say(fd, "{\"command\":\"hold\"}\n");
	expect_alive();
}

Test(control, idle_crowd_does_not_lock_out)
{
	int fds[1000];
	for (int i = 0; i < 1000; i++)
		fds[i] = dial();
	expect_alive();
	cr_expect(ended(fds[0], 5000), "the oldest gives way");
	for (int i = 0; i < 1000; i++)
		close(fds[i]);
	expect_alive();
}

Test(control, busy_crowd_is_bounded)
{
	int fds[CONTROL_CLIENTS_MAX];
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial();
		say(fds[i], "{\"command\":\"echo\"}\n{\"command\":\"hold\"}\n");
		cr_expect_str_eq(hear(fds[i]), "{\"command\":\"echo\"}");
	}
	struct pollfd p = {
		.fd = fds[CONTROL_CLIENTS_MAX - 1], .events = POLLIN};
	cr_expect_eq(poll(&p, 1, 100), 0);
	int fd = dial();
	cr_expect(strstr(hear(fd), "too many clients"));
	cr_expect(ended(fd, 5000));
	close(fd);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	cr_expect(eventually_alive());
}

Test(control, request_too_large_for_a_line)
{
	struct json_object *request = json_object_new_object();
	char *text = calloc(1, 70001);
	memset(text, 'x', 70000);
	json_object_object_add(request, "x", json_object_new_string(text));
	cr_expect_null(control_ask(path, request, 5000, why, sizeof why));
	cr_expect(strstr(why, "Message too long"), "%s", why);
	json_object_put(request);
	free(text);
}

Test(control, asking_times_out)
{
	struct json_object *request =
		json_tokener_parse("{\"command\":\"hold\"}");
	cr_expect_null(control_ask(path, request, 50, why, sizeof why));
	cr_expect(strstr(why, "timed out"), "%s", why);
	json_object_put(request);
}

Test(client, nobody_there)
{
	struct json_object *request = json_object_new_object();
	cr_expect_null(
		control_ask("/nowhere/x.sock", request, 50, why, sizeof why));
	cr_expect_str_eq(why,
		"no daemon at /nowhere/x.sock; start umpiod, or give its "
		"socket with --control");
	json_object_put(request);
}
