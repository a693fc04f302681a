/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target: its life, and the streams it serves. */
#include "t_target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

#include "t_target_private.h"

void t_violation(struct t_target *t, const char *fmt, ...)
{
	va_list args;

	if (t->violations++ > 0)
		return;
	va_start(args, fmt);
	vsnprintf(t->violation, sizeof t->violation, fmt, args);
	va_end(args);
}

void t_target_options_init(struct t_target_options *options)
{
	*options = (struct t_target_options){
		.name = "iqn.2003-01.org.example:model",
		.portals = {{"127.0.0.1:3260", 1}},
		.nportals = 1,
		.immediate_data = true,
		.header_digest = true,
		.data_digest = true,
		.first_burst_length = 65536,
		.max_burst_length = 262144,
		.max_recv_data_segment_length = 65536,
		.max_outstanding_r2t = 1,
		.max_connections = 1,
		.default_time2wait = 0,
		.default_time2retain = 20,
		.window = 64,
		.first_stat_sn = 0xfffffffe,
		.logout_response = T_AS_IT_IS,
		.reassign_response = T_AS_IT_IS,
	};
}

struct t_target *t_target_new(struct loop *loop, struct t_lun *lun,
	const struct t_target_options *options)
{
	struct t_target *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->loop = loop;
	t->lun = lun;
	t->options = *options;
	if (options->manner == T_LIKE_LIO) {
		t->options.announce_loss = true;
		t->options.loss_delay_ns = 2000000000ull;
	}
	t->next_tsih = 1;
	LIST_INIT(&t->sessions);
	TAILQ_INIT(&t->conns);
	return t;
}

static void conn_drop_held(struct t_conn *c)
{
	struct t_pdu *pdu;

	while ((pdu = TAILQ_FIRST(&c->held))) {
		TAILQ_REMOVE(&c->held, pdu, link);
		free(pdu->data);
		free(pdu);
	}
}

/* The stream is over; the struct stays. */
void t_conn_dead(struct t_conn *c)
{
	struct t_session *s = c->session;

	if (c->state == T_DEAD)
		return;
	c->state = T_DEAD;
	outq_drop(&c->out);
	/* Commands that were under way to it leave their numbers open. */
	if (s)
		s->discards++;
	conn_drop_held(c);
	if (s && s->error_recovery_level == 2 && !c->closing &&
		c->target->options.manner != T_LIKE_TGT)
		t_park(c);
	else if (s)
		t_session_drop_tasks(s, c);
	if (c->target->hooks && c->target->hooks->down)
		c->target->hooks->down(c->target->hooks_arg, c);
	c->session = NULL;
	if (s)
		t_fence_check(s);
}

void t_conn_end(struct t_conn *c, bool abort)
{
	struct pump *pump = c->pump;

	if (c->state == T_DEAD)
		return;
	c->pump = NULL;
	t_conn_dead(c);
	pump_free(pump, abort);
}

void t_target_free(struct t_target *t)
{
	struct t_session *s;
	struct t_conn *c;
	unsigned n;

	if (!t)
		return;
	for (n = 0; n < T_PORTALS_MAX; n++)
		t_target_unlisten(t, n);
	while ((c = TAILQ_FIRST(&t->conns))) {
		t_conn_end(c, true);
		TAILQ_REMOVE(&t->conns, c, link);
		t_kept_free(c);
		t_login_free(c->login);
		free(c->text);
		free(c->rx);
		free(c);
	}
	while ((s = LIST_FIRST(&t->sessions)))
		t_session_free(s);
	free(t);
}

void t_target_restart(struct t_target *t)
{
	struct t_conn *c;

	TAILQ_FOREACH (c, &t->conns, link)
		t_conn_end(c, true);
	while (!LIST_EMPTY(&t->sessions))
		t_session_free(LIST_FIRST(&t->sessions));
}

struct t_conn *t_target_conn(struct t_target *t, unsigned n)
{
	struct t_conn *c;

	TAILQ_FOREACH (c, &t->conns, link)
		if (c->state != T_DEAD && n-- == 0)
			return c;
	return NULL;
}

static struct t_task *complete_task(const struct t_target *t)
{
	struct t_session *s;
	struct t_task *task;

	LIST_FOREACH (s, &t->sessions, link)
		TAILQ_FOREACH (task, &s->tasks, link)
			if (task->complete)
				return task;
	return NULL;
}

void t_target_release(struct t_target *t)
{
	struct t_task *task;

	t->hold = false;
	while ((task = complete_task(t)))
		t_task_execute(task);
}

static void door_accepted(void *arg, struct stream *s)
{
	struct t_door *door = arg;

	t_target_accept(door->target, s, door->tpgt);
}

int t_target_listen(struct t_target *t, unsigned n, const struct addr *at)
{
	struct t_door *door = &t->doors[n];
	int err = 0;

	*door = (struct t_door){
		.target = t, .tpgt = t->options.portals[n].tpgt};
	door->listener =
		stream_listen(t->loop, at, 0600, door_accepted, door, &err);
	return door->listener ? 0 : err;
}

const struct addr *t_target_addr(const struct t_target *t, unsigned n)
{
	return stream_listener_addr(t->doors[n].listener);
}

void t_target_unlisten(struct t_target *t, unsigned n)
{
	stream_listener_free(t->doors[n].listener);
	t->doors[n].listener = NULL;
}
