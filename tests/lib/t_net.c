/* SPDX-License-Identifier: BSD-2-Clause */
/* stream.h's connecting, listening and look-up, in memory. */
#include "t_net.h"

#include "t_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/loop.h>

#define ADDRS_MAX         8
#define FIRST_LISTEN_PORT 50000

/* Accepted by the kernel, so to speak, but not by the listener yet. */
struct waiting {
	struct stream *s;
	STAILQ_ENTRY(waiting) link;
};

struct stream_listener {
	struct t_source source;
	struct addr addr;
	bool want;
	stream_accept_fn *accepted;
	void *arg;
	STAILQ_HEAD(, waiting) backlog;
	LIST_ENTRY(stream_listener) link;
};

static LIST_HEAD(, stream_listener) listeners = LIST_HEAD_INITIALIZER(
	listeners);
static uint16_t listen_port = FIRST_LISTEN_PORT;

struct addr t_addr(const char *text)
{
	struct endpoint ep;
	struct addr a;

	if (endpoint_parse(&ep, text, strlen(text), 0) < 0 ||
		addr_from_endpoint(&a, &ep) < 0) {
		fprintf(stderr, "t_addr: %s is no numeric address\n", text);
		abort();
	}
	return a;
}

/* Listening */

static in_port_t *port_of(struct addr *a)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&a->ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&a->ss;

	return a->ss.ss_family == AF_INET6 ? &sin6->sin6_port : &sin->sin_port;
}

/* The same port at any address. */
static struct addr wildcard(const struct addr *a)
{
	struct addr any = {.len = a->len}, copy = *a;

	any.ss.ss_family = a->ss.ss_family;
	if (a->ss.ss_family != AF_UNIX)
		*port_of(&any) = *port_of(&copy);
	return any;
}

static struct stream_listener *find_exactly(const struct addr *at)
{
	struct stream_listener *l;

	LIST_FOREACH (l, &listeners, link)
		if (t_addr_equal(&l->addr, at))
			return l;
	return NULL;
}

static struct stream_listener *find(const struct addr *at)
{
	struct stream_listener *l = find_exactly(at);
	struct addr any = wildcard(at);

	return l || at->ss.ss_family == AF_UNIX ? l : find_exactly(&any);
}

static bool listener_ready(struct t_source *source, uint64_t now, uint64_t *due)
{
	struct stream_listener *l =
		T_OWNER(source, struct stream_listener, source);

	(void)now, (void)due;
	return l->want && !STAILQ_EMPTY(&l->backlog);
}

static struct stream *take(struct stream_listener *l)
{
	struct waiting *w = STAILQ_FIRST(&l->backlog);
	struct stream *s = w->s;

	STAILQ_REMOVE_HEAD(&l->backlog, link);
	free(w);
	return s;
}

static void listener_fire(struct t_source *source)
{
	struct stream_listener *l =
		T_OWNER(source, struct stream_listener, source);

	l->accepted(l->arg, take(l));
}

static void choose_port(struct addr *a)
{
	if (a->ss.ss_family != AF_UNIX && *port_of(a) == 0)
		*port_of(a) = htons(listen_port++);
}

struct stream_listener *stream_listen(struct loop *loop, const struct addr *at,
	mode_t mode, stream_accept_fn *accepted, void *arg, int *err)
{
	struct stream_listener *l;

	(void)mode;
	if (find_exactly(at)) {
		*err = -EADDRINUSE;
		return NULL;
	}
	l = t_new(sizeof *l);
	l->addr = *at;
	choose_port(&l->addr);
	l->want = true;
	l->accepted = accepted;
	l->arg = arg;
	STAILQ_INIT(&l->backlog);
	l->source.ready = listener_ready;
	l->source.fire = listener_fire;
	t_source_add(loop, &l->source);
	LIST_INSERT_HEAD(&listeners, l, link);
	*err = 0;
	return l;
}

/* There is no socket that could have been opened elsewhere. */
struct stream_listener *stream_listen_fd(
	struct loop *loop, int fd, stream_accept_fn *accepted, void *arg)
{
	(void)loop, (void)fd, (void)accepted, (void)arg;
	return NULL;
}

void stream_listener_want(struct stream_listener *l, bool accept)
{
	l->want = accept;
}

const struct addr *stream_listener_addr(const struct stream_listener *l)
{
	return &l->addr;
}

void stream_listener_free(struct stream_listener *l)
{
	if (!l)
		return;
	while (!STAILQ_EMPTY(&l->backlog))
		stream_abort(take(l));
	LIST_REMOVE(l, link);
	t_source_remove(&l->source);
	free(l);
}

