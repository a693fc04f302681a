/* SPDX-License-Identifier: BSD-2-Clause */
/* The side that asks. It blocks, and knows no loop. */
#include <umpio/control.h>

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

struct asking {
	const char *path;
	int fd;
	int64_t end_ms; /* on the monotonic clock; 0: never */
	char *why;
	size_t why_size;
};

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void refuse(const struct asking *a, int err, const char *doing)
{
	if (err == -ENOENT || err == -ECONNREFUSED)
		snprintf(a->why, a->why_size,
			"no daemon at %s; start umpiod, or give its socket "
			"with --control",
			a->path);
	else
		snprintf(a->why, a->why_size, "%s: %s: %s", a->path, doing,
			strerror(-err));
}

/* Waits until the socket is ready for `events`. 0, or -ETIMEDOUT. */
static int wait_for(const struct asking *a, short events)
{
	for (;;) {
		int64_t left = a->end_ms ? a->end_ms - now_ms() : -1;
		if (a->end_ms && left <= 0)
			return -ETIMEDOUT;
		struct pollfd p = {.fd = a->fd, .events = events};
		int n = poll(&p, 1, left > 1000000 ? 1000000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int reach(struct asking *a)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (strlen(a->path) >= sizeof sa.sun_path)
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, a->path);
	a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return -errno;
	/* EAGAIN: the daemon has not come to accept those before us. */
	while (connect(a->fd, (struct sockaddr *)&sa, sizeof sa)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (a->end_ms && now_ms() >= a->end_ms)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return 0;
}

static int send_all(const struct asking *a, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(a->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		int err = wait_for(a, POLLOUT);
		if (err)
			return err;
	}
	return 0;
}

static int send_request(const struct asking *a, struct json_object *request)
{
	size_t len;
	char *text = control_line(request, &len);
	if (!text)
		return -ENOMEM;
	int err = len >= CONTROL_LINE_MAX ? -EMSGSIZE : send_all(a, text, len);
	if (!err)
		err = send_all(a, "\n", 1);
	free(text);
	/* A server that has no place for us says so and closes: read that. */
	return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}

struct line {
	char *text;
	size_t len, cap;
};

static int line_room(struct line *line)
{
	if (line->len < line->cap)
		return 0;
	if (line->cap > CONTROL_REPLY_MAX)
		return -EMSGSIZE;
	size_t cap = line->cap ? line->cap * 2 : 65536;
	char *text = realloc(line->text, cap);
	if (!text)
		return -ENOMEM;
	line->text = text;
	line->cap = cap;
	return 0;
}

/* Reads up to the newline, which is cut off. */
static int read_line(const struct asking *a, struct line *line)
{
	for (;;) {
		int err = line_room(line);
		if (!err)
			err = wait_for(a, POLLIN);
		if (err)
			return err;
		ssize_t n = recv(a->fd, line->text + line->len,
			line->cap - line->len, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		char *end = memchr(line->text + line->len, '\n', (size_t)n);
		line->len += (size_t)n;
		if (end) {
			line->len = (size_t)(end - line->text);
			return 0;
		}
	}
}

static struct json_object *read_reply(const struct asking *a)
{
	struct line line = {0};
	struct json_object *reply = NULL;
	const char *cause;
	int err = read_line(a, &line);
	if (err)
		refuse(a, err, "no reply");
	else if (!(reply = json_line_parse(line.text, line.len, &cause)))
		snprintf(a->why, a->why_size, "%s: the reply is not JSON: %s",
			a->path, cause);
	free(line.text);
	return reply;
}

struct json_object *control_ask(const char *path, struct json_object *request,
	unsigned timeout_ms, char *why, size_t why_size)
{
	struct asking a = {.path = path,
		.fd = -1,
		.end_ms = timeout_ms ? now_ms() + timeout_ms : 0,
		.why = why,
		.why_size = why_size};
	struct json_object *reply = NULL;
	int err = reach(&a);
	if (err) {
		refuse(&a, err, "cannot connect");
	} else if ((err = send_request(&a, request))) {
		refuse(&a, err, "cannot send the request");
	} else {
		reply = read_reply(&a);
	}
	if (a.fd >= 0)
		close(a.fd);
	return reply;
}
