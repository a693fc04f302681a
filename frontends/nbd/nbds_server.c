/* SPDX-License-Identifier: BSD-2-Clause */
#include "nbds_server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/stream.h>
#include <unistd.h>

#include "nbds_client.h"
#include "nbds_seat.h"

static const struct nbds_limits defaults = {
	.clients = 100,
	.options = 64,
	.option_bytes = 64u << 10,
	.handshake_bytes = 1u << 20,
	.requests = 256,
	.request_bytes = 64u << 20,
	.handshake = 10 * NS_PER_S,
	.linger = 2 * NS_PER_S,
	.stall = 60 * NS_PER_S,
};

static struct stream_listener *listen_on(struct nbds_server *server,
	const struct addr *at, int fd, mode_t mode, int *err)
{
	struct stream_listener *l;

	if (fd == -1)
		return stream_listen(server->loop, at, mode ? mode : 0600,
			nbds_server_accept, server, err);
	l = stream_listen_fd(server->loop, fd, nbds_server_accept, server);
	if (!l)
		*err = -ENOMEM;
	return l;
}

/* One that does not listen, beside `other` unless that is NULL. */
static struct nbds_server *server_new(struct loop *loop,
	const struct nbds_options *options, struct nbds_seat *other)
{
	struct nbds_server *server = calloc(1, sizeof *server);

	if (!server)
		return NULL;
	server->loop = loop;
	server->limits = defaults;
	server->tls = options->tls;
	if (options->max_clients)
		server->limits.clients = options->max_clients;
	if (options->handshake_timeout)
		server->limits.handshake = options->handshake_timeout;
	if (options->stall_timeout)
		server->limits.stall = options->stall_timeout;
	TAILQ_INIT(&server->exports);
	TAILQ_INIT(&server->clients);
	server->seat = nbds_seat_new(server, other);
	if (!server->seat) {
		free(server);
		return NULL;
	}
	return server;
}

struct nbds_server *nbds_server_new(struct loop *loop, const struct addr *at,
	int fd, const struct nbds_options *options, int *err)
{
	struct nbds_server *server = server_new(loop, options, NULL);

	if (!server) {
		*err = -ENOMEM;
		if (fd != -1)
			close(fd);
		return NULL;
	}
	server->listener = listen_on(server, at, fd, options->socket_mode, err);
	if (!server->listener) {
		nbds_server_free(server);
		return NULL;
	}
	server->at = *stream_listener_addr(server->listener);
	return server;
}

struct nbds_server *nbds_server_beside(struct loop *loop,
	const struct nbds_server *other, const struct nbds_options *options,
	int *err)
{
	struct nbds_server *server = server_new(loop, options, other->seat);

	if (server)
		server->at = other->at;
	else
		*err = -ENOMEM;
	return server;
}

const struct addr *nbds_server_addr(const struct nbds_server *server)
{
	return &server->at;
}

unsigned nbds_server_clients(const struct nbds_server *server)
{
	return nbds_seat_clients(server->seat);
}

/* Those that are still here have chosen no export, so they have no requests and
 * nothing keeps them once they are cut off. */
void nbds_server_free(struct nbds_server *server)
{
	struct nbds_client *c, *next;

	if (!server)
		return;
	assert(TAILQ_EMPTY(&server->exports));
	stream_listener_free(server->listener);
	for (c = TAILQ_FIRST(&server->clients); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state != NBDS_GONE)
			nbds_client_event(c, NBDS_EV_CUT);
		nbds_client_free(c);
	}
	nbds_seat_free(server->seat);
	free(server);
}

/* One line for a flood, not one for each of it. */
static void note_crowd(struct nbds_server *server, unsigned clients)
{
	unsigned limit = server->limits.clients;

	if (clients >= limit && !server->crowded)
		log_warn("nbd: %u clients are connected, as many as "
			 "nbd-max-clients allows; the oldest that have chosen "
			 "no export give way to new ones",
			limit);
	server->crowded = clients >= (server->crowded ? limit / 2 : limit);
}

/* At the limit, who has waited longest to finish the handshake gives way: a
 * flood of silent connections keeps nobody out. */
static bool make_room(struct nbds_server *server)
{
	struct nbds_client *c;

	TAILQ_FOREACH (c, &server->clients, link) {
		if (c->state > NBDS_PARTING)
			continue;
		log_debug("nbd client %s: cut off for a new one", c->peer);
		nbds_client_event(c, NBDS_EV_CUT);
		return true;
	}
	return false;
}

