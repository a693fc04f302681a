/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's answers to NOP, task management, Text and Logout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

#define TARGETS_TEXT_MAX 8192

void t_conn_reject(struct t_conn *c, uint8_t reason, const uint8_t *bhs)
{
	uint8_t out[T_BHS_LEN];

	t_make(out, 0x3f);
	t_set(out, T_TTT, 0);
	t_set(out, T_FINAL, 1);
	t_set(out, T_RESPONSE, reason);
	t_conn_stamp(c, out, true);
	t_conn_send(c, out, bhs, T_BHS_LEN);
}

void t_conn_async(struct t_conn *c, uint8_t event, uint16_t param1,
	uint16_t param2, uint16_t param3)
{
	uint8_t out[T_BHS_LEN];

	t_make(out, 0x32);
	t_set(out, T_TTT, 0);
	t_set(out, T_FINAL, 1);
	t_set(out, T_EVENT, event);
	t_set(out, T_PARAM1, param1);
	t_set(out, T_PARAM2, param2);
	t_set(out, T_PARAM3, param3);
	t_conn_stamp(c, out, true);
	t_conn_send(c, out, NULL, 0);
}

void t_conn_ping(struct t_conn *c)
{
	uint8_t out[T_BHS_LEN];

	if (!c->session)
		return;
	c->ping_ttt = ++c->session->next_ttt;
	t_make(out, 0x20);
	t_set(out, T_FINAL, 1);
	t_set(out, T_LUN, c->target->options.lun);
	t_set(out, T_TTT, c->ping_ttt);
	t_conn_stamp(c, out, false);
	t_conn_send(c, out, NULL, 0);
}

/* A response with the request's tag. */
static void response(
	struct t_conn *c, uint8_t *out, uint8_t op, const uint8_t *request)
{
	t_make(out, op);
	t_set(out, T_FINAL, 1);
	t_set(out, T_TTT, 0);
	t_set(out, T_ITT, t_get(request, T_ITT));
	t_conn_stamp(c, out, true);
}

/* RFC 7143 11.18: a ping, an answer to ours, or numbers only. */
static void nop_out(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	uint32_t ttt = (uint32_t)t_get(bhs, T_TTT);
	uint8_t out[T_BHS_LEN];

	if (t_get(bhs, T_ITT) != T_NO_TAG) {
		c->target->pings++;
		if (ttt != T_NO_TAG)
			t_violation(c->target, "NOP-Out with both tags");
		response(c, out, 0x20, bhs);
		t_set(out, T_TTT, T_NO_TAG);
		t_conn_send(c, out, data,
			len < c->max_send_data ? len : c->max_send_data);
		return;
	}
	if (!t_get(bhs, T_IMMEDIATE))
		t_violation(c->target, "NOP-Out without tag, not immediate");
	if (ttt == T_NO_TAG)
		return;
	if (ttt != c->ping_ttt)
		t_violation(c->target, "NOP-Out answers a ping that was not");
	if (t_get(bhs, T_LUN) != c->target->options.lun)
		t_violation(c->target, "NOP-Out with another LUN than asked");
	c->ping_ttt = T_NO_TAG;
}

static unsigned abort_task(struct t_conn *c, const uint8_t *bhs)
{
	uint32_t sn = (uint32_t)t_get(bhs, T_REF_CMD_SN);
	struct t_session *s = c->session;
	struct t_task *task = t_task_find(s, (uint32_t)t_get(bhs, T_RTT));

	if (task && task->conn != c) {
		t_violation(
			c->target, "ABORT TASK not on the task's connection");
		return 255;
	}
	if (task && task->cmd_sn != sn) {
		t_violation(c->target, "ABORT TASK with RefCmdSN %u for %u", sn,
			task->cmd_sn);
		return 255;
	}
	if (!task)
		return 1;
	t_task_free(s, task);
	return 0;
}

/* RFC 7143 11.5, 11.6 */
static void task_management(struct t_conn *c, const uint8_t *bhs)
{
	unsigned function = (unsigned)t_get(bhs, T_FUNCTION);
	struct t_session *s = c->session, *other;
	uint8_t out[T_BHS_LEN];
	unsigned result = 5;

	if (function != 1 && function != 8 && t_get(bhs, T_RTT) != T_NO_TAG)
		t_violation(c->target, "function %u with a referenced task",
			function);
	if (function == 1)
		result = abort_task(c, bhs);
	else if (function == 2 || function == 5)
		result = t_get(bhs, T_LUN) == c->target->options.lun ? 0 : 2;
	if (function == 2 && result == 0)
		t_session_drop_tasks(s, NULL);
	if (function == 5 && result == 0) {
		LIST_FOREACH (other, &c->target->sessions, link)
			t_session_drop_tasks(other, NULL);
		t_lun_attend(c->target->lun, NULL, 0x29, 0x03);
	}
	response(c, out, 0x22, bhs);
	t_set(out, T_RESPONSE, result);
	t_conn_send(c, out, NULL, 0);
}

