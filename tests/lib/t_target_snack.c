/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target answers SNACK Requests (RFC 7143 11.16). */
#include <string.h>

#include "t_target_private.h"

struct run {
	uint32_t begin, count; /* count 0: all from there */
	uint32_t itt, ttt;
};

static bool in_run(const struct run *run, uint32_t sn)
{
	return !t_sn_lt(sn, run->begin) &&
	       (run->count == 0 || sn - run->begin < run->count);
}

static void refuse(
	struct t_conn *c, const uint8_t *bhs, uint8_t reason, const char *why)
{
	t_violation(c->target, "SNACK: %s", why);
	t_conn_reject(c, reason, bhs);
}

static struct t_task *snack_task(struct t_conn *c, uint32_t itt)
{
	struct t_task *task = t_task_find(c->session, itt);

	return task ? task : t_done_find(c->session, itt);
}

/* Fields that every retransmission of Data-In has to respect. */
static const char *data_wrong(const struct t_conn *c, const struct t_task *task,
	const struct run *run)
{
	if (run->begin < task->acked_sn && (run->begin || run->count))
		return "of acknowledged data";
	if (run->begin >= task->sent_sn ||
		run->count > task->sent_sn - run->begin)
		return "of data that were not sent";
	if (task->segment != c->max_send_data)
		return "data as before, but MaxRecvDataSegmentLength changed";
	return NULL;
}

static void snack_data_in(struct t_conn *c, const uint8_t *bhs,
	struct t_task *task, struct run *run)
{
	const char *why = data_wrong(c, task, run);

	if (why) {
		refuse(c, bhs, 0x04, why);
		return;
	}
	if (c->target->options.manner == T_LIKE_LIO && run->count > 0 &&
		run->begin + run->count > task->sent_sn - 1) {
		t_conn_reject(c, 0x09, bhs);
		return;
	}
	if (run->begin < task->acked_sn)
		run->begin = task->acked_sn;
	t_task_send_data(
		task, run->begin, run->count ? run->count : UINT32_MAX);
}

static void snack_r2t(struct t_conn *c, const uint8_t *bhs, struct t_task *task,
	const struct run *run)
{
	unsigned i, found = 0;

	if (run->begin >= task->r2t_sn ||
		run->count > task->r2t_sn - run->begin) {
		refuse(c, bhs, 0x04, "of R2Ts that were not sent");
		return;
	}
	for (i = 0; i < T_R2TS_MAX && c->state != T_DEAD; i++) {
		struct t_r2t *r = &task->r2ts[i];

		if (!r->open || !in_run(run, r->r2t_sn))
			continue;
		found++;
		t_r2t_send(task, r);
	}
	if (found == 0)
		refuse(c, bhs, 0x04, "of R2Ts that were answered");
}

/* Whoever lost the Reject with its connection waits for data still. */
static bool was_rejected(const struct t_session *s, uint32_t itt)
{
	for (unsigned i = 0; i < s->rejections && i < T_REJECTED_MAX; i++)
		if (s->rejected[i] == itt)
			return true;
	return false;
}

static void snack_data(struct t_conn *c, const uint8_t *bhs, struct run *run)
{
	struct t_task *task = snack_task(c, run->itt);

	if (!task && was_rejected(c->session, run->itt))
		t_conn_reject(c, 0x04, bhs);
	else if (!task)
		refuse(c, bhs, 0x04, "of data of an unknown task");
	else if (task->conn != c)
		refuse(c, bhs, 0x04, "on another connection than the task");
	else if (run->ttt != T_NO_TAG)
		refuse(c, bhs, 0x04, "of data, with a transfer tag");
	else if (task->read)
		snack_data_in(c, bhs, task, run);
	else
		snack_r2t(c, bhs, task, run);
}

/* The same again, with the current window. False: the connection died. */
static bool resend(struct t_conn *c, struct t_kept *k)
{
	bool whole;

	t_set(k->bhs, T_EXP_CMD_SN, c->session->exp_cmd_sn);
	t_set(k->bhs, T_MAX_CMD_SN, c->session->max_cmd_sn);
	whole = t_conn_put(c, k->bhs, k->data, k->len);
	if (c->state == T_DEAD)
		return false;
	k->lost = k->lost && !whole;
	return true;
}

/* The status that came with a Data-In comes with it again. */
static struct t_task *collapsed_task(const struct t_conn *c, uint32_t stat_sn)
{
	struct t_task *task;

	TAILQ_FOREACH (task, &c->session->done, link)
		if (task->conn == c && task->collapsed &&
			task->stat_sn == stat_sn)
			return task;
	return NULL;
}

