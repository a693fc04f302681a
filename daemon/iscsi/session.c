/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of a session: the window, deadlines, and how each of them ends. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "renegotiate.h"
#include "repair.h"
#include "session.h"

static void work(void *arg);

static void late(void *arg)
{
	session_event(arg, SESSION_EV_LATE);
}

int session_init(struct session *s, struct loop *loop,
	const struct iscsi_config *config, bool discovery,
	const struct session_events *events, void *arg)
{
	*s = (struct session){.loop = loop,
		.config = config,
		.discovery = discovery,
		.events = events,
		.arg = arg};
	loop_task_init(&s->work, work, s);
	task_table_init(&s->tasks);
	TAILQ_INIT(&s->active);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->ended);
	TAILQ_INIT(&s->chaps);
	s->level_max = 2;
	tmf_reset(s);
	TAILQ_INIT(&s->moving);
	s->timer = loop_timer_new(loop, late, s);
	s->tick = loop_timer_new(loop, session_tick, s);
	if (s->timer && s->tick)
		return 0;
	session_fini(s);
	return -ENOMEM;
}

void session_fini(struct session *s)
{
	loop_unpost(s->loop, &s->work);
	loop_timer_free(s->timer);
	loop_timer_free(s->tick);
	dial_cancel(s->dial);
	gate_leave(&s->pass);
	stream_abort(s->stream);
	if (!s->managed)
		conn_free(s->conn, true);
	legs_fini(s);
	task_table_fini(&s->tasks);
}

void session_post(struct session *s, enum session_event event)
{
	for (unsigned i = 0; i < s->queued; i++)
		if (s->queue[i] == event)
			return;
	s->queue[s->queued++] = event;
	loop_post(s->loop, &s->work);
}

void session_start(struct session *s)
{
	session_post(s, SESSION_EV_START);
}

void session_stop(struct session *s, bool now)
{
	session_post(s, now ? SESSION_EV_STOP_NOW : SESSION_EV_STOP);
}

/* Calls done() of what had ended when it was called. */
static void flush(struct session *s)
{
	struct path_cmd_list list;
	struct path_cmd *cmd;

	TAILQ_INIT(&list);
	TAILQ_CONCAT(&list, &s->ended, link);
	while ((cmd = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, cmd, link);
		cmd->done(cmd);
	}
}

/* The last event may end in a callback that frees the session. */
static void work(void *arg)
{
	struct session *s = arg;
	enum session_event event;

	flush(s);
	if (s->queued == 0)
		return;
	event = s->queue[0];
	s->queued--;
	memmove(s->queue, s->queue + 1, s->queued * sizeof s->queue[0]);
	if (s->queued > 0)
		loop_post(s->loop, &s->work);
	session_event(s, event);
}

void session_end_later(struct session *s, struct path_cmd *cmd,
	enum path_outcome outcome, int error)
{
	cmd->result.outcome = outcome;
	cmd->result.error = error;
	cmd->task = NULL;
	TAILQ_INSERT_TAIL(&s->ended, cmd, link);
	loop_post(s->loop, &s->work);
}

/* Data on its way into the command's memory goes nowhere from here on: with
 * several connections the end may have come over another one. */
static void let_go_of_conn(struct session *s, struct task *t)
{
	struct conn *c = t->conn;

	c->load--;
	if (t->repair)
		repair_drop(t);
	if (s->managed)
		pdu_rx_forget(&c->rx, t->itt);
}

/* Takes a task off all lists; the command is then nobody's. */
static struct path_cmd *release(struct session *s, struct task *t)
{
	struct path_cmd *cmd = t->cmd;

	TAILQ_REMOVE(&s->active, t, link);
	tmf_forget(s, t);
	if (t->moving || t->reassigns > 0)
		reassign_forget(s, t);
	if (t->conn)
		let_go_of_conn(s, t);
	t->cmd = NULL;
	t->ending = false;
	cmd->task = NULL;
	if (!t->held)
		task_put(&s->tasks, t);
	return cmd;
}

/* What was still to be sent of it; of a command that is retried that is the
 * command again. False while a begun PDU is still there: its end follows. */
static bool take_back(struct task *t)
{
	bool gone = t->cmd->direction != PATH_DATA_OUT || task_out_cancel(t);

	if (t->item.queued)
		gone &= outq_remove(&t->conn->out, &t->item);
	return gone;
}

void session_task_end(
	struct session *s, struct task *t, enum path_outcome outcome, int error)
{
	struct path_cmd *cmd = t->cmd;

	cmd->result.outcome = outcome;
	cmd->result.error = error;
	if (!take_back(t)) {
		t->ending = true;
		return;
	}
	release(s, t);
	cmd->done(cmd);
}

void session_task_ended(struct session *s, struct task *t)
{
	struct path_cmd *cmd = release(s, t);

	session_end_later(s, cmd, cmd->result.outcome, cmd->result.error);
}

