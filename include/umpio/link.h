/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The links of this host: interfaces, addresses and routes. When one of them
 * goes, TCP says nothing for as long as it would retransmit; the kernel tells
 * whoever listens at once.
 */
#ifndef UMPIO_LINK_H
#define UMPIO_LINK_H

#include <umpio/loop.h>

struct link_watch;

/* `changed` is called after a change of any link, route or address, within
 * 10 ms, or 110 ms when the last call was just before: however many changes
 * there are, ten times a second at most. What has changed it has to find out:
 * stream_reachable(). NULL without memory, and where the kernel does not tell
 * (a sandbox without netlink): then it is never called. */
struct link_watch *link_watch_new(
	struct loop *loop, loop_fn *changed, void *arg);
void link_watch_free(struct link_watch *watch); /* NULL is allowed */

#endif
