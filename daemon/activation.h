/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that a service manager opened for us, by systemd's protocol:
 * LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)). They stay open
 * as long as the daemon runs; listeners get duplicates.
 */
#ifndef UMPIOD_ACTIVATION_H
#define UMPIOD_ACTIVATION_H

#include <stddef.h>

struct activated {
	int fd;
	char name[256]; /* of LISTEN_FDNAMES; may be empty */
	char text[144]; /* its address: unix:PATH or tcp:HOST:PORT */
};

/* Takes the sockets and clears the environment of them; once, at the start. 0;
 * or -EINVAL and a line in `why`. */
int activation_take(char *why, size_t why_size);

unsigned activation_count(void);
const struct activated *activation_get(unsigned n);

#endif
