/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SNACK Requests (RFC 7143 11.16). They take no CmdSN and overtake what waits.
 * RunLength 0, "all from here on", is what every target understands; some
 * refuse a run that reaches the last PDU of a command. What then comes again
 * without need is dropped.
 */
#include <errno.h>
#include <string.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

static void send_snack(struct conn *c, struct bhs *b, enum snack_type type,
	uint32_t begin, uint32_t run)
{
	b->snack.type = (uint8_t)type;
	b->snack.beg_run = begin;
	b->snack.run_length = run;
	/* Acknowledgements of data stay in order. */
	conn_send(c, b, NULL, 0, type != SNACK_DATA_ACK);
	if (type != SNACK_DATA_ACK)
		c->session->counters.snacks_sent++;
	session_watch(c->session);
}

/* After the Logout Request nothing may be sent (RFC 7143 11.14); without room
 * the timer asks later. */
static bool may_send(const struct conn *c)
{
	return c->state != CONN_IN_LOGOUT && conn_is_up(c) && conn_has_room(c);
}

void snack_status(struct conn *c, uint32_t from)
{
	struct bhs b = bhs_make(OP_SNACK);
	uint32_t begin, run;

	if (!statsn_missing(&c->stat, from, &begin, &run))
		return;
	c->snack_due =
		loop_now(c->session->loop) + (SNACK_AGAIN << c->snack_tries);
	if (may_send(c))
		send_snack(c, &b, SNACK_STATUS, begin, run);
}

void snack_task(struct conn *c, struct task *t, uint32_t tag)
{
	struct bhs b = bhs_make(OP_SNACK);

	if (!may_send(c))
		return;
	b.itt = t->itt;
	memcpy(b.lun, c->session->config->lun, sizeof b.lun);
	if (tag == 0) {
		send_snack(c, &b, SNACK_DATA_R2T, t->data_sn, 0);
		return;
	}
	b.ttt = tag;
	send_snack(c, &b, SNACK_R_DATA, 0, 0);
}

void snack_ack(
	struct conn *c, struct task *t, uint32_t ttt, const uint8_t lun[8])
{
	struct bhs b = bhs_make(OP_SNACK);

	if (!may_send(c))
		return;
	b.ttt = ttt;
	memcpy(b.lun, lun, sizeof b.lun);
	task_in_acked(t);
	send_snack(c, &b, SNACK_DATA_ACK, t->data_sn, 0);
}

void snack_tick(struct conn *c, uint64_t now)
{
	uint32_t begin, run;

	if (!c->snack_due || now < c->snack_due)
		return;
	if (!statsn_missing(&c->stat, c->stat.exp, &begin, &run)) {
		c->snack_due = 0;
		c->snack_tries = 0;
		return;
	}
	if (++c->snack_tries >= SNACK_TRIES) {
		conn_fail(c, -EPROTO, "a status was lost for good (StatSN)");
		return;
	}
	snack_status(c, c->stat.exp);
}

void snack_rejected(
	struct conn *c, uint8_t type, uint32_t itt, const char *text)
{
	struct session *s = c->session;
	struct task *t = task_find(&s->tasks, itt);

	if (type != SNACK_DATA_R2T && type != SNACK_R_DATA) {
		session_refused_level(s, 1);
		conn_fail(
			c, -EREMOTEIO, "the target rejected a SNACK: %s", text);
		return;
	}
	if (t && t->kind == TASK_SCSI && t->conn == c && t->cmd && !t->ending)
		tmf_abort(s, t, -EIO);
}
