/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery of connections (RFC 7143 7.1.4.3, 7.2, 7.14): what is done about
 * which failure is one table. Whatever cannot be mended here ends the session,
 * and the owner's next login reinstates it (7.1.4.4).
 */
#include <errno.h>
#include <stdio.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "leg.h"
#include "repair.h"
#include "session.h"

#define AGAIN    NS_PER_S
#define WAIT_MAX (60 * NS_PER_S) /* longer is no recovery of a connection */

/* What is left of the session. */
enum left {
	SISTER = 1, /* another connection is up */
	ALONE = 2,  /* none is */
	ANY = SISTER | ALONE,
};

enum action {
	END_SESSION, /* session recovery */
	LOG_OUT,     /* Logout for recovery on a sister */
	REINSTATE,   /* login with the same CID */
	CONTINUE,    /* login with a CID of its own, then Logout for recovery */
	TRY_AGAIN,   /* later, as the table then says */
};

static const char *const action_names[] = {
	[END_SESSION] = "session recovery",
	[LOG_OUT] = "logout for recovery",
	[REINSTATE] = "reinstatement",
	[CONTINUE] = "continuation",
	[TRY_AGAIN] = "another attempt",
};

#define F(name) (1u << RECOVER_##name)

/* The first row that fits. */
static const struct {
	uint8_t level_min, level_max;
	unsigned failures;
	enum left left;
	enum action action;
	int remember; /* the level not to be offered again, or 0 */
} rows[] = {
	/* Below level 2 a connection takes the session with it (7.1.5): no
	 * allegiance can be moved, and CmdSNs that went with it would be
	 * missing for good. */
	{0, 1, ~0u, ANY, END_SESSION, 0},
	{2, 2, F(LATE) | F(LOGIN_UNKNOWN), ANY, END_SESSION, 0},
	{2, 2, F(LOGOUT_REFUSED) | F(REASSIGN_REFUSED), ANY, END_SESSION, 2},
	{2, 2, F(LOST), SISTER, LOG_OUT, 0},
	{2, 2, F(LOST), ALONE, REINSTATE, 0},
	{2, 2, F(LOGOUT_FAILED) | F(UNREACHABLE), ANY, TRY_AGAIN, 0},
	/* A target that does not reinstate may still let a new one in, and one
	 * that counts the dead one needs time. */
	{2, 2, F(LOGIN_REFUSED), ALONE, CONTINUE, 0},
	{2, 2, F(LOGIN_REFUSED), SISTER, TRY_AGAIN, 0},
};

static enum action choose(
	const struct leg *leg, enum recover_failure failure, int *remember)
{
	const struct session *s = leg->session;
	unsigned level = s->params.error_recovery_level;
	enum left left = leg_any(s) ? SISTER : ALONE;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (level < rows[i].level_min || level > rows[i].level_max ||
			!(rows[i].failures & 1u << failure) ||
			!(rows[i].left & left))
			continue;
		*remember = rows[i].remember;
		return rows[i].action;
	}
	*remember = 0;
	return END_SESSION;
}

static void wait(struct leg *leg, uint64_t ns)
{
	const struct session *s = leg->session;
	uint64_t now = loop_now(s->loop);

	leg->state = LEG_WAIT;
	if (now + ns > leg->limit && s->params.default_time2retain > 0)
		ns = leg->limit > now ? leg->limit - now : 0;
	loop_timer_set(leg->timer, ns);
}

/* Logout with reason 2 of a connection that is gone. ExpStatSN is the last one
 * of that connection (RFC 7143 11.14.3). */
static void log_out(struct leg *leg, struct conn *carrier)
{
	struct bhs b = bhs_make(OP_LOGOUT_REQ);
	struct session *s = leg->session;

	leg->logout = task_get(&s->tasks, TASK_LOGOUT);
	if (!leg->logout) {
		wait(leg, AGAIN);
		return;
	}
	leg->state = LEG_CLEANUP;
	leg->carrier = leg->logout->conn = carrier;
	b.immediate = true;
	b.itt = leg->logout->itt;
	b.cmd_sn = s->window.cmd_sn;
	b.logout.reason = LOGOUT_RECOVERY;
	b.logout.cid = leg->lost_cid;
	conn_send_as(carrier, &b, leg->lost_stat_sn);
	loop_timer_set(leg->timer, s->config->timeouts.logout);
}

/* One at a time is enough: the others then find a sister. */
static bool another_logs_in(const struct leg *leg)
{
	const struct session *s = leg->session;

	for (unsigned i = 0; i < s->nlegs; i++)
		if (&s->legs[i] != leg && s->legs[i].lost &&
			(s->legs[i].state == LEG_DIALING ||
				s->legs[i].state == LEG_LOGIN))
			return true;
	return false;
}

static void log_in_again(struct leg *leg, uint16_t cid)
{
	if (another_logs_in(leg)) {
		wait(leg, 100 * NS_PER_MS);
		return;
	}
	leg->cid = cid;
	leg->state = LEG_DIALING;
	leg_dial(leg);
}

void recover(struct leg *leg, enum recover_failure failure, const char *why)
{
	struct session *s = leg->session;
	enum action action;
	int remember;

	if (s->escalated)
		return;
	action = choose(leg, failure, &remember);
	/* Time helps only where the target keeps something meanwhile, or a
	 * sister can ask. */
	if (s->params.default_time2retain == 0 &&
		(action == TRY_AGAIN || action == CONTINUE) &&
		(failure == RECOVER_LOGOUT_FAILED || !leg_any(s)))
		action = END_SESSION;
	log_info("connection %u: %s; %s", leg->lost ? leg->lost_cid : leg->cid,
		why, action_names[action]);
	if (remember)
		session_refused_level(s, (unsigned)remember);
	switch (action) {
	case END_SESSION: session_escalate(s, why); return;
	case LOG_OUT: log_out(leg, leg_any(s)); return;
	case REINSTATE: log_in_again(leg, leg->lost_cid); return;
	case CONTINUE:
		leg->cid = s->next_cid++;
		wait(leg, AGAIN);
		return;
	case TRY_AGAIN: wait(leg, AGAIN); return;
	}
}

