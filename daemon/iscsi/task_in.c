/* SPDX-License-Identifier: BSD-2-Clause */
/* What the target sends for a command: data, and the end (RFC 7143 11.4, 11.7).
 * Data goes to the command's own memory while it comes in. */
#include <errno.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/log.h>

#include "conn.h"
#include "session.h"

#define STATUS_GOOD 0x00 /* SAM-5 5.3.1 */

/* The command that a PDU speaks of; NULL, and the connection has failed. */
static struct task *command_of(struct conn *c, const struct bhs *b)
{
	struct task *t = task_find(&c->session->tasks, b->itt);
	const char *wrong = NULL;

	if (!t)
		wrong = "an unknown task";
	else if (t->kind != TASK_SCSI)
		wrong = "a task of another kind";
	else if (t->conn != c)
		wrong = "a task of another connection";
	else if (!t->cmd || t->ending)
		wrong = "a task that has ended";
	else if (!t->sent)
		wrong = "a task that it has not got";
	if (!wrong)
		return t;
	conn_fail(c, -EPROTO, "%s for %s", bhs_op_name((uint8_t)b->op), wrong);
	return NULL;
}

static struct task *data_task(struct conn *c, const struct bhs *b, uint32_t len)
{
	struct task *t = command_of(c, b);
	const char *wrong = NULL;

	if (!t)
		return NULL;
	if (t->cmd->direction != PATH_DATA_IN)
		wrong = "for a task that reads nothing";
	else if (b->data_in.data_sn != t->data_sn)
		wrong = "out of order (DataSN)";
	else if (b->data_in.offset != t->received)
		wrong = "out of order (BufferOffset)";
	else if (len > t->cmd->len - t->received)
		wrong = "beyond the expected length";
	if (!wrong)
		return t;
	conn_fail(c, -EPROTO, "Data-In %s", wrong);
	return NULL;
}

void *task_in_place(struct conn *c, const struct bhs *b, uint32_t len)
{
	struct task *t = data_task(c, b, len);

	return t ? (uint8_t *)t->cmd->data + t->received : NULL;
}

struct ending {
	uint8_t status;
	enum residual kind;
	uint32_t residual;
};

/* RFC 7143 11.4.5: do data and residual add up to what was asked for? */
static bool adds_up(const struct task *t, const struct ending *e)
{
	uint32_t len = t->cmd->len;

	if (e->kind == RESIDUAL_UNDERFLOW && e->residual > len)
		return false;
	if (t->cmd->direction != PATH_DATA_IN)
		return true;
	if (e->kind == RESIDUAL_UNDERFLOW)
		return t->received == len - e->residual;
	return t->received == len;
}

static void finish(struct conn *c, struct task *t, const struct ending *e)
{
	struct path_cmd *cmd = t->cmd;
	struct path_result *r = &cmd->result;

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

void task_in_data(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct task *t = data_task(c, b, len);
	const struct ending e = {b->data_in.status, b->data_in.residual_kind,
		b->data_in.residual};

	(void)data; /* it is in its place already */
	if (!t)
		return;
	t->received += len;
	t->data_sn++;
	if (b->data_in.has_status)
		finish(c, t, &e);
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

void task_in_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct task *t = command_of(c, b);
	const struct ending e = {b->scsi_rsp.status, b->scsi_rsp.residual_kind,
		b->scsi_rsp.residual};

	if (!t)
		return;
	/* ExpDataSN: at level 0 a PDU that is missing stays missing. Some
	 * targets leave it zero; then the bytes have to add up. */
	if (t->cmd->direction == PATH_DATA_IN && b->scsi_rsp.exp_data_sn &&
		b->scsi_rsp.exp_data_sn != t->data_sn) {
		conn_fail(c, -EPROTO, "Data-In was lost (ExpDataSN)");
		return;
	}
	if (b->scsi_rsp.response != SCSI_RSP_COMPLETED) {
		session_task_end(c->session, t, PATH_UNKNOWN, -EREMOTEIO);
		return;
	}
	take_sense(&t->cmd->result, data, len);
	finish(c, t, &e);
}
