/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's task management (RFC 7143 11.5, 11.6, 4.2.3; RFC 7144). */
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

enum function {
	ABORT_TASK = 1,
	ABORT_TASK_SET = 2,
	CLEAR_TASK_SET = 4,
	LUN_RESET = 5,
	WARM_RESET = 6,
	TASK_REASSIGN = 8,
	QUERY_TASK = 9,
	QUERY_TASK_SET = 10,
	NEXUS_RESET = 11,
	QUERY_ASYNC_EVENT = 12,
};

enum response {
	COMPLETE = 0,
	NO_TASK = 1,
	NO_LUN = 2,
	NOT_SUPPORTED = 5,
	SUCCEEDED = 7,
	REJECTED = 255,
};

/* A CmdSN of the window that has not come counts as received (11.6.1). */
static unsigned abort_missing(struct t_conn *c, const uint8_t *bhs, uint32_t sn)
{
	struct t_session *s = c->session;

	if (t_sn_lt(sn, s->exp_cmd_sn) || t_sn_lt(s->max_cmd_sn, sn) ||
		!t_sn_lt(sn, (uint32_t)t_get(bhs, T_CMD_SN)))
		return NO_TASK;
	t_order_fill(s, sn);
	return COMPLETE;
}

/* Of a task that is aborted the data need not have come any more, and its
 * status may be acknowledged. */
static void give_up_data(struct t_session *s, uint32_t itt)
{
	struct t_task *task = t_done_find(s, itt);

	if (!task)
		return;
	free(task->lost);
	task->lost = NULL;
}

static unsigned abort_task(struct t_conn *c, const uint8_t *bhs)
{
	uint32_t sn = (uint32_t)t_get(bhs, T_REF_CMD_SN);
	struct t_session *s = c->session;
	struct t_task *task = t_task_find(s, (uint32_t)t_get(bhs, T_RTT));

	if (!task) {
		give_up_data(s, (uint32_t)t_get(bhs, T_RTT));
		return abort_missing(c, bhs, sn);
	}
	if (task->conn != c) {
		t_violation(
			c->target, "ABORT TASK not on the task's connection");
		return REJECTED;
	}
	if (task->cmd_sn != sn && !t_get(task->bhs, T_IMMEDIATE)) {
		t_violation(c->target, "ABORT TASK with RefCmdSN %u for %u", sn,
			task->cmd_sn);
		return REJECTED;
	}
	t_task_free(s, task);
	return COMPLETE;
}

/* All tasks of the session that are older than the request. */
static void terminate(struct t_session *s, uint32_t cmd_sn)
{
	struct t_parked *p;

	while (!TAILQ_EMPTY(&s->tasks))
		t_task_free(s, TAILQ_FIRST(&s->tasks));
	LIST_FOREACH (p, &s->parked, link) {
		while (!TAILQ_EMPTY(&p->tasks)) {
			struct t_task *task = TAILQ_FIRST(&p->tasks);

			TAILQ_REMOVE(&p->tasks, task, link);
			t_task_destroy(task);
		}
	}
	t_order_skip(s, cmd_sn);
}

static unsigned multi_task(
	struct t_conn *c, const uint8_t *bhs, enum function function)
{
	struct t_session *s = c->session, *other;
	struct t_target *t = c->target;

	if (function != NEXUS_RESET && function != WARM_RESET &&
		t_get(bhs, T_LUN) != t->options.lun)
		return NO_LUN;
	terminate(s, (uint32_t)t_get(bhs, T_CMD_SN));
	if (function == LUN_RESET || function == WARM_RESET ||
		function == CLEAR_TASK_SET)
		LIST_FOREACH (other, &t->sessions, link)
			if (other != s)
				terminate(other, other->exp_cmd_sn);
	if (t->lun && (function == LUN_RESET || function == WARM_RESET))
		t_lun_attend(t->lun, NULL, 0x29,
			function == LUN_RESET ? 0x03 : 0x02);
	if (t->lun && function == NEXUS_RESET)
		t_nexus_attend(&s->nexus, 0x29, 0x07);
	return COMPLETE;
}

/* RFC 7144 4: 7 is yes, 0 is no. */
static unsigned query(
	struct t_conn *c, const uint8_t *bhs, enum function function)
{
	struct t_session *s = c->session;
	bool any = false;

