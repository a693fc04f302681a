/* SPDX-License-Identifier: BSD-2-Clause */
/* What the target sends for a command: data, and the end (RFC 7143 11.4, 11.7).
 * Data goes to the command's own memory while it comes in. */
#include <errno.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/log.h>

#include "conn.h"
#include "repair.h"
#include "session.h"

#define STATUS_GOOD 0x00 /* SAM-5 5.3.1 */

/* A PDU for a task that cannot have one: the connection fails. At level 1 what
 * has ended may be sent again, a reset of the unit ends tasks whose answers are
 * under way on other connections, and one that "still allegiant" was said of
 * has moved on: that is no breach. */
static void refuse_task(
	struct conn *c, const struct bhs *b, const struct task *t)
{
	bool late = c->level > 0 || c->leg;
	const char *wrong;

	if (late && (!t || (t->kind == TASK_SCSI && (!t->cmd || t->ending))))
		return;
	if (t && t->conn != c && t->reassigns > 0)
		return;
	if (!t)
		wrong = "an unknown task";
	else if (t->kind != TASK_SCSI)
		wrong = "a task of another kind";
	else if (t->conn != c)
		wrong = "a task of another connection";
	else if (!t->cmd || t->ending)
		wrong = "a task that has ended";
	else
		wrong = "a task that it has not got";
	conn_fail(c, -EPROTO, "%s for %s", bhs_op_name((uint8_t)b->op), wrong);
}

/* The command that a PDU speaks of; NULL when it is to be dropped, or when it
 * is a breach, and then the connection has failed. */
static struct task *command_of(struct conn *c, const struct bhs *b)
{
	struct task *t = task_find(&c->session->tasks, b->itt);

	if (t && t->kind == TASK_SCSI && t->conn == c && t->cmd && !t->ending &&
		t->sent)
		return t;
	refuse_task(c, b, t);
	return NULL;
}

void task_in_acked(struct task *t)
{
	t->acked_sn = t->data_sn;
	t->acked_at = t->received;
}

/* At level 0 every PDU is the next one. */
static const char *misfit(const struct task *t, const struct bhs *b)
{
	if (b->data_in.data_sn != t->data_sn)
		return "out of order (DataSN)";
	if (b->data_in.offset != t->received)
		return "out of order (BufferOffset)";
	return NULL;
}

/* Level 1: one that comes later has its place further on. */
static const char *misfit_later(const struct task *t, const struct bhs *b)
{
	if (b->data_in.data_sn == t->data_sn)
		return misfit(t, b);
	if (b->data_in.offset < t->received || b->data_in.offset > t->cmd->len)
		return "out of order (BufferOffset)";
	return NULL;
}

/* The next of a task that lacks nothing: level 1 has no question to it. */
static bool is_due(const struct task *t, const struct bhs *b)
{
	return b->data_in.data_sn == t->data_sn && !t->repair;
}

/* Level 1: it came before, or belongs to what was asked for anew. */
static bool is_useless(const struct task *t, const struct bhs *b)
{
	uint32_t sn = b->data_in.data_sn;

	return repair_has(t, sn) || repair_is_far(t, sn) ||
	       repair_is_stale(t, sn);
}

/* The task that a Data-In is for. NULL when it is to be dropped, or when it is
 * a breach, and then the connection has failed. */
static struct task *data_task(struct conn *c, const struct bhs *b, uint32_t len)
{
	struct task *t = command_of(c, b);
	const char *wrong;

	if (!t)
		return NULL;
	if (c->level > 0 && !is_due(t, b) && is_useless(t, b))
		return NULL;
	if (t->cmd->direction != PATH_DATA_IN)
		wrong = "for a task that reads nothing";
	else
		wrong = c->level > 0 ? misfit_later(t, b) : misfit(t, b);
	if (!wrong && len > t->cmd->len - b->data_in.offset)
		wrong = "beyond the expected length";
	if (!wrong)
		return t;
	conn_fail(c, -EPROTO, "Data-In %s", wrong);
	return NULL;
}

void *task_in_place(struct conn *c, const struct bhs *b, uint32_t len)
{
	struct task *t = data_task(c, b, len);
	uint8_t *data = t ? path_cmd_data(t->cmd) : NULL;

	if (t && !data)
		conn_fail(c, -ENOMEM, "no memory for the data of a read");
	return data ? data + b->data_in.offset : NULL;
}

/* The task of a Data-In whose data is where task_in_place() said. It was
 * checked then, and what was found is still so if the task is still there and
 * this is still its next PDU. */
static struct task *placed_task(struct conn *c, const struct bhs *b)
{
	struct task *t = task_find(&c->session->tasks, b->itt);

	if (t && t->conn == c && t->cmd && !t->ending && is_due(t, b))
		return t;
	return data_task(c, b, b->data_len);
}

/* Data of a write that waits to be sent, or has not left yet. A retry may send
 * again what the target had all the time: that need not leave. */
static bool is_still_here(const struct task *t)
{
	return t->retries == 0 &&
	       (t->bursts_left > 0 || !LIST_EMPTY(&t->dataouts));
}

