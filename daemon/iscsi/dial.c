/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "dial.h"

#define ADDRS_MAX    8
/* A name server is asked again after 5 s. */
#define RESOLVE_TIME (10 * NS_PER_S)
/* TCP's own judgement comes last: it would also end a connection whose target
 * lives and does not read for a while. */
#define TCP_GIVES_UP 20000 /* ms */
/* A network that is back after a second or two is to be used before the path
 * has been silent for too long. */
#define TCP_RESENDS  1000 /* ms */

struct dial {
	struct loop *loop;
	struct dial_plan plan;
	dial_fn *done;
	void *arg;
	unsigned tried; /* portals that are through */
	struct addr addrs[ADDRS_MAX];
	int naddrs, at;
	bool swallowed; /* the attempt under way: nothing was sent */
	struct stream_resolve *resolve;
	struct stream_connect *connect;
	struct loop_timer *timer;
	struct loop_task next; /* goes to the next portal */
	char why[DIAL_WHY_MAX];
};

static unsigned portal_index(const struct dial *d)
{
	return (d->plan.first + d->tried) % d->plan.nportals;
}

static void dial_free(struct dial *d)
{
	loop_unpost(d->loop, &d->next);
	loop_timer_free(d->timer);
	free(d);
}

static void finish(struct dial *d, struct stream *s)
{
	unsigned portal = s ? portal_index(d) : 0;
	dial_fn *done = d->done;
	void *arg = d->arg;
	char why[DIAL_WHY_MAX];

	if (!s)
		gate_leave(d->plan.pass);
	memcpy(why, d->why, sizeof why);
	dial_free(d);
	done(arg, s, portal, why);
}

static void next_portal(struct dial *d)
{
	d->tried++;
	if (d->tried == d->plan.nportals)
		finish(d, NULL);
	else
		loop_post(d->loop, &d->next);
}

static void failed(struct dial *d, const char *what, int err)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_text(&d->plan.portals[portal_index(d)], text);
	snprintf(d->why, sizeof d->why, "%s: %s: %s", text, what,
		err == -ENOENT ? "no such host" : strerror(-err));
}

static void connected(void *arg, struct stream *s, int err);

static void try_address(struct dial *d)
{
	const struct stream_options options = {.interface = d->plan.interface,
		.nodelay = true,
		.user_timeout_ms = TCP_GIVES_UP,
		.resend_ms = TCP_RESENDS};

	if (d->at == d->naddrs) {
		next_portal(d);
		return;
	}
	loop_timer_set(d->timer, d->plan.timeout);
	d->swallowed = d->plan.blackhole;
	if (d->swallowed)
		return;
	d->connect = stream_connect(
		d->loop, &d->addrs[d->at], &options, connected, d);
	if (d->connect)
		return;
	loop_timer_stop(d->timer);
	failed(d, "cannot connect", -ENOMEM);
	next_portal(d);
}

static void connected(void *arg, struct stream *s, int err)
{
	struct dial *d = arg;

	d->connect = NULL;
	loop_timer_stop(d->timer);
	if (s) {
		finish(d, s);
		return;
	}
	failed(d, "cannot connect", err);
	d->at++;
	try_address(d);
}

static void resolved(void *arg, const struct addr *addrs, int n, int err)
{
	struct dial *d = arg;

	d->resolve = NULL;
	loop_timer_stop(d->timer);
	if (n <= 0) {
		failed(d, "cannot find its address", err);
		next_portal(d);
		return;
	}
	d->naddrs = n < ADDRS_MAX ? n : ADDRS_MAX;
	d->at = 0;
	memcpy(d->addrs, addrs, (size_t)d->naddrs * sizeof addrs[0]);
	try_address(d);
}

static void resolve(void *arg)
{
	struct dial *d = arg;

	loop_timer_set(d->timer, RESOLVE_TIME);
	d->resolve = stream_resolve(
		d->loop, &d->plan.portals[portal_index(d)], resolved, d);
	if (d->resolve)
		return;
	loop_timer_stop(d->timer);
	failed(d, "cannot find its address", -ENOMEM);
	next_portal(d);
}

static void try_portal(void *arg)
{
	struct dial *d = arg;
	const struct endpoint *portal = &d->plan.portals[portal_index(d)];

	if (!d->plan.pass) {
		resolve(d);
		return;
	}
	if (gate_enter(d->plan.pass, d->loop, portal, resolve, d) == 0)
		return;
	failed(d, "cannot find its address", -ENOMEM);
	next_portal(d);
}

static void timed_out(void *arg)
{
	struct dial *d = arg;

	if (d->resolve) {
		stream_resolve_cancel(d->resolve);
		d->resolve = NULL;
		failed(d, "cannot find its address", -ETIMEDOUT);
		next_portal(d);
		return;
	}
	d->swallowed = false;
	stream_connect_cancel(d->connect);
	connected(d, NULL, -ETIMEDOUT);
}

struct dial *dial_new(struct loop *loop, const struct dial_plan *plan,
	dial_fn *done, void *arg)
{
	struct dial *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->loop = loop;
	d->plan = *plan;
	d->done = done;
	d->arg = arg;
	loop_task_init(&d->next, try_portal, d);
	d->timer = loop_timer_new(loop, timed_out, d);
	if (!d->timer) {
		free(d);
		return NULL;
	}
	loop_post(loop, &d->next);
	return d;
}

void dial_set_blackhole(struct dial *d, bool blackhole)
{
	if (!d)
		return;
	d->plan.blackhole = blackhole;
	if (d->swallowed && !blackhole)
		try_address(d);
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	stream_resolve_cancel(d->resolve);
	if (d->connect)
		stream_connect_cancel(d->connect);
	gate_leave(d->plan.pass);
	dial_free(d);
}
