/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket: a line comes, a line goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/loop.h>

#include "proxy.h"

#define LINE 4096

struct proxy_talk {
	LIST_ENTRY(proxy_talk) link;
	struct proxy *proxy;
	struct stream *s;
	char line[LINE];
	size_t len;
};

static void talk_end(struct proxy_talk *talk)
{
	LIST_REMOVE(talk, link);
	stream_close(talk->s);
	free(talk);
}

/* Answers are short and the asker waits for them: what the socket does not
 * take at once ends the talk. */
static bool answer_send(struct proxy_talk *talk, char *answer)
{
	size_t len = strlen(answer);
	struct iovec iov = {answer, len + 1};

	answer[len] = '\n';
	return stream_writev(talk->s, &iov, 1) == (ssize_t)(len + 1);
}

/* The first line of what has come, if it is whole. */
static bool line_do(struct proxy_talk *talk, bool *whole)
{
	char answer[LINE], *end = memchr(talk->line, '\n', talk->len);
	size_t used;

	*whole = end != NULL;
	if (!end)
		return talk->len < sizeof talk->line;
	*end = '\0';
	proxy_command(talk->proxy, talk->line, answer, sizeof answer - 1);
	used = (size_t)(end + 1 - talk->line);
	talk->len -= used;
	memmove(talk->line, end + 1, talk->len);
	return answer_send(talk, answer);
}

static void on_readable(void *arg)
{
	struct proxy_talk *talk = arg;
	struct iovec iov = {
		talk->line + talk->len, sizeof talk->line - talk->len};
	ssize_t n = stream_readv(talk->s, &iov, 1);
	bool well = n > 0 || n == -EAGAIN, whole = true;

	if (n > 0)
		talk->len += (size_t)n;
	while (well && whole)
		well = line_do(talk, &whole);
	if (!well)
		talk_end(talk);
}

static const struct stream_events events = {.readable = on_readable};

void proxy_talk_accepted(void *arg, struct stream *s)
{
	struct proxy_talk *talk = calloc(1, sizeof *talk);

	if (!talk) {
		stream_abort(s);
		return;
	}
	talk->proxy = arg;
	talk->s = s;
	LIST_INSERT_HEAD(&talk->proxy->talks, talk, link);
	stream_own(s, &events, talk);
	stream_want(s, true, false);
}

void proxy_talks_end(struct proxy *proxy)
{
	while (!LIST_EMPTY(&proxy->talks))
		talk_end(LIST_FIRST(&proxy->talks));
}
