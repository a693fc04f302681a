/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <umpio/base/log.h>
#include <unistd.h>

static int fd[2];
static int old_stderr;

static void setup(void)
{
	old_stderr = dup(STDERR_FILENO);
	cr_assert_eq(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	log_setup(LOG_LEVEL_INFO, true);
}

static void teardown(void)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(fd[0]);
}

TestSuite(log, .init = setup, .fini = teardown, .timeout = 20);

static const char *output(char *text, size_t size)
{
	struct pollfd pfd = {fd[0], POLLIN, 0};
	ssize_t n = poll(&pfd, 1, 0) > 0 ? read(fd[0], text, size - 1) : 0;

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(log, at_once_before_start)
{
	char text[256];

	errno = EPERM;
	log_warn("path %d: %m", 3);
	cr_assert_eq(errno, EPERM);
	cr_assert_str_eq(output(text, sizeof text),
		"<4>path 3: Operation not permitted\n");
	log_debug("not shown");
	cr_assert_str_eq(output(text, sizeof text), "");
	log_setup(LOG_LEVEL_DEBUG, true);
	log_debug("shown");
	cr_assert_str_eq(output(text, sizeof text), "<7>shown\n");
}

Test(log, time_and_level)
{
	char text[256], level[16], rest[64];
	int ms;
	struct tm tm = {0};

	log_setup(LOG_LEVEL_INFO, false);
	log_warn("text");
	output(text, sizeof text);
	cr_assert_not_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	cr_assert_eq(sscanf(text + 19, ".%3d %s %s", &ms, level, rest), 3);
	cr_assert_str_eq(text + 23, " warn  text\n");
}

Test(log, nobody_forges_a_line)
{
	char text[512];

	log_info("%s", "a\n<3>b\r\x1b[2J\x7f\x9b \xc2\x9b caf\xc3\xa9 \xc3");
	cr_assert_str_eq(output(text, sizeof text),
		"<6>a\\x0a<3>b\\x0d\\x1b[2J\\x7f\\x9b \\xc2\\x9b "
		"caf\xc3\xa9 \\xc3\n");
}

Test(log, longest_line)
{
	char text[8192], long_text[4000];

	memset(long_text, 1, sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	log_info("%s", long_text);
	output(text, sizeof text);
	cr_assert_eq(strlen(text), 3 + 1024 * 4 + 1);
}

Test(log, through_the_writer)
{
	char text[256];

	cr_assert_eq(log_start(), 0);
	log_info("one");
	log_info("two");
	log_stop();
	cr_assert_str_eq(output(text, sizeof text), "<6>one\n<6>two\n");
	log_info("three");
	cr_assert_str_eq(output(text, sizeof text), "<6>three\n");
	log_stop();
	cr_assert_eq(log_start(), 0);
	log_info("four");
	log_stop();
	cr_assert_str_eq(output(text, sizeof text), "<6>four\n");
}

/* A reader that stalls costs the oldest lines, and is told how many. */
Test(log, stalled_reader)
{
	static char text[2 << 20];
	size_t len = 0;
	unsigned long first = 0, count = 0, dropped = 0;
	bool told = false;

	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < 20000; i++)
		log_info("%050u", i);
	/* What fits into the pipe is out; now read until the last line. */
	while (!strstr(text + (len > 200 ? len - 200 : 0), "019999\n")) {
		ssize_t n = read(fd[0], text + len, sizeof text - 1 - len);

		cr_assert_gt(n, 0);
		len += (size_t)n;
	}
	log_stop();
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "<4>log: %lu lines dropped", &dropped) == 1) {
			told = true;
			first += dropped;
			continue;
		}
		cr_assert_eq(strtoul(line + 3, NULL, 10), first);
		first++;
		count++;
	}
	cr_assert(told);
	cr_assert_eq(first, 20000);
	cr_assert_lt(count, 20000);
}

/* Ending does not wait for a reader that never comes. */
Test(log, stop_is_bounded)
{
	time_t begin = time(NULL);

	cr_assert_eq(log_start(), 0);
	for (unsigned i = 0; i < 20000; i++)
		log_info("%050u", i);
	log_stop();
	cr_assert_leq(time(NULL) - begin, 3);
}
