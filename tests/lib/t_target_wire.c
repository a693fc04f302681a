/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target: PDUs to and from the wire. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

#include "t_target_private.h"

#define RX_CAP (1u << 20)

static void pdu_done(struct outq_item *item, bool sent)
{
	struct t_pdu *pdu =
		(struct t_pdu *)((char *)item - offsetof(struct t_pdu, item));

	(void)sent;
	free(pdu->data);
	free(pdu);
}

/* Onto the wire, with padding and digests. */
static void pdu_queue(struct t_pdu *pdu)
{
	struct outq_item *item = &pdu->item;
	struct t_conn *c = pdu->conn;
	uint8_t pad = (uint8_t)(-pdu->len & 3);
	uint32_t crc;

	t_set(pdu->bhs, T_DATA_LEN, pdu->len);
	memcpy(item->head, pdu->bhs, T_BHS_LEN);
	item->head_len = T_BHS_LEN;
	if (c->header_digest) {
		crc = crc32c(0, pdu->bhs, T_BHS_LEN) ^ pdu->break_header;
		put_le32(item->head + T_BHS_LEN, crc);
		item->head_len += 4;
	}
	item->data = pdu->data;
	item->data_len = pdu->len;
	item->tail_len = pad;
	if (c->data_digest && pdu->len > 0) {
		crc = crc32c(0, pdu->data, pdu->len);
		crc = crc32c(crc, item->tail, pad) ^ pdu->break_data;
		put_le32(item->tail + pad, crc);
		item->tail_len += 4;
	}
	item->done = pdu_done;
	outq_push(&c->out, item);
	pump_tx(c->pump);
}

/* What the hook and the faults make of a PDU. */
static enum t_verdict tx_verdict(struct t_conn *c, struct t_pdu *pdu)
{
	const struct t_hooks *hooks = c->target->hooks;
	enum t_verdict verdict = T_PASS;
	struct t_fault f;

	if (hooks && hooks->tx)
		verdict = hooks->tx(c->target->hooks_arg, c, pdu);
	if (verdict != T_PASS || c->state == T_DEAD ||
		!t_fault_take(c, T_TO_INITIATOR, pdu->bhs, &f))
		return verdict;
	switch (f.effect) {
	case T_KILL: t_conn_end(c, true); return T_DROP;
	case T_SPOIL_DATA: pdu->break_data = true; return T_PASS;
	case T_SPOIL_HEADER: pdu->break_header = true; return T_PASS;
	case T_KEEP_BACK: return T_HOLD;
	default: return T_DROP;
	}
}

bool t_conn_put(
	struct t_conn *c, const uint8_t *bhs, const void *data, uint32_t len)
{
	enum t_verdict verdict;
	struct t_pdu *pdu;
	bool whole;

	if (c->state == T_DEAD)
		return false;
	if (!(pdu = calloc(1, sizeof *pdu)))
		abort();
	memcpy(pdu->bhs, bhs, T_BHS_LEN);
	pdu->conn = c;
	pdu->len = len;
	pdu->data = malloc(len + 1);
	if (pdu->data && len > 0)
		memcpy(pdu->data, data, len);
	verdict = tx_verdict(c, pdu);
	whole = verdict != T_DROP && c->state != T_DEAD &&
		!(pdu->break_data && c->data_digest && pdu->len > 0) &&
		!(pdu->break_header && c->header_digest);
	if (verdict == T_HOLD && c->state != T_DEAD)
		TAILQ_INSERT_TAIL(&c->held, pdu, link);
	else if (verdict == T_PASS && c->state != T_DEAD)
		pdu_queue(pdu);
	else
		pdu_done(&pdu->item, false);
	return whole;
}

void t_conn_send(
	struct t_conn *c, const uint8_t *bhs, const void *data, uint32_t len)
{
	bool whole = t_conn_put(c, bhs, data, len);

	if (c->session && c->session->error_recovery_level > 0)
		t_keep(c, bhs, data, len, !whole);
}

void t_conn_send_raw(struct t_conn *c, const void *data, uint32_t len)
{
	struct t_pdu *pdu;

	if (c->state == T_DEAD || !(pdu = calloc(1, sizeof *pdu)))
		return;
	pdu->data = malloc(len + 1);
	if (!pdu->data)
		abort();
	memcpy(pdu->data, data, len);
	pdu->item.data = pdu->data;
	pdu->item.data_len = len;
	pdu->item.done = pdu_done;
	outq_push(&c->out, &pdu->item);
	pump_tx(c->pump);
}

void t_conn_release(struct t_conn *c)
{
	struct t_pdu *pdu;

	while ((pdu = TAILQ_FIRST(&c->held))) {
		TAILQ_REMOVE(&c->held, pdu, link);
		pdu_queue(pdu);
	}
}

void t_conn_stamp(struct t_conn *c, uint8_t *bhs, bool takes)
{
	t_set(bhs, T_STAT_SN, c->stat_sn);
	if (takes)
		c->stat_sn++;
	if (c->session) {
		t_set(bhs, T_EXP_CMD_SN, c->session->exp_cmd_sn);
		t_set(bhs, T_MAX_CMD_SN, c->session->max_cmd_sn);
	}
}

