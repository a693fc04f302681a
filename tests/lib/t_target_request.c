/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's answers to NOP, Text and Logout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

#define TARGETS_TEXT_MAX 8192

void t_response(
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
		t_response(c, out, 0x20, bhs);
		t_set(out, T_TTT, T_NO_TAG);
		t_conn_send(c, out, data,
			len < c->max_send_data ? len : c->max_send_data);
		return;
	}
	if (!t_get(bhs, T_IMMEDIATE))
		t_violation(c->target, "NOP-Out without tag, not immediate");
	if (ttt == T_NO_TAG)
		return;
	if (ttt != c->ping_ttt && ttt != c->older_ping_ttt)
		t_violation(c->target, "NOP-Out answers a ping that was not");
	if (t_get(bhs, T_LUN) != c->target->options.lun)
		t_violation(c->target, "NOP-Out with another LUN than asked");
	if (ttt == c->ping_ttt)
		c->ping_ttt = T_NO_TAG;
	else
		c->older_ping_ttt = T_NO_TAG;
}

/* RFC 7143 11.14.1: a connection closes another, or itself. */
static unsigned logout_connection(struct t_conn *c, uint16_t cid)
{
	struct t_session *s = c->session;
	struct t_parked *p = t_parked_find(s, cid);
	struct t_conn *other;

	if (cid == c->cid) {
		c->closing = true;
		t_session_drop_tasks(s, c);
		return 0;
	}
	TAILQ_FOREACH (other, &c->target->conns, link)
		if (other->session == s && other->cid == cid)
			break;
	if (other) {
		other->closing = true;
		t_conn_end(other, true);
	}
	if (p)
		t_parked_free(p);
	return other || p ? 0 : 1;
}

/* The session is over; its connections live on without it. */
static void logout_session(struct t_conn *c)
{
	struct t_session *s = c->session;
	struct t_conn *other;

	TAILQ_FOREACH (other, &c->target->conns, link) {
		if (other->session == s) {
			other->session = NULL;
			other->closing = true;
			other->swept = other != c;
		}
	}
	t_session_free(s);
}

/* RFC 7143 11.14: the connection ends when the initiator closes it. */
static void logout(struct t_conn *c, const uint8_t *bhs)
{
	unsigned reason = (unsigned)t_get(bhs, T_REASON), result = 0;
	uint16_t cid = (uint16_t)t_get(bhs, T_CID);
	struct t_session *s = c->session;
	uint16_t times[2] = {(uint16_t)s->default_time2wait,
		(uint16_t)s->default_time2retain};
	uint8_t out[T_BHS_LEN];

	c->target->logouts++;
	if (reason == 1)
		result = logout_connection(c, cid);
	else if (reason == 2)
		result = t_recover(s, c, cid, times);
	else if (reason != 0)
		t_violation(c->target, "Logout with reason %u", reason);
	t_response(c, out, 0x26, bhs);
	t_set(out, T_RESPONSE, result);
	t_set(out, T_TIME2WAIT, times[0]);
	t_set(out, T_TIME2RETAIN, times[1]);
	t_conn_send(c, out, NULL, 0);
	if (reason != 0 || c->state == T_DEAD)
		return;
	c->closing = true;
	logout_session(c);
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
	t_response(c, out, 0x24, request);
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
	static const char limit[] = "MaxRecvDataSegmentLength=";
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
	} else if (len > sizeof limit &&
		   memcmp(data, limit, sizeof limit - 1) == 0) {
		c->max_send_data = (uint32_t)strtoul(
			(const char *)data + sizeof limit - 1, NULL, 0);
		c->text_len = c->text_at = 0;
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
	case 0x02: t_task_management(c, bhs); break;
	case 0x04: text_request(c, bhs, data, len); break;
	case 0x06: logout(c, bhs); break;
	default:
		t_violation(c->target, "opcode %#x in full feature phase", op);
		t_conn_reject(c, 0x04, bhs);
	}
}
