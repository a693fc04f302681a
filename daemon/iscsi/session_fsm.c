/* SPDX-License-Identifier: BSD-2-Clause */
/* The session's state machine (RFC 7143 8.3), and with it recovery at error
 * recovery level 0: whatever is lost ends, the owner starts again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>

#include "session.h"

#define TIME2WAIT_MAX (3600 * NS_PER_S)
#define LOGIN_TAG     0 /* no other task is there during login */

/* Why it goes down, for people: portal, cause, target. */
static void set_reason(struct session *s, enum path_cure cure, const char *text)
{
	char portal[ENDPOINT_TEXT_MAX];

	s->down.cure = cure;
	endpoint_text(&s->hops[s->nhops ? s->nhops - 1 : 0], portal);
	if (s->discovery)
		snprintf(s->down.reason, sizeof s->down.reason, "%.80s: %s",
			portal, text);
	else
		snprintf(s->down.reason, sizeof s->down.reason,
			"%.80s: %s (%s)", portal, text, s->config->target_name);
}

static void connected(
	void *arg, struct stream *stream, unsigned portal, const char *why)
{
	struct session *s = arg;

	s->dial = NULL;
	s->stream = stream;
	if (!stream) {
		s->down.cure = PATH_RETRY;
		snprintf(s->down.reason, sizeof s->down.reason, "%s", why);
		session_event(s, SESSION_EV_UNREACHABLE);
		return;
	}
	if (s->nhops == 1 && !s->visit.on) { /* not redirected */
		s->plan.first = portal;
		s->hops[0] = s->plan.portals[portal];
	}
	session_event(s, SESSION_EV_CONNECTED);
}

/* The target's word, or what was agreed for losses without one (RFC 7143
 * 13.15). A word beyond what that key may say is taken for its limit. */
static uint64_t time2wait(const struct session *s)
{
	if (s->conn && s->conn->wait_told)
		return s->conn->why.wait < TIME2WAIT_MAX ? s->conn->why.wait
							 : TIME2WAIT_MAX;
	if (s->managed && s->down.wait)
		return s->down.wait < TIME2WAIT_MAX ? s->down.wait
						    : TIME2WAIT_MAX;
	return s->was_up ? s->params.default_time2wait * NS_PER_S : 0;
}

static void end(struct session *s)
{
	loop_timer_stop(s->timer);
	loop_timer_stop(s->tick);
	s->tick_fast = false;
	dial_cancel(s->dial);
	s->dial = NULL;
	gate_leave(&s->pass);
	stream_abort(s->stream);
	s->stream = NULL;
	if (s->conn && s->heard < s->conn->heard)
		s->heard = s->conn->heard;
	s->down.was_up = s->was_up;
	s->down.wait = time2wait(s);
	session_end_all(s);
	if (s->clean && !s->beyond_logout && !s->visit.on)
		past_settle(&s->past, s->group);
	session_post(s, SESSION_EV_ENDED);
}

static void dial(struct session *s, const struct dial_plan *plan)
{
	s->dial = dial_new(s->loop, plan, connected, s);
	if (s->dial)
		return;
	set_reason(s, PATH_RETRY, "out of memory");
	session_post(s, SESSION_EV_LOST);
}

static void start(struct session *s)
{
	struct dial_plan visit;

	s->down = (struct path_down){.cure = PATH_RETRY};
	s->was_up = s->clean = s->escalated = s->beyond_logout = false;
	s->nhops = 1;
	if (s->visit.on) {
		s->hops[0] = s->visit.at;
		visit_plan(s, &visit);
		dial(s, &visit);
		return;
	}
	s->plan.interface = s->config->interface;
	s->plan.timeout = s->config->timeouts.connect;
	s->plan.pass = &s->pass;
	s->plan.blackhole = faults_blackhole(&s->faults);
	session_fill_portals(s);
	s->hops[0] = s->plan.portals[s->plan.first];
	dial(s, &s->plan);
}

