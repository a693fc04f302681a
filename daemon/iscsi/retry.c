/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Retry of commands (RFC 7143 7.2.1): a command whose CmdSN the target does not
 * acknowledge is sent once more as it was, on the same connection. A target
 * that has it already drops the second one. Only at level 1 and above, and
 * never for what is acknowledged.
 */
#include <errno.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

#define RETRY_AFTER (2 * NS_PER_S)
#define RETRIES     3

bool retry_is_due(const struct session *s, const struct task *t)
{
	return sn_gte(t->cmd_sn, s->window.exp_cmd_sn);
}

/* Nothing of it is still on its way out. */
static bool is_out(const struct task *t)
{
	return t->sent && !t->item.queued && LIST_EMPTY(&t->dataouts) &&
	       t->bursts_left == 0;
}

void retry_command(struct task *t)
{
	struct session *s = t->conn->session;

	if (!is_out(t) || t->conn->state != CONN_LOGGED_IN)
		return;
	if (t->retries++ >= RETRIES) {
		conn_fail(t->conn, -EPROTO,
			"the target does not take a command (CmdSN)");
		return;
	}
	s->counters.tasks_retried++;
	t->received = 0;
	session_send(t);
}

/* A write of which not all was asked for yet: the last R2T may be lost, and
 * nothing follows that would show it (RFC 7143 7.9). */
static bool lacks_r2t(const struct task *t)
{
	return t->cmd->direction == PATH_DATA_OUT && is_out(t) &&
	       t->received < t->cmd->len;
}

/* Of CmdSNs the first that is missing stops all that follow. A connection that
 * has been silent since has lost no command: it may be slow, or dead, which is
 * for others to judge. */
void retry_tick(struct task *t, uint64_t now)
{
	struct session *s = t->conn->session;

	if (now - t->since < RETRY_AFTER || t->conn->heard < t->since)
		return;
	if (t->cmd_sn == s->window.exp_cmd_sn) {
		retry_command(t);
	} else if (!retry_is_due(s, t) && lacks_r2t(t) &&
		   t->retries < RETRIES) {
		t->retries++;
		t->since = now;
		snack_task(t->conn, t, 0);
	}
}
