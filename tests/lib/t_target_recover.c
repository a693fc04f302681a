/* SPDX-License-Identifier: BSD-2-Clause */
/* ErrorRecoveryLevel 2 of the model target: what a connection leaves behind,
 * and how another one takes it over (RFC 7143 7.2.2, 7.4, 7.5). */
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>

#include "t_target_private.h"

struct t_parked *t_parked_find(struct t_session *s, uint16_t cid)
{
	struct t_parked *p;

	LIST_FOREACH (p, &s->parked, link)
		if (p->cid == cid)
			return p;
	return NULL;
}

void t_parked_free(struct t_parked *p)
{
	struct t_task *task;

	while ((task = TAILQ_FIRST(&p->tasks))) {
		TAILQ_REMOVE(&p->tasks, task, link);
		t_task_destroy(task);
	}
	loop_timer_free(p->timer);
	LIST_REMOVE(p, link);
	free(p);
}

/* Time2Wait and Time2Retain from now on; a Time2Retain of 0 keeps nothing. */
static void retain(struct t_parked *p, uint64_t wait_ns)
{
	const struct t_session *s = p->session;
	uint64_t keep_ns = s->default_time2retain * 1000000000ull;

	loop_timer_set(p->timer, keep_ns ? wait_ns + keep_ns : 1);
}

static void announce(const struct t_parked *p)
{
	const struct t_session *s = p->session;
	struct t_conn *c;

	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s && !c->closing)
			break;
	if (c)
		t_conn_async(c, 2, p->cid, (uint16_t)s->default_time2wait,
			(uint16_t)s->default_time2retain);
}

static uint64_t wait_left(const struct t_parked *p)
{
	uint64_t now = loop_now(p->session->target->loop);

	return p->not_before > now ? p->not_before - now : 0;
}

/* The initiator counts from when it lost the connection. */
static bool is_early(const struct t_parked *p)
{
	return wait_left(p) > p->session->target->late_ns;
}

/* Time2Retain is over; for the session, too, if nothing is left of it. */
static void expire(struct t_parked *p)
{
	struct t_session *s = p->session;
	const struct t_task *task;

	TAILQ_FOREACH (task, &p->tasks, link)
		s->target->discarded++;
	t_parked_free(p);
	if (t_session_connections(s) == 0 && LIST_EMPTY(&s->parked))
		t_session_free(s);
}

static void parked_timer(void *arg)
{
	struct t_parked *p = arg;

	if (p->noticed) {
		expire(p);
		return;
	}
	p->noticed = true;
	retain(p, wait_left(p));
	if (p->session->target->options.announce_loss)
		announce(p);
}

static struct t_parked *parked_new(struct t_session *s, uint16_t cid)
{
	struct t_parked *p = calloc(1, sizeof *p);

	if (!p)
		abort();
	p->session = s;
	p->cid = cid;
	TAILQ_INIT(&p->tasks);
	p->timer = loop_timer_new(s->target->loop, parked_timer, p);
	if (!p->timer)
		abort();
	LIST_INSERT_HEAD(&s->parked, p, link);
	return p;
}

/* Orphans keep the limit that their Data-In had. */
static void park_tasks(
	struct t_parked *p, struct t_task_list *list, const struct t_conn *c)
{
	struct t_task *task, *next;

	for (task = TAILQ_FIRST(list); task; task = next) {
		next = TAILQ_NEXT(task, link);
		if (task->conn != c)
			continue;
		TAILQ_REMOVE(list, task, link);
		task->conn = NULL;
		TAILQ_INSERT_TAIL(&p->tasks, task, link);
	}
}

void t_park(struct t_conn *c)
{
	const struct t_target_options *o = &c->target->options;
	struct t_session *s = c->session;
	struct t_parked *p = t_parked_find(s, c->cid);

	if (!p)
		p = parked_new(s, c->cid);
	park_tasks(p, &s->tasks, c);
	park_tasks(p, &s->done, c);
	t_order_drop(s, c);
	s->discards++; /* what was on its way */
	p->logged_out = p->noticed = false;
	p->stat_sn = c->stat_sn;
	p->max_send_data = c->max_send_data;
	p->lost_at = loop_now(c->target->loop);
	/* Who got nothing for a while does not know when it ended. */
	p->not_before = p->lost_at;
	if (!c->was_stalled)
		p->not_before += s->default_time2wait * 1000000000ull;
	if (o->loss_delay_ns > 0) {
		loop_timer_set(p->timer, o->loss_delay_ns);
	} else {
		/* An announcement comes when this connection is gone. */
		p->noticed = !o->announce_loss;
		if (p->noticed)
			retain(p, wait_left(p));
		else
			loop_timer_set(p->timer, 1);
	}
}

static struct t_session *still_there(
	struct t_target *t, const struct t_session *s)
{
	struct t_session *other;

	LIST_FOREACH (other, &t->sessions, link)
		if (other == s)
			return other;
	return NULL;
}

void t_task_orphan(struct t_target *t, struct t_session *s, uint16_t cid,
	struct t_task *task)
{
	struct t_parked *p = still_there(t, s) ? t_parked_find(s, cid) : NULL;