	if (s->protocol_level < 2) {
		t_violation(c->target, "function %u at protocol level %u",
			function, s->protocol_level);
		return NOT_SUPPORTED;
	}
	if (function == QUERY_TASK)
		any = t_task_find(s, (uint32_t)t_get(bhs, T_RTT)) != NULL;
	else if (function == QUERY_TASK_SET)
		any = !TAILQ_EMPTY(&s->tasks);
	else if (function == NEXUS_RESET)
		return multi_task(c, bhs, function);
	return any ? SUCCEEDED : COMPLETE;
}

static void check_references(struct t_conn *c, const uint8_t *bhs)
{
	unsigned function = (unsigned)t_get(bhs, T_FUNCTION);
	bool refers = function == ABORT_TASK || function == TASK_REASSIGN ||
		      function == QUERY_TASK;

	if (!refers && t_get(bhs, T_RTT) != T_NO_TAG)
		t_violation(c->target, "function %u with a referenced task",
			function);
	if (function == TASK_REASSIGN && !t_get(bhs, T_IMMEDIATE))
		t_violation(c->target, "TASK REASSIGN that is not immediate");
}

static void respond(struct t_conn *c, const uint8_t *bhs, unsigned result)
{
	uint8_t out[T_BHS_LEN];

	t_response(c, out, 0x22, bhs);
	t_set(out, T_RESPONSE, result);
	t_conn_send(c, out, NULL, 0);
}

/* LIO takes the numbers of one table for those of another. */
static unsigned reassign_response(const struct t_target *t, unsigned result)
{
	static const uint8_t lio[] = {255, 0, 1, 2, 5, 255};

	if (t->options.manner == T_LIKE_LIO)
		return result < sizeof lio ? lio[result] : 255;
	return result;
}

static void reassign(struct t_conn *c, const uint8_t *bhs)
{
	struct t_task *task = NULL;
	unsigned result = t_reassign(c, bhs, &task);

	respond(c, bhs, reassign_response(c->target, result));
	if (task && c->state != T_DEAD)
		t_reassigned(task, bhs);
}

void t_fence_check(struct t_session *s)
{
	struct t_fence *fence = s->fence;
	struct t_conn *c;

	if (!fence)
		return;
	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s && c != fence->conn &&
			t_sn_lt(c->acked, c->fence_sn))
			return;
	s->fence = NULL;
	if (fence->conn->session == s)
		respond(fence->conn, fence->bhs, fence->result);
	free(fence);
}

/* RFC 7143 4.2.3.3, 4.2.3.4: what was said before on other connections is
 * acknowledged first; with FastAbort they are told of the end, too. */
static void fence_raise(struct t_conn *c, const uint8_t *bhs, unsigned result)
{
	struct t_session *s = c->session;
	struct t_fence *fence = calloc(1, sizeof *fence);
	struct t_conn *other;

	if (!fence)
		abort();
	fence->conn = c;
	c->fence_sn = c->acked;
	c->told = s->reporting == T_FAST_ABORT;
	c->fence_ttt = s->next_ttt;
	fence->result = result;
	memcpy(fence->bhs, bhs, T_BHS_LEN);
	TAILQ_FOREACH (other, &c->target->conns, link) {
		if (other->session != s || other == c)
			continue;
		if (s->reporting == T_FAST_ABORT)
			t_conn_async(other, 5, 0, 0, 0);
		other->told = s->reporting == T_FAST_ABORT;
		other->fence_ttt = s->next_ttt;
		other->fence_sn = other->stat_sn;
	}
	free(s->fence);
	s->fence = fence;
	t_fence_check(s);
}

void t_task_management(struct t_conn *c, const uint8_t *bhs)
{
	enum function function = (enum function)t_get(bhs, T_FUNCTION);
	unsigned result = NOT_SUPPORTED;
	bool fenced = false;

	check_references(c, bhs);
	if (function == TASK_REASSIGN) {
		reassign(c, bhs);
		return;
	}
	if (function == ABORT_TASK) {
		result = abort_task(c, bhs);
	} else if (function == ABORT_TASK_SET || function == CLEAR_TASK_SET ||
		   function == LUN_RESET || function == WARM_RESET) {
		result = multi_task(c, bhs, function);
		fenced = c->session->reporting != T_RFC3720;
	} else if (function >= QUERY_TASK && function <= QUERY_ASYNC_EVENT) {
		result = query(c, bhs, function);
	}
	if (!c->session)
		return;
	if (fenced && result == COMPLETE)
		fence_raise(c, bhs, result);
	else
		respond(c, bhs, result);
}
