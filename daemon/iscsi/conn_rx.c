/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes in: numbering, then dispatch by opcode (RFC 7143 11.1.1.2). */
#include <errno.h>
#include <stddef.h>

#include "conn.h"
#include "session.h"

typedef void rx_fn(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

#define S(name) (1u << CONN_##name)
#define FULL    (S(LOGGED_IN) | S(LOGOUT_REQUESTED) | S(IN_LOGOUT))

static const struct {
	rx_fn *fn;
	unsigned states;
} dispatch[0x40] = {
	[OP_NOP_IN] = {nop_in, FULL},
	[OP_SCSI_RSP] = {task_in_response, FULL},
	[OP_TMF_RSP] = {tmf_response, FULL},
	[OP_TEXT_RSP] = {session_text_response, FULL},
	[OP_DATA_IN] = {task_in_data, FULL},
	[OP_LOGOUT_RSP] = {logout_response, FULL},
	[OP_R2T] = {task_out_r2t, FULL},
	[OP_ASYNC] = {async_message, FULL},
	[OP_REJECT] = {reject_message, FULL},
};

/* The request that a step of the login asks for, or its end. */
void conn_login_next(struct conn *c, enum login_step step)
{
	const void *data;
	struct bhs b;
	uint32_t len;

	switch (step) {
	case LOGIN_SEND:
		login_request(&c->login, &b, &data, &len);
		conn_send(c, &b, data, len, false);
		return;
	case LOGIN_DONE: conn_event(c, CONN_EV_ACCEPTED); return;
	case LOGIN_REDIRECT:
	case LOGIN_WEAKER:
	case LOGIN_FAILED:
		c->refusal = step;
		conn_event(c, CONN_EV_REFUSED);
		pdu_rx_stop(&c->rx, -ECONNABORTED);
		return;
	}
}

/* RFC 7143 4.2.2.2 at level 0. 0; 1 for a PDU that came before; or the
 * connection has failed: a hole cannot be filled. */
static int take_stat_sn(struct conn *c, const struct bhs *b)
{
	switch (bhs_stat_use(b)) {
	case STAT_NONE: return 0;
	case STAT_NEXT:
		if (!sn_gt(b->stat_sn, c->stat.exp))
			return 0;
		break;
	case STAT_TAKES:
		if (b->stat_sn == c->stat.exp) {
			c->stat.exp++;
			return 0;
		}
		if (sn_lt(b->stat_sn, c->stat.exp))
			return 1;
		break;
	}
	conn_fail(c, -EPROTO, "a status was lost before a %s (StatSN)",
		bhs_op_name((uint8_t)b->op));
	return -EPROTO;
}

static void deliver(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	window_update(&c->session->window, b->exp_cmd_sn, b->max_cmd_sn);
	dispatch[b->op].fn(c, b, data, len);
}

/* A status that is not simply the next: false when nothing is to be done for
 * it. */
static bool is_welcome(struct conn *c, const struct bhs *b, enum statsn_is is)
{
	switch (is) {
	case STATSN_NEW:
	case STATSN_GAP: return true;
	case STATSN_AGAIN: return b->op == OP_DATA_IN || b->op == OP_SCSI_RSP;
	case STATSN_OLD: return false;
	case STATSN_FAR: break;
	}
	conn_fail(c, -EPROTO, "too many a status was lost (StatSN)");
	return false;
}

/* Level 1 and above: what is missing is asked for, and not acknowledged before
 * it has come (RFC 7143 7.9). */
static void deliver_counted(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	enum stat_use use = bhs_stat_use(b);
	uint32_t next = c->stat.next;
	enum statsn_is is;

	if (use != STAT_TAKES) {
		if (use == STAT_NEXT && statsn_reveal(&c->stat, b->stat_sn))
			snack_status(c, next);
		deliver(c, b, data, len);
		return;
	}
	is = statsn_take(&c->stat, b->stat_sn);
	if (is != STATSN_NEW && !is_welcome(c, b, is))
		return;
	if (is == STATSN_GAP)
		snack_status(c, next);
	c->hold = is == STATSN_AGAIN;
	deliver(c, b, data, len);
	if (!c->hold)
		statsn_settle(&c->stat, b->stat_sn);
	c->hold = false;
}

/* RFC 7143 7.8: the header is right, the data is not. Level 0 knows no cure. */
static void spoilt(struct conn *c, const struct bhs *b)
{
	c->session->counters.digest_errors++;
	if (c->level == 0) {
		conn_fail(c, -EBADMSG, "data digest error in a %s",
			bhs_op_name((uint8_t)b->op));
	} else if (b->op == OP_DATA_IN) {
		task_in_spoilt(c, b);
	} else if (bhs_stat_use(b) == STAT_TAKES) {
		statsn_reveal(&c->stat, b->stat_sn + 1);
		snack_status(c, b->stat_sn);
	}
}

static void rx_pdu(void *arg, const struct bhs *b, const uint8_t *data,
	uint32_t len, bool data_ok)
{
	struct conn *c = arg;
	rx_fn *fn = dispatch[b->op].fn;

	if (!data_ok) {
		spoilt(c, b);
		return;
	}
	if (c->state == CONN_IN_LOGIN) {
		conn_login_next(c, login_response(&c->login, b, data, len));
		return;
	}
	if (!fn || !(dispatch[b->op].states & 1u << c->state)) {
		conn_fail(c, -EPROTO, "unexpected %s",
			bhs_op_name((uint8_t)b->op));
		return;
	}
	if (c->level > 0)
		deliver_counted(c, b, data, len);
	else if (take_stat_sn(c, b) == 0)
		deliver(c, b, data, len);
}

static void *rx_place(void *arg, const struct bhs *b, uint32_t len)
{
	struct conn *c = arg;
	void *place;

	if (c->state == CONN_IN_LOGIN)
		return pdu_discard;
	place = task_in_place(c, b, len);
	return place ? place : pdu_discard;
}

const struct pdu_rx_ops conn_rx_ops = {.place = rx_place, .pdu = rx_pdu};