/* What the connection was about to do for a task is void. Its queue is dropped
 * by the caller. */
static void detach(struct conn *c, struct task *t)
{
	if (t->item.queued && outq_is_begun(&c->out, &t->item))
		t->sent = true;
	(void)task_out_cancel(t);
	repair_drop(t);
}

static void park(struct session *s, struct leg *leg, struct conn *c)
{
	struct task *t;

	TAILQ_FOREACH (t, &s->active, link) {
		if (t->conn != c)
			continue;
		detach(c, t);
		t->cid = c->cid;
		t->max_send = c->params.max_send_data;
	}
	leg_drop_conn(leg);
}

void recover_lost(struct leg *leg)
{
	struct session *s = leg->session;
	struct conn *c = leg->conn;
	uint64_t now = loop_now(s->loop);
	char why[sizeof c->why.reason];
	uint64_t wait_ns = s->params.default_time2wait * NS_PER_S;
	uint64_t retain = s->params.default_time2retain * NS_PER_S;

	if (c->wait_told) {
		wait_ns = c->why.wait;
		if (c->retain_told)
			retain = c->retain;
	}
	snprintf(why, sizeof why, "%s", c->why.reason);
	leg->lost = true;
	leg->lost_cid = c->cid;
	leg->lost_stat_sn = c->stat.exp;
	leg->limit = now + wait_ns + retain;
	s->down.wait = wait_ns;
	if (s->params.error_recovery_level < 2) {
		recover(leg, RECOVER_LOST, why);
		return;
	}
	if (wait_ns > WAIT_MAX) {
		recover(leg, RECOVER_LATE, why);
		return;
	}
	log_info("connection %u: %s; its tasks wait", leg->lost_cid, why);
	park(s, leg, c);
	wait(leg, wait_ns);
	session_watch(s);
}

void recover_begin(struct leg *leg)
{
	struct session *s = leg->session;

	if (loop_now(s->loop) >= leg->limit &&
		s->params.default_time2retain > 0) {
		recover(leg, RECOVER_LATE, "it was not recovered in time");
		return;
	}
	/* Continuation, begun before. */
	if (leg->cid != leg->lost_cid && !leg_any(s))
		log_in_again(leg, leg->cid);
	else
		recover(leg, RECOVER_LOST, "it is lost");
}

/* The target keeps none of its tasks (RFC 7143 11.15.4): they are over. */
static void all_gone(struct session *s, uint16_t cid)
{
	struct task *t, *next;

	for (t = TAILQ_FIRST(&s->active); t; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->conn || t->cid != cid || t->moving || retry_is_due(s, t))
			continue;
		/* Some targets only say that, and go on with them. */
		session_leave_behind(s);
		session_task_drop(s, t, PATH_UNKNOWN, -ECONNRESET);
	}
}

/* What the target has not acknowledged is sent again, in order; what it has is
 * reassigned (RFC 7143 7.2). */
static void carry_on(struct session *s, uint16_t cid, struct conn *carrier)
{
	struct task *t;

	TAILQ_FOREACH (t, &s->active, link) {
		if (t->conn || t->cid != cid || t->moving)
			continue;
		if (!retry_is_due(s, t)) {
			reassign_add(s, t);
			continue;
		}
		t->conn = carrier;
		carrier->load++;
		t->received = t->data_sn = 0;
		t->burst_at = t->bursts_left = t->r2ts = 0;
		if (t->sent)
			s->counters.tasks_retried++;
		session_send(t);
	}
	s->counters.connection_recoveries++;
	s->down.wait = 0;
	reassign_next(s);
	tmf_next(s);
	session_kick(s);
}

void recover_cleaned(struct leg *leg)
{
	struct session *s = leg->session;
	struct conn *carrier = leg->carrier;

	leg->carrier = NULL;
	log_debug("connection %u: Logout Response %u, Time2Wait %u, "
		  "Time2Retain %u",
		leg->lost_cid, leg->response, leg->time2wait, leg->time2retain);
	switch (leg->response) {
	case LOGOUT_RSP_CLOSED:
		/* Targets are known that leave Time2Retain empty here, and
		 * still have the tasks: only what was agreed is believed. */
		if (leg->time2retain == 0 && s->params.default_time2retain == 0)
			all_gone(s, leg->lost_cid);
		break;
	case LOGOUT_RSP_NO_CID: break; /* what it had may still be kept */
	case LOGOUT_RSP_NO_RECOVERY:
		recover(leg, RECOVER_LOGOUT_REFUSED,
			"the target does not log out for recovery");
		return;
	default:
		recover(leg, RECOVER_LOGOUT_FAILED,
			"the target could not clean up yet");
		return;
	}
	leg->lost = false;
	if (leg->conn == carrier) { /* continuation */
		leg->state = LEG_UP;
		loop_timer_stop(leg->timer);
		carry_on(s, leg->lost_cid, carrier);
		return;
	}
	carry_on(s, leg->lost_cid, carrier);
	leg->cid = s->next_cid++;
	leg->state = LEG_OFF;
	leg_rest(leg, leg->time2wait * NS_PER_S);
}

void recover_reinstated(struct leg *leg)
{
	struct session *s = leg->session;

	if (leg->cid != leg->lost_cid) {
		log_out(leg, leg->conn);
		return;
	}
	leg->lost = false;
	carry_on(s, leg->lost_cid, leg->conn);
}
