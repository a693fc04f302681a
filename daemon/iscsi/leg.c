/* SPDX-License-Identifier: BSD-2-Clause */
/* What a leg does: connecting, joining, and giving up a connection. */
#include "leg.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <umpio/base/log.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "conn.h"
#include "session.h"

static_assert(LEG_EV_LATE < 32, "events are bits of leg.pending");

/* The lowest first, also of those that an action has added. */
static void work(void *arg)
{
	struct session *s = arg;
	struct leg *leg;
	int bit;

	for (unsigned i = 0; i < s->nlegs; i++) {
		leg = &s->legs[i];
		while (leg->pending) {
			bit = __builtin_ctz(leg->pending);
			leg->pending &= ~(1u << bit);
			leg_event(leg, (enum leg_event)bit);
		}
	}
}

void leg_post(struct leg *leg, enum leg_event event)
{
	leg->pending |= 1u << event;
	loop_post(leg->session->loop, &leg->session->legs_work);
}

static void late(void *arg)
{
	leg_event(arg, LEG_EV_LATE);
}

static unsigned wanted(const struct session *s)
{
	unsigned n = s->params.max_connections;

	if (n > s->config->offer.max_connections)
		n = s->config->offer.max_connections;
	return n < LEGS_MAX ? n : LEGS_MAX;
}

/* They stay for the next time it is up. */
static int make_timers(struct session *s, unsigned n)
{
	struct leg *leg;

	for (leg = s->legs; leg < s->legs + n; leg++) {
		if (!leg->timer)
			leg->timer = loop_timer_new(s->loop, late, leg);
		if (!leg->timer)
			return -ENOMEM;
	}
	return 0;
}

int legs_start(struct session *s)
{
	unsigned n = wanted(s);
	struct leg *leg;

	if (make_timers(s, n))
		return -ENOMEM;
	loop_task_init(&s->legs_work, work, s);
	s->nlegs = n;
	s->managed = true;
	s->next_cid = (uint16_t)(s->conn->cid + 1);
	for (unsigned i = 0; i < n; i++) {
		leg = &s->legs[i];
		*leg = (struct leg){.session = s, .timer = leg->timer};
		leg->portal = (s->plan.first + i) % s->plan.nportals;
		if (i == 0) {
			leg->conn = s->conn;
			leg->cid = s->conn->cid;
			leg->state = LEG_UP;
			s->conn->leg = leg;
		} else {
			leg->cid = s->next_cid++;
			loop_timer_set(leg->timer, 0);
		}
	}
	return 0;
}

void legs_stop(struct session *s, bool abort)
{
	struct leg *leg;

	if (!s->managed)
		return;
	loop_unpost(s->loop, &s->legs_work);
	for (unsigned i = 0; i < s->nlegs; i++) {
		leg = &s->legs[i];
		if (leg->timer)
			loop_timer_stop(leg->timer);
		dial_cancel(leg->dial);
		stream_abort(leg->stream);
		gate_leave(&leg->pass);
		if (leg->conn && s->heard < leg->conn->heard)
			s->heard = leg->conn->heard;
		conn_free(leg->conn, abort);
		*leg = (struct leg){.session = s, .timer = leg->timer};
	}
	s->conn = NULL;
	s->managed = false;
	s->nlegs = 0;
}

void legs_fini(struct session *s)
{
	legs_stop(s, true);
	for (unsigned i = 0; i < LEGS_MAX; i++)
		loop_timer_free(s->legs[i].timer);
}

static bool is_up(const struct leg *leg)
{
	return leg->state == LEG_UP && leg->conn->state == CONN_LOGGED_IN;
}

unsigned legs_up(const struct session *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->nlegs; i++)
		n += s->legs[i].state == LEG_UP;
	return n;
}

struct conn *leg_any(const struct session *s)
{
	for (unsigned i = 0; i < s->nlegs; i++)
		if (is_up(&s->legs[i]))
			return s->legs[i].conn;
	return NULL;
}

struct conn *leg_carrier(const struct session *s, uint32_t max_send)
{
	struct conn *c, *best = NULL;

	for (unsigned i = 0; i < s->nlegs; i++) {
		if (!is_up(&s->legs[i]))
			continue;
		c = s->legs[i].conn;
		if (!best || (best->params.max_send_data != max_send &&
				     c->params.max_send_data == max_send))
			best = c;
	}
	return best;
}

struct leg *leg_by_cid(struct session *s, uint16_t cid)
{
	struct leg *leg;

	for (unsigned i = 0; i < s->nlegs; i++) {
		leg = &s->legs[i];
		if (leg->conn ? leg->conn->cid == cid
			      : leg->lost && leg->lost_cid == cid)
			return leg;
	}
	return NULL;
}

