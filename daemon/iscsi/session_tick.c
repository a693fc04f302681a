/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session has time limits for: deadlines, pings, a window that is shut,
 * and at level 1 and above what was asked for and has not come. */
#include <errno.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "renegotiate.h"
#include "repair.h"
#include "session.h"

#define TICK_FAST   (100 * NS_PER_MS)
#define TICK_SLOW   NS_PER_S
#define CLOSED_PING (5 * NS_PER_S) /* a window that stays shut is asked for */
#define QUIET_PING  NS_PER_S /* level 1: what is lost shows in the answer */

void session_watch(struct session *s)
{
	if (s->tick_fast)
		return;
	s->tick_fast = true;
	loop_timer_set(s->tick, TICK_FAST);
}

static void check_waiting(struct session *s, uint64_t now)
{
	struct path_cmd *cmd, *next;

	if (TAILQ_EMPTY(&s->waiting))
		return;
	if (s->conn && now - s->closed_since >= CLOSED_PING)
		nop_ping(s->conn);
	for (cmd = TAILQ_FIRST(&s->waiting); cmd; cmd = next) {
		next = TAILQ_NEXT(cmd, link);
		if (!cmd->deadline || now < cmd->deadline)
			continue;
		TAILQ_REMOVE(&s->waiting, cmd, link);
		session_end_later(s, cmd, PATH_NOT_SENT, -ETIMEDOUT);
	}
	session_kick(s);
}

/* Level 1 and above. A task may end, and others with it: one a turn. */
static void check_task(struct session *s, struct task *t, uint64_t now)
{
	if (!t->conn || t->ending || !conn_is_up(t->conn))
		return;
	if (t->proof)
		reassign_task_tick(s, t, now);
	else if (t->repair)
		repair_tick(t->conn, t, now);
	else
		retry_tick(t, now);
}

static void check_active(struct session *s, uint64_t now)
{
	bool counted = s->params.error_recovery_level > 0;
	struct task *t;

	TAILQ_FOREACH (t, &s->active, link) {
		if (t->cmd->deadline && now >= t->cmd->deadline && !t->ending)
			tmf_abort(s, t, -ETIMEDOUT);
		if (counted)
			check_task(s, t, now);
	}
}

/* True while it waits for something that has a time limit. */
static bool check_conn(struct conn *c, uint64_t now)
{
	bool busy;

	if (!c || !conn_is_up(c) || c->state == CONN_IN_LOGIN)
		return false;
	nop_tick(c, now);
	nop_watch(c, now);
	busy = renegotiate_tick(c, now);
	if (c->level > 0) {
		snack_tick(c, now);
		if (c->load > 0 && now - c->heard >= QUIET_PING)
			nop_ping(c);
	}
	return busy || c->ping || c->snack_due;
}

static bool check_legs(struct session *s, uint64_t now)
{
	bool busy = false;

	for (unsigned i = 0; i < s->nlegs; i++) {
		struct leg *leg = &s->legs[i];

		busy |= check_conn(leg->conn, now) || leg->state != LEG_UP;
		if (leg->state == LEG_LEAVING && leg->conn->load == 0)
			leg_event(leg, LEG_EV_LATE);
	}
	if (s->params.error_recovery_level == 2)
		reassign_tick(s, now);
	return busy;
}

void session_tick(void *arg)
{
	struct session *s = arg;
	uint64_t now = loop_now(s->loop);
	bool up = s->state == SESSION_UP || s->state == SESSION_DRAINING, busy;

	s->tick_fast = false;
	if (!up || (!s->managed && (!s->conn || !conn_is_up(s->conn))))
		return;
	busy = s->managed ? check_legs(s, now) : check_conn(s->conn, now);
	tmf_tick(s, now);
	check_waiting(s, now);
	check_active(s, now);
	if (busy || s->tmf.state != TMF_IDLE || !TAILQ_EMPTY(&s->active) ||
		!TAILQ_EMPTY(&s->waiting))
		session_watch(s);
	else if (s->config->timeouts.ping_interval)
		loop_timer_set(s->tick, TICK_SLOW);
}
