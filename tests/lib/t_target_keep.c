/* SPDX-License-Identifier: BSD-2-Clause */
/* What the model target keeps until the initiator acknowledges it: responses
 * by connection, executed tasks by session (RFC 7143 4.2.2.2, 7.3). */
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

/* It consumes a StatSN, and is none of the Data-In: the task has those. */
static bool has_status(const uint8_t *bhs)
{
	switch (t_get(bhs, T_OPCODE)) {
	case 0x20: return t_get(bhs, T_ITT) != T_NO_TAG;
	case 0x21:
	case 0x22:
	case 0x24:
	case 0x26:
	case 0x32:
	case 0x3f: return true;
	default: return false;
	}
}

void t_keep(struct t_conn *c, const uint8_t *bhs, const void *data,
	uint32_t len, bool lost)
{
	struct t_kept *k;

	if (!has_status(bhs))
		return;
	k = calloc(1, sizeof *k);
	if (!k || !(k->data = malloc(len + 1)))
		abort();
	memcpy(k->bhs, bhs, T_BHS_LEN);
	if (len > 0)
		memcpy(k->data, data, len);
	k->len = len;
	k->lost = lost;
	TAILQ_INSERT_TAIL(&c->statuses, k, link);
}

static void kept_free(struct t_conn *c, struct t_kept *k)
{
	TAILQ_REMOVE(&c->statuses, k, link);
	free(k->data);
	free(k);
}

void t_kept_free(struct t_conn *c)
{
	while (!TAILQ_EMPTY(&c->statuses))
		kept_free(c, TAILQ_FIRST(&c->statuses));
}

void t_kept_drop(struct t_conn *c, uint32_t stat_sn)
{
	struct t_kept *k, *next;

	for (k = TAILQ_FIRST(&c->statuses); k; k = next) {
		next = TAILQ_NEXT(k, link);
		if (t_get(k->bhs, T_STAT_SN) == stat_sn)
			kept_free(c, k);
	}
}

struct t_task *t_done_find(struct t_session *s, uint32_t itt)
{
	struct t_task *task;

	TAILQ_FOREACH (task, &s->done, link)
		if (task->itt == itt)
			return task;
	return NULL;
}

/* Its status is acknowledged: then all its data must have come. */
static void task_acked(struct t_target *t, struct t_task *task)
{
	uint32_t sn;

	for (sn = task->acked_sn; task->lost && sn < task->sent_sn; sn++)
		if (task->lost[sn])
			t_violation(t,
				"StatSN %u acknowledged, but DataSN %u of task "
				"%#x has not arrived",
				task->stat_sn, sn, task->itt);
}

void t_conn_acked(struct t_conn *c)
{
	struct t_session *s = c->session;
	struct t_task *task, *next_task;
	struct t_kept *k, *next;

	for (k = TAILQ_FIRST(&c->statuses); k; k = next) {
		uint32_t sn = (uint32_t)t_get(k->bhs, T_STAT_SN);

		next = TAILQ_NEXT(k, link);
		if (!t_sn_lt(sn, c->acked))
			continue;
		if (k->lost)
			t_violation(c->target,
				"StatSN %u acknowledged, which has not arrived",
				sn);
		kept_free(c, k);
	}
	for (task = TAILQ_FIRST(&s->done); task; task = next_task) {
		next_task = TAILQ_NEXT(task, link);
		if (task->conn != c || !t_sn_lt(task->stat_sn, c->acked))
			continue;
		task_acked(c->target, task);
		TAILQ_REMOVE(&s->done, task, link);
		t_task_destroy(task);
	}
	t_fence_check(s);
}
