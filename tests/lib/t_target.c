/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target: its life, and PDUs to and from the wire. */
#include "t_target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

#include "t_target_private.h"

#define RX_CAP (1u << 20)

void t_violation(struct t_target *t, const char *fmt, ...)
{
	va_list args;

	if (t->violations++ > 0)
		return;
	va_start(args, fmt);
	vsnprintf(t->violation, sizeof t->violation, fmt, args);
	va_end(args);
}

void t_target_options_init(struct t_target_options *options)
{
	*options = (struct t_target_options){
		.name = "iqn.2003-01.org.example:model",
		.portals = {{"127.0.0.1:3260", 1}},
		.nportals = 1,
		.immediate_data = true,
		.header_digest = true,
		.data_digest = true,
		.first_burst_length = 65536,
		.max_burst_length = 262144,
		.max_recv_data_segment_length = 65536,
		.max_outstanding_r2t = 1,
		.max_connections = 1,
		.default_time2wait = 0,
		.default_time2retain = 20,
		.window = 64,
		.first_stat_sn = 0xfffffffe,
	};
}

struct t_target *t_target_new(struct loop *loop, struct t_lun *lun,
	const struct t_target_options *options)
{
	struct t_target *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->loop = loop;
	t->lun = lun;
	t->options = *options;
	t->next_tsih = 1;
	LIST_INIT(&t->sessions);
	TAILQ_INIT(&t->conns);
	return t;
}

static void conn_drop_held(struct t_conn *c)
{
	struct t_pdu *pdu;

	while ((pdu = TAILQ_FIRST(&c->held))) {
		TAILQ_REMOVE(&c->held, pdu, link);
		free(pdu->data);
		free(pdu);
	}
}

/* The stream is over; the struct stays. */
static void conn_dead(struct t_conn *c)
{
	if (c->state == T_DEAD)
		return;
	c->state = T_DEAD;
	outq_drop(&c->out);
	conn_drop_held(c);
	if (c->session)
		t_session_drop_tasks(c->session, c);
	if (c->target->hooks && c->target->hooks->down)
		c->target->hooks->down(c->target->hooks_arg, c);
	c->session = NULL;
}

void t_conn_end(struct t_conn *c, bool abort)
{
	struct pump *pump = c->pump;

	if (c->state == T_DEAD)
		return;
	c->pump = NULL;
	conn_dead(c);
	pump_free(pump, abort);
}

void t_target_free(struct t_target *t)
{
	struct t_session *s;
	struct t_conn *c;
	unsigned n;

	if (!t)
		return;
	for (n = 0; n < T_PORTALS_MAX; n++)
		t_target_unlisten(t, n);
	while ((c = TAILQ_FIRST(&t->conns))) {
		t_conn_end(c, true);
		TAILQ_REMOVE(&t->conns, c, link);
		t_login_free(c->login);
		free(c->text);
		free(c->rx);
		free(c);
	}
	while ((s = LIST_FIRST(&t->sessions)))
		t_session_free(s);
	free(t);
}

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
		crc = crc32c_table(0, pdu->bhs, T_BHS_LEN) ^ pdu->break_header;
		put_le32(item->head + T_BHS_LEN, crc);
		item->head_len += 4;
	}
	item->data = pdu->data;
	item->data_len = pdu->len;
	item->tail_len = pad;
	if (c->data_digest && pdu->len > 0) {
		crc = crc32c_table(0, pdu->data, pdu->len);
		crc = crc32c_table(crc, item->tail, pad) ^ pdu->break_data;
		put_le32(item->tail + pad, crc);
		item->tail_len += 4;
	}
	item->done = pdu_done;
	outq_push(&c->out, item);
	pump_tx(c->pump);
}

void t_conn_send(
	struct t_conn *c, const uint8_t *bhs, const void *data, uint32_t len)
{
	const struct t_hooks *hooks = c->target->hooks;
	enum t_verdict verdict = T_PASS;
	struct t_pdu *pdu;

	if (c->state == T_DEAD || !(pdu = calloc(1, sizeof *pdu)))
		return;
	memcpy(pdu->bhs, bhs, T_BHS_LEN);
	pdu->conn = c;
	pdu->len = len;
	pdu->data = malloc(len + 1);
	if (pdu->data && len > 0)
		memcpy(pdu->data, data, len);
	if (hooks && hooks->tx)
		verdict = hooks->tx(c->target->hooks_arg, c, pdu);
	if (verdict == T_HOLD && c->state != T_DEAD)
		TAILQ_INSERT_TAIL(&c->held, pdu, link);
	else if (verdict == T_PASS && c->state != T_DEAD)
		pdu_queue(pdu);
	else
		pdu_done(&pdu->item, false);
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

struct t_conn *t_target_conn(struct t_target *t, unsigned n)
{
	struct t_conn *c;

	TAILQ_FOREACH (c, &t->conns, link)
		if (c->state != T_DEAD && n-- == 0)
			return c;
	return NULL;
}

static struct t_task *complete_task(const struct t_target *t)
{
	struct t_session *s;
	struct t_task *task;