/* RFC 7143 11.14: the connection ends when the initiator closes it. */
static void logout(struct t_conn *c, const uint8_t *bhs)
{
	unsigned reason = (unsigned)t_get(bhs, T_REASON);
	struct t_session *s = c->session;
	uint8_t out[T_BHS_LEN];
	struct t_conn *other;

	c->target->logouts++;
	if (reason == 1 && t_get(bhs, T_CID) != c->cid)
		t_violation(c->target, "Logout of another connection's CID");
	response(c, out, 0x26, bhs);
	t_set(out, T_RESPONSE, reason == 2 ? 2 : 0);
	t_set(out, T_TIME2WAIT, s->default_time2wait);
	t_set(out, T_TIME2RETAIN, s->default_time2retain);
	t_conn_send(c, out, NULL, 0);
	if (reason == 2 || c->state == T_DEAD)
		return;
	c->closing = true;
	t_session_drop_tasks(s, reason == 0 ? NULL : c);
	if (reason != 0)
		return;
	/* The session is over; its connections live on without it. */
	TAILQ_FOREACH (other, &c->target->conns, link) {
		if (other->session == s) {
			other->session = NULL;
			other->closing = true;
		}
	}
	t_session_free(s);
}

static void text_send(struct t_conn *c, const uint8_t *request)
{
	uint32_t most = c->target->options.text_chunk;
	size_t left = c->text_len - c->text_at;
	uint8_t out[T_BHS_LEN];
	bool last;

	if (most == 0 || most > c->max_send_data)
		most = c->max_send_data;
	last = left <= most;
	if (last)
		most = (uint32_t)left;
	response(c, out, 0x24, request);
	t_set(out, T_FINAL, last);
	c->text_ttt = last ? T_NO_TAG : ++c->session->next_ttt;
	t_set(out, T_TTT, c->text_ttt);
	c->text_at += most;
	t_conn_send(c, out, c->text + c->text_at - most, most);
}

/* RFC 7143 appendix C */
static void send_targets(struct t_conn *c)
{
	const struct t_target_options *o = &c->target->options;
	size_t size = o->targets_text ? o->targets_text_len : TARGETS_TEXT_MAX;
	unsigned i;
	int n;

	free(c->text);
	c->text = calloc(1, size + 1);
	if (!c->text)
		abort();
	c->text_at = 0;
	if (o->targets_text) {
		memcpy(c->text, o->targets_text, size);
		c->text_len = size;
		return;
	}
	n = snprintf(c->text, TARGETS_TEXT_MAX, "TargetName=%s", o->name) + 1;
	for (i = 0; i < o->nportals; i++)
		n += snprintf(c->text + n, TARGETS_TEXT_MAX - (size_t)n,
			     "TargetAddress=%s,%u", o->portals[i].address,
			     o->portals[i].tpgt) +
		     1;
	c->text_len = (size_t)n;
}

static void text_request(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	static const char key[] = "SendTargets=";
	uint32_t ttt = (uint32_t)t_get(bhs, T_TTT);

	if (ttt != c->text_ttt) {
		t_violation(c->target, "Text Request with an unknown tag");
		return;
	}
	if (ttt != T_NO_TAG) {
		if (t_get(bhs, T_ITT) != c->text_itt)
			t_violation(c->target, "Text exchange changes its tag");
		text_send(c, bhs);
		return;
	}
	c->text_itt = (uint32_t)t_get(bhs, T_ITT);
	if (len >= sizeof key && memcmp(data, key, sizeof key - 1) == 0) {
		if (!c->session->discovery && len >= 16 &&
			memcmp(data + 12, "All", 4) == 0)
			t_violation(c->target,
				"SendTargets=All in a normal session");
		send_targets(c);
	} else {
		c->text_len = c->text_at = 0;
	}
	text_send(c, bhs);
}

void t_request(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (c->session->discovery && (op == 0x01 || op == 0x02)) {
		t_violation(c->target, "opcode %#x in a discovery session", op);
		t_conn_reject(c, 0x04, bhs);
		return;
	}
	switch (op) {
	case 0x00: nop_out(c, bhs, data, len); break;
	case 0x01: t_scsi_command(c, bhs, data, len); break;
	case 0x02: task_management(c, bhs); break;
	case 0x04: text_request(c, bhs, data, len); break;
	case 0x06: logout(c, bhs); break;
	default:
		t_violation(c->target, "opcode %#x in full feature phase", op);
		t_conn_reject(c, 0x04, bhs);
	}
}