static void log_in(struct session *s)
{
	struct login_setup setup = {
		.config = s->config,
		.discovery = s->discovery,
		.no_sha256 = s->no_sha256,
		.again = s->ever_up,
		.cid = 1,
		.itt = LOGIN_TAG,
		.level_max = s->level_max,
		.chaps = &s->chaps,
	};
	struct stream *stream = s->stream;

	loop_random(s->loop, setup.random, sizeof setup.random);
	setup.cmd_sn = s->config->first_cmd_sn;
	s->stream = NULL;
	loop_timer_set(s->timer, s->config->timeouts.login);
	s->conn = conn_new(s, stream, &setup);
	if (s->conn)
		return;
	set_reason(s, PATH_RETRY, "out of memory");
	session_post(s, SESSION_EV_LOST);
}

/* The old session of this portal group is reinstated: what it had is gone (RFC
 * 7143 6.3.5). A visit is for a group that it knows, or shows nothing. */
static void settle_past(struct session *s, struct portal_group group)
{
	s->counters.logins++;
	if (!s->visit.on || group.known)
		past_settle(&s->past, group);
	if (s->visit.on)
		return;
	s->group = group;
	if (s->lost)
		s->counters.session_recoveries++;
	s->lost = false;
}

static void come_up(struct session *s)
{
	struct login *l = &s->conn->login;
	struct portal_group group = {l->keys.has_tpgt, l->keys.tpgt};

	loop_timer_stop(s->timer);
	gate_leave(&s->pass);
	s->params = l->session;
	s->tsih = l->tsih;
	s->window = (struct window){.cmd_sn = l->setup.cmd_sn,
		.exp_cmd_sn = l->exp_cmd_sn,
		.max_cmd_sn = l->max_cmd_sn};
	s->window_seen = window_size(&s->window);
	login_fini(l);
	if (task_table_grow(&s->tasks,
		    s->window_seen < TASK_MAX ? s->window_seen : TASK_MAX)) {
		conn_fail(s->conn, -ENOMEM, "out of memory");
		return;
	}
	if (!s->discovery && !s->visit.on &&
		(s->params.max_connections > 1 ||
			s->params.error_recovery_level == 2) &&
		legs_start(s)) {
		conn_fail(s->conn, -ENOMEM, "out of memory");
		return;
	}
	settle_past(s, group);
	if (!s->discovery && !s->visit.on)
		session_tell_digests(s);
	s->was_up = s->ever_up = true;
	session_watch(s);
	s->events->up(s->arg);
}

/* To one portal, in the middle of a start. */
static void dial_on(struct session *s, const struct endpoint *at)
{
	struct dial_plan plan = {.portals = {*at},
		.nportals = 1,
		.interface =
			s->visit.on ? visit_interface(s) : s->config->interface,
		.pass = &s->pass,
		.timeout = s->config->timeouts.connect};

	dial(s, &plan);
}

/* A redirection that leads back is a loop. */
static bool follow(struct session *s, const struct login *l)
{
	if (s->nhops > SESSION_HOPS_MAX)
		return false;
	for (unsigned i = 0; i < s->nhops; i++)
		if (endpoint_equal(&s->hops[i], &l->redirect.at))
			return false;
	if (l->permanent && !s->visit.on)
		s->plan.portals[s->plan.first] = l->redirect.at;
	s->hops[s->nhops++] = l->redirect.at;
	dial_on(s, &l->redirect.at);
	return true;
}

static void drop_conn(struct session *s)
{
	loop_timer_stop(s->timer);
	conn_free(s->conn, true);
	s->conn = NULL;
}

static void log_in_weaker(struct session *s)
{
	char portal[ENDPOINT_TEXT_MAX];

	log_warn("%s: the target chose CHAP algorithm 7 and refused its "
		 "answer; logging in without 7",
		endpoint_text(&s->hops[s->nhops - 1], portal));
	s->no_sha256 = true;
	drop_conn(s);
	s->state = SESSION_DIALING;
	dial_on(s, &s->hops[s->nhops - 1]);
}

/* Another one may do better. */
static void prefer_next_portal(struct session *s)
{
	if (!s->visit.on)
		s->plan.first = (s->plan.first + 1) % s->plan.nportals;
}

