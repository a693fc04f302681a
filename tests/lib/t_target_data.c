/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's SCSI tasks and their data (RFC 7143 11.3 to 11.8). */
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

struct t_task *t_task_find(struct t_session *s, uint32_t itt)
{
	struct t_task *task;

	TAILQ_FOREACH (task, &s->tasks, link)
		if (task->itt == itt)
			return task;
	return NULL;
}

void t_task_free(struct t_session *s, struct t_task *task)
{
	TAILQ_REMOVE(&s->tasks, task, link);
	free(task->data);
	free(task);
}

static void flag_residual(uint8_t *bhs, const struct t_lun_cmd *cmd)
{
	if (cmd->residual == 0)
		return;
	t_set(bhs, cmd->overflow ? T_OVER : T_UNDER, 1);
	t_set(bhs, T_RESIDUAL, cmd->residual);
}

static void send_response(
	struct t_task *task, const struct t_lun_cmd *cmd, uint32_t exp_data_sn)
{
	uint8_t bhs[T_BHS_LEN], sense[2 + T_LUN_SENSE_MAX] = {0};
	uint32_t len = 0;

	t_make(bhs, 0x21);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_STATUS, cmd->status);
	t_set(bhs, T_EXP_DATA_SN, exp_data_sn);
	flag_residual(bhs, cmd);
	if (cmd->sense_len > 0) {
		sense[1] = cmd->sense_len;
		memcpy(sense + 2, cmd->sense, cmd->sense_len);
		len = 2u + cmd->sense_len;
	}
	t_conn_stamp(task->conn, bhs, true);
	t_conn_send(task->conn, bhs, sense, len);
}

/* One Data-In, the last of its sequence or not; the last one of the command may
 * carry the status. */
static void send_data_in(struct t_task *task, uint32_t sn, uint32_t at,
	uint32_t len, bool last, const struct t_lun_cmd *status)
{
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x25);
	t_set(bhs, T_FINAL, last);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_DATA_SN, sn);
	t_set(bhs, T_OFFSET, at);
	t_conn_stamp(task->conn, bhs, status != NULL);
	if (!status)
		t_set(bhs, T_STAT_SN, 0);
	if (status) {
		t_set(bhs, T_HAS_STATUS, 1);
		t_set(bhs, T_STATUS, status->status);
		flag_residual(bhs, status);
	}
	t_conn_send(task->conn, bhs, task->data + at, len);
}

/* The data of a read in PDUs; returns their number, and says in `collapsed`
 * whether the status went with the last one. */
static uint32_t send_data(
	struct t_task *task, const struct t_lun_cmd *cmd, bool *collapsed)
{
	struct t_conn *c = task->conn;
	uint32_t burst = c->session->max_burst_length;
	bool collapse = c->target->options.collapse && cmd->status == 0;
	uint32_t sn = 0, at = 0, len;
	const struct t_lun_cmd *status;
	bool last;

	*collapsed = false;
	while (at < cmd->moved && c->state == T_FULL_FEATURE) {
		len = smaller(cmd->moved - at, c->max_send_data);
		len = smaller(len, burst - at % burst);
		status = collapse && at + len == cmd->moved ? cmd : NULL;
		*collapsed = status != NULL;
		last = at + len == cmd->moved || (at + len) % burst == 0;
		send_data_in(task, sn++, at, len, last, status);
		at += len;
	}
	return sn;
}

void t_task_execute(struct t_task *task)
{
	struct t_conn *c = task->conn;
	struct t_session *s = c->session;
	const struct t_hooks *hooks = c->target->hooks;
	struct t_lun_cmd cmd = {.cdb = task->bhs + 32};
	uint32_t sn = task->r2t_sn;
	bool collapsed = false;

	c->target->commands++;
	cmd.out = task->write ? task->data : NULL;
	cmd.out_len = task->write ? task->edtl : 0;
	cmd.in = task->read ? task->data : NULL;
	cmd.in_len = task->read ? task->edtl : 0;
	t_lun_execute(&s->nexus, &cmd);
	if (task->read && hooks && hooks->answer)
		hooks->answer(c->target->hooks_arg, &cmd);
	/* The task leaves the list first: a hook may end the session. */
	TAILQ_REMOVE(&s->tasks, task, link);
	if (task->read && cmd.status == 0)
		sn = send_data(task, &cmd, &collapsed);
	if (!collapsed)
		send_response(task, &cmd, sn);
	free(task->data);
	free(task);
}