/* RFC 7143 11.4.5: do data and residual add up to what was asked for? Of a
 * write the target has what was sent unasked and what it has asked for; with
 * R2Ts of recovery that may seem more than it is. */
static bool adds_up(const struct task *t, const struct ending *e)
{
	uint32_t len = t->cmd->len;

	if (e->kind == RESIDUAL_UNDERFLOW && e->residual > len)
		return false;
	if (e->kind == RESIDUAL_UNDERFLOW)
		len -= e->residual;
	switch (t->cmd->direction) {
	case PATH_DATA_IN: return t->received == len;
	case PATH_DATA_OUT: return t->received >= len && !is_still_here(t);
	default: return true;
	}
}

void task_in_finish(struct conn *c, struct task *t, const struct ending *e)
{
	struct path_cmd *cmd = t->cmd;
	struct path_result *r = &cmd->result;

	if (e->response != SCSI_RSP_COMPLETED) {
		session_task_end(c->session, t, PATH_UNKNOWN, -EREMOTEIO);
		return;
	}
	r->status = e->status;
	r->overflow = e->kind == RESIDUAL_OVERFLOW;
	r->residual = e->residual;
	if (e->status == STATUS_GOOD && !adds_up(t, e)) {
		log_warn("the target calls a command of %u bytes good with "
			 "%u bytes and a residual of %u",
			cmd->len, t->received, e->residual);
		session_task_end(c->session, t, PATH_UNKNOWN, -EBADMSG);
		return;
	}
	if (cmd->direction == PATH_DATA_IN && !r->overflow)
		r->residual = cmd->len - t->received;
	else if (!r->overflow && r->residual > cmd->len)
		r->residual = cmd->len; /* of a command that failed anyway */
	session_task_end(c->session, t, PATH_DONE, 0);
}

/* Data without a place was refused when it began, or its task has moved since:
 * it was not stored, and does not count. */
static struct task *task_without_data(
	struct conn *c, const struct bhs *b, uint32_t len)
{
	return len == 0 ? data_task(c, b, 0) : NULL;
}

void task_in_data(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct task *t =
		data ? placed_task(c, b) : task_without_data(c, b, len);
	const struct ending e = {.status = b->data_in.status,
		.kind = b->data_in.residual_kind,
		.residual = b->data_in.residual};

	if (!t)
		return;
	if (t->proof)
		reassign_proved(t);
	if (t->repair || b->data_in.data_sn != t->data_sn) {
		repair_data(c, t, b, len);
		return;
	}
	t->received += len;
	t->data_sn++;
	/* With the status, ExpStatSN says it all (RFC 7143 11.7.2). */
	if (b->data_in.ack && !b->data_in.has_status && c->level > 0)
		snack_ack(c, t, b->ttt, b->lun);
	if (b->data_in.has_status)
		task_in_finish(c, t, &e);
}

void task_in_spoilt(struct conn *c, const struct bhs *b)
{
	struct task *t = data_task(c, b, b->data_len);

	if (!t)
		return;
	/* With the data the status comes again. */
	if (b->data_in.has_status)
		statsn_reveal(&c->stat, b->stat_sn + 1);
	repair_spoilt(c, t, b->data_in.data_sn);
}

/* RFC 7143 11.4.7.2: SenseLength, then that many bytes; both may be a lie. */
static void take_sense(struct path_result *r, const uint8_t *data, uint32_t len)
{
	uint32_t n;

	r->sense_len = 0;
	if (!data || len < 2)
		return;
	n = get_be16(data);
	if (n > len - 2)
		n = len - 2;
	if (n > PATH_SENSE_MAX)
		n = PATH_SENSE_MAX;
	memcpy(r->sense, data + 2, n);
	r->sense_len = (uint16_t)n;
}

/* ExpDataSN (RFC 7143 11.4.8): Data-In that it counts and that has not come.
 * Some targets leave it zero; then the bytes have to add up. */
static bool lacks_data(const struct conn *c, const struct task *t, uint32_t exp)
{
	if (t->cmd->direction != PATH_DATA_IN)
		return false;
	if (c->level == 0)
		return exp != 0 && exp != t->data_sn;
	return t->repair || sn_gt(exp, t->data_sn);
}

void task_in_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct task *t = command_of(c, b);
	const struct ending e = {.response = b->scsi_rsp.response,
		.status = b->scsi_rsp.status,
		.kind = b->scsi_rsp.residual_kind,
		.residual = b->scsi_rsp.residual};

	if (!t)
		return;
	if (t->proof)
		reassign_proved(t);
	if (!repair_answers(c, t, b))
		return;
	take_sense(&t->cmd->result, data, len);
	if (!lacks_data(c, t, b->scsi_rsp.exp_data_sn))
		task_in_finish(c, t, &e);
	else if (c->level == 0)
		conn_fail(c, -EPROTO, "Data-In was lost (ExpDataSN)");
	else
		repair_status(c, t, &e, b->stat_sn, b->scsi_rsp.exp_data_sn);
}