static void refused(struct session *s)
{
	struct login *l = &s->conn->login;

	if (s->conn->refusal == LOGIN_WEAKER) {
		log_in_weaker(s);
		return;
	}
	if (s->conn->refusal == LOGIN_REDIRECT && follow(s, l)) {
		drop_conn(s);
		s->state = SESSION_DIALING;
		return;
	}
	if (s->conn->refusal == LOGIN_REDIRECT)
		set_reason(s, PATH_RETRY_SLOW, "redirections without end");
	else
		set_reason(s, l->cure, l->why);
	prefer_next_portal(s);
	s->state = SESSION_ENDING;
	end(s);
}

static void lost(struct session *s)
{
	struct conn *c = s->conn;

	if (c && !s->escalated && c->why.reason[0])
		set_reason(s, c->why.cure, c->why.reason);
	s->lost |= s->was_up;
	end(s);
}

void session_escalate(struct session *s, const char *why)
{
	if (s->escalated)
		return;
	s->escalated = true;
	set_reason(s, PATH_RETRY, why);
	session_post(s, SESSION_EV_FAILED);
}

static void log_out(struct session *s)
{
	if (!s->conn) {
		session_escalate(s, "no connection is left to log out on");
		return;
	}
	/* A session that is gone in order is not reinstated by the next login.
	 */
	if (s->beyond_logout) {
		if (!s->down.reason[0])
			set_reason(s, PATH_RETRY, "closed, to be reinstated");
		s->escalated = true;
		session_post(s, SESSION_EV_FAILED);
		return;
	}
	loop_timer_set(s->timer, s->config->timeouts.logout);
	logout_send(s->conn);
}

/* Commands that wait would only be rejected (RFC 7143 11.9.1, 11.17.1); the
 * others have the time that the target gives. */
static void shed(struct session *s)
{
	struct path_cmd *cmd;

	loop_timer_set(s->timer, s->leave_limit);
	while ((cmd = TAILQ_FIRST(&s->waiting))) {
		TAILQ_REMOVE(&s->waiting, cmd, link);
		session_end_later(s, cmd, PATH_NOT_SENT, -ESHUTDOWN);
	}
	session_kick(s);
}

static void leave(struct session *s)
{
	set_reason(s, PATH_RETRY, "the target asked for a logout");
	shed(s);
	s->events->leaving(s->arg);
}

static void logged_out(struct session *s)
{
	s->clean = true;
	end(s);
}

static void stop(struct session *s)
{
	if (s->down.reason[0] == '\0')
		set_reason(s, PATH_RETRY, "stopped");
	s->lost |= s->was_up && !TAILQ_EMPTY(&s->active);
	end(s);
}

static void late_login(struct session *s)
{
	set_reason(s, PATH_RETRY, "no answer to the login");
	prefer_next_portal(s);
	end(s);
}

static void late_text(struct session *s)
{
	if (s->text)
		conn_fail(s->conn, -ETIMEDOUT, "no answer to a Text Request");
}

static void late_logout(struct session *s)
{
	set_reason(s, PATH_RETRY, "no answer to the logout");
	end(s);
}

static void report(struct session *s)
{
	struct path_down down;

	if (!TAILQ_EMPTY(&s->ended)) { /* submitted meanwhile: these first */
		s->state = SESSION_ENDING;
		session_post(s, SESSION_EV_ENDED);
		return;
	}
	if (s->down.reason[0] == '\0')
		set_reason(s, PATH_RETRY, "stopped");
	down = s->down;
	s->visit.on = false;
	s->events->down(s->arg, &down);
}

static void none(struct session *s)
{
	(void)s;
}

#define S(name)  (1u << SESSION_##name)
#define E(name)  SESSION_EV_##name
#define TO(name) SESSION_##name
#define BUSY     (S(DIALING) | S(LOGIN) | S(UP) | S(DRAINING) | S(LOGOUT))