/* All that a command needs has come. */
static void task_complete(struct t_task *task)
{
	task->complete = true;
	if (!task->conn->target->hold)
		t_task_execute(task);
}

static unsigned open_r2ts(const struct t_task *task)
{
	unsigned i, n = 0;

	for (i = 0; i < T_R2TS_MAX; i++)
		n += task->r2ts[i].open;
	return n;
}

static void send_r2t(struct t_task *task, struct t_r2t *r)
{
	struct t_conn *c = task->conn;
	uint32_t most = c->target->options.r2t_length
				? c->target->options.r2t_length
				: c->session->max_burst_length;
	uint8_t bhs[T_BHS_LEN];

	*r = (struct t_r2t){
		.ttt = ++c->session->next_ttt,
		.offset = task->asked,
		.len = smaller(task->edtl - task->asked, most),
		.open = true,
	};
	task->asked += r->len;
	t_make(bhs, 0x31);
	t_set(bhs, T_FINAL, 1);
	memcpy(bhs + 8, task->bhs + 8, 8);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_TTT, r->ttt);
	t_set(bhs, T_DATA_SN, task->r2t_sn++);
	t_set(bhs, T_OFFSET, r->offset);
	t_set(bhs, T_DESIRED, r->len);
	t_conn_stamp(c, bhs, false);
	t_conn_send(c, bhs, NULL, 0);
}

/* Asks for what is missing, as far as MaxOutstandingR2T lets; or goes on. */
static void task_ask(struct t_task *task)
{
	struct t_conn *c = task->conn;
	uint32_t most = c->session->max_outstanding_r2t;
	unsigned i;

	if (task->unsolicited > 0 && !c->target->options.early_r2t)
		return;
	for (i = 0; i < T_R2TS_MAX && task->asked < task->edtl; i++) {
		if (task->r2ts[i].open || open_r2ts(task) >= most)
			continue;
		send_r2t(task, &task->r2ts[i]);
		if (c->state == T_DEAD)
			return; /* and the task went with it */
	}
	if (task->got == task->edtl && open_r2ts(task) == 0)
		task_complete(task);
}

/* What may come with the command and after it unasked: RFC 7143 11.3.4, 13.10
 * to 13.14. */
static void check_unsolicited(struct t_conn *c, const struct t_task *task,
	const uint8_t *bhs, uint32_t len)
{
	const struct t_session *s = c->session;
	uint32_t first = smaller(s->first_burst_length, task->edtl);

	if (len > 0 && !task->write)
		t_violation(c->target, "data with a command that is no write");
	if (len > 0 && !s->immediate_data)
		t_violation(c->target, "immediate data, which was not agreed");
	if (len > first)
		t_violation(c->target, "%u bytes of immediate data", len);
	if (!t_get(bhs, T_FINAL) && (!task->write || s->initial_r2t))
		t_violation(c->target, "unsolicited data announced, which was "
				       "not agreed");
	if (!t_get(bhs, T_FINAL) && len >= first)
		t_violation(c->target, "F=0, but nothing may follow");
	if (!task->read && !task->write && task->edtl > 0)
		t_violation(c->target, "data length without a direction");
	if (task->itt == T_NO_TAG || t_task_find(c->session, task->itt))
		t_violation(c->target, "task tag %#x is taken", task->itt);
	if (t_get(bhs, T_AHS_WORDS) || t_get(bhs, T_ATTR) > 4)
		t_violation(c->target, "AHS or task attribute");
}

static struct t_task *task_new(struct t_conn *c, const uint8_t *bhs)
{
	struct t_task *task = calloc(1, sizeof *task);

	if (!task)
		abort();
	memcpy(task->bhs, bhs, T_BHS_LEN);
	task->conn = c;
	task->itt = (uint32_t)t_get(bhs, T_ITT);
	task->cmd_sn = (uint32_t)t_get(bhs, T_CMD_SN);
	task->edtl = (uint32_t)t_get(bhs, T_EDTL);
	task->read = t_get(bhs, T_READ);
	task->write = t_get(bhs, T_WRITE);
	task->data = calloc(1, task->edtl + 1ul);
	if (!task->data)
		abort();
	return task;
}