/* Connecting: there and back once. While the wire swallows what is sent, the
 * attempt waits, for its owner to give it up. */

struct stream_connect {
	struct t_source source;
	struct addr to;
	struct t_wire *wire;
	uint64_t due;
	stream_connect_fn *done;
	void *arg;
};

static bool connect_ready(struct t_source *source, uint64_t now, uint64_t *due)
{
	struct stream_connect *c =
		T_OWNER(source, struct stream_connect, source);

	if (c->due > now) {
		if (c->due < *due)
			*due = c->due;
		return false;
	}
	return !c->wire->way[T_OUT].blackhole && !c->wire->way[T_IN].blackhole;
}

static void connect_fire(struct t_source *source)
{
	struct stream_connect c =
		*T_OWNER(source, struct stream_connect, source);
	struct stream_listener *l = find(&c.to);
	struct stream *s[2];
	struct waiting *w;

	stream_connect_cancel(T_OWNER(source, struct stream_connect, source));
	if (c.wire->refuse || !l) {
		bool no_file = !l && c.to.ss.ss_family == AF_UNIX;

		c.done(c.arg, NULL, no_file ? -ENOENT : -ECONNREFUSED);
		return;
	}
	t_stream_pair(c.source.loop, l->source.loop, &c.to, s);
	w = t_new(sizeof *w);
	w->s = s[1];
	STAILQ_INSERT_TAIL(&l->backlog, w, link);
	c.done(c.arg, s[0], 0);
}

struct stream_connect *stream_connect(struct loop *loop, const struct addr *to,
	const struct stream_options *options, stream_connect_fn *done,
	void *arg)
{
	struct stream_connect *c = t_new(sizeof *c);

	(void)options;
	c->to = *to;
	c->wire = t_wire_at(to);
	c->due = t_world_now() + c->wire->way[T_OUT].delay_ns +
		 c->wire->way[T_IN].delay_ns;
	c->done = done;
	c->arg = arg;
	c->source.ready = connect_ready;
	c->source.fire = connect_fire;
	t_source_add(loop, &c->source);
	return c;
}

void stream_connect_cancel(struct stream_connect *c)
{
	if (!c)
		return;
	t_source_remove(&c->source);
	free(c);
}

/* Names */

struct name {
	char *host;
	struct addr addrs[ADDRS_MAX];
	int n;
	LIST_ENTRY(name) link;
};

struct stream_resolve {
	struct loop *loop;
	struct loop_task task;
	struct endpoint ep;
	stream_resolve_fn *done;
	void *arg;
};

static LIST_HEAD(, name) names = LIST_HEAD_INITIALIZER(names);

static struct name *name_find(const char *host)
{
	struct name *n;

	LIST_FOREACH (n, &names, link)
		if (strcmp(n->host, host) == 0)
			return n;
	return NULL;
}

void t_name_set(const char *host, const struct addr *addrs, int n)
{
	struct name *name = name_find(host);

	if (!name) {
		name = t_new(sizeof *name);
		name->host = strdup(host);
		LIST_INSERT_HEAD(&names, name, link);
	}
	name->n = n < ADDRS_MAX ? n : ADDRS_MAX;
	for (int i = 0; i < name->n; i++)
		name->addrs[i] = addrs[i];
}

static void on_answer(void *arg)
{
	struct stream_resolve r = *(struct stream_resolve *)arg;
	struct name answer = {.n = 0};
	const struct name *name = name_find(r.ep.host);

	stream_resolve_cancel(arg);
	if (addr_from_endpoint(&answer.addrs[0], &r.ep) == 0)
		answer.n = 1;
	else if (name)
		answer = *name;
	for (int i = 0; i < answer.n; i++)
		*port_of(&answer.addrs[i]) = htons(r.ep.port);
	r.done(r.arg, answer.addrs, answer.n, answer.n > 0 ? 0 : -ENOENT);
}

struct stream_resolve *stream_resolve(struct loop *loop,
	const struct endpoint *ep, stream_resolve_fn *done, void *arg)
{
	struct stream_resolve *r = t_new(sizeof *r);

	r->loop = loop;
	r->ep = *ep;
	r->done = done;
	r->arg = arg;
	loop_task_init(&r->task, on_answer, r);
	loop_post(loop, &r->task);
	return r;
}

void stream_resolve_cancel(struct stream_resolve *r)
{
	if (!r)
		return;
	loop_unpost(r->loop, &r->task);
	free(r);
}

void t_net_end(void)
{
	struct name *n;

	while ((n = LIST_FIRST(&names))) {
		LIST_REMOVE(n, link);
		free(n->host);
		free(n);
	}
	listen_port = FIRST_LISTEN_PORT;
	t_wires_forget();
}