/* Logout for recovery: ExpStatSN is the last one of the connection that it is
 * about (RFC 7143 11.14.3). */
static bool is_of_another(const struct t_conn *c, const uint8_t *bhs)
{
	return t_get(bhs, T_OPCODE) == 0x06 && t_get(bhs, T_REASON) == 2 &&
	       t_get(bhs, T_CID) != c->cid;
}

/* What every request shows: RFC 7143 4.2.2.2, 11.2.1. */
static void check_request(struct t_conn *c, const uint8_t *bhs)
{
	uint32_t acked = (uint32_t)t_get(bhs, T_EXP_STAT_SN);
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (bhs[0] & 0x80)
		t_violation(c->target, "opcode %#x: reserved bit", bhs[0]);
	if (c->closing && !c->swept)
		t_violation(c->target, "opcode %#x after Logout", op);
	if (c->state == T_LOGIN && op != 0x03)
		t_violation(c->target, "opcode %#x before login is over", op);
	if ((!c->heard && op == 0x03) || is_of_another(c, bhs))
		return;
	if (t_sn_lt(c->stat_sn, acked))
		t_violation(c->target, "opcode %#x: ExpStatSN %u ahead of %u",
			op, acked, c->stat_sn);
	if (c->heard && t_sn_lt(acked, c->acked))
		t_violation(c->target,
			"opcode %#x: ExpStatSN %u went back "
			"from %u",
			op, acked, c->acked);
	c->acked = acked;
	if (c->session)
		t_conn_acked(c);
}

/* At level 0 there is no other way to get the data, be it of a command that
 * still waits for its turn. */
static void task_lost(struct t_conn *c, uint32_t itt)
{
	struct t_task *task = t_task_find(c->session, itt);

	if (task)
		t_task_free(c->session, task);
	else
		t_order_lose(c, itt);
}

/* Nobody received it, and its sender is not to blame. */
static void pdu_lost(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);
	bool numbered = op != 0x05 && op != 0x10 && !t_get(bhs, T_IMMEDIATE);

	if (!c->session)
		return;
	c->session->discards += numbered;
	if (c->session->error_recovery_level == 0) {
		if (op == 0x05)
			task_lost(c, (uint32_t)t_get(bhs, T_ITT));
		return;
	}
	if (op == 0x05)
		t_data_out(c, bhs, NULL, len);
	else if (numbered)
		t_seen(c, bhs, data, len);
}

/* RFC 7143 7.8: the PDU is discarded; a command leaves its CmdSN open, data are
 * asked for again. */
static void digest_error(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	t_conn_reject(c, 0x02, bhs);
	if (c->state == T_FULL_FEATURE)
		pdu_lost(c, bhs, data, len);
}

/* Nothing is done, but the CmdSN is used. */
static void swallow(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (!c->session || op == 0x05 || op == 0x10 || t_get(bhs, T_IMMEDIATE))
		return;
	t_seen(c, bhs, data, len);
	t_order_fill(c->session, (uint32_t)t_get(bhs, T_CMD_SN));
}

/* Of what is rejected for another reason, the CmdSN is used. */
static void rejected(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len, uint8_t reason)
{
	if (reason == 0x02) {
		digest_error(c, bhs, data, len);
		return;
	}
	swallow(c, bhs, data, len);
	if (c->session)
		c->session
			->rejected[c->session->rejections++ % T_REJECTED_MAX] =
			(uint32_t)t_get(bhs, T_ITT);
	t_conn_reject(c, reason, bhs);
}

/* What a fault makes of it: true when nothing is left to do. */
static bool rx_fault(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len, bool *data_ok)
{
	struct t_fault f;

	if (!t_fault_take(c, T_FROM_INITIATOR, bhs, &f))
		return false;
	switch (f.effect) {
	case T_SPOIL_DATA: *data_ok = *data_ok && len == 0; return false;
	case T_STALL: c->stalled = c->was_stalled = true; return false;
	case T_REJECT: rejected(c, bhs, data, len, f.reason); return true;
	case T_LOSE: pdu_lost(c, bhs, data, len); return true;
	case T_SWALLOW: swallow(c, bhs, data, len); return true;
	default: t_conn_end(c, true); return true;
	}
}

static void pdu_in(struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len,
	bool data_ok)
{
	const struct t_hooks *hooks = c->target->hooks;
	bool damaged = !data_ok; /* not only said to be */

	if (hooks && hooks->rx &&
		hooks->rx(c->target->hooks_arg, c, bhs, data, len) == T_DROP) {
		if (c->state == T_FULL_FEATURE)
			pdu_lost(c, bhs, data, len);
		return;
	}
	if (c->state == T_DEAD || rx_fault(c, bhs, data, len, &data_ok))
		return;
	check_request(c, bhs);
	if (c->closing || (c->state == T_FULL_FEATURE && !c->session))
		return;
	if (!data_ok)
		digest_error(c, bhs, damaged ? NULL : data, len);
	else if (t_get(bhs, T_OPCODE) == 0x03 && c->state == T_LOGIN)
		t_login_request(c, bhs, data, len);
	else if (c->state == T_FULL_FEATURE)
		t_session_request(c, bhs, data, len);
	else
		t_conn_end(c, true);
}