	LIST_FOREACH (s, &t->sessions, link)
		TAILQ_FOREACH (task, &s->tasks, link)
			if (task->complete)
				return task;
	return NULL;
}

void t_target_release(struct t_target *t)
{
	struct t_task *task;

	t->hold = false;
	while ((task = complete_task(t)))
		t_task_execute(task);
}

/* What every request shows: RFC 7143 4.2.2.2, 11.2.1. */
static void check_request(struct t_conn *c, const uint8_t *bhs)
{
	uint32_t acked = (uint32_t)t_get(bhs, T_EXP_STAT_SN);
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (bhs[0] & 0x80)
		t_violation(c->target, "opcode %#x: reserved bit", bhs[0]);
	if (c->closing)
		t_violation(c->target, "opcode %#x after Logout", op);
	if (c->state == T_LOGIN && op != 0x03)
		t_violation(c->target, "opcode %#x before login is over", op);
	if (!c->heard && op == 0x03)
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
}

static void pdu_in(struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	const struct t_hooks *hooks = c->target->hooks;

	if (hooks && hooks->rx &&
		hooks->rx(c->target->hooks_arg, c, bhs, data, len) == T_DROP)
		return;
	if (c->state == T_DEAD)
		return;
	check_request(c, bhs);
	if (c->closing || (c->state == T_FULL_FEATURE && !c->session))
		return;
	if (t_get(bhs, T_OPCODE) == 0x03 && c->state == T_LOGIN)
		t_login_request(c, bhs, data, len);
	else if (c->state == T_FULL_FEATURE)
		t_session_request(c, bhs, data, len);
	else
		t_conn_end(c, true);
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
	uint32_t crc;

	if (have < T_BHS_LEN)
		return 0;
	head = T_BHS_LEN + 4 * t_get(p, T_AHS_WORDS);
	len = t_get(p, T_DATA_LEN);
	total = head + (c->header_digest ? 4 : 0) + ((len + 3) & ~3ul) +
		(c->data_digest && len > 0 ? 4 : 0);
	if (len > limit) {
		t_violation(c->target,
			"opcode %#x: %zu bytes of data in a "
			"PDU, the limit is %u",
			p[0], len, limit);
		return -1;
	}
	if (have < total)
		return 0;
	if (c->header_digest) {
		crc = crc32c_table(0, p, head);
		if (crc != get_le32(p + head))
			t_violation(c->target, "opcode %#x: header digest", *p);
		head += 4;
	}
	if (c->data_digest && len > 0) {
		crc = crc32c_table(0, p + head, (len + 3) & ~3ul);
		if (crc != get_le32(p + total - 4))
			t_violation(c->target, "opcode %#x: data digest", *p);
	}
	pdu_in(c, p, p + head, (uint32_t)len);
	return c->state == T_DEAD ? -1 : (long)total;
}

static int engine_rx(void *engine, struct iovec *iov)
{
	struct t_conn *c = engine;

	if (c->silent)
		c->rx_len = 0;
	*iov = (struct iovec){c->rx + c->rx_len, RX_CAP - c->rx_len};
	return c->rx_len < RX_CAP;
}

static int engine_rx_commit(void *engine, size_t n)
{
	struct t_conn *c = engine;
	size_t at = 0;
	long used = 0;

	c->rx_len += n;
	while (!c->silent &&
		(used = pdu_cut(c, c->rx + at, c->rx_len - at)) > 0)
		at += (size_t)used;
	if (c->state == T_DEAD)
		return 0;
	if (used < 0)
		return -EPROTO;
	memmove(c->rx, c->rx + at, c->rx_len - at);
	c->rx_len -= at;
	return 0;
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
	c->ping_ttt = c->text_ttt = T_NO_TAG;
	outq_init(&c->out);
	TAILQ_INIT(&c->held);
	TAILQ_INSERT_TAIL(&t->conns, c, link);
	c->pump = pump_new(t->loop, s, &ops, c);
	if (!c->pump)
		conn_dead(c);
	return c;
}

static void door_accepted(void *arg, struct stream *s)
{
	struct t_door *door = arg;

	t_target_accept(door->target, s, door->tpgt);
}

int t_target_listen(struct t_target *t, unsigned n, const struct addr *at)
{
	struct t_door *door = &t->doors[n];
	int err = 0;

	*door = (struct t_door){
		.target = t, .tpgt = t->options.portals[n].tpgt};
	door->listener =
		stream_listen(t->loop, at, 0600, door_accepted, door, &err);
	return door->listener ? 0 : err;
}

const struct addr *t_target_addr(const struct t_target *t, unsigned n)
{
	return stream_listener_addr(t->doors[n].listener);
}

void t_target_unlisten(struct t_target *t, unsigned n)
{
	stream_listener_free(t->doors[n].listener);
	t->doors[n].listener = NULL;
}
