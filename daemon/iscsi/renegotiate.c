/* SPDX-License-Identifier: BSD-2-Clause */
#include "renegotiate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>

#include "conn.h"
#include "session.h"

#define ROUNDS_MAX 16 /* responses of one exchange */

/* `next`: the response that this goes on from; NULL at the start. */
static void send_request(struct conn *c, const struct bhs *next)
{
	struct renegotiation *r = c->renegotiation;
	struct text_out out = {.data = c->pairs, .cap = sizeof c->pairs};
	struct bhs b = bhs_make(OP_TEXT_REQ);

	if (!next)
		keys_offer(&r->keys, &out);
	b.immediate = true;
	b.itt = r->task->itt;
	b.cmd_sn = c->session->window.cmd_sn;
	if (next) {
		b.ttt = next->ttt;
		memcpy(b.lun, next->lun, sizeof b.lun);
	}
	r->late =
		loop_now(c->session->loop) + c->session->config->timeouts.login;
	conn_send(c, &b, out.len ? c->pairs : NULL, (uint32_t)out.len, false);
	session_watch(c->session);
}

void renegotiate(struct conn *c)
{
	struct session *s = c->session;
	struct iscsi_offer offer = s->config->offer;
	struct renegotiation *r;

	if (c->renegotiation || c->state != CONN_LOGGED_IN || !conn_has_room(c))
		return;
	r = c->renegotiation = calloc(1, sizeof *r);
	if (r)
		r->task = task_get(&s->tasks, TASK_TEXT);
	if (!r || !r->task) {
		conn_fail(c, -ENOBUFS, "no room for a negotiation");
		return;
	}
	r->task->conn = c;
	/* Some targets take an empty request only: what has not changed is not
	 * said again. */
	keys_init(&r->keys, KEYS_RENEGOTIATE, &offer);
	if (offer.max_recv_data_segment_length == c->params.max_recv_data)
		r->keys.key[KEY_MAX_RECV_DATA].offered = true;
	send_request(c, NULL);
}

void renegotiate_drop(struct conn *c)
{
	struct renegotiation *r = c->renegotiation;

	c->renegotiation = NULL;
	if (!r)
		return;
	if (r->task)
		task_put(&c->session->tasks, r->task);
	text_in_clear(&r->in);
	free(r);
}

/* The target's pairs. 0, or the connection has failed. */
static int take_pairs(struct conn *c)
{
	struct renegotiation *r = c->renegotiation;
	char answer[64], line[160];
	const char *why = line;
	struct text_out out = {.data = answer, .cap = sizeof answer};
	struct text_pair pair;
	size_t at = 0;
	int more, err = 0;

	while (!err && (more = text_in_next(&r->in, &at, &pair, &why)) > 0) {
		err = keys_take(&r->keys, pair.key, pair.value, &out, line,
			sizeof line);
		if (err == KEYS_SECURITY) {
			snprintf(line, sizeof line, "%s after login", pair.key);
			err = -EPROTO;
		}
	}
	if (!err && more < 0)
		err = more;
	if (err)
		conn_fail(c, err, "Text Response: %s", why);
	return err;
}

/* What was declared holds from the next PDU on, either way. */
static void conclude(struct conn *c)
{
	struct renegotiation *r = c->renegotiation;
	char why[80];

	if (take_pairs(c))
		return;
	(void)keys_finish(&r->keys, NULL, &c->params, why, sizeof why);
	c->params.max_recv_data = r->keys.offer.max_recv_data_segment_length;
	pdu_rx_set(&c->rx, c->params.header_digest, c->params.data_digest,
		c->params.max_recv_data);
	log_info("connection %u: MaxRecvDataSegmentLength is %u, the target's "
		 "%u",
		c->cid, c->params.max_recv_data, c->params.max_send_data);
	renegotiate_drop(c);
}

bool renegotiate_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct renegotiation *r = c->renegotiation;
	int err;

	if (!r || b->itt != r->task->itt)
		return false;
	err = text_in_add(&r->in, data, len);
	if (!err && ++r->rounds > ROUNDS_MAX)
		err = -EMSGSIZE;
	if (err)
		conn_fail(c, err, "Text Responses without end");
	else if (b->final)
		conclude(c);
	else
		send_request(c, b);
	return true;
}

bool renegotiate_refused(struct conn *c, struct task *t, const char *why)
{
	if (!c->renegotiation || c->renegotiation->task != t)
		return false;
	log_info("connection %u: the target does not negotiate anew: %s",
		c->cid, why);
	renegotiate_drop(c);
	return true;
}

bool renegotiate_tick(struct conn *c, uint64_t now)
{
	if (!c->renegotiation)
		return false;
	if (now >= c->renegotiation->late)
		conn_fail(c, -ETIMEDOUT, "no answer to a Text Request");
	return true;
}
