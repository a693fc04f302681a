/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection (RFC 7143 4.2.3, 8.1): an engine over the pump, with framer,
 * send queue, StatSN and keep-alive of its own. It tells its session what
 * happened by posting events; the session frees it.
 */
#ifndef UMPIO_ISCSI_CONN_H
#define UMPIO_ISCSI_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/base/outq.h>
#include <umpio/path.h>

#include "keys.h"
#include "login.h"
#include "pdu.h"
#include "task.h"

struct pump;
struct session;
struct stream;

/* RFC 7143 8.1.3; XPT_WAIT is the dial's time, XPT_UP the target's only. */
#define CONN_STATES(X)                                                         \
	X(FREE)             /* S1 */                                           \
	X(XPT_WAIT)         /* S2 */                                           \
	X(IN_LOGIN)         /* S4 */                                           \
	X(LOGGED_IN)        /* S5 */                                           \
	X(IN_LOGOUT)        /* S6 */                                           \
	X(LOGOUT_REQUESTED) /* S7 */                                           \
	X(CLEANUP_WAIT)     /* S8 */

enum conn_state {
#define X(name) CONN_##name,
	CONN_STATES(X)
#undef X
};

#define CONN_EVENTS(X)                                                         \
	X(CONNECTED)     /* transport is there */                              \
	X(ACCEPTED)      /* final Login Response */                            \
	X(REFUSED)       /* the login has ended otherwise */                   \
	X(LOGOUT_SENT)   /* */                                                 \
	X(LOGOUT_WANTED) /* Async Message 1 or 4 */                            \
	X(LOGOUT_DONE)   /* Logout Response 0 */                               \
	X(LOST)          /* transport, protocol or timer failure */

enum conn_event {
#define X(name) CONN_EV_##name,
	CONN_EVENTS(X)
#undef X
};

/* Control PDUs that wait in the send queue; a peer that makes us owe more is
 * dropped. */
#define CONN_CONTROLS 32
#define CONN_DATAOUTS 64

struct control {
	struct outq_item item;
	struct conn *conn;
	STAILQ_ENTRY(control) link;
};

struct conn {
	struct session *session;
	struct pump *pump;
	enum conn_state state;
	uint16_t cid;
	uint32_t exp_stat_sn;
	uint64_t heard; /* loop_now() of the last byte */
	struct conn_params params;
	struct pdu_digests digests; /* of what we send; off during login */
	struct pdu_rx rx;
	struct outq out;
	struct login login;
	enum login_step refusal; /* with CONN_EV_REFUSED */
	struct path_down why;    /* the first failure; reason[0] is 0 before */
	bool wait_told;          /* why.wait is the target's word */

	/* Keep-alive, nop.c */
	struct task *ping;
	uint64_t pinged;

	struct task *logout;
	bool logged_out; /* the target has confirmed it */

	TAILQ_HEAD(, task) senders; /* tasks with data to send */
	struct dataout_list dataouts_free;
	STAILQ_HEAD(, control) controls_free;
	struct control controls[CONN_CONTROLS];
	struct dataout dataouts[CONN_DATAOUTS];
};

/* A connection over `stream`, which it takes; its login begins. NULL without
 * memory. */
struct conn *conn_new(struct session *session, struct stream *stream,
	const struct login_setup *setup);

/* Ends the transport (`abort`: what is in our send queue never leaves), drops
 * the send queue and frees. Tasks that had their allegiance to it keep a
 * dangling `conn`: they end first. NULL is allowed. */
void conn_free(struct conn *c, bool abort);

/* In S4 to S7, that is: alive. */
bool conn_is_up(const struct conn *c);

/* Queues a control PDU; fills in ExpStatSN. `data` must live until it is sent.
 * `front`: ahead of commands and data. Fails the connection when too many
 * wait. */
void conn_send(struct conn *c, struct bhs *b, const void *data, uint32_t len,
	bool front);

/* Ends the connection; the first call's reason stands. Nothing is torn down
 * before the session's turn, so it may be called from anywhere. */
void conn_fail(struct conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Steps the machine in conn_fsm.c. */
void conn_event(struct conn *c, enum conn_event event);

/* conn_rx.c: the framer's side. */
extern const struct pdu_rx_ops conn_rx_ops;

/* login, as the connection sees it */
void conn_login_next(struct conn *c, enum login_step step);

/* nop.c, RFC 7143 11.18, 11.19: pings either way */
void nop_in(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);
void nop_ping(struct conn *c); /* nothing while one is under way */
/* Pings when it has been silent, fails the connection without an answer. */
void nop_tick(struct conn *c, uint64_t now);
void nop_answered(struct conn *c); /* a Reject is an answer too */

/* logout.c, RFC 7143 11.14, 11.15 */
void logout_send(struct conn *c);
void logout_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* async.c, RFC 7143 11.9 */
void async_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* reject.c, RFC 7143 11.17 */
void reject_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

#endif
