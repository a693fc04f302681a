/* SPDX-License-Identifier: BSD-2-Clause */
#include "reassign.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "repair.h"
#include "session.h"

#define NO_ANSWER  (5 * NS_PER_S)
#define AGAINS_MAX 5

/* What silence after an answer means. */
enum verdict {
	GONE,    /* it is lost: ABORT TASK makes sure of it */
	AGAIN,   /* the old connection is not cleaned up yet */
	REFUSED, /* the target does not reassign */
};

static const struct {
	uint8_t response;
	uint8_t verdict;
	uint64_t patience; /* ns */
} verdicts[] = {
	/* The task may be slow; "no such task" of some. */
	{TMF_RSP_COMPLETE, GONE, 5 * NS_PER_S},
	{TMF_RSP_NO_TASK, GONE, 200 * NS_PER_MS},
	/* "Still allegiant" of some, which have one unit only. */
	{TMF_RSP_NO_LUN, AGAIN, 500 * NS_PER_MS},
	{TMF_RSP_ALLEGIANT, AGAIN, 500 * NS_PER_MS},
	{TMF_RSP_NO_REASSIGN, REFUSED, 200 * NS_PER_MS},
	{TMF_RSP_NOT_SUPPORTED, REFUSED, 200 * NS_PER_MS},
	/* Success of some; last, and for all others. */
	{TMF_RSP_REJECTED, GONE, 2 * NS_PER_S},
};

#define VERDICTS (sizeof verdicts / sizeof verdicts[0])

void reassign_add(struct session *s, struct task *t)
{
	t->moving = true;
	TAILQ_INSERT_TAIL(&s->moving, t, move_link);
}

/* What the old connection was about to move is void: reads go on after what has
 * come in a row, writes are asked for anew (RFC 7143 7.2.2). */
static void rewind_task(struct task *t)
{
	t->burst_at = t->bursts_left = t->r2ts = 0;
	if (t->cmd->direction != PATH_DATA_OUT)
		return;
	t->rebase = true;
	t->received = t->cmd->len;
}

static void send_request(
	struct session *s, struct conn *c, struct task *request, struct task *t)
{
	struct bhs b = bhs_make(OP_TMF_REQ);

	request->conn = c;
	b.immediate = true;
	b.itt = request->itt;
	b.cmd_sn = s->window.cmd_sn;
	memcpy(b.lun, s->config->lun, sizeof b.lun);
	b.tmf.function = TMF_TASK_REASSIGN;
	b.tmf.rtt = t->itt;
	b.tmf.ref_cmd_sn = t->cmd_sn;
	if (t->cmd->direction == PATH_DATA_IN)
		b.tmf.exp_data_sn = t->data_sn;
	conn_send(c, &b, NULL, 0, false);
	session_watch(s);
}

/* A leg that is up and has no request under way. Some targets reassign only
 * between connections of equal limits: such a one is waited for. */
static struct leg *free_leg(struct session *s, const struct task *t)
{
	struct conn *like = leg_carrier(s, t->max_send);
	struct leg *leg;

	for (unsigned i = 0; like && i < s->nlegs; i++) {
		leg = &s->legs[i];
		if (leg->state == LEG_UP && !leg->reassign.request &&
			leg->conn->state == CONN_LOGGED_IN &&
			leg->conn->params.max_send_data ==
				like->params.max_send_data)
			return leg;
	}
	return NULL;
}

static void begin(struct session *s, struct leg *leg, struct task *request,
	struct task *t)
{
	struct reassign *m = &leg->reassign;

	TAILQ_REMOVE(&s->moving, t, move_link);
	t->moving = false;
	m->request = request;
	m->task = t;
	m->late = loop_now(s->loop) + NO_ANSWER;
	rewind_task(t);
	t->conn = leg->conn;
	t->conn->load++;
	if (t->reassigns < UINT8_MAX)
		t->reassigns++;
	t->proof = UINT64_MAX;
	t->verdict = GONE;
	task_in_begin(t, loop_now(s->loop));
	task_in_acked(t); /* by ExpDataSN */
	send_request(s, leg->conn, request, t);
}

void reassign_next(struct session *s)
{
	struct task *t, *request;
	struct leg *leg;

	while ((t = TAILQ_FIRST(&s->moving)) && (leg = free_leg(s, t))) {
		request = task_get(&s->tasks, TASK_TMF);
		if (!request)
			return; /* the tick comes back to it */
		begin(s, leg, request, t);
	}
}

static void answered(struct leg *leg, uint8_t verdict, uint64_t patience)
{
	struct session *s = leg->session;
	struct reassign *m = &leg->reassign;
	struct task *t = m->task;

	task_put(&s->tasks, m->request);
	m->request = m->task = NULL;
	if (t && t->proof) {
		t->verdict = verdict;
		t->proof = loop_now(s->loop) + patience;
	}
	reassign_next(s);
}

bool reassign_response(struct conn *c, const struct bhs *b)
{
	struct leg *leg = c->leg;
	unsigned i = 0;

	if (!leg || !leg->reassign.request ||
		leg->reassign.request->itt != b->itt)
		return false;
	while (i < VERDICTS - 1 && verdicts[i].response != b->tmf_rsp.response)
		i++;
	log_debug("TASK REASSIGN: response %u", b->tmf_rsp.response);
	answered(leg, verdicts[i].verdict, verdicts[i].patience);
	return true;
}

void reassign_proved(struct task *t)
{
	t->proof = 0;
	t->conn->session->counters.tasks_reassigned++;
}

void reassign_forget(struct session *s, struct task *t)
{
	if (t->moving)
		TAILQ_REMOVE(&s->moving, t, move_link);
	t->moving = false;
	if (t->conn && t->conn->leg && t->conn->leg->reassign.task == t)
		t->conn->leg->reassign.task = NULL;
}

void reassign_conn_lost(struct leg *leg)
{
	if (leg->reassign.request)
		task_put(&leg->session->tasks, leg->reassign.request);
	leg->reassign = (struct reassign){0};
}

void reassign_tick(struct session *s, uint64_t now)
{
	const struct reassign *m;

	for (unsigned i = 0; i < s->nlegs; i++) {
		m = &s->legs[i].reassign;
		if (m->request && now >= m->late)
			conn_fail(s->legs[i].conn, -ETIMEDOUT,
				"no answer to TASK REASSIGN");
	}
	reassign_next(s);
}

/* Once more, perhaps on another connection: what is on its way in for the task
 * on this one goes nowhere, and does not count. */
static void move_again(struct session *s, struct task *t)
{
	t->max_send = t->conn->params.max_send_data;
	pdu_rx_forget(&t->conn->rx, t->itt);
	repair_drop(t);
	t->conn->load--;
	t->conn = NULL;
	t->proof = 0;
	reassign_add(s, t);
	reassign_next(s);
}

void reassign_task_tick(struct session *s, struct task *t, uint64_t now)
{
	struct leg *leg = t->conn->leg;

	if (now < t->proof || t->aborted)
		return;
	if (t->verdict == AGAIN && t->reassigns < AGAINS_MAX) {
		move_again(s, t);
		return;
	}
	t->proof = 0;
	if (t->verdict == GONE) {
		log_debug("task %#x was not carried on", t->itt);
		tmf_abort(s, t, -ECONNRESET);
		return;
	}
	recover(leg, RECOVER_REASSIGN_REFUSED,
		"the target does not reassign tasks");
}