static bool resend_status(struct t_conn *c, uint32_t sn)
{
	struct t_task *task = collapsed_task(c, sn);
	struct t_kept *k;

	if (task)
		return t_task_send_data(task, task->sent_sn - 1, 1);
	TAILQ_FOREACH (k, &c->statuses, link)
		if (t_get(k->bhs, T_STAT_SN) == sn)
			return resend(c, k);
	return true;
}

static void snack_status(struct t_conn *c, const uint8_t *bhs, struct run *run)
{
	uint32_t sn, end;

	if (run->begin == 0 && run->count == 0)
		run->begin = c->acked;
	end = run->count ? run->begin + run->count : c->stat_sn;
	if (run->itt != T_NO_TAG || run->ttt != T_NO_TAG)
		refuse(c, bhs, 0x04, "of status, with a tag");
	else if (t_sn_lt(run->begin, c->acked))
		refuse(c, bhs, 0x04, "of acknowledged status");
	else if (!t_sn_lt(run->begin, c->stat_sn) || t_sn_lt(c->stat_sn, end))
		refuse(c, bhs, 0x04, "of status that was not sent");
	else
		for (sn = run->begin; sn != end; sn++)
			if (!resend_status(c, sn))
				return;
}

static struct t_task *ack_task(const struct t_conn *c, uint32_t ttt)
{
	struct t_task *task;

	TAILQ_FOREACH (task, &c->session->done, link)
		if (task->conn == c && task->ack_ttt == ttt)
			return task;
	return NULL;
}

/* RFC 7143 11.16.3: all below BegRun has come. */
static void data_ack(
	struct t_conn *c, const uint8_t *bhs, const struct run *run)
{
	struct t_task *task = ack_task(c, run->ttt);

	/* The acknowledgement of the status may have overtaken it. */
	if (!task && run->itt == T_NO_TAG)
		return;
	if (!task || run->itt != T_NO_TAG || run->count != 0) {
		refuse(c, bhs, 0x08, "DataACK with wrong tags or RunLength");
	} else if (memcmp(bhs + 8, task->bhs + 8, 8) != 0) {
		refuse(c, bhs, 0x08, "DataACK with another LUN");
	} else if (run->begin <= task->acked_sn) {
		t_violation(c->target, "DataACK of %u, after %u", run->begin,
			task->acked_sn);
		if (c->target->options.manner == T_LIKE_LIO)
			t_conn_end(c, true);
		else
			t_conn_reject(c, 0x08, bhs);
	} else if (run->begin > task->sent_sn) {
		refuse(c, bhs, 0x08, "DataACK of data that were not sent");
	} else {
		t_task_ack(task, run->begin);
	}
}

/* RFC 7143 11.16.1, 11.4.4: what is not acknowledged, cut anew, and a response
 * that bears the tag and the StatSN of the one before. */
static void r_data(struct t_conn *c, const uint8_t *bhs, const struct run *run)
{
	struct t_task *task = t_done_find(c->session, run->itt);

	if (c->target->options.manner == T_LIKE_LIO) {
		t_conn_reject(c, 0x04, bhs);
		return;
	}
	if (!task || task->conn != c || !task->read) {
		refuse(c, bhs, 0x04, "R-Data of an unknown task");
	} else if (run->ttt == 0 || run->ttt == T_NO_TAG ||
		   run->ttt == task->snack_tag) {
		refuse(c, bhs, 0x04, "R-Data with a reserved or used tag");
	} else if (run->begin || run->count) {
		refuse(c, bhs, 0x04, "R-Data with BegRun or RunLength");
	} else {
		t_task_resegment(task);
		task->snack_tag = run->ttt;
		t_kept_drop(c, task->stat_sn);
		if (t_task_send_data(task, task->acked_sn, UINT32_MAX))
			t_task_send_status(task, false);
	}
}

void t_snack(struct t_conn *c, const uint8_t *bhs)
{
	unsigned type = bhs[1] & 0x0f;
	struct run run = {
		.begin = (uint32_t)t_get(bhs, T_BEG_RUN),
		.count = (uint32_t)t_get(bhs, T_RUN_LENGTH),
		.itt = (uint32_t)t_get(bhs, T_ITT),
		.ttt = (uint32_t)t_get(bhs, T_TTT),
	};

	if (type < 4)
		c->target->snacks[type]++;
	if (c->target->options.manner == T_LIKE_TGT) {
		t_conn_end(c, true);
		return;
	}
	if (c->session->error_recovery_level == 0) {
		refuse(c, bhs, c->target->options.manner ? 0x04 : 0x05,
			"at ErrorRecoveryLevel 0");
		return;
	}
	switch (type) {
	case 0: snack_data(c, bhs, &run); break;
	case 1: snack_status(c, bhs, &run); break;
	case 2: data_ack(c, bhs, &run); break;
	case 3: r_data(c, bhs, &run); break;
	default: refuse(c, bhs, 0x04, "of an unknown type");
	}
}