static void command_done(struct outq_item *item, bool sent)
{
	struct task *t =
		(struct task *)((char *)item - offsetof(struct task, item));

	if (!sent)
		return;
	t->sent = true;
	if (t->ending)
		session_task_ended(t->conn->session, t);
}

void session_task_drop(
	struct session *s, struct task *t, enum path_outcome outcome, int error)
{
	session_end_later(s, release(s, t), outcome, error);
}

void session_leave_behind(struct session *s)
{
	past_leave(&s->past, s->group);
	s->beyond_logout = true;
}

void session_end_tasks_of(struct session *s, struct conn *c)
{
	struct task *t;

	TAILQ_FOREACH (t, &s->active, link) {
		if (t->conn != c)
			continue;
		repair_drop(t);
		if (t->ending)
			continue;
		(void)task_out_cancel(t);
		/* Targets are known that answer first, and end them then. */
		if (t->sent)
			session_leave_behind(s);
		t->cmd->result.outcome = PATH_UNKNOWN;
		t->cmd->result.error = -ECONNRESET;
		t->ending = true;
	}
}

void session_part(struct session *s, const struct conn *c)
{
	struct task *t, *next;

	for (t = TAILQ_FIRST(&s->active); t; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->conn != c)
			continue;
		t->conn = NULL;
		t->proof = 0;
		if (t->ending)
			session_task_ended(s, t);
	}
}

void session_send(struct task *t)
{
	const struct path_cmd *cmd = t->cmd;
	struct conn *c = t->conn;
	struct session *s = c->session;
	uint32_t now = 0;
	struct bhs b;

	bhs_init(&b, OP_SCSI_CMD);
	memcpy(b.lun, s->config->lun, sizeof b.lun);
	b.itt = t->itt;
	b.cmd_sn = t->cmd_sn;
	b.exp_stat_sn = c->stat.exp;
	b.scsi_cmd.read = cmd->direction == PATH_DATA_IN;
	b.scsi_cmd.write = cmd->direction == PATH_DATA_OUT;
	b.scsi_cmd.attr = ATTR_SIMPLE;
	b.scsi_cmd.edtl = cmd->len;
	memcpy(b.scsi_cmd.cdb, cmd->cdb, sizeof b.scsi_cmd.cdb);
	if (b.scsi_cmd.write)
		now = task_out_begin(t, &b);
	if (c->level > 0)
		task_in_begin(t, loop_now(s->loop));
	t->item.done = command_done;
	pdu_tx(&t->item, &b, cmd->data, now, c->digests);
	outq_push(&c->out, &t->item);
	pump_tx(c->pump);
}

static void send_command(
	struct session *s, struct conn *c, struct task *t, struct path_cmd *cmd)
{
	t->cmd = cmd;
	t->conn = c;
	c->load++;
	t->cmd_sn = s->window.cmd_sn++;
	cmd->task = t;
	TAILQ_INSERT_TAIL(&s->active, t, link);
	session_send(t);
}

/* The connection for the next command; NULL when there is none. Not once the
 * target has asked for a logout (RFC 7143 11.9.1). */
static struct conn *ready(struct session *s, const struct path_cmd *cmd)
{
	if ((s->state != SESSION_UP && s->state != SESSION_DRAINING) ||
		!window_is_open(&s->window))
		return NULL;
	if (s->managed)
		return leg_pick(s, cmd->len);
	return conn_takes_commands(s->conn) ? s->conn : NULL;
}

void session_submit(struct session *s, struct path_cmd *cmd)
{
	struct task *t = NULL;
	struct conn *c = NULL;

	memset(&cmd->result, 0, offsetof(struct path_result, sense));
	cmd->task = NULL;
	if (s->state != SESSION_UP || (!s->managed && !conn_is_up(s->conn))) {
		session_end_later(s, cmd, PATH_NOT_SENT, -ENOTCONN);
		return;
	}
	session_watch(s);
	if (TAILQ_EMPTY(&s->waiting))
		c = ready(s, cmd);
	if (c)
		t = task_get(&s->tasks, TASK_SCSI);
	if (t) {
		send_command(s, c, t, cmd);
		return;
	}
	if (TAILQ_EMPTY(&s->waiting))
		s->closed_since = loop_now(s->loop);
	TAILQ_INSERT_TAIL(&s->waiting, cmd, link);
}

/* More tasks when the target has opened its window wider than ever. */
static void grow(struct session *s)
{
	uint32_t size = window_size(&s->window);

	if (size <= s->window_seen)
		return;
	s->window_seen = size;
	if (task_table_grow(&s->tasks, size < TASK_MAX ? size : TASK_MAX))
		log_warn("no memory for more than %u commands in flight",
			task_table_room(&s->tasks));
}

/* R2Ts may have come, and StatSN has moved on. */
static void kick_senders(struct session *s)
{
	unsigned place = 0;
	struct conn *c;

	while ((c = session_next_conn(s, &place)))
		if (!TAILQ_EMPTY(&c->senders))
			pump_tx(c->pump);
}

