/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Negotiation in full feature phase (RFC 7143 6.2, 11.10, 13.12): either side
 * may declare another MaxRecvDataSegmentLength for a connection that is up.
 * Nothing else of what was agreed at login may change.
 */
#ifndef UMPIO_ISCSI_RENEGOTIATE_H
#define UMPIO_ISCSI_RENEGOTIATE_H

#include <stdbool.h>
#include <stdint.h>

#include "keys.h"
#include "text.h"

struct bhs;
struct conn;
struct task;

struct renegotiation {
	struct task *task;
	struct keys keys;
	struct text_in in;
	unsigned rounds;
	uint64_t late; /* loop_now() */
};

/* Begins: declares our limit if it is another one than before, and asks for
 * what the target has to say. Nothing while one is under way, and after the
 * Logout Request. */
void renegotiate(struct conn *c);

/* A Text Response; false when it is none of this. A breach fails the
 * connection. */
bool renegotiate_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* The target rejects the request of `t`: all stays as it was. False when it is
 * none of this. */
bool renegotiate_refused(struct conn *c, struct task *t, const char *why);

/* Without an answer in the time of a login the connection fails. True while one
 * is waited for. */
bool renegotiate_tick(struct conn *c, uint64_t now);

/* Gives it up: the connection goes. */
void renegotiate_drop(struct conn *c);

#endif
