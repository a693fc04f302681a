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
#include "statsn.h"
#include "task.h"

struct leg;
struct pump;
struct renegotiation;
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
	struct leg *leg;    /* its place in a session of several connections,
			     * or of level 2; NULL: the session's only one */
	uint8_t level;      /* ErrorRecoveryLevel; 0 until it is logged in */
	bool hold;          /* the status under way is not to be settled */
	unsigned load;      /* commands with their allegiance to it */
	struct statsn stat; /* at level 0 only `exp` is used */
	uint64_t heard;     /* loop_now() of the last byte */

	/* Status SNACK, snack.c */
	uint64_t snack_due; /* ask again then; 0: nothing is asked for */
	unsigned snack_tries;
	struct conn_params params;
	struct pdu_digests digests; /* of what we send; off during login */
	struct stream *faulty;      /* what the pump has, when it injects */
	struct pdu_rx rx;
	struct outq out;
	struct login login;
	enum login_step refusal; /* with CONN_EV_REFUSED */
	struct path_down why;    /* the first failure; reason[0] is 0 before */
	bool wait_told;          /* why.wait is the target's word */
	bool retain_told;        /* and this: */
	uint64_t retain;         /* ns, Time2Retain */

	/* Keep-alive, nop.c */
	struct task *ping;
	uint64_t pinged;

	struct renegotiation *renegotiation; /* NULL: none is under way */
	char pairs[48]; /* what it declares, as long as that is in `out` */

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

/* May be sent commands: not once a logout is asked for (RFC 7143 11.9.1), and
 * not while a status is missing behind which too many others have come. */
static inline bool conn_takes_commands(const struct conn *c)
{
	return c->state == CONN_LOGGED_IN &&
	       (c->level == 0 || !statsn_is_behind(&c->stat));
}

/* Queues a control PDU; fills in ExpStatSN. `data` must live until it is sent.
 * `front`: ahead of commands and data. Fails the connection when too many
 * wait. */
void conn_send(struct conn *c, struct bhs *b, const void *data, uint32_t len,
	bool front);

/* Queues one that bears another ExpStatSN than the connection's: the Logout
 * Request for recovery (RFC 7143 11.14.3). */
void conn_send_as(struct conn *c, struct bhs *b, uint32_t exp_stat_sn);

/* True when a control PDU that can be done without may be sent: some are left
 * for those that cannot. */
bool conn_has_room(const struct conn *c);

/* Ends the connection; the first call's reason stands. Nothing is torn down
 * before the session's turn, so it may be called from anywhere. */
void conn_fail(struct conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Brings the stream to the session's faults, fault.c. 0 or -ENOMEM. */
int conn_take_faults(struct conn *c);

/* Steps the machine in conn_fsm.c. */
void conn_event(struct conn *c, enum conn_event event);

/* Level 1 and above: what a command's data begin with, also when it is sent
 * once more. */
static inline void task_in_begin(struct task *t, uint64_t now)
{
	t->since = now;
	t->segment = t->conn->params.max_recv_data;
	t->acked_sn = t->acked_at = 0;
}

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
/* One of several connections: is it silent, unlike the others? */
void nop_watch(struct conn *c, uint64_t now);
void nop_answered(struct conn *c); /* a Reject is an answer too */

/* snack.c, RFC 7143 11.16, 7.8, 7.9; level 1 and above only */
#define SNACK_AGAIN (2 * NS_PER_S) /* doubled with every try */
#define SNACK_TRIES 3
/* Asks for the first run of missing statuses at or after `from`. */
void snack_status(struct conn *c, uint32_t from);
/* Asks for Data-In or R2Ts of `t` from the first missing one on; with a tag for
 * all Data-In that is not acknowledged, cut anew (R-Data, 11.16.1). */
void snack_task(struct conn *c, struct task *t, uint32_t tag);
/* Acknowledges what has come of `t`, as the target's A bit asks (11.16.1). */
void snack_ack(
	struct conn *c, struct task *t, uint32_t ttt, const uint8_t lun[8]);
/* Asks again, three times in all; then the connection fails. */
void snack_tick(struct conn *c, uint64_t now);
/* A SNACK that the target rejects: never asked again (7.3). */
void snack_rejected(
	struct conn *c, uint8_t type, uint32_t itt, const char *text);

/* logout.c, RFC 7143 11.14, 11.15 */
void logout_send(struct conn *c);       /* of the session */
void logout_connection(struct conn *c); /* of this connection */
void logout_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* async.c, RFC 7143 11.9 */
void async_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* reject.c, RFC 7143 11.17 */
void reject_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

#endif
