/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FIFO that faults are announced on, one line each:
 *
 *   fault NAME [at TIME]   it begins; an open one ends
 *   end [at TIME]          calm again
 *   stop                   no more than this; the run ends
 *
 * TIME is in seconds since 1970, with a fraction; without one it is now. A
 * fault is announced before it is made: a request that waits is blamed when it
 * ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

int announce_open(struct run *run)
{
	unlink(run->o.announce);
	return mkfifo(run->o.announce, 0600) ? -errno : 0;
}

static uint64_t when(const char *text)
{
	struct timespec real;
	double now, at = text ? strtod(text, NULL) : 0;

	clock_gettime(CLOCK_REALTIME, &real);
	now = (double)real.tv_sec + (double)real.tv_nsec / 1e9;
	if (at <= 0 || at > now || at < now - 3600)
		return run_now();
	return run_now() - (uint64_t)((now - at) * 1e9);
}

static void plain(char *name)
{
	for (; *name; name++)
		if (*name < ' ' || *name == '"' || *name == '\\' ||
			*name == '|')
			*name = '?';
}

static void obey(struct run *run, char *line)
{
	char *word = strtok(line, " \t\n"), *name, *at;

	if (!word)
		return;
	if (!strcmp(word, "stop")) {
		run->stop = true;
		return;
	}
	name = strcmp(word, "fault") ? NULL : strtok(NULL, " \t\n");
	at = strtok(NULL, " \t\n");
	if (at && !strcmp(at, "at"))
		at = strtok(NULL, " \t\n");
	if (name) {
		plain(name);
		stalls_fault(run->stalls, name, when(at));
	} else if (!strcmp(word, "end")) {
		stalls_calm(run->stalls, when(at));
	} else {
		fprintf(stderr, "verify: not understood: %s\n", word);
	}
}

/* No stream of stdio: exit() would wait for its lock. */
void *announce_listen(void *arg)
{
	struct run *run = arg;
	int fd = open(run->o.announce, O_RDWR | O_CLOEXEC); /* so no EOF */
	char line[256];
	size_t n = 0;

	while (fd >= 0 && read(fd, line + n, 1) == 1) {
		if (line[n] != '\n') {
			n += n + 2 < sizeof line;
			continue;
		}
		line[n] = 0;
		n = 0;
		obey(run, line);
	}
	return NULL;
}
