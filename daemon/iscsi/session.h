/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session (RFC 7143 4.2.4, 8.3): it connects, logs in, carries commands and
 * text, and comes down. Its owner (path.c, discovery.c) starts it again.
 *
 * Error recovery levels 0 and 1: when the connection fails, everything in
 * flight ends, and the next login with the same ISID and TSIH 0 reinstates the
 * session. At level 2, and with several connections, legs (leg.h) stand between
 * the session and its connections.
 */
#ifndef UMPIO_ISCSI_SESSION_H
#define UMPIO_ISCSI_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/iscsi.h>
#include <umpio/loop.h>

#include "conn.h"
#include "dial.h"
#include "fault.h"
#include "leg.h"
#include "past.h"
#include "reassign.h"
#include "task.h"
#include "visit.h"
#include "window.h"

/* RFC 7143 8.3.1: DOWN, DIALING, LOGIN and ENDING are Q1 FREE (or Q4 FAILED
 * while something is unfenced), the others Q3 LOGGED_IN. */
#define SESSION_STATES(X)                                                      \
	X(DOWN)                                                                \
	X(DIALING)                                                             \
	X(LOGIN)                                                               \
	X(UP)                                                                  \
	X(DRAINING) /* finishes what is in flight, then logs out */            \
	X(LOGOUT)                                                              \
	X(ENDING) /* the last completions are on their way */

enum session_state {
#define X(name) SESSION_##name,
	SESSION_STATES(X)
#undef X
};

#define SESSION_EVENTS(X)                                                      \
	X(START)       /* the owner */                                         \
	X(STOP)        /* the owner, orderly */                                \
	X(STOP_NOW)    /* the owner */                                         \
	X(CONNECTED)   /* dial */                                              \
	X(UNREACHABLE) /* dial */                                              \
	X(ACCEPTED)    /* connection: login done */                            \
	X(REFUSED)     /* connection: login ended otherwise */                 \
	X(LEAVE)       /* connection: the target asks for a logout */          \
	X(DRAINED)     /* nothing is in flight */                              \
	X(LOGGED_OUT)  /* connection */                                        \
	X(LOST)        /* connection */                                        \
	X(FAILED)      /* recovery of a connection: it cannot be */            \
	X(LATE)        /* the timer of the state */                            \
	X(ENDED)       /* completions are out */

enum session_event {
#define X(name) SESSION_EV_##name,
	SESSION_EVENTS(X)
#undef X
		SESSION_EVENT_COUNT
};

struct session_events {
	void (*up)(void *arg);
	void (*leaving)(void *arg);
	/* A portal is of another group, and not used any more; NULL where it
	 * does not matter. */
	void (*elsewhere)(void *arg, const struct endpoint *portal);
	/* Async Message 0; NULL where there is no unit. */
	void (*sense)(void *arg, const uint8_t *sense, size_t len);
	/* May free the session. */
	void (*down)(void *arg, const struct path_down *why);
	/* A Text Response to session_text(). */
	void (*text)(void *arg, const struct bhs *b, const uint8_t *data,
		uint32_t len);
};

/* Task management, tmf.c: one function at a time. */
enum tmf_state { TMF_IDLE, TMF_ABORTING, TMF_RESETTING };
struct tmf {
	enum tmf_state state;
	struct task *request;     /* its own tag */
	struct task *old;         /* a request given up, not answered yet */
	struct task *task;        /* TMF_ABORTING: what it is about */
	uint32_t cmd_sn;          /* TMF_RESETTING: commands before it */
	uint64_t late;            /* loop_now() of the escalation */
	struct task_list waiting; /* tasks to be aborted */
};

#define SESSION_HOPS_MAX 5 /* redirections of one start */

struct session {
	struct loop *loop;
	const struct iscsi_config *config; /* the owner's */
	bool discovery;
	const struct session_events *events;
	void *arg;

	enum session_state state;
	enum session_event queue[SESSION_EVENT_COUNT]; /* each at most once */
	unsigned queued;
	struct loop_task work;
	struct loop_timer *timer; /* the state's limit */
	struct loop_timer *tick;  /* deadlines, pings, the window */
	bool tick_fast;
	uint64_t leave_limit; /* ns until the logout that the target wants */

	struct dial *dial;
	struct gate_pass pass; /* while it dials and logs in */
	struct dial_plan plan;
	struct endpoint hops[SESSION_HOPS_MAX + 1]; /* [0]: the portal */
	unsigned nhops;
	struct stream *stream; /* connected, not yet a connection's */
	struct conn *conn;     /* what belongs to the session goes over it; with
				* legs one of those that are up, or NULL */
	uint64_t heard;        /* of connections that are gone */
	bool managed;          /* the connections are the legs' */
	bool escalated;        /* they have given up: it is about to end */
	struct leg legs[LEGS_MAX];
	unsigned nlegs;
	struct loop_task legs_work;
	uint16_t next_cid;
	unsigned spread_at;    /* spread.c: the leg that had the last command */
	uint64_t spread_bytes; /* of data, since it is that leg's turn */
	unsigned level_max; /* the most that is offered; a step that the target
			     * refused is not asked of it again */
	bool no_sha256;
	bool digests_told; /* digests.c */

	struct window window;
	uint32_t window_seen;  /* the widest, since login */
	uint64_t closed_since; /* loop_now() when commands began to wait */
	struct session_params params;
	uint16_t tsih;
	struct portal_group group; /* of the last login, but for a visit's */
	struct past past;

