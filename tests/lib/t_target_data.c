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

void t_task_destroy(struct t_task *task)
{
	free(task->lost);
	free(task->data);
	free(task);
}

void t_task_free(struct t_session *s, struct t_task *task)
{
	TAILQ_REMOVE(&s->tasks, task, link);
	t_task_destroy(task);
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

/* False when the connection died, and perhaps the task with it. */
static bool r2t_put(struct t_task *task, struct t_r2t *r)
{
	struct t_conn *c = task->conn;
	uint8_t bhs[T_BHS_LEN];
	bool whole;

	t_make(bhs, 0x31);
	t_set(bhs, T_FINAL, 1);
	memcpy(bhs + 8, task->bhs + 8, 8);
	t_set(bhs, T_ITT, task->itt);
	t_set(bhs, T_TTT, r->ttt);
	t_set(bhs, T_DATA_SN, r->r2t_sn);
	t_set(bhs, T_OFFSET, r->offset);
	t_set(bhs, T_DESIRED, r->len);
	t_conn_stamp(c, bhs, false);
	whole = t_conn_put(c, bhs, NULL, 0);
	if (c->state == T_DEAD)
		return false;
	r->lost = !whole;
	return true;
}

void t_r2t_send(struct t_task *task, struct t_r2t *r)
{
	r2t_put(task, r);
}

static bool r2t_open(
	struct t_task *task, uint32_t offset, uint32_t len, bool recovery)
{
	struct t_r2t *r = task->r2ts;

	while (r < task->r2ts + T_R2TS_MAX && r->open)
		r++;
	if (r == task->r2ts + T_R2TS_MAX)
		abort();
	*r = (struct t_r2t){
		.ttt = ++task->conn->session->next_ttt,
		.offset = offset,
		.len = len,
		.r2t_sn = task->r2t_sn++,
		.open = true,
		.recovery = recovery,
	};
	return r2t_put(task, r);
}

/* Asks for what is missing, as far as MaxOutstandingR2T lets; or goes on. */
static void task_ask(struct t_task *task)
{
	const struct t_target_options *o = &task->conn->target->options;
	const struct t_session *s = task->conn->session;
	uint32_t most = o->r2t_length ? o->r2t_length : s->max_burst_length;
	uint32_t at, len;

	if (task->unsolicited > 0 && !o->early_r2t)
		return;
	while (task->asked < task->edtl &&
		open_r2ts(task) <
			smaller(s->max_outstanding_r2t, T_R2TS_MAX / 2)) {
		at = task->asked;
		len = smaller(task->edtl - at, most);
		task->asked += len;
		if (!r2t_open(task, at, len, false))
			return;
	}
	if (task->got == task->edtl && open_r2ts(task) == 0)
		task_complete(task);
}

void t_task_restart(struct t_task *task)
{
	uint32_t floor = task->unsolicited > 0 ? task->offset : task->asked;
	uint32_t next_sn = task->r2t_sn;
	unsigned i;

	for (i = 0; i < T_R2TS_MAX; i++) {
		struct t_r2t *r = &task->r2ts[i];

		if (!r->open)
			continue;
		floor = smaller(floor, r->offset + r->got);
		next_sn = smaller(next_sn, r->r2t_sn);
		r->open = false;
	}
	task->unsolicited = 0;
	task->asked = task->got = floor;
	task->r2t_sn = next_sn;
	task_ask(task);
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
	struct t_lun_cmd *cmd = &task->result;

	cmd->status = 2;
	cmd->sense_len = 18;
	memcpy(cmd->sense, "\x70\0\5\0\0\0\0\x0a\0\0\0\0\x25\0\0\0\0", 18);
	cmd->residual = task->edtl;
	t_task_answer(task);
}

/* An ITT may be used again before its last status is acknowledged. */
static void forget_done(struct t_session *s, uint32_t itt)
{
	struct t_task *old = t_done_find(s, itt);

	if (!old)
		return;
	TAILQ_REMOVE(&s->done, old, link);
	t_task_destroy(old);
}

void t_scsi_command(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_task *task = task_new(c, bhs);
	uint32_t first;

	check_unsolicited(c, task, bhs, len);
	forget_done(c->session, task->itt);
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

/* Data that came; NULL: they did not. */
static void take(
	struct t_task *task, uint32_t offset, const uint8_t *data, uint32_t len)
{
	if (!data)
		return;
	memcpy(task->data + offset, data, len);
	task->got += len;
}

static void unsolicited_data(struct t_task *task, const uint8_t *bhs,
	const uint8_t *data, uint32_t len)
{
	struct t_target *t = task->conn->target;
	uint32_t offset;

	if (task->repeated)
		return;
	if (t_get(bhs, T_DATA_SN) != task->data_sn++)
		t_violation(t, "unsolicited Data-Out: DataSN");
	if (t_get(bhs, T_OFFSET) != task->offset)
		t_violation(t, "unsolicited Data-Out: offset");
	if (len > task->unsolicited) {
		t_violation(t, "unsolicited Data-Out: %u bytes, %u may come",
			len, task->unsolicited);
		return;
	}
	offset = task->offset;
	take(task, offset, data, len);
	task->offset += len;
	task->unsolicited -= len;
	if (t_get(bhs, T_FINAL) != (task->unsolicited == 0))
		t_violation(t, "unsolicited Data-Out: F with %u bytes missing",
			task->unsolicited);
	if (data || r2t_open(task, offset, len, true))
		task_ask(task);
}

static void solicited_data(struct t_task *task, struct t_r2t *r,
	const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_target *t = task->conn->target;
	uint32_t offset;

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
	offset = r->offset + r->got;
	take(task, offset, data, len);
	r->got += len;
	if (t_get(bhs, T_FINAL) != (r->got == r->len))
		t_violation(
			t, "Data-Out: F after %u of %u bytes", r->got, r->len);
	r->open = r->got < r->len;
	if (data || r2t_open(task, offset, len, true))
		task_ask(task);
}

/* RFC 7143 4.2.3.4: after the request, or once Async Message 5 is acknowledged,
 * the transfer tags from before are not served any more. */
static void check_fast_abort(struct t_conn *c, const uint8_t *bhs)
{
	uint32_t ttt = (uint32_t)t_get(bhs, T_TTT);

	if (c->told && ttt <= c->fence_ttt && !t_sn_lt(c->acked, c->fence_sn))
		t_violation(c->target, "Data-Out after FastAbort");
}

void t_data_out(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_task *task =
		t_task_find(c->session, (uint32_t)t_get(bhs, T_ITT));
	uint32_t ttt = (uint32_t)t_get(bhs, T_TTT);
	unsigned i;

	/* Of a task that has just been aborted, data may still come. */
	if (!task && t_order_data(c, bhs, data, len))
		return;
	if (!task) {
		check_fast_abort(c, bhs);
		return;
	}
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
