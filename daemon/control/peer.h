/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's side of one client: an engine of lines in and lines out. One
 * request is under way at a time, and the next is looked at when the reply has
 * left; until then requests wait in the line buffer, and beyond it in the
 * client's own socket. So neither requests nor replies can pile up here.
 */
#ifndef UMPIO_CONTROL_PEER_H
#define UMPIO_CONTROL_PEER_H

#include <stdbool.h>
#include <umpio/control.h>

struct peer;
struct loop;
struct stream;

struct peer_owner {
	const struct control_command *commands;
	void *arg; /* of the commands */
	/* The connection has ended; the owner frees it, there or later. */
	void (*closed)(void *owner, struct peer *peer);
	void *owner;
};

/* Takes `stream` over, also when NULL comes back for want of memory. */
struct peer *peer_new(struct loop *loop, struct stream *stream,
	const struct peer_owner *owner);
void peer_free(struct peer *peer); /* NULL is allowed */

/* True while no request is under way. */
bool peer_is_idle(const struct peer *peer);

#endif