/* The first row that fits. N1, N3, N5 are RFC 7143 8.3.2's transitions. */
static const struct {
	unsigned states;
	enum session_event event;
	enum session_state next; /* the action may go elsewhere */
	void (*action)(struct session *s);
	const char *label;
} rows[] = {
	{S(DOWN), E(START), TO(DIALING), start, ""},
	{S(DIALING), E(CONNECTED), TO(LOGIN), log_in, ""},
	{S(DIALING), E(UNREACHABLE), TO(ENDING), end, ""},
	{S(LOGIN), E(ACCEPTED), TO(UP), come_up, "N1"},
	{S(LOGIN), E(REFUSED), TO(LOGIN), refused, ""},
	{S(LOGIN), E(LATE), TO(ENDING), late_login, ""},
	{S(UP), E(LEAVE), TO(DRAINING), leave, ""},
	{S(UP), E(STOP), TO(DRAINING), session_kick, ""},
	{S(DRAINING), E(DRAINED), TO(LOGOUT), log_out, ""},
	{S(DRAINING), E(LATE), TO(LOGOUT), log_out, ""},
	{S(UP), E(LATE), TO(UP), late_text, ""},
	{S(LOGOUT), E(LOGGED_OUT), TO(ENDING), logged_out, "N3"},
	{S(LOGOUT), E(LATE), TO(ENDING), late_logout, "N5"},
	{S(DIALING) | S(LOGIN), E(STOP), TO(ENDING), stop, ""},
	{BUSY, E(STOP_NOW), TO(ENDING), stop, "N5"},
	{BUSY, E(LOST), TO(ENDING), lost, "N5"},
	{BUSY, E(FAILED), TO(ENDING), lost, "N5"},
	{S(ENDING), E(ENDED), TO(DOWN), report, "N6"},
	/* What crosses with something else on its way here. */
	{S(DRAINING), E(LEAVE), TO(DRAINING), shed, ""},
	{S(LOGOUT), E(LEAVE), TO(LOGOUT), none, ""},
	{S(LOGOUT), E(DRAINED), TO(LOGOUT), none, ""},
	{S(DRAINING), E(STOP), TO(DRAINING), none, ""},
	{S(LOGOUT), E(STOP), TO(LOGOUT), none, ""},
	{S(DOWN), E(STOP), TO(DOWN), none, ""},
	{S(DOWN), E(STOP_NOW), TO(DOWN), none, ""},
	{S(DOWN), E(LOST), TO(DOWN), none, ""},
	{S(DOWN), E(FAILED), TO(DOWN), none, ""},
	{S(DOWN), E(REFUSED), TO(DOWN), none, ""},
	{S(DOWN), E(LEAVE), TO(DOWN), none, ""},
	{S(ENDING), E(STOP), TO(ENDING), none, ""},
	{S(ENDING), E(STOP_NOW), TO(ENDING), none, ""},
	{S(ENDING), E(LOST), TO(ENDING), none, ""},
	{S(ENDING), E(FAILED), TO(ENDING), none, ""},
	{S(ENDING), E(ACCEPTED), TO(ENDING), none, ""},
	{S(ENDING), E(REFUSED), TO(ENDING), none, ""},
	{S(ENDING), E(LEAVE), TO(ENDING), none, ""},
	{S(ENDING), E(DRAINED), TO(ENDING), none, ""},
	{S(ENDING), E(LOGGED_OUT), TO(ENDING), none, ""},
};

static const char *const states[] = {
#define X(name) #name,
	SESSION_STATES(X)
#undef X
};
static const char *const events[] = {
#define X(name) #name,
	SESSION_EVENTS(X)
#undef X
};

void session_event(struct session *s, enum session_event event)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (!(rows[i].states & 1u << s->state) ||
			rows[i].event != event)
			continue;
		log_debug("session: %s %s -> %s %s", events[event],
			states[s->state], states[rows[i].next], rows[i].label);
		s->state = rows[i].next;
		rows[i].action(s);
		return;
	}
	log_error("session: %s in state %s", events[event], states[s->state]);
	if (s->conn)
		conn_fail(s->conn, -EPROTO, "%s is out of order in state %s",
			events[event], states[s->state]);
}