/* LOGICAL UNIT NOT SUPPORTED */
static void refuse_lun(struct t_task *task)
{
	struct t_lun_cmd cmd = {.status = 2, .sense_len = 18};

	memcpy(cmd.sense, "\x70\0\5\0\0\0\0\x0a\0\0\0\0\x25\0\0\0\0", 18);
	cmd.residual = task->edtl;
	send_response(task, &cmd, 0);
	free(task->data);
	free(task);
}

void t_scsi_command(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_task *task = task_new(c, bhs);
	uint32_t first;

	check_unsolicited(c, task, bhs, len);
	if (t_get(bhs, T_LUN) != c->target->options.lun) {
		refuse_lun(task);
		return;
	}
	TAILQ_INSERT_TAIL(&c->session->tasks, task, link);
	if (!task->write) {
		task_complete(task);
		return;
	}
	len = smaller(len, task->edtl);
	memcpy(task->data, data, len);
	first = smaller(c->session->first_burst_length, task->edtl);
	task->got = task->asked = task->offset = len;
	if (!t_get(bhs, T_FINAL) && first > len) {
		task->unsolicited = first - len;
		task->asked = first;
	}
	task_ask(task);
}

static void unsolicited_data(struct t_task *task, const uint8_t *bhs,
	const uint8_t *data, uint32_t len)
{
	struct t_target *t = task->conn->target;

	if (t_get(bhs, T_DATA_SN) != task->data_sn++)
		t_violation(t, "unsolicited Data-Out: DataSN");
	if (t_get(bhs, T_OFFSET) != task->offset)
		t_violation(t, "unsolicited Data-Out: offset");
	if (len > task->unsolicited) {
		t_violation(t, "unsolicited Data-Out: %u bytes, %u may come",
			len, task->unsolicited);
		return;
	}
	memcpy(task->data + task->offset, data, len);
	task->offset += len;
	task->got += len;
	task->unsolicited -= len;
	if (t_get(bhs, T_FINAL) != (task->unsolicited == 0))
		t_violation(t, "unsolicited Data-Out: F with %u bytes missing",
			task->unsolicited);
	task_ask(task);
}

static void solicited_data(struct t_task *task, struct t_r2t *r,
	const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_target *t = task->conn->target;

	if (memcmp(bhs + 8, task->bhs + 8, 8) != 0)
		t_violation(t, "Data-Out with another LUN than the R2T");
	if (t_get(bhs, T_DATA_SN) != r->data_sn++)
		t_violation(t, "Data-Out: DataSN");
	if (t_get(bhs, T_OFFSET) != r->offset + r->got)
		t_violation(t, "Data-Out: offset");
	if (len > r->len - r->got) {
		t_violation(t, "Data-Out: more than the R2T asked for");
		return;
	}
	memcpy(task->data + r->offset + r->got, data, len);
	r->got += len;
	task->got += len;
	if (t_get(bhs, T_FINAL) != (r->got == r->len))
		t_violation(
			t, "Data-Out: F after %u of %u bytes", r->got, r->len);
	r->open = r->got < r->len;
	task_ask(task);
}

void t_data_out(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_task *task =
		t_task_find(c->session, (uint32_t)t_get(bhs, T_ITT));
	uint32_t ttt = (uint32_t)t_get(bhs, T_TTT);
	unsigned i;

	/* Of a task that has just been aborted, data may still come. */
	if (!task)
		return;
	if (task->conn != c)
		t_violation(c->target, "Data-Out on another connection");
	if (ttt == T_NO_TAG) {
		unsolicited_data(task, bhs, data, len);
		return;
	}
	for (i = 0; i < T_R2TS_MAX; i++) {
		if (task->r2ts[i].open && task->r2ts[i].ttt == ttt) {
			solicited_data(task, &task->r2ts[i], bhs, data, len);
			return;
		}
	}
	t_violation(c->target, "Data-Out for an R2T that was not");
}
