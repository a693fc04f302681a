/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target executes its tasks, and sends what they read and how they
 * ended (RFC 7143 11.4, 11.7). What was sent can be sent again. */
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void flag_residual(uint8_t *bhs, const struct t_lun_cmd *cmd)
{
	if (cmd->residual == 0)
		return;
	t_set(bhs, cmd->overflow ? T_OVER : T_UNDER, 1);
	t_set(bhs, T_RESIDUAL, cmd->residual);
}

/* The PDU of the data that begins at `at`. */
static uint32_t cut(const struct t_task *task, uint32_t at, uint32_t burst)
{
	uint32_t len = smaller(task->result.moved - at, task->segment);

	return smaller(len, burst - at % burst);
}

/* The last Data-In with the status of the task. */
static void add_status(struct t_task *task, uint8_t *bhs, bool fresh)
{
	struct t_conn *c = task->conn;

	if (fresh)
		task->stat_sn = c->stat_sn;
	t_conn_stamp(c, bhs, fresh);
	t_set(bhs, T_STAT_SN, task->stat_sn);
	t_set(bhs, T_HAS_STATUS, 1);
	t_set(bhs, T_STATUS, task->result.status);
	flag_residual(bhs, &task->result);
}

/* One Data-In; `last` of its sequence or not. */
static bool send_data_in(
	struct t_task *task, uint32_t sn, uint32_t at, uint32_t len, bool last)
{
	bool end = at + len == task->result.moved;
	bool status = task->collapsed && end, whole;
	struct t_conn *c = task->conn;
	const struct t_session *s = c->session;
	bool came = task->lost && sn < task->sent_sn && !task->lost[sn];
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x25);
	t_set(bhs, T_FINAL, last);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_DATA_SN, sn);
	t_set(bhs, T_OFFSET, at);
	if (last && s->error_recovery_level > 0 &&
		(!status || c->target->options.manner == T_LIKE_LIO)) {
		t_set(bhs, T_ACK, 1);
		t_set(bhs, T_TTT, task->ack_ttt);
		memcpy(bhs + 8, task->bhs + 8, 8);
	}
	t_conn_stamp(c, bhs, false);
	t_set(bhs, T_STAT_SN, 0);
	if (status)
		add_status(task, bhs, sn >= task->sent_sn);
	if (sn >= task->sent_sn)
		task->sent_sn = sn + 1;
	if (task->lost && !came)
		task->lost[sn] = true;
	whole = t_conn_put(c, bhs, task->data + at, len);
	if (c->state == T_DEAD)
		return false;
	if (task->lost && !came) /* not of one that was given up */
		task->lost[sn] = !whole;
	return true;
}

bool t_task_send_data(struct t_task *task, uint32_t from, uint32_t count)
{
	uint32_t sn = task->acked_sn, at = task->acked_at, len;
	uint32_t burst = task->conn->session->max_burst_length;

	for (; at < task->result.moved; at += len, sn++) {
		len = cut(task, at, burst);
		if (sn >= from && sn - from < count &&
			!send_data_in(task, sn, at, len,
				at + len == task->result.moved ||
					(at + len) % burst == 0))
			return false;
	}
	return true;
}

void t_task_ack(struct t_task *task, uint32_t sn)
{
	uint32_t burst = task->conn->session->max_burst_length;

	for (; task->acked_sn < sn; task->acked_sn++) {
		if (task->lost && task->lost[task->acked_sn])
			t_violation(task->conn->target,
				"DataSN %u of task %#x acknowledged, which "
				"has not arrived",
				task->acked_sn, task->itt);
		task->acked_at += cut(task, task->acked_at, burst);
	}
}

void t_task_resegment(struct t_task *task)
{
	task->segment = task->conn->max_send_data;
	task->sent_sn = task->acked_sn;
	task->ack_ttt = ++task->conn->session->next_ttt;
	task->collapsed = false;
}

void t_task_send_status(struct t_task *task, bool fresh)
{
	uint8_t bhs[T_BHS_LEN], sense[2 + T_LUN_SENSE_MAX] = {0};
	const struct t_lun_cmd *cmd = &task->result;
	struct t_conn *c = task->conn;
	uint32_t len = 0;

	if (fresh)
		task->stat_sn = c->stat_sn;
	t_make(bhs, 0x21);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_TTT, task->snack_tag);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_STATUS, cmd->status);
	t_conn_stamp(c, bhs, fresh);
	t_set(bhs, T_STAT_SN, task->stat_sn);
	t_set(bhs, T_EXP_DATA_SN, task->read ? task->sent_sn : task->r2t_sn);
	flag_residual(bhs, cmd);
	if (cmd->sense_len > 0) {
		sense[1] = cmd->sense_len;
		memcpy(sense + 2, cmd->sense, cmd->sense_len);
		len = 2u + cmd->sense_len;
	}
	t_conn_send(c, bhs, sense, len);
}

static void execute(struct t_task *task)
{
	struct t_lun_cmd *cmd = &task->result;
	struct t_conn *c = task->conn;
	const struct t_hooks *hooks = c->target->hooks;

	*cmd = (struct t_lun_cmd){.cdb = task->bhs + 32};
	cmd->out = task->write ? task->data : NULL;
	cmd->out_len = task->write ? task->edtl : 0;
	cmd->in = task->read ? task->data : NULL;
	cmd->in_len = task->read ? task->edtl : 0;
	c->target->commands++;
	t_lun_execute(&c->session->nexus, cmd);
	if (task->read && hooks && hooks->answer)
		hooks->answer(c->target->hooks_arg, cmd);
	if (!task->read || (cmd->status != 0 && !cmd->recovered))
		cmd->moved = 0;
}

void t_task_answer(struct t_task *task)
{
	struct t_conn *c = task->conn;
	struct t_session *s = c->session;
	struct t_target *t = c->target;
	uint16_t cid = c->cid;

	task->done = true;
	task->segment = c->max_send_data;
	task->ack_ttt = ++s->next_ttt;
	task->collapsed = t->options.collapse && task->result.status == 0 &&
			  task->result.moved > 0;
	task->lost = calloc(2ul * (task->edtl / 512) + 8, 1);
	if (!task->lost)
		abort();
	if (t_task_send_data(task, 0, UINT32_MAX) && !task->collapsed)
		t_task_send_status(task, true);
	if (c->session != s)
		t_task_orphan(t, s, cid, task);
	else if (s->error_recovery_level > 0)
		TAILQ_INSERT_TAIL(&s->done, task, link);
	else
		t_task_destroy(task);
}

/* The task leaves the list first: a hook may end the session. */
void t_task_execute(struct t_task *task)
{
	execute(task);
	TAILQ_REMOVE(&task->conn->session->tasks, task, link);
	t_task_answer(task);
}
