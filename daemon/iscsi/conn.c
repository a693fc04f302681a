/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection's life outside of its state machine: making, sending, failing,
 * and the engine that the pump drives. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/log.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "conn.h"
#include "renegotiate.h"
#include "session.h"

bool conn_is_up(const struct conn *c)
{
	const unsigned up = 1u << CONN_IN_LOGIN | 1u << CONN_LOGGED_IN |
			    1u << CONN_IN_LOGOUT | 1u << CONN_LOGOUT_REQUESTED;

	return (up & 1u << c->state) != 0;
}

void conn_fail(struct conn *c, int err, const char *fmt, ...)
{
	va_list ap;

	if (c->why.reason[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(c->why.reason, sizeof c->why.reason, fmt, ap);
		va_end(ap);
	}
	pdu_rx_stop(&c->rx, err);
	if (conn_is_up(c))
		conn_event(c, CONN_EV_LOST);
}

static void control_done(struct outq_item *item, bool sent)
{
	struct control *ctl = (struct control *)item; /* its first member */

	(void)sent;
	STAILQ_INSERT_HEAD(&ctl->conn->controls_free, ctl, link);
}

/* ExpStatSN of what overtakes the queue: no newer than what it overtakes, so
 * that the target never sees it go back. It is in the same place of all
 * requests; a Logout for recovery has that of another connection. */
static uint32_t front_stat_sn(const struct conn *c)
{
	const struct outq_item *item;

	STAILQ_FOREACH (item, &c->out.items, link)
		if ((item->head[0] & 0x3f) != OP_LOGOUT_REQ)
			return get_be32(item->head + 28);
	return c->stat.exp;
}

/* CmdSN of what overtakes the queue: that of the first command that waits there
 * and has not begun to leave, since CmdSNs leave a connection in order (RFC
 * 7143 4.2.2.1). `cmd_sn`: none waits. */
static uint32_t front_cmd_sn(const struct conn *c, uint32_t cmd_sn)
{
	const struct outq_item *item;

	STAILQ_FOREACH (item, &c->out.items, link)
		if (item->head[0] == OP_SCSI_CMD &&
			!outq_is_begun(&c->out, item))
			return get_be32(item->head + 24);
	return cmd_sn;
}

static struct control *take_control(struct conn *c)
{
	struct control *ctl = STAILQ_FIRST(&c->controls_free);

	if (ctl)
		STAILQ_REMOVE_HEAD(&c->controls_free, link);
	else
		conn_fail(c, -EPROTO, "it makes us owe it too many answers");
	return ctl;
}

void conn_send_as(struct conn *c, struct bhs *b, uint32_t exp_stat_sn)
{
	struct control *ctl = take_control(c);

	if (!ctl)
		return;
	b->exp_stat_sn = exp_stat_sn;
	pdu_tx(&ctl->item, b, NULL, 0, c->digests);
	outq_push(&c->out, &ctl->item);
	pump_tx(c->pump);
}

void conn_send(struct conn *c, struct bhs *b, const void *data, uint32_t len,
	bool front)
{
	struct control *ctl = take_control(c);

	if (!ctl)
		return;
	if (front)
		b->cmd_sn = front_cmd_sn(c, b->cmd_sn);
	if (c->state != CONN_IN_LOGIN)
		b->exp_stat_sn = front ? front_stat_sn(c) : c->stat.exp;
	pdu_tx(&ctl->item, b, data, len, c->digests);
	if (front)
		outq_push_front(&c->out, &ctl->item);
	else
		outq_push(&c->out, &ctl->item);
	pump_tx(c->pump);
}

bool conn_has_room(const struct conn *c)
{
	const struct control *ctl = STAILQ_FIRST(&c->controls_free);
	unsigned n = 0;

	while (ctl && n++ < CONN_CONTROLS / 2)
		ctl = STAILQ_NEXT(ctl, link);
	return ctl != NULL;
}

static int engine_rx(void *engine, struct iovec *iov)
{
	struct conn *c = engine;

	return conn_is_up(c) ? pdu_rx_iov(&c->rx, iov) : 0;
}

static int engine_rx_commit(void *engine, size_t n)
{
	struct conn *c = engine;
	int err;

	c->heard = loop_now(c->session->loop);
	err = pdu_rx_commit(&c->rx, n);
	if (err) {
		if (err == -EBADMSG && c->rx.why)
			c->session->counters.digest_errors++;
		conn_fail(c, err, "%s", c->rx.why ? c->rx.why : strerror(-err));
		return err;
	}
	session_kick(c->session);
	return 0;
}

static int engine_tx(void *engine, struct iovec *iov, int max)
{
	struct conn *c = engine;

	if (!conn_is_up(c))
		return 0;
	task_out_fill(c);
	return outq_iov(&c->out, iov, max);
}

static void engine_tx_commit(void *engine, size_t n)
{
	struct conn *c = engine;

	outq_commit(&c->out, n);
	/* Commands wait for short queues. */
	if (c->leg && !TAILQ_EMPTY(&c->session->waiting))
		session_kick(c->session);
}

/* LIO, for one, ends a login that offers it no method it likes without a Login
 * Response. */
static bool awaits_method(const struct conn *c)
{
	return c->state == CONN_IN_LOGIN && c->login.state == LOGIN_ST_METHOD;
}

static void engine_closed(void *engine, int err)
{
	struct conn *c = engine;

	if (c->logged_out)
		return;
	if (err == 0 && awaits_method(c))
		conn_fail(c, -ECONNRESET,
			"the target closed the connection instead of choosing "
			"an AuthMethod; it may want CHAP");
	else if (err == 0)
		conn_fail(c, -ECONNRESET, "the target closed the connection");
	else
		conn_fail(c, err, "connection lost: %s", strerror(-err));
}

static const struct engine_ops engine_ops = {
	.rx = engine_rx,
	.rx_commit = engine_rx_commit,
	.tx = engine_tx,
	.tx_commit = engine_tx_commit,
	.closed = engine_closed,
};

static void conn_init(struct conn *c, struct session *session)
{
	c->session = session;
	c->heard = loop_now(session->loop);
	c->why.cure = PATH_RETRY;
	conn_params_init(&c->params);
	outq_init(&c->out);
	TAILQ_INIT(&c->senders);
	LIST_INIT(&c->dataouts_free);
	STAILQ_INIT(&c->controls_free);
	for (unsigned i = 0; i < CONN_CONTROLS; i++) {
		c->controls[i].conn = c;
		c->controls[i].item.done = control_done;
		STAILQ_INSERT_TAIL(&c->controls_free, &c->controls[i], link);
	}
	for (unsigned i = 0; i < CONN_DATAOUTS; i++) {
		c->dataouts[i].conn = c;
		LIST_INSERT_HEAD(&c->dataouts_free, &c->dataouts[i], link);
	}
}

struct conn *conn_new(struct session *session, struct stream *stream,
	const struct login_setup *setup)
{
	struct conn *c = calloc(1, sizeof *c);

	if (!c || pdu_rx_init(&c->rx, &conn_rx_ops, c)) {
		stream_abort(stream);
		free(c);
		return NULL;
	}
	conn_init(c, session);
	c->cid = setup->cid;
	c->pump = pump_new(session->loop, stream, &engine_ops, c);
	if (!c->pump) {
		pdu_rx_fini(&c->rx);
		free(c);
		return NULL;
	}
	if (!session->visit.on) {
		c->rx.spoil = &session->faults.spoil_in;
		c->digests.spoil = &session->faults.spoil_out;
	}
	if (conn_take_faults(c)) {
		conn_free(c, true);
		return NULL;
	}
	conn_event(c, CONN_EV_CONNECTED);
	conn_login_next(c, login_init(&c->login, setup));
	return c;
}

void conn_free(struct conn *c, bool abort)
{
	if (!c)
		return;
	pump_free(c->pump, abort);
	outq_drop(&c->out);
	renegotiate_drop(c);
	login_fini(&c->login);
	pdu_rx_fini(&c->rx);
	free(c);
}