	struct task_table tasks;
	struct task_list active;                     /* SCSI tasks */
	TAILQ_HEAD(path_cmd_list, path_cmd) waiting; /* for the window */
	struct path_cmd_list ended; /* their done() is to be called */
	struct tmf tmf;
	uint32_t snack_tags;     /* the last one of R-Data */
	struct task_list moving; /* for TASK REASSIGN */
	struct task *text;

	struct path_down down;
	bool was_up; /* in this start */
	bool ever_up;
	bool clean;         /* this end was confirmed by the target */
	bool beyond_logout; /* the target may execute something all the same */
	bool lost;          /* the last time up ended in a failure */
	struct visit visit;
	struct path_counters counters;
	struct faults faults;
	struct chap_list_head chaps;
};

/* The connections that are there, one after the other: `place` is 0 at the
 * beginning; NULL at the end. */
static inline struct conn *session_next_conn(
	const struct session *s, unsigned *place)
{
	const unsigned places = s->managed ? s->nlegs : 1;
	struct conn *c = NULL;

	for (; !c && *place < places; ++*place)
		c = s->managed ? s->legs[*place].conn : s->conn;
	return c;
}

/* 0 or -ENOMEM (and then there is nothing to undo). `config` is the owner's and
 * may change between a down and the next start. */
int session_init(struct session *s, struct loop *loop,
	const struct iscsi_config *config, bool discovery,
	const struct session_events *events, void *arg);
void session_fini(struct session *s); /* at any time; calls nothing back */

/* The owner's requests. */
void session_start(struct session *s);
void session_stop(struct session *s, bool now);
void session_submit(struct session *s, struct path_cmd *cmd);
void session_abort(struct session *s, struct path_cmd *cmd);

/* links.c: as path_links_changed(). */
bool session_links_changed(struct session *s, char *why, size_t size);

/* A Text Request in full feature phase; with the TTT and LUN of `next` (a Text
 * Response) it goes on, with NULL it begins. `data` must live until the
 * response comes. */
void session_text(struct session *s, const struct bhs *next, const void *data,
	uint32_t len);
void session_text_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* portals.c: what there is to dial, once it is started. */
void session_fill_portals(struct session *s);
/* One more; legs move to it. 0, -EEXIST, -ENOSPC. */
int session_add_portal(struct session *s, const struct endpoint *at);
/* One less; not the last one. */
void session_drop_portal(struct session *s, unsigned portal);

/* Queues an event for session_fsm.c; it is handled in a call from the loop. */
void session_post(struct session *s, enum session_event event);

/* Handles an event now; only from the loop's own callbacks. */
void session_event(struct session *s, enum session_event event);

/* session_fsm.c's way to finish commands: takes over their results. */
void session_end_all(struct session *s);

/* Sends commands that wait, as far as the window goes; sees whether it is
 * drained. After every batch of received PDUs. */
void session_kick(struct session *s);

/* Puts a command, whose result is filled in, among those whose done() is called
 * from the loop. */
void session_end_later(struct session *s, struct path_cmd *cmd,
	enum path_outcome outcome, int error);

/* A task has its outcome (filled in by the caller but for these two): gives the
 * task back and calls done(), now or, while a begun PDU needs its data, later.
 * From received PDUs only. */
void session_task_end(struct session *s, struct task *t,
	enum path_outcome outcome, int error);

/* Ends a task that has no connection. */
void session_task_drop(struct session *s, struct task *t,
	enum path_outcome outcome, int error);

/* A connection is gone: its tasks have none now, and those that only waited for
 * a begun PDU end. `c` is not looked at. */
void session_part(struct session *s, const struct conn *c);

/* Nothing that the target answers from now on proves that a command of this
 * session is not executed any more: only the next login does. */
void session_leave_behind(struct session *s);

/* The target has logged `c` out, and sends nothing more: what it still carried
 * ends, as unknown, with the connection. */
void session_end_tasks_of(struct session *s, struct conn *c);

/* The command PDU of a task onto its connection, with its data as far as that
 * goes unasked; also once more, after which nothing differs. */
void session_send(struct task *t);

/* What recovery of a connection has come to: session recovery. */
void session_escalate(struct session *s, const char *why);

/* The target has agreed to `level`, but refuses what belongs to it. */
void session_refused_level(struct session *s, unsigned level);

/* The last PDU of a task that is `ending` has left. */
void session_task_ended(struct session *s, struct task *t);

/* digests.c: it is up; where bits that the network changes go unnoticed, one
 * line says so, once. Not of portals of this host. */
void session_tell_digests(struct session *s);

/* Wakes the tick for something that has a time limit. */
void session_watch(struct session *s);
void session_tick(void *session); /* session_tick.c: its timer */

/* tmf.c, RFC 7143 11.5, 11.6 */
void tmf_abort(struct session *s, struct task *t, int err);
void tmf_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);
void tmf_refused(struct session *s, const char *how); /* escalates */
void tmf_tick(struct session *s, uint64_t now);
void tmf_forget(struct session *s, struct task *t); /* it has ended */
void tmf_reset(struct session *s);                  /* the session is gone */
void tmf_conn_lost(struct session *s, const struct conn *c);
/* The target ends all tasks of the unit, and wants no more data for those of
 * this connection (RFC 7143 4.2.3.4). */
void tmf_terminated(struct conn *c);
void tmf_next(struct session *s); /* tasks may have a connection again */

/* retry.c, RFC 7143 7.2.1 */
bool retry_is_due(const struct session *s, const struct task *t);
void retry_command(struct task *t);
void retry_tick(struct task *t, uint64_t now);

#endif