	if (!p) {
		t_task_destroy(task);
		return;
	}
	task->conn = NULL;
	TAILQ_INSERT_TAIL(&p->tasks, task, link);
}

/* The living connection of the session with this CID. */
static struct t_conn *find_conn(const struct t_session *s, uint16_t cid)
{
	struct t_conn *c;

	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s && c->cid == cid)
			return c;
	return NULL;
}

static unsigned log_out(
	struct t_session *s, uint16_t cid, bool explicit, uint16_t times[2])
{
	struct t_conn *c = find_conn(s, cid);
	struct t_parked *p;

	if (c)
		t_conn_end(c, true);
	p = t_parked_find(s, cid);
	if (!p)
		return 1;
	if (!c && is_early(p))
		t_violation(s->target,
			"connection %u recovered before Time2Wait", cid);
	if (!explicit)
		p->not_before = loop_now(s->target->loop);
	p->noticed = p->logged_out = true;
	times[0] = (uint16_t)((wait_left(p) + 999999999) / 1000000000);
	retain(p, wait_left(p));
	return 0;
}

unsigned t_recover(struct t_session *s, const struct t_conn *c, uint16_t cid,
	uint16_t times[2])
{
	const struct t_target_options *o = &s->target->options;

	if (o->manner == T_LIKE_TGT)
		return 0;
	if (s->error_recovery_level < 2) {
		t_violation(s->target, "Logout for recovery at level %u",
			s->error_recovery_level);
		return 2;
	}
	if (c && o->logout_response > 0)
		return (unsigned)o->logout_response;
	if (c && c->cid == cid)
		return 3;
	return log_out(s, cid, c != NULL, times);
}

static struct t_task *parked_task(
	struct t_session *s, uint32_t itt, struct t_parked **where)
{
	struct t_parked *p;
	struct t_task *task;

	LIST_FOREACH (p, &s->parked, link) {
		TAILQ_FOREACH (task, &p->tasks, link) {
			if (task->itt == itt) {
				*where = p;
				return task;
			}
		}
	}
	return NULL;
}

/* What stands against TASK REASSIGN; 0: nothing. */
static unsigned reassign_refusal(const struct t_conn *c, const uint8_t *bhs,
	const struct t_task *task, const struct t_parked *p)
{
	struct t_target *t = c->target;

	if (memcmp(bhs + 8, task->bhs + 8, 8) != 0) {
		t_violation(t, "TASK REASSIGN with another LUN");
		return 2;
	}
	if (!p->logged_out) {
		t_violation(t,
			"TASK REASSIGN before connection %u was logged "
			"out for recovery",
			p->cid);
		return 3;
	}
	if (is_early(p))
		t_violation(t, "TASK REASSIGN before Time2Wait");
	if (t->options.manner == T_LIKE_LIO &&
		p->max_send_data != c->max_send_data)
		return 255;
	return 0;
}

unsigned t_reassign(struct t_conn *c, const uint8_t *bhs, struct t_task **taken)
{
	const struct t_target_options *o = &c->target->options;
	uint32_t itt = (uint32_t)t_get(bhs, T_RTT);
	struct t_session *s = c->session;
	struct t_parked *p = NULL;
	struct t_task *task = parked_task(s, itt, &p);
	unsigned result;

	if (s->error_recovery_level < 2)
		t_violation(c->target, "TASK REASSIGN at level %u",
			s->error_recovery_level);
	if (o->manner == T_LIKE_TGT)
		return 5;
	if (s->error_recovery_level < 2)
		return 4;
	if (o->reassign_response > 0)
		return (unsigned)o->reassign_response;
	if (!task)
		return t_task_find(s, itt) || t_done_find(s, itt) ? 3 : 1;
	result = reassign_refusal(c, bhs, task, p);
	if (result != 0)
		return result;
	TAILQ_REMOVE(&p->tasks, task, link);
	task->conn = c;
	if (task->done)
		TAILQ_INSERT_TAIL(&s->done, task, link);
	else
		TAILQ_INSERT_TAIL(&s->tasks, task, link);
	c->target->reassigns++;
	*taken = task;
	return 0;
}

/* Data from the first one that the initiator wants, and the status, which has
 * a number of this connection (11.5.6). */
static void send_again(struct t_task *task, uint32_t exp_data_sn)
{
	if (exp_data_sn != 0 && task->read) {
		if (exp_data_sn < task->acked_sn || exp_data_sn > task->sent_sn)
			t_violation(task->conn->target,
				"TASK REASSIGN with ExpDataSN %u, between %u "
				"and %u was allowed",
				exp_data_sn, task->acked_sn, task->sent_sn);
		else
			t_task_ack(task, exp_data_sn);
	}
	task->snack_tag = 0;
	t_task_resegment(task);
	if (t_task_send_data(task, task->acked_sn, UINT32_MAX))
		t_task_send_status(task, true);
}

void t_reassigned(struct t_task *task, const uint8_t *bhs)
{
	if (task->done)
		send_again(task, (uint32_t)t_get(bhs, T_EXP_DATA_SN));
	else if (!task->complete)
		t_task_restart(task);
	else if (!task->conn->target->hold)
		t_task_execute(task);
}
