/* SPDX-License-Identifier: BSD-2-Clause */
/* Rejects (RFC 7143 11.17) at error recovery level 0: what cannot be pinned to
 * one task ends the connection. A Reject is never a success. */
#include <errno.h>
#include <stddef.h>
#include <umpio/base/cursor.h>

#include "conn.h"
#include "renegotiate.h"
#include "session.h"

enum cure {
	DROP,   /* end the connection */
	FAIL,   /* fail the task */
	UNDONE, /* the task was not begun, and will not be */
	WAIT,   /* the answer is still to come */
};

static const struct {
	uint8_t reason;
	enum cure cure;
	const char *text;
} reasons[] = {
	{REJECT_DATA_DIGEST, DROP, "data digest error"},
	{REJECT_SNACK, DROP, "SNACK rejected"},
	{REJECT_PROTOCOL, DROP, "protocol error"},
	{REJECT_NOT_SUPPORTED, FAIL, "command not supported"},
	{REJECT_TOO_MANY_IMMEDIATE, FAIL, "too many immediate commands"},
	{REJECT_TASK_IN_PROGRESS, WAIT, "task in progress"},
	{REJECT_INVALID_DATA_ACK, DROP, "invalid data ACK"},
	{REJECT_INVALID_FIELD, FAIL, "invalid PDU field"},
	{REJECT_LONG_OPERATION, FAIL, "no resources for a long operation"},
	{REJECT_NEGOTIATION_RESET, DROP, "negotiation reset"},
	{REJECT_WAITING_FOR_LOGOUT, UNDONE, "waiting for logout"},
};

/* The request that a Reject is about: a header comes back in its data. */
struct rejected {
	uint8_t op, flags;
	uint32_t itt;
};

static int read_header(struct rejected *r, const uint8_t *data, uint32_t len)
{
	struct cursor cur = cursor_over(data, data ? len : 0);

	r->op = cursor_u8(&cur) & 0x3f;
	r->flags = cursor_u8(&cur);
	cursor_skip(&cur, 14);
	r->itt = cursor_be32(&cur);
	cursor_skip(&cur, BHS_LEN - 20);
	return cur.bad ? -EPROTO : 0;
}

/* The opcode with which each kind of task is begun. */
static const uint8_t begun_by[] = {
	[TASK_SCSI] = OP_SCSI_CMD,
	[TASK_NOP] = OP_NOP_OUT,
	[TASK_TMF] = OP_TMF_REQ,
	[TASK_TEXT] = OP_TEXT_REQ,
	[TASK_LOGOUT] = OP_LOGOUT_REQ,
	[TASK_LOGIN] = OP_LOGIN_REQ,
};

static void fail_task(
	struct conn *c, struct task *t, enum cure cure, const char *text)
{
	struct session *s = c->session;

	switch (t->kind) {
	case TASK_SCSI:
		if (t->cmd && t->sent && !t->ending) {
			/* Whether it was begun, no one says. */
			if (cure != UNDONE)
				past_leave(&s->past, s->group);
			session_task_end(s, t,
				cure == UNDONE ? PATH_NOT_SENT : PATH_UNKNOWN,
				-EREMOTEIO);
			return;
		}
		break;
	case TASK_NOP: nop_answered(c); return;
	case TASK_TMF:
		if (t != s->tmf.request)
			break;
		tmf_refused(s, text);
		return;
	default: break;
	}
	conn_fail(c, -EREMOTEIO, "the target rejected a %s: %s",
		bhs_op_name(begun_by[t->kind]), text);
}

/* Level 1 and above: what was spoilt on its way to the target is sent again, a
 * command by us, data when the target asks for it (RFC 7143 7.8), and a SNACK
 * never. True when that was it. */
static bool repaired(struct conn *c, const struct rejected *r, uint8_t reason,
	const char *text)
{
	struct task *t = task_find(&c->session->tasks, r->itt);

	if (c->level == 0)
		return false;
	if (r->op == OP_SNACK) {
		snack_rejected(c, r->flags & 0x0f, r->itt, text);
		return true;
	}
	if (reason != REJECT_DATA_DIGEST)
		return false;
	if (r->op == OP_DATA_OUT)
		return true;
	if (r->op != OP_SCSI_CMD || !t || t->kind != TASK_SCSI ||
		t->conn != c || !t->cmd || t->ending)
		return false;
	retry_command(t);
	return true;
}

void reject_message(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	enum cure cure = DROP;
	const char *text = "unknown reason";
	struct rejected r;
	struct task *t;

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].reason == b->reject.reason) {
			cure = reasons[i].cure;
			text = reasons[i].text;
		}
	}
	if (cure == WAIT)
		return;
	if (read_header(&r, data, len)) {
		conn_fail(c, -EPROTO, "Reject (%s) without a header", text);
		return;
	}
	if (repaired(c, &r, b->reject.reason, text))
		return;
	t = task_find(&c->session->tasks, r.itt);
	if (t && t->conn == c && renegotiate_refused(c, t, text))
		return;
	if (cure == DROP || !t || t->conn != c || begun_by[t->kind] != r.op) {
		conn_fail(c, -EREMOTEIO, "the target rejected a %s: %s",
			bhs_op_name(r.op), text);
		return;
	}
	fail_task(c, t, cure, text);
}