static void refuse(struct stream *s)
{
	char peer[128];

	log_debug("nbd client %s: refused, all others are in use",
		addr_text(&s->peer, peer, sizeof peer));
	stream_close(s);
}

void nbds_server_accept(void *arg, struct stream *s)
{
	struct nbds_server *server = arg;
	unsigned before;
	struct nbds_seat *seat =
		nbds_seat_take(server->seat, server->limits.clients, &before);
	bool full = before >= server->limits.clients;

	note_crowd(server, before);
	if (!seat)
		refuse(s);
	else if (seat == server->seat)
		nbds_server_seat(server, s, full);
	else
		nbds_seat_send(seat, s, full);
}

void nbds_server_seat(struct nbds_server *server, struct stream *s, bool full)
{
	if (full && !make_room(server)) { /* chosen meanwhile */
		refuse(s);
		nbds_seat_settle(server->seat);
		nbds_seat_leave(server->seat);
	} else if (nbds_client_new(server, s)) {
		log_warn("nbd: a client is refused: out of memory");
	}
}

struct nbds_export *nbds_server_find(
	struct nbds_server *server, const void *name, size_t len)
{
	struct nbds_export *first = TAILQ_FIRST(&server->exports), *e;

	TAILQ_FOREACH (e, &server->exports, link)
		if (e->name_len == len && memcmp(e->name, name, len) == 0)
			return e;
	if (len == 0 && first && !TAILQ_NEXT(first, link))
		return first;
	return NULL;
}

bool nbds_server_is_ending(const struct nbds_server *server)
{
	const struct nbds_export *e;

	TAILQ_FOREACH (e, &server->exports, link)
		if (!e->removing)
			return false;
	return !TAILQ_EMPTY(&server->exports);
}

unsigned nbds_export_clients(const struct nbds_server *server, const char *name)
{
	const struct nbds_export *e;

	TAILQ_FOREACH (e, &server->exports, link)
		if (strcmp(e->name, name) == 0)
			return e->clients;
	return 0;
}

/* The last call of a removal. */
static void export_gone(void *arg)
{
	struct nbds_export *e = arg;
	void (*removed)(void *arg) = e->removed;
	void *removed_arg = e->removed_arg;

	if (e->clients)
		return;
	TAILQ_REMOVE(&e->server->exports, e, link);
	free(e);
	if (removed)
		removed(removed_arg);
}

void nbds_export_leave(struct nbds_export *e)
{
	assert(e->clients > 0);
	e->clients--;
	if (e->removing)
		loop_post(e->server->loop, &e->task);
}

int nbds_export_add(struct nbds_server *server, const char *name,
	struct blkdev *dev, char *const *allow)
{
	size_t len = strlen(name);
	struct nbds_export *e;
	struct nbds_client *c;

	TAILQ_FOREACH (e, &server->exports, link)
		if (e->name_len == len && memcmp(e->name, name, len) == 0)
			return -EEXIST;
	e = calloc(1, sizeof *e);
	if (!e)
		return -ENOMEM;
	e->server = server;
	e->name = name;
	e->name_len = len;
	e->dev = dev;
	e->allow = allow;
	loop_task_init(&e->task, export_gone, e);
	TAILQ_INSERT_TAIL(&server->exports, e, link);
	/* Who asked for an export when there was none has waited for this. */
	TAILQ_FOREACH (c, &server->clients, link)
		if (c->state == NBDS_OPTIONS && c->blocked)
			nbds_client_kick(c);
	return 0;
}

void nbds_export_remove(struct nbds_server *server, const char *name, bool now,
	void (*done)(void *arg), void *arg)
{
	struct nbds_export *e;
	struct nbds_client *c;

	TAILQ_FOREACH (e, &server->exports, link)
		if (strcmp(e->name, name) == 0)
			break;
	assert(e);
	e->removing = true;
	e->removed = done;
	e->removed_arg = arg;
	TAILQ_FOREACH (c, &server->clients, link)
		if (c->export == e && c->state != NBDS_GONE)
			nbds_client_event(
				c, now ? NBDS_EV_CUT : NBDS_EV_REMOVED);
	loop_post(server->loop, &e->task);
}