static void wrong_digest(struct t_conn *c, uint8_t op, const char *which)
{
	if (!c->target->noisy)
		t_violation(c->target, "opcode %#x: %s digest", op, which);
}

/* One PDU at the front of the gathered bytes; its length, 0 when it is not
 * all there, -1 when the connection is over. */
static long pdu_cut(struct t_conn *c, uint8_t *p, size_t have)
{
	uint32_t limit =
		c->state == T_LOGIN
			? 8192
			: c->target->options.max_recv_data_segment_length;
	size_t head, total, len;
	bool data_ok = true;
	uint32_t crc;

	if (have < T_BHS_LEN)
		return 0;
	head = T_BHS_LEN + 4 * t_get(p, T_AHS_WORDS);
	len = t_get(p, T_DATA_LEN);
	total = head + (c->header_digest ? 4 : 0) + ((len + 3) & ~3ul) +
		(c->data_digest && len > 0 ? 4 : 0);
	if (len > limit) {
		if (!c->target->noisy)
			t_violation(c->target,
				"opcode %#x: %zu bytes of data in a "
				"PDU, the limit is %u",
				p[0], len, limit);
		return -1;
	}
	if (have < total)
		return 0;
	if (c->header_digest) {
		crc = crc32c(0, p, head);
		if (crc != get_le32(p + head)) {
			wrong_digest(c, *p, "header");
			return -1;
		}
		head += 4;
	}
	if (c->data_digest && len > 0) {
		crc = crc32c(0, p + head, (len + 3) & ~3ul);
		data_ok = crc == get_le32(p + total - 4);
		if (!data_ok)
			wrong_digest(c, *p, "data");
	}
	pdu_in(c, p, p + head, (uint32_t)len, data_ok);
	return c->state == T_DEAD ? -1 : (long)total;
}

static int engine_rx(void *engine, struct iovec *iov)
{
	struct t_conn *c = engine;

	if (c->silent)
		c->rx_len = 0;
	*iov = (struct iovec){c->rx + c->rx_len, RX_CAP - c->rx_len};
	return c->rx_len < RX_CAP && !c->stalled;
}

/* Takes the PDUs that are there; false when the connection is to end. */
static bool parse(struct t_conn *c)
{
	size_t at = 0;
	long used = 0;

	while (!c->silent && !c->stalled &&
		(used = pdu_cut(c, c->rx + at, c->rx_len - at)) > 0)
		at += (size_t)used;
	if (c->state == T_DEAD || used < 0)
		return false;
	memmove(c->rx, c->rx + at, c->rx_len - at);
	c->rx_len -= at;
	return true;
}

static int engine_rx_commit(void *engine, size_t n)
{
	struct t_conn *c = engine;

	c->rx_len += n;
	return parse(c) || c->state == T_DEAD ? 0 : -EPROTO;
}

void t_conn_stall(struct t_conn *c, bool stalled)
{
	c->stalled = stalled;
	c->was_stalled |= stalled;
	if (stalled || c->state == T_DEAD)
		return;
	if (!parse(c))
		t_conn_end(c, true);
	else
		pump_rx(c->pump);
}

static int engine_tx(void *engine, struct iovec *iov, int max)
{
	return outq_iov(&((struct t_conn *)engine)->out, iov, max);
}

static void engine_tx_commit(void *engine, size_t n)
{
	outq_commit(&((struct t_conn *)engine)->out, n);
}

static void engine_closed(void *engine, int err)
{
	(void)err;
	t_conn_end(engine, err != 0);
}

struct t_conn *t_target_accept(
	struct t_target *t, struct stream *s, uint16_t tpgt)
{
	static const struct engine_ops ops = {
		.rx = engine_rx,
		.rx_commit = engine_rx_commit,
		.tx = engine_tx,
		.tx_commit = engine_tx_commit,
		.closed = engine_closed,
	};
	struct t_conn *c = calloc(1, sizeof *c);

	if (!c || !(c->rx = malloc(RX_CAP))) {
		free(c);
		stream_abort(s);
		return NULL;
	}
	c->target = t;
	c->tpgt = tpgt;
	c->stat_sn = t->options.first_stat_sn;
	c->max_send_data = 8192;
	c->ping_ttt = c->older_ping_ttt = c->text_ttt = T_NO_TAG;
	outq_init(&c->out);
	TAILQ_INIT(&c->held);
	TAILQ_INIT(&c->statuses);
	TAILQ_INSERT_TAIL(&t->conns, c, link);
	c->pump = pump_new(t->loop, s, &ops, c);
	if (!c->pump)
		t_conn_dead(c);
	return c;
}
