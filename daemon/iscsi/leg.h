/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A leg: the place of one connection in a session of several, or of level 2. It
 * dials, joins the session (RFC 7143 6.3.1, TSIH of the session), and when its
 * connection is lost it sees to it that the tasks go on elsewhere (7.1.4.3,
 * 8.2). A session of one connection at level 0 or 1 has none that acts.
 */
#ifndef UMPIO_ISCSI_LEG_H
#define UMPIO_ISCSI_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "gate.h"
#include "reassign.h"

struct conn;
struct dial;
struct loop_timer;
struct session;
struct stream;
struct task;

#define LEGS_MAX 8

/* RFC 7143 8.2.2: WAIT is R1 CLEANUP_WAIT, CLEANUP is R2 IN_CLEANUP, the others
 * are R3 FREE; a leg that is DIALING or in LOGIN with `lost` set recovers by
 * reinstatement, which is R1 too. */
#define LEG_STATES(X)                                                          \
	X(OFF)     /* no connection; the timer leads to the next attempt */    \
	X(DIALING) /* */                                                       \
	X(LOGIN)   /* */                                                       \
	X(UP)      /* */                                                       \
	X(LEAVING) /* asked to log out: its commands finish */                 \
	X(LOGOUT)  /* logout of this connection */                             \
	X(WAIT)    /* lost; Time2Wait, or nobody there to carry on */          \
	X(CLEANUP) /* Logout for recovery is out, on the carrier */

enum leg_state {
#define X(name) LEG_##name,
	LEG_STATES(X)
#undef X
};

#define LEG_EVENTS(X)                                                          \
	X(CONNECTED)    /* dial */                                             \
	X(UNREACHABLE)  /* dial */                                             \
	X(ACCEPTED)     /* connection */                                       \
	X(REFUSED)      /* connection */                                       \
	X(LEAVE)        /* connection: Async Message 1 */                      \
	X(LOGGED_OUT)   /* connection */                                       \
	X(LOST)         /* connection */                                       \
	X(CARRIER_LOST) /* another leg */                                      \
	X(CLEANED)      /* Logout Response to reason 2 */                      \
	X(LATE)         /* timer */

enum leg_event {
#define X(name) LEG_EV_##name,
	LEG_EVENTS(X)
#undef X
};

struct leg {
	struct session *session;
	enum leg_state state;
	unsigned pending; /* events, as bits; handled from the loop */
	unsigned portal;  /* of the session's plan */
	bool moves;       /* logs in at another one than that just now */
	uint16_t cid;     /* of `conn`, or of the next one */
	struct conn *conn;
	struct dial *dial;
	struct stream *stream; /* connected, not yet a connection's */
	struct gate_pass pass; /* while it dials and logs in */
	struct task *login;    /* its tag */
	struct loop_timer *timer;
	unsigned failures;        /* attempts to connect in a row */
	struct reassign reassign; /* under way on `conn` */

	/* A connection that is lost and not recovered yet */
	bool lost;
	uint16_t lost_cid;
	uint32_t lost_stat_sn; /* its ExpStatSN */
	uint64_t limit;        /* loop_now() when the target forgets it */
	struct conn *carrier;  /* where the Logout for recovery is */
	struct task *logout;   /* its tag */
	uint8_t response;      /* to it */
	uint16_t time2wait, time2retain; /* in it, seconds */
};

/* The session has come up: takes its connection and begins to add others. 0, or
 * -ENOMEM, and then nothing has changed. */
int legs_start(struct session *s);

/* Ends all of them: dials, timers and connections; the tasks keep nothing. */
void legs_stop(struct session *s, bool abort);

/* Timers of nothing, and their memory. */
void legs_fini(struct session *s);

void leg_post(struct leg *leg, enum leg_event event);
void leg_event(struct leg *leg, enum leg_event event);

/* The connection that takes the next command, which has `len` bytes of data;
 * NULL when none can. */
struct conn *leg_pick(struct session *s, uint32_t len);

/* One that may carry on tasks that were lost with another one: like a
 * connection that may send `max_send` bytes in a PDU, if there is one. */
struct conn *leg_carrier(const struct session *s, uint32_t max_send);

/* One that is up, for what belongs to the session; NULL. */
struct conn *leg_any(const struct session *s);

/* The leg whose connection has, or had and has lost, `cid`; NULL. */
struct leg *leg_by_cid(struct session *s, uint16_t cid);

/* Legs whose connection carries commands. */
unsigned legs_up(const struct session *s);

/* portals.c: a leg that is up goes where it is to be, if it is not there. */
void leg_move(struct leg *leg);

/* leg_fsm.c's actions in leg.c */
void leg_dial(struct leg *leg);
void leg_log_in(struct leg *leg);
void leg_joined(struct leg *leg);
void leg_rest(struct leg *leg, uint64_t ns);
void leg_drop_conn(struct leg *leg);

/* recover.c */
enum recover_failure {
	RECOVER_LOST,            /* the connection, or a carrier */
	RECOVER_UNREACHABLE,     /* nobody answers at the portal */
	RECOVER_LOGIN_REFUSED,   /* for now, or for a reason of its own */
	RECOVER_LOGIN_UNKNOWN,   /* 020a: the session does not exist */
	RECOVER_LOGOUT_REFUSED,  /* Logout Response 2 */
	RECOVER_LOGOUT_FAILED,   /* Logout Response 3, and unknown ones */
	RECOVER_LATE,            /* Time2Retain has passed */
	RECOVER_REASSIGN_REFUSED /* TASK REASSIGN */
};

/* What is to be done about a failure: looked up in the one table, and begun. */
void recover(struct leg *leg, enum recover_failure failure, const char *why);

/* Its connection is dead: parks the tasks, drops it, and recovers. */
void recover_lost(struct leg *leg);
/* After Time2Wait. */
void recover_begin(struct leg *leg);
/* A Logout Response to reason 2 has come. */
void recover_cleaned(struct leg *leg);
/* The reinstated connection is up. */
void recover_reinstated(struct leg *leg);

#endif
