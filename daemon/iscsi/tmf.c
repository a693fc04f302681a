/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Task management (RFC 7143 11.5, 11.6): ABORT TASK for a command that was
 * given up, then LOGICAL UNIT RESET, then the end of the connection. One
 * request at a time, immediate, and behind the command in the send queue.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/log.h>

#include "conn.h"
#include "session.h"

static int send_request(struct session *s, uint8_t function, struct task *t)
{
	struct bhs b = bhs_make(OP_TMF_REQ);
	struct conn *c = t ? t->conn : s->conn;
	struct tmf *m = &s->tmf;

	m->request = task_get(&s->tasks, TASK_TMF);
	if (!m->request) {
		conn_fail(c, -ENOBUFS, "no task left to abort another");
		return -ENOBUFS;
	}
	m->request->conn = c;
	b.immediate = true;
	b.itt = m->request->itt;
	b.cmd_sn = s->window.cmd_sn;
	memcpy(b.lun, s->config->lun, sizeof b.lun);
	b.tmf.function = function;
	b.tmf.rtt = t ? t->itt : BHS_TAG_NONE;
	b.tmf.ref_cmd_sn = t ? t->cmd_sn : 0;
	conn_send(c, &b, NULL, 0, false);
	session_watch(s);
	return 0;
}

/* The task of the ABORT TASK is no longer referred to. */
static struct task *let_go(struct session *s)
{
	struct task *t = s->tmf.task;

	s->tmf.task = NULL;
	t->held = false;
	if (t->cmd)
		return t;
	task_put(&s->tasks, t);
	return NULL;
}

/* ABORT TASK goes to the connection that the task is allegiant to (RFC 7143
 * 11.5); one that has none just now waits for it. */
void tmf_next(struct session *s)
{
	struct tmf *m = &s->tmf;
	struct task *t = TAILQ_FIRST(&m->waiting);

	while (t && !t->conn)
		t = TAILQ_NEXT(t, abort_link);
	if (m->state != TMF_IDLE || !t)
		return;
	TAILQ_REMOVE(&m->waiting, t, abort_link);
	t->abort_queued = false;
	if (send_request(s, TMF_ABORT_TASK, t))
		return;
	m->state = TMF_ABORTING;
	m->task = t;
	t->held = true;
	m->late = loop_now(s->loop) + s->config->timeouts.abort;
}

static void enqueue(struct session *s, struct task *t)
{
	t->abort_queued = true;
	TAILQ_INSERT_TAIL(&s->tmf.waiting, t, abort_link);
}

void tmf_abort(struct session *s, struct task *t, int err)
{
	if (t->aborted)
		return;
	t->aborted = true;
	t->abort_err = err;
	enqueue(s, t);
	tmf_next(s);
}

/* The target has never had it: its CmdSN has to arrive yet, or all that follow
 * are stuck behind it (RFC 7143 4.2.2.1). What it expects next it has not had,
 * although it was sent. */
static bool is_to_come(const struct session *s, const struct task *t)
{
	return retry_is_due(s, t) &&
	       (!t->conn || !t->sent || t->cmd_sn == s->window.exp_cmd_sn);
}

/* FastAbort: R2Ts of the tasks that it ends are not served any more. A command
 * that has not left has none, and may outlive the reset. */
static void hush(struct conn *c)
{
	struct task *t;

	TAILQ_FOREACH (t, &c->session->active, link) {
		if (t->conn != c || t->ending || is_to_come(c->session, t))
			continue;
		(void)task_out_cancel(t);
		t->hushed = true;
	}
}

void tmf_terminated(struct conn *c)
{
	struct session *s = c->session;
	struct task *t;

	hush(c);
	if (s->tmf.state == TMF_RESETTING)
		return;
	TAILQ_FOREACH (t, &s->active, link)
		if (t->conn == c && !t->ending)
			tmf_abort(s, t, -ECANCELED);
}

static void reset_unit(struct session *s)
{
	struct tmf *m = &s->tmf;

	if (!s->conn) {
		session_escalate(s, "no connection is left to reset the unit");
		return;
	}
	if (send_request(s, TMF_LUN_RESET, NULL))
		return;
	if (s->params.task_reporting == TASK_REPORTING_FAST_ABORT)
		hush(s->conn);
	m->state = TMF_RESETTING;
	m->cmd_sn = s->window.cmd_sn;
	m->late = loop_now(s->loop) + s->config->timeouts.lun_reset;
}

/* The end of the ladder: the session goes, with all that the target has. */
__attribute__((format(printf, 3, 4))) static void give_up(
	struct session *s, int err, const char *fmt, ...)
{
	char why[80];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	if (s->managed)
		session_escalate(s, why);
	else
		conn_fail(s->conn, err, "%s", why);
}

void tmf_refused(struct session *s, const char *how)
{
	struct tmf *m = &s->tmf;
	struct task *t;

	if (m->state == TMF_RESETTING) {
		give_up(s, -EREMOTEIO, "LOGICAL UNIT RESET: %s", how);
		return;
	}
	if (m->state != TMF_ABORTING)
		return;
	if (m->request)
		task_put(&s->tasks, m->request);
	m->request = NULL;
	m->state = TMF_IDLE;
	t = let_go(s);
	if (!t) {
		tmf_next(s);
		return;
	}
	log_warn("ABORT TASK: %s; resetting the logical unit", how);
	reset_unit(s);
}

