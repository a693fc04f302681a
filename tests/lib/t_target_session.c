/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's sessions: who they are, and the order of commands. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "t_target_private.h"

struct t_session *t_session_find(struct t_target *t, const char *initiator,
	const uint8_t *isid, uint16_t tpgt)
{
	struct t_session *s;

	LIST_FOREACH (s, &t->sessions, link)
		if (strcasecmp(s->initiator, initiator) == 0 &&
			memcmp(s->isid, isid, 6) == 0 && s->tpgt == tpgt)
			return s;
	return NULL;
}

struct t_session *t_session_new(struct t_target *t, uint16_t tpgt)
{
	struct t_session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->target = t;
	s->tpgt = tpgt;
	s->tsih = t->next_tsih++;
	TAILQ_INIT(&s->tasks);
	TAILQ_INIT(&s->waiting);
	LIST_INSERT_HEAD(&t->sessions, s, link);
	if (t->lun) {
		t_nexus_init(
			&s->nexus, t->lun, tpgt, tpgt, t->options.attention);
		s->has_nexus = true;
	}
	return s;
}

static void waiting_free(struct t_session *s, struct t_waiting *w)
{
	TAILQ_REMOVE(&s->waiting, w, link);
	free(w->data);
	free(w);
}

void t_session_drop_tasks(struct t_session *s, const struct t_conn *c)
{
	struct t_waiting *w, *next_waiting;
	struct t_task *task, *next;

	for (task = TAILQ_FIRST(&s->tasks); task; task = next) {
		next = TAILQ_NEXT(task, link);
		if (!c || task->conn == c)
			t_task_free(s, task);
	}
	for (w = TAILQ_FIRST(&s->waiting); w; w = next_waiting) {
		next_waiting = TAILQ_NEXT(w, link);
		if (!c || w->conn == c)
			waiting_free(s, w);
	}
}

void t_session_free(struct t_session *s)
{
	struct t_conn *c;

	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s)
			t_conn_end(c, true);
	t_session_drop_tasks(s, NULL);
	if (s->has_nexus)
		t_nexus_fini(&s->nexus);
	LIST_REMOVE(s, link);
	free(s);
}

static unsigned connections(const struct t_session *s)
{
	const struct t_conn *c;
	unsigned n = 0;

	TAILQ_FOREACH (c, &s->target->conns, link)
		n += c->session == s;
	return n;
}

/* A command ahead of its turn waits, where another connection may still bring
 * what is missing. */
static void wait_for_turn(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_waiting *w;

	if (connections(c->session) == 1)
		t_violation(c->target, "CmdSN %u, expected %u",
			(unsigned)t_get(bhs, T_CMD_SN), c->session->exp_cmd_sn);
	w = calloc(1, sizeof *w);
	if (!w)
		abort();
	w->conn = c;
	memcpy(w->bhs, bhs, T_BHS_LEN);
	w->data = malloc(len + 1);
	if (!w->data)
		abort();
	memcpy(w->data, data, len);
	w->len = len;
	TAILQ_INSERT_TAIL(&c->session->waiting, w, link);
}

static struct t_waiting *next_waiting(struct t_session *s)
{
	struct t_waiting *w;

	TAILQ_FOREACH (w, &s->waiting, link)
		if (t_get(w->bhs, T_CMD_SN) == s->exp_cmd_sn)
			return w;
	return NULL;
}

static void take_turn(struct t_session *s)
{
	s->exp_cmd_sn++;
	if (!s->target->frozen)
		s->max_cmd_sn = s->exp_cmd_sn + s->target->options.window - 1;
}

/* RFC 7143 4.2.2.1 */
static void ordered(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	uint32_t sn = (uint32_t)t_get(bhs, T_CMD_SN);
	struct t_session *s = c->session;
	struct t_waiting *w;

	if (t_sn_lt(sn, s->exp_cmd_sn)) {
		if (s->error_recovery_level == 0)
			t_violation(c->target, "CmdSN %u again", sn);
		return;
	}
	if (t_sn_lt(s->max_cmd_sn, sn)) {
		t_violation(c->target, "CmdSN %u beyond MaxCmdSN %u", sn,
			s->max_cmd_sn);
		return;
	}
	if (sn != s->exp_cmd_sn) {
		wait_for_turn(c, bhs, data, len);
		return;
	}
	take_turn(s);
	t_request(c, bhs, data, len);
	while (c->session == s && (w = next_waiting(s))) {
		take_turn(s);
		TAILQ_REMOVE(&s->waiting, w, link);
		t_request(w->conn, w->bhs, w->data, w->len);
		free(w->data);
		free(w);
	}
}

void t_session_request(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);
	bool immediate = t_get(bhs, T_IMMEDIATE);

	if (op == 0x05) {
		t_data_out(c, bhs, data, len);
	} else if (op == 0x10) {
		if (c->session->error_recovery_level == 0)
			t_violation(c->target, "SNACK at ErrorRecoveryLevel 0");
		t_conn_reject(c, 0x05, bhs);
	} else if (!immediate) {
		ordered(c, bhs, data, len);
	} else {
		if (connections(c->session) == 1 &&
			t_get(bhs, T_CMD_SN) != c->session->exp_cmd_sn)
			t_violation(c->target,
				"immediate opcode %#x: CmdSN %u, current is %u",
				op, (unsigned)t_get(bhs, T_CMD_SN),
				c->session->exp_cmd_sn);
		t_request(c, bhs, data, len);
	}
}
