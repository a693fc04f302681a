/* SPDX-License-Identifier: BSD-2-Clause */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <umpio/base/addr.h>
#include <umpio/base/units.h>
#include <unistd.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define FDS_MAX  64

static struct activated sockets[FDS_MAX];
static unsigned nsockets;

/* True when `fd` is a stream socket that listens; its address into `text`. */
static bool is_listening(int fd, char *text, size_t size)
{
	struct addr at = {.len = sizeof at.ss};
	int type = 0, listens = 0;
	socklen_t len = sizeof(int);
	char address[128];

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_STREAM)
		return false;
	len = sizeof(int);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
		!listens ||
		getsockname(fd, (struct sockaddr *)&at.ss, &at.len) < 0)
		return false;
	addr_text(&at, address, sizeof address);
	snprintf(text, size, "%s%s",
		at.ss.ss_family == AF_UNIX ? "" : "tcp:", address);
	return true;
}

/* The next of the names that colons separate. */
static void take_name(const char **names, char *name, size_t size)
{
	size_t len = *names ? strcspn(*names, ":") : 0;

	snprintf(name, size, "%.*s", (int)len, *names ? *names : "");
	if (*names)
		*names = (*names)[len] ? *names + len + 1 : NULL;
}

static int take_all(uint64_t n, const char *names, char *why, size_t why_size)
{
	if (n > FDS_MAX) {
		snprintf(why, why_size, "LISTEN_FDS: at most %d sockets",
			FDS_MAX);
		return -EINVAL;
	}
	for (unsigned i = 0; i < n; i++) {
		struct activated *a = &sockets[i];

		a->fd = FIRST_FD + (int)i;
		take_name(&names, a->name, sizeof a->name);
		if (!is_listening(a->fd, a->text, sizeof a->text)) {
			snprintf(why, why_size,
				"LISTEN_FDS: descriptor %d is no listening "
				"stream socket",
				a->fd);
			return -EINVAL;
		}
		fcntl(a->fd, F_SETFD, FD_CLOEXEC);
		nsockets++;
	}
	return 0;
}

int activation_take(char *why, size_t why_size)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t wanted, n;
	int err = 0;

	if (pid && fds && units_u64(pid, &wanted) == 0 &&
		wanted == (uint64_t)getpid()) {
		if (units_u64(fds, &n) == 0)
			err = take_all(
				n, getenv("LISTEN_FDNAMES"), why, why_size);
		else
			err = -EINVAL;
		if (err && !why[0])
			snprintf(why, why_size, "LISTEN_FDS: not a number");
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return err;
}

unsigned activation_count(void)
{
	return nsockets;
}

const struct activated *activation_get(unsigned n)
{
	return &sockets[n];
}
