/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of commands over all connections of a session of the model target
 * (RFC 7143 4.2.2.1), and how a retry is known (7.2.1). */
#include <stdlib.h>
#include <string.h>
#include <umpio/base/crc32c.h>

#include "t_target_private.h"

/* A retry is the same PDU but for ExpStatSN. */
static struct t_seen identity(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_seen id = {
		.valid = true,
		.has_data = data != NULL,
		.cmd_sn = (uint32_t)t_get(bhs, T_CMD_SN),
		.cid = c->cid,
	};
	uint8_t copy[T_BHS_LEN];

	memcpy(copy, bhs, T_BHS_LEN);
	t_set(copy, T_EXP_STAT_SN, 0);
	id.crc = crc32c(0, copy, T_BHS_LEN);
	if (data)
		id.data_crc = crc32c(0, data, len);
	return id;
}

static bool is_alive(const struct t_session *s, uint16_t cid)
{
	const struct t_conn *c;

	TAILQ_FOREACH (c, &s->target->conns, link)
		if (c->session == s && c->cid == cid && !c->closing)
			return true;
	return false;
}

/* It was seen before: the same bytes must come, on the same connection unless
 * that one was logged out. */
static void check_retry(
	struct t_conn *c, const struct t_seen *old, const struct t_seen *now)
{
	struct t_parked *p = t_parked_find(c->session, old->cid);

	c->target->retries++;
	if (c->session->error_recovery_level == 0)
		t_violation(c->target, "CmdSN %u again", old->cmd_sn);
	else if (old->crc != now->crc ||
		 (old->has_data && now->has_data &&
			 old->data_crc != now->data_crc))
		t_violation(c->target, "CmdSN %u again, but not the same PDU",
			old->cmd_sn);
	if (old->cid != c->cid &&
		(is_alive(c->session, old->cid) || (p && !p->logged_out)))
		t_violation(c->target,
			"CmdSN %u of connection %u again on %u, before a "
			"logout",
			old->cmd_sn, old->cid, c->cid);
}

void t_seen(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_seen now = identity(c, bhs, data, len);
	struct t_session *s = c->session;
	uint32_t sn = now.cmd_sn;
	struct t_seen *seen = &s->seen[sn % T_SEEN_MAX];

	if (seen->valid && seen->cmd_sn == sn) {
		check_retry(c, seen, &now);
	} else {
		if (c->numbered && t_sn_lt(sn, c->last_cmd_sn) &&
			s->discards == 0)
			t_violation(c->target, "CmdSN %u after %u", sn,
				c->last_cmd_sn);
		c->last_cmd_sn = sn;
		c->numbered = true;
	}
	*seen = now;
}

static void drop_early(struct t_waiting *w)
{
	struct t_early *e;

	while ((e = STAILQ_FIRST(&w->early))) {
		STAILQ_REMOVE_HEAD(&w->early, link);
		free(e->data);
		free(e);
	}
}

/* It is off the list. */
static void waiting_destroy(struct t_waiting *w)
{
	drop_early(w);
	free(w->data);
	free(w);
}

static void waiting_free(struct t_session *s, struct t_waiting *w)
{
	TAILQ_REMOVE(&s->waiting, w, link);
	waiting_destroy(w);
}

/* Its turn: the command, and the data that came unasked behind it. */
static void waiting_run(struct t_session *s, struct t_waiting *w)
{
	struct t_early *e;

	if (w->skip)
		return;
	t_request(w->conn, w->bhs, w->data, w->len);
	STAILQ_FOREACH (e, &w->early, link)
		if (w->conn->session == s)
			t_data_out(w->conn, e->bhs, e->data, e->len);
}

/* The SCSI command of the connection with this ITT. */
static struct t_waiting *waiting_command(const struct t_conn *c, uint32_t itt)
{
	struct t_waiting *w;

	TAILQ_FOREACH (w, &c->session->waiting, link)
		if (w->conn == c && t_get(w->bhs, T_OPCODE) == 0x01 &&
			t_get(w->bhs, T_ITT) == itt)
			return w;
	return NULL;
}

bool t_order_data(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_waiting *w = waiting_command(c, (uint32_t)t_get(bhs, T_ITT));
	struct t_early *e; /* without data when they were lost */

	if (!w)
		return false;
	e = calloc(1, sizeof *e);
	if (!e || (data && !(e->data = malloc(len + 1))))
		abort();
	memcpy(e->bhs, bhs, T_BHS_LEN);
	if (data)
		memcpy(e->data, data, len);
	e->len = len;
	STAILQ_INSERT_TAIL(&w->early, e, link);
	return true;
}

void t_order_lose(struct t_conn *c, uint32_t itt)
{
	struct t_waiting *w = waiting_command(c, itt);

	if (w)
		w->skip = true;
}

void t_order_drop(struct t_session *s, const struct t_conn *c)
{
	struct t_waiting *w, *next;

	for (w = TAILQ_FIRST(&s->waiting); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (c && w->conn != c)
			continue;
		s->discards++;
		waiting_free(s, w);
	}
}

