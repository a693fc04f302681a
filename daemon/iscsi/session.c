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

#include "session.h"

#define TICK_FAST   (100 * NS_PER_MS)
#define TICK_SLOW   NS_PER_S
#define CLOSED_PING (5 * NS_PER_S) /* a window that stays shut is asked for */

static void work(void *arg);
static void tick(void *arg);

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
	tmf_reset(s);
	s->timer = loop_timer_new(loop, late, s);
	s->tick = loop_timer_new(loop, tick, s);
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
	stream_abort(s->stream);
	conn_free(s->conn, true);
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

/* Takes a task off all lists; the command is then nobody's. */
static struct path_cmd *release(struct session *s, struct task *t)
{
	struct path_cmd *cmd = t->cmd;

	TAILQ_REMOVE(&s->active, t, link);
	tmf_forget(s, t);
	t->cmd = NULL;
	t->ending = false;
	cmd->task = NULL;
	if (!t->held)
		task_put(&s->tasks, t);
	return cmd;
}

void session_task_end(
	struct session *s, struct task *t, enum path_outcome outcome, int error)
{
	struct path_cmd *cmd = t->cmd;

	cmd->result.outcome = outcome;
	cmd->result.error = error;
	if (!task_out_cancel(t)) {
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

	if (sent)
		t->sent = true;
}

static void send_command(
	struct session *s, struct task *t, struct path_cmd *cmd)
{
	struct bhs b = bhs_make(OP_SCSI_CMD);
	uint32_t now = 0;

	t->cmd = cmd;
	t->conn = s->conn;
	t->cmd_sn = s->window.cmd_sn++;
	cmd->task = t;
	TAILQ_INSERT_TAIL(&s->active, t, link);
	memcpy(b.lun, s->config->lun, sizeof b.lun);
	b.itt = t->itt;
	b.cmd_sn = t->cmd_sn;
	b.exp_stat_sn = s->conn->exp_stat_sn;
	b.scsi_cmd.read = cmd->direction == PATH_DATA_IN;
	b.scsi_cmd.write = cmd->direction == PATH_DATA_OUT;
	b.scsi_cmd.attr = ATTR_SIMPLE;
	b.scsi_cmd.edtl = cmd->len;
	memcpy(b.scsi_cmd.cdb, cmd->cdb, sizeof b.scsi_cmd.cdb);
	if (b.scsi_cmd.write)
		now = task_out_begin(t, &b);
	t->item.done = command_done;
	pdu_tx(&t->item, &b, cmd->data, now, s->conn->digests);
	outq_push(&s->conn->out, &t->item);
	pump_tx(s->conn->pump);
}

/* Not once the target has asked for a logout (RFC 7143 11.9.1). */
static bool can_send(const struct session *s)
{
	return (s->state == SESSION_UP || s->state == SESSION_DRAINING) &&
	       s->conn->state == CONN_LOGGED_IN && window_is_open(&s->window);
}

void session_submit(struct session *s, struct path_cmd *cmd)
{
	struct task *t = NULL;

	memset(&cmd->result, 0, offsetof(struct path_result, sense));
	cmd->task = NULL;
	if (s->state != SESSION_UP || !conn_is_up(s->conn)) {
		session_end_later(s, cmd, PATH_NOT_SENT, -ENOTCONN);
		return;
	}
	session_watch(s);
	if (can_send(s) && TAILQ_EMPTY(&s->waiting))
		t = task_get(&s->tasks, TASK_SCSI);
	if (t) {
		send_command(s, t, cmd);
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

void session_kick(struct session *s)
{
	struct path_cmd *cmd;
	struct task *t;

	if (s->state != SESSION_UP && s->state != SESSION_DRAINING)
		return;
	grow(s);
	while ((cmd = TAILQ_FIRST(&s->waiting)) && can_send(s)) {
		t = task_get(&s->tasks, TASK_SCSI);
		if (!t)
			break;
		TAILQ_REMOVE(&s->waiting, cmd, link);
		s->closed_since = loop_now(s->loop);
		send_command(s, t, cmd);
	}
	/* R2Ts may have come, and StatSN has moved on. */
	if (s->conn && !TAILQ_EMPTY(&s->conn->senders))
		pump_tx(s->conn->pump);
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
		if (!t->ending && conn_is_up(s->conn) &&
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
		s->unfenced = true;
	session_end_later(s, cmd, sent ? PATH_UNKNOWN : PATH_NOT_SENT,
		t->aborted ? t->abort_err : -ECONNRESET);
}

void session_end_all(struct session *s)
{
	struct outq *q = s->conn ? &s->conn->out : NULL;
	struct path_cmd *cmd;
	struct task *t;

	/* A command of which some bytes have left counts as sent. */
	TAILQ_FOREACH (t, &s->active, link) {
		if (t->item.queued && outq_is_begun(q, &t->item))
			t->sent = true;
		(void)task_out_cancel(t);
	}
	conn_free(s->conn, !s->clean);
	s->conn = NULL;
	while ((t = TAILQ_FIRST(&s->active)))
		end_task(s, t);
	/* Pings, logout and the like go with the table. */
	task_table_fini(&s->tasks);
	tmf_reset(s);
	s->text = NULL;
	while ((cmd = TAILQ_FIRST(&s->waiting))) {
		TAILQ_REMOVE(&s->waiting, cmd, link);
		session_end_later(s, cmd, PATH_NOT_SENT, -ENOTCONN);
	}
}

void session_watch(struct session *s)
{
	if (s->tick_fast)
		return;
	s->tick_fast = true;
	loop_timer_set(s->tick, TICK_FAST);
}

static void check_waiting(struct session *s, uint64_t now)
{
	struct path_cmd *cmd, *next;

	if (TAILQ_EMPTY(&s->waiting))
		return;
	if (now - s->closed_since >= CLOSED_PING)
		nop_ping(s->conn);
	for (cmd = TAILQ_FIRST(&s->waiting); cmd; cmd = next) {
		next = TAILQ_NEXT(cmd, link);
		if (!cmd->deadline || now < cmd->deadline)
			continue;
		TAILQ_REMOVE(&s->waiting, cmd, link);
		session_end_later(s, cmd, PATH_NOT_SENT, -ETIMEDOUT);
	}
	session_kick(s);
}

static void check_active(struct session *s, uint64_t now)
{
	struct task *t;

	TAILQ_FOREACH (t, &s->active, link)
		if (t->cmd->deadline && now >= t->cmd->deadline && !t->ending)
			tmf_abort(s, t, -ETIMEDOUT);
}

static void tick(void *arg)
{
	struct session *s = arg;
	uint64_t now = loop_now(s->loop);
	bool up = s->state == SESSION_UP || s->state == SESSION_DRAINING;

	s->tick_fast = false;
	if (!s->conn || !conn_is_up(s->conn) || !up)
		return;
	nop_tick(s->conn, now);
	tmf_tick(s, now);
	check_waiting(s, now);
	check_active(s, now);
	if (s->conn->ping || s->tmf.state != TMF_IDLE ||
		!TAILQ_EMPTY(&s->active) || !TAILQ_EMPTY(&s->waiting))
		session_watch(s);
	else
		loop_timer_set(s->tick, TICK_SLOW);
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
