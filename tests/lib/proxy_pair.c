/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection through the proxy: its two streams, and how it ends. */
#include <stdlib.h>
#include <umpio/loop.h>

#include "proxy.h"

bool proxy_scope_has(struct proxy_scope scope, const struct proxy_pair *pair)
{
	return (!scope.route || scope.route == pair->route) &&
	       (!scope.pair || scope.pair == pair->id);
}

void proxy_pair_free(struct proxy_pair *pair)
{
	struct stream *ends[] = {
		pair->flows[PROXY_IN].from, pair->flows[PROXY_OUT].from};

	LIST_REMOVE(pair, link);
	loop_unpost(pair->proxy->loop, &pair->dead);
	stream_connect_cancel(pair->connect);
	for (unsigned way = 0; way < PROXY_WAYS; way++)
		proxy_flow_fini(&pair->flows[way]);
	for (unsigned i = 0; i < 2; i++) {
		if (pair->reset)
			stream_abort(ends[i]);
		else
			stream_close(ends[i]);
	}
	free(pair);
}

static void on_dead(void *arg)
{
	proxy_pair_free(arg);
}

/* In a call of its own, since a flow of it may be at work. */
void proxy_pair_end(struct proxy_pair *pair, bool reset)
{
	pair->reset |= reset;
	loop_post(pair->proxy->loop, &pair->dead);
}

/* The stream of each side is the source of one flow and the sink of the
 * other one. */
static void on_readable(void *arg)
{
	proxy_flow_read(arg);
}

static void on_writable(void *arg)
{
	struct proxy_flow *flow = arg;

	proxy_flow_write(&flow->pair->flows[!flow->way]);
}

static const struct stream_events events = {
	.readable = on_readable, .writable = on_writable};

static void side_take(
	struct proxy_pair *pair, enum proxy_way way, struct stream *s)
{
	struct proxy_flow *flow = &pair->flows[way];

	flow->from = s;
	pair->flows[!way].to = s;
	stream_own(s, &events, flow);
	stream_want(s, true, false);
}

static void on_connected(void *arg, struct stream *s, int err)
{
	struct proxy_pair *pair = arg;

	(void)err;
	pair->connect = NULL;
	if (!s) {
		proxy_pair_end(pair, true);
		return;
	}
	side_take(pair, PROXY_IN, s);
	proxy_flow_write(&pair->flows[PROXY_OUT]);
}

void proxy_accepted(void *arg, struct stream *s)
{
	static const struct stream_options options = {.nodelay = true};
	struct proxy_route *route = arg;
	struct proxy *proxy = route->proxy;
	struct proxy_pair *pair =
		route->refuses ? NULL : calloc(1, sizeof *pair);

	if (!pair) {
		stream_abort(s);
		return;
	}
	pair->proxy = proxy;
	pair->id = ++proxy->npairs;
	pair->route = (unsigned)(route - proxy->routes) + 1;
	loop_task_init(&pair->dead, on_dead, pair);
	LIST_INSERT_HEAD(&proxy->pairs, pair, link);
	pair->connect = stream_connect(
		proxy->loop, &route->to, &options, on_connected, pair);
	if (!pair->connect ||
		proxy_flow_init(&pair->flows[PROXY_IN], pair, PROXY_IN) ||
		proxy_flow_init(&pair->flows[PROXY_OUT], pair, PROXY_OUT)) {
		stream_abort(s);
		proxy_pair_free(pair);
		return;
	}
	side_take(pair, PROXY_OUT, s);
}