static struct t_waiting *waiting_find(struct t_session *s, uint32_t sn)
{
	struct t_waiting *w;

	TAILQ_FOREACH (w, &s->waiting, link)
		if (t_get(w->bhs, T_CMD_SN) == sn)
			return w;
	return NULL;
}

static struct t_waiting *waiting_new(
	struct t_session *s, const uint8_t *bhs, uint32_t len)
{
	struct t_waiting *w = calloc(1, sizeof *w);

	if (!w || !(w->data = malloc(len + 1)))
		abort();
	memcpy(w->bhs, bhs, T_BHS_LEN);
	STAILQ_INIT(&w->early);
	w->len = len;
	TAILQ_INSERT_TAIL(&s->waiting, w, link);
	return w;
}

/* A command ahead of its turn waits, where another connection or a retry may
 * still bring what is missing. */
static void wait_for_turn(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	struct t_session *s = c->session;
	uint32_t sn = (uint32_t)t_get(bhs, T_CMD_SN);
	struct t_waiting *w = waiting_find(s, sn);

	if (w) { /* its data come again as well */
		drop_early(w);
		return;
	}
	if (t_session_connections(s) == 1 && s->discards == 0 &&
		LIST_EMPTY(&s->parked))
		t_violation(
			c->target, "CmdSN %u, expected %u", sn, s->exp_cmd_sn);
	w = waiting_new(s, bhs, len);
	w->conn = c;
	memcpy(w->data, data, len);
}

static void take_turn(struct t_session *s)
{
	s->exp_cmd_sn++;
	if (!s->target->frozen)
		s->max_cmd_sn = s->exp_cmd_sn + s->target->options.window - 1;
}

/* What waited and has its turn now. The session may end in between. */
static void drain(struct t_target *t, struct t_session *s)
{
	struct t_session *alive = s;
	struct t_waiting *w;

	while (alive && (w = waiting_find(s, s->exp_cmd_sn))) {
		take_turn(s);
		TAILQ_REMOVE(&s->waiting, w, link);
		waiting_run(s, w);
		waiting_destroy(w);
		LIST_FOREACH (alive, &t->sessions, link)
			if (alive == s)
				break;
	}
}

void t_order_fill(struct t_session *s, uint32_t sn)
{
	uint8_t bhs[T_BHS_LEN];
	struct t_waiting *w = waiting_find(s, sn);

	if (t_sn_lt(sn, s->exp_cmd_sn) || t_sn_lt(s->max_cmd_sn, sn))
		return;
	if (!w) {
		t_make(bhs, 0);
		t_set(bhs, T_CMD_SN, sn);
		w = waiting_new(s, bhs, 0);
	}
	w->skip = true;
	drain(s->target, s);
}

void t_order_skip(struct t_session *s, uint32_t sn)
{
	struct t_waiting *w;

	TAILQ_FOREACH (w, &s->waiting, link)
		if (t_get(w->bhs, T_OPCODE) == 0x01 &&
			t_sn_lt((uint32_t)t_get(w->bhs, T_CMD_SN), sn))
			w->skip = true;
}

static void ordered(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	uint32_t sn = (uint32_t)t_get(bhs, T_CMD_SN);
	struct t_session *s = c->session;
	struct t_target *t = c->target;
	struct t_task *task;

	if (t_sn_lt(s->max_cmd_sn, sn)) {
		t_violation(
			t, "CmdSN %u beyond MaxCmdSN %u", sn, s->max_cmd_sn);
		return;
	}
	if (t_sn_lt(sn, s->exp_cmd_sn) &&
		!(s->seen[sn % T_SEEN_MAX].valid &&
			s->seen[sn % T_SEEN_MAX].cmd_sn == sn)) {
		t_violation(t, "CmdSN %u, which was never open", sn);
		return;
	}
	t_seen(c, bhs, data, len);
	if (t_sn_lt(sn, s->exp_cmd_sn)) {
		task = t_task_find(s, (uint32_t)t_get(bhs, T_ITT));
		if (task)
			task->repeated = true;
		if (t->options.manner == T_LIKE_TGT)
			t_conn_end(c, true);
		return;
	}
	if (sn != s->exp_cmd_sn) {
		wait_for_turn(c, bhs, data, len);
		return;
	}
	take_turn(s);
	t_request(c, bhs, data, len);
	if (c->session == s)
		drain(t, s);
}

void t_session_request(
	struct t_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t len)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (op == 0x05) {
		t_data_out(c, bhs, data, len);
	} else if (op == 0x10) {
		t_snack(c, bhs);
	} else if (!t_get(bhs, T_IMMEDIATE)) {
		ordered(c, bhs, data, len);
	} else {
		if (t_session_connections(c->session) == 1 &&
			c->session->discards == 0 &&
			LIST_EMPTY(&c->session->parked) &&
			t_get(bhs, T_CMD_SN) != c->session->exp_cmd_sn)
			t_violation(c->target,
				"immediate opcode %#x: CmdSN %u, current is %u",
				op, (unsigned)t_get(bhs, T_CMD_SN),
				c->session->exp_cmd_sn);
		t_request(c, bhs, data, len);
	}
}