/* `t` is gone, as the target says. What it has not acknowledged may be on its
 * way over another connection, and come after that; and a task that is not
 * reassigned yet may still be the old connection's. */
static void end_task(struct session *s, struct task *t, int err)
{
	if (t->sent && (retry_is_due(s, t) || t->proof))
		session_leave_behind(s);
	session_task_end(s, t, PATH_UNKNOWN, err);
}

static void task_aborted(struct session *s)
{
	struct task *t = let_go(s);

	if (t && !t->ending)
		end_task(s, t, t->abort_err);
}

/* It stays after the reset: true. If it was given up, ABORT TASK is asked for
 * again. */
static bool outlives_reset(struct session *s, struct task *t)
{
	if (t->ending || !sn_lt(t->cmd_sn, s->tmf.cmd_sn))
		return true;
	if (!is_to_come(s, t))
		return false;
	if (t->aborted && !t->abort_queued)
		enqueue(s, t);
	return true;
}

/* All commands before the reset that the target has had are gone (RFC 7143
 * 4.2.2.3.3). Callbacks may change the list. */
static void unit_was_reset(struct session *s)
{
	struct task *t = TAILQ_FIRST(&s->active);

	while (t) {
		if (outlives_reset(s, t)) {
			t = TAILQ_NEXT(t, link);
			continue;
		}
		end_task(s, t, t->aborted ? t->abort_err : -ECANCELED);
		t = TAILQ_FIRST(&s->active);
	}
}

static const char *response_text(uint8_t response)
{
	static const char *const texts[] = {
		[TMF_RSP_NO_TASK] = "no such task",
		[TMF_RSP_NO_LUN] = "no such logical unit",
		[TMF_RSP_ALLEGIANT] = "task still allegiant",
		[TMF_RSP_NO_REASSIGN] = "reassignment not supported",
		[TMF_RSP_NOT_SUPPORTED] = "not supported",
		[TMF_RSP_NOT_AUTHORIZED] = "not authorized",
	};

	if (response < sizeof texts / sizeof texts[0] && texts[response])
		return texts[response];
	return "rejected";
}

void tmf_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct session *s = c->session;
	struct tmf *m = &s->tmf;
	uint8_t response = b->tmf_rsp.response;
	enum tmf_state was = m->state;

	(void)data;
	(void)len;
	if (reassign_response(c, b))
		return;
	if (m->old && m->old->itt == b->itt) {
		task_put(&s->tasks, m->old);
		m->old = NULL;
		return;
	}
	if (!m->request || m->request->itt != b->itt) {
		conn_fail(c, -EPROTO,
			"Task Management Response with another tag");
		return;
	}
	if (response != TMF_RSP_COMPLETE &&
		!(was == TMF_ABORTING && response == TMF_RSP_NO_TASK)) {
		tmf_refused(s, response_text(response));
		return;
	}
	task_put(&s->tasks, m->request);
	m->request = NULL;
	m->state = TMF_IDLE;
	if (was == TMF_ABORTING)
		task_aborted(s);
	else
		unit_was_reset(s);
	tmf_next(s);
}

void tmf_tick(struct session *s, uint64_t now)
{
	struct tmf *m = &s->tmf;

	/* One that waits may have found a connection. */
	if (m->state == TMF_IDLE)
		tmf_next(s);
	if (m->state == TMF_IDLE || now < m->late)
		return;
	if (m->state == TMF_RESETTING || m->old) {
		give_up(s, -ETIMEDOUT, "no answer to task management");
		return;
	}
	m->old = m->request; /* its answer may still come */
	m->request = NULL;
	tmf_refused(s, "no answer");
}

void tmf_forget(struct session *s, struct task *t)
{
	if (t->abort_queued)
		TAILQ_REMOVE(&s->tmf.waiting, t, abort_link);
	t->abort_queued = false;
}

/* Task management is not carried on (RFC 7143 7.2.2): it is asked for anew,
 * where the task then is. */
void tmf_conn_lost(struct session *s, const struct conn *c)
{
	struct tmf *m = &s->tmf;
	enum tmf_state was = m->state;
	struct task *t;

	if (m->old && m->old->conn == c) {
		task_put(&s->tasks, m->old);
		m->old = NULL;
	}
	if (!m->request || m->request->conn != c)
		return;
	task_put(&s->tasks, m->request);
	m->request = NULL;
	m->state = TMF_IDLE;
	if (was == TMF_RESETTING) {
		reset_unit(s);
		return;
	}
	t = let_go(s);
	if (!t)
		return;
	t->abort_queued = true;
	TAILQ_INSERT_HEAD(&m->waiting, t, abort_link);
}

void tmf_reset(struct session *s)
{
	s->tmf = (struct tmf){.state = TMF_IDLE};
	TAILQ_INIT(&s->tmf.waiting);
}
