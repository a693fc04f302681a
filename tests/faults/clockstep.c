/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: the wall clock of a process goes wrong by so many seconds as
 * the file $UMPIO_CLOCK_STEP says now. Other clocks stay.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t step(void)
{
	const char *name = getenv("UMPIO_CLOCK_STEP");
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *at)
{
	int err = (int)syscall(SYS_clock_gettime, clock, at);

	if (!err && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		at->tv_sec += step();
	return err;
}

int gettimeofday(struct timeval *at, void *zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	at->tv_sec = ts.tv_sec;
	at->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