void session_kick(struct session *s)
{
	struct path_cmd *cmd;
	struct conn *c;
	struct task *t;

	if (s->state != SESSION_UP && s->state != SESSION_DRAINING)
		return;
	grow(s);
	while ((cmd = TAILQ_FIRST(&s->waiting)) && (c = ready(s, cmd))) {
		t = task_get(&s->tasks, TASK_SCSI);
		if (!t)
			break;
		TAILQ_REMOVE(&s->waiting, cmd, link);
		s->closed_since = loop_now(s->loop);
		send_command(s, c, t, cmd);
	}
	kick_senders(s);
	if (s->state == SESSION_DRAINING && TAILQ_EMPTY(&s->active) &&
		TAILQ_EMPTY(&s->waiting))
		session_post(s, SESSION_EV_DRAINED);
}

static bool is_waiting(const struct session *s, const struct path_cmd *cmd)
{
	const struct path_cmd *at;

	TAILQ_FOREACH (at, &s->waiting, link)
		if (at == cmd)
			return true;
	return false;
}

void session_abort(struct session *s, struct path_cmd *cmd)
{
	struct task *t = cmd->task;

	if (t) {
		if (!t->ending && (s->managed || conn_is_up(s->conn)) &&
			s->state != SESSION_LOGOUT)
			tmf_abort(s, t, -ECANCELED);
		return;
	}
	if (!is_waiting(s, cmd))
		return; /* its done() is on its way */
	TAILQ_REMOVE(&s->waiting, cmd, link);
	session_end_later(s, cmd, PATH_NOT_SENT, -ECANCELED);
	session_kick(s);
}

/* Everything ends: what has an answer with that, what never left as not sent,
 * all else as unknown. The transport is gone already, its queue dropped. */
static void end_task(struct session *s, struct task *t)
{
	bool answered = t->ending, sent = t->sent;
	struct path_cmd *cmd;

	t->held = false;
	cmd = release(s, t);
	if (answered) {
		session_end_later(
			s, cmd, cmd->result.outcome, cmd->result.error);
		return;
	}
	if (sent)
		session_leave_behind(s);
	session_end_later(s, cmd, sent ? PATH_UNKNOWN : PATH_NOT_SENT,
		t->aborted ? t->abort_err : -ECONNRESET);
}

void session_end_all(struct session *s)
{
	struct path_cmd *cmd;
	struct task *t;

	/* A command of which some bytes have left counts as sent. */
	TAILQ_FOREACH (t, &s->active, link) {
		if (!t->conn)
			continue;
		if (t->item.queued && outq_is_begun(&t->conn->out, &t->item))
			t->sent = true;
		(void)task_out_cancel(t);
		repair_drop(t);
	}
	if (!s->managed)
		conn_free(s->conn, !s->clean);
	legs_stop(s, !s->clean);
	s->conn = NULL;
	TAILQ_FOREACH (t, &s->active, link)
		t->conn = NULL;
	while ((t = TAILQ_FIRST(&s->active)))
		end_task(s, t);
	/* Pings, logout and the like go with the table. */
	task_table_fini(&s->tasks);
	tmf_reset(s);
	TAILQ_INIT(&s->moving);
	s->text = NULL;
	while ((cmd = TAILQ_FIRST(&s->waiting))) {
		TAILQ_REMOVE(&s->waiting, cmd, link);
		session_end_later(s, cmd, PATH_NOT_SENT, -ENOTCONN);
	}
}

void session_refused_level(struct session *s, unsigned level)
{
	char portal[ENDPOINT_TEXT_MAX];

	if (level == 0 || s->level_max < level)
		return;
	s->level_max = level - 1;
	log_warn("%s: the target agreed to error recovery level %u, but "
		 "refuses what belongs to it; it is offered level %u from now "
		 "on",
		endpoint_text(&s->hops[s->nhops - 1], portal), level,
		s->level_max);
}

void session_text(struct session *s, const struct bhs *next, const void *data,
	uint32_t len)
{
	struct bhs b = bhs_make(OP_TEXT_REQ);

	if (!next)
		s->text = task_get(&s->tasks, TASK_TEXT);
	if (!s->text) {
		conn_fail(s->conn, -ENOBUFS, "no task left for a text");
		return;
	}
	s->text->conn = s->conn;
	b.immediate = true;
	b.itt = s->text->itt;
	b.cmd_sn = s->window.cmd_sn;
	if (next) {
		b.ttt = next->ttt;
		memcpy(b.lun, next->lun, sizeof b.lun);
	}
	conn_send(s->conn, &b, data, len, false);
	loop_timer_set(s->timer, s->config->timeouts.login);
}

void session_text_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct session *s = c->session;

	if (renegotiate_response(c, b, data, len))
		return;
	if (!s->text || b->itt != s->text->itt) {
		conn_fail(c, -EPROTO, "Text Response with another tag");
		return;
	}
	if (b->final) {
		task_put(&s->tasks, s->text);
		s->text = NULL;
		loop_timer_stop(s->timer);
	}
	s->events->text(s->arg, b, data, len);
}