void leg_rest(struct leg *leg, uint64_t ns)
{
	leg->state = LEG_OFF;
	loop_timer_set(leg->timer, ns);
}

static void dialed(
	void *arg, struct stream *stream, unsigned portal, const char *why)
{
	struct leg *leg = arg;

	(void)portal;
	leg->dial = NULL;
	if (!stream) {
		log_debug("connection %u: %s", leg->cid, why);
		leg_event(leg, LEG_EV_UNREACHABLE);
		return;
	}
	leg->stream = stream;
	leg_event(leg, LEG_EV_CONNECTED);
}

void leg_dial(struct leg *leg)
{
	struct session *s = leg->session;
	struct dial_plan plan = {.portals = {s->plan.portals[leg->portal]},
		.nportals = 1,
		.interface = s->config->interface,
		.pass = &leg->pass,
		.timeout = s->config->timeouts.connect,
		.blackhole = faults_blackhole(&s->faults)};

	leg->moves = false;
	leg->dial = dial_new(s->loop, &plan, dialed, leg);
	if (!leg->dial)
		leg_post(leg, LEG_EV_UNREACHABLE);
}

void leg_log_in(struct leg *leg)
{
	struct session *s = leg->session;
	struct stream *stream = leg->stream;
	struct login_setup setup = {
		.config = s->config,
		.no_sha256 = s->no_sha256,
		.again = true,
		.cid = leg->cid,
		.tsih = s->tsih,
		.cmd_sn = s->window.cmd_sn,
		.chaps = &s->chaps,
	};

	leg->stream = NULL;
	leg->login = task_get(&s->tasks, TASK_LOGIN);
	if (!leg->login) {
		stream_abort(stream);
		leg_post(leg, LEG_EV_REFUSED);
		return;
	}
	setup.itt = leg->login->itt;
	/* A reinstatement acknowledges what the old one received (RFC 7143
	 * 11.12.9). */
	if (leg->lost && leg->cid == leg->lost_cid)
		setup.exp_stat_sn = leg->lost_stat_sn;
	loop_random(s->loop, setup.random, sizeof setup.random);
	loop_timer_set(leg->timer, s->config->timeouts.login);
	leg->conn = conn_new(s, stream, &setup);
	if (!leg->conn) {
		leg_post(leg, LEG_EV_REFUSED);
		return;
	}
	leg->conn->leg = leg;
	leg->login->conn = leg->conn;
}

static void put_tag(struct session *s, struct task **tag)
{
	if (*tag)
		task_put(&s->tasks, *tag);
	*tag = NULL;
}

void leg_joined(struct leg *leg)
{
	struct session *s = leg->session;
	struct login *l = &leg->conn->login;

	loop_timer_stop(leg->timer);
	gate_leave(&leg->pass);
	put_tag(s, &leg->login);
	window_update(&s->window, l->exp_cmd_sn, l->max_cmd_sn);
	login_fini(l);
	leg->failures = 0;
	if (!s->conn)
		s->conn = leg->conn;
	log_info("connection %u joins: %u are up", leg->cid, legs_up(s));
	session_watch(s);
	if (leg->lost)
		recover_reinstated(leg);
	reassign_next(s);
	tmf_next(s);
	session_kick(s);
	for (unsigned i = 0; i < s->nlegs; i++)
		leg_move(&s->legs[i]);
}

/* Those that wait for an answer on this connection have to ask elsewhere; so do
 * those whose answer has just come, and can be carried on here no more. Asked
 * twice, a target says "CID not found", or the same once more. */
static void tell_others(struct session *s, const struct conn *c)
{
	struct leg *leg;

	for (unsigned i = 0; i < s->nlegs; i++) {
		leg = &s->legs[i];
		if (leg->carrier != c)
			continue;
		leg->carrier = NULL;
		put_tag(s, &leg->logout);
		leg->pending &= ~(1u << LEG_EV_CLEANED);
		leg_post(leg, LEG_EV_CARRIER_LOST);
	}
}

void leg_drop_conn(struct leg *leg)
{
	struct session *s = leg->session;
	struct conn *c = leg->conn;

	put_tag(s, &leg->login);
	gate_leave(&leg->pass);
	if (!c)
		return;
	put_tag(s, &c->ping);
	put_tag(s, &c->logout);
	if (s->heard < c->heard)
		s->heard = c->heard;
	reassign_conn_lost(leg);
	leg->conn = NULL;
	conn_free(c, !c->logged_out);
	session_part(s, c);
	if (s->conn == c)
		s->conn = leg_any(s);
	tell_others(s, c);
	tmf_conn_lost(s, c);
}
