/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this host can still reach a peer from an address of its own. */
#ifndef BASE_REACH_H
#define BASE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <umpio/base/addr.h>

/*
 * False when the kernel knows no route from `local` to `peer`, or when the
 * interface that the route leaves by, or the one that has the address `local`,
 * is down or has no carrier; `why` then says so. `device`: index of the
 * interface that the socket is bound to, or 0. What cannot be found out is
 * taken to be well, and so is what is not IP. Never waits.
 */
bool reach(const struct addr *local, const struct addr *peer, unsigned device,
	char *why, size_t size);

#endif
