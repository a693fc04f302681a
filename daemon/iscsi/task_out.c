/* SPDX-License-Identifier: BSD-2-Clause */
/* The data of writes (RFC 7143 11.3.4, 11.7, 11.8): immediate, unsolicited and
 * asked for. Data-Outs are made only while the send queue is short, so that
 * what is urgent never waits behind megabytes. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "conn.h"
#include "repair.h"
#include "session.h"

#define FILL_BYTES                                                             \
	(1u << 20) /* of the send queue, from which we make no more */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void add_burst(struct task *t, const struct burst *burst)
{
	unsigned ring = TASK_R2T_MAX + 1;

	assert(t->bursts_left < ring);
	t->bursts[(t->burst_at + t->bursts_left) % ring] = *burst;
	t->bursts_left++;
	if (burst->ttt != BHS_TAG_NONE)
		t->r2ts++;
	if (t->sending)
		return;
	t->sending = true;
	TAILQ_INSERT_TAIL(&t->conn->senders, t, send_link);
}

uint32_t task_out_begin(struct task *t, struct bhs *b)
{
	const struct session_params *p = &t->conn->session->params;
	uint32_t first = least(p->first_burst_length, t->cmd->len);
	uint32_t now = 0;

	if (p->immediate_data)
		now = least(first, t->conn->params.max_send_data);
	b->final = p->initial_r2t || now == first;
	t->received = b->final ? now : first;
	if (!b->final)
		add_burst(t, &(struct burst){.ttt = BHS_TAG_NONE,
				     .offset = now,
				     .end = first});
	return now;
}

static const char *r2t_misfit(
	const struct conn *c, const struct task *t, const struct bhs *b)
{
	const struct session_params *p = &c->session->params;

	if (!t || t->kind != TASK_SCSI || t->conn != c || !t->cmd || t->ending)
		return "for an unknown task";
	if (t->cmd->direction != PATH_DATA_OUT || !t->sent)
		return "for a task that writes nothing";
	if (c->level == 0 && b->r2t.r2t_sn != t->data_sn)
		return "out of order (R2TSN)";
	if (b->r2t.len == 0 || b->r2t.len > p->max_burst_length)
		return "of a length that was not agreed";
	if (b->r2t.offset > t->cmd->len ||
		b->r2t.len > t->cmd->len - b->r2t.offset)
		return "beyond the expected length";
	if (b->ttt == BHS_TAG_NONE)
		return "without a tag";
	/* Recovery R2Ts do not count (RFC 7143 11.8.2, 13.17). */
	if ((c->level == 0 && t->r2ts >= p->max_outstanding_r2t) ||
		t->r2ts >= TASK_R2T_MAX)
		return "beyond MaxOutstandingR2T";
	return NULL;
}

/* Level 1 and above: one that comes again is dropped; true when it is to be
 * answered. After TASK REASSIGN the numbers go on from where the target says
 * (RFC 7143 7.2.2). */
static bool is_new(const struct conn *c, struct task *t, uint32_t sn)
{
	if (!t || t->kind != TASK_SCSI || !t->cmd || t->ending)
		return false; /* it is late; its task has ended */
	if (t->conn != c)
		return t->reassigns == 0; /* or it has moved on */
	if (t->proof)
		reassign_proved(t);
	t->since = loop_now(c->session->loop);
	if (t->rebase)
		t->data_sn = sn;
	t->rebase = false;
	return !repair_has(t, sn) && !repair_is_far(t, sn);
}

void task_out_r2t(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	struct task *t = task_find(&c->session->tasks, b->itt);
	struct burst burst = {.ttt = b->ttt,
		.offset = b->r2t.offset,
		.end = b->r2t.offset + b->r2t.len};
	const char *wrong;

	(void)data;
	(void)len;
	if ((c->level > 0 || c->leg) && !is_new(c, t, b->r2t.r2t_sn))
		return;
	wrong = r2t_misfit(c, t, b);
	if (wrong) {
		conn_fail(c, -EPROTO, "R2T %s", wrong);
		return;
	}
	if (t->hushed)
		return;
	memcpy(burst.lun, b->lun, sizeof burst.lun);
	if (t->repair || b->r2t.r2t_sn != t->data_sn)
		repair_r2t(c, t, b->r2t.r2t_sn);
	else
		t->data_sn++;
	t->received += b->r2t.len;
	add_burst(t, &burst);
}

static void dataout_release(struct dataout *d)
{
	LIST_REMOVE(d, link);
	LIST_INSERT_HEAD(&d->conn->dataouts_free, d, link);
}

static void dataout_done(struct outq_item *item, bool sent)
{
	struct dataout *d = (struct dataout *)item; /* its first member */
	struct task *t = d->task;

	dataout_release(d);
	if (sent && t->ending && LIST_EMPTY(&t->dataouts))
		session_task_ended(d->conn->session, t);
}

static void stop_sending(struct task *t)
{
	if (t->sending)
		TAILQ_REMOVE(&t->conn->senders, t, send_link);
	t->sending = false;
}

/* The oldest burst is out: the next one of this task, or another task's turn.
 * Unsolicited data keeps the order of the commands (RFC 7143 4.2.5.2). */
static void burst_done(struct task *t, bool solicited)
{
	t->burst_at = (uint8_t)((t->burst_at + 1) % (TASK_R2T_MAX + 1));
	t->bursts_left--;
	if (solicited)
		t->r2ts--;
	stop_sending(t);
	if (t->bursts_left == 0)
		return;
	t->sending = true;
	TAILQ_INSERT_TAIL(&t->conn->senders, t, send_link);
}

static void make_dataout(struct conn *c, struct task *t)
{
	struct burst *burst = &t->bursts[t->burst_at];
	struct dataout *d = LIST_FIRST(&c->dataouts_free);
	uint32_t len =
		least(burst->end - burst->offset, c->params.max_send_data);
	struct bhs b;

	bhs_init(&b, OP_DATA_OUT);
	memcpy(b.lun, burst->lun, sizeof b.lun);
	b.itt = t->itt;
	b.ttt = burst->ttt;
	b.exp_stat_sn = c->stat.exp;
	b.data_out.data_sn = burst->data_sn++;
	b.data_out.offset = burst->offset;
	b.final = burst->offset + len == burst->end;
	LIST_REMOVE(d, link);
	LIST_INSERT_HEAD(&t->dataouts, d, link);
	d->task = t;
	d->item.done = dataout_done;
	pdu_tx(&d->item, &b, (uint8_t *)t->cmd->data + burst->offset, len,
		c->digests);
	outq_push(&c->out, &d->item);
	burst->offset += len;
	if (b.final)
		burst_done(t, burst->ttt != BHS_TAG_NONE);
}

void task_out_fill(struct conn *c)
{
	if (c->state == CONN_IN_LOGOUT) /* nothing may follow it (11.14) */
		return;
	while (c->out.bytes < FILL_BYTES && !LIST_EMPTY(&c->dataouts_free) &&
		!TAILQ_EMPTY(&c->senders))
		make_dataout(c, TAILQ_FIRST(&c->senders));
}

bool task_out_cancel(struct task *t)
{
	struct dataout *d, *next;

	stop_sending(t);
	t->bursts_left = 0;
	t->r2ts = 0;
	for (d = LIST_FIRST(&t->dataouts); d; d = next) {
		next = LIST_NEXT(d, link);
		if (outq_remove(&t->conn->out, &d->item))
			dataout_release(d);
	}
	return LIST_EMPTY(&t->dataouts);
}
