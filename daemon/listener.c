/* SPDX-License-Identifier: BSD-2-Clause */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <umpio/base/log.h>
#include <umpio/frontend.h>

#include "plan.h"

struct listener {
	struct nbds_server *server;
	struct addr at;
	int fd; /* of the service manager; -1: our own */
	unsigned users;
	LIST_ENTRY(listener) link;
};

/* One list for all workers would need a lock; it is kept to the one worker's
 * thread that owns the loops of its entries. */
static _Thread_local LIST_HEAD(, listener) listeners;

static int listener_address(const struct plan_nbd *nbd, struct addr *at)
{
	struct endpoint tcp = nbd->address.tcp;

	if (nbd->address.is_unix)
		return addr_from_unix(at, nbd->address.path);
	if (strcmp(tcp.host, "localhost") == 0)
		snprintf(tcp.host, sizeof tcp.host, "127.0.0.1");
	return addr_from_endpoint(at, &tcp);
}

static struct listener *listener_find(const struct addr *at, int fd)
{
	struct listener *l;

	LIST_FOREACH (l, &listeners, link)
		if (l->fd == fd &&
			(fd != -1 || (l->at.len == at->len &&
					     memcmp(&l->at.ss, &at->ss,
						     at->len) == 0)))
			return l;
	return NULL;
}

static const char *listen_cause(int err)
{
	switch (-err) {
	case EADDRINUSE: return "another server is listening there";
	case EADDRNOTAVAIL: return "no interface of this host has that address";
	case EACCES: return "permission denied";
	case ENOENT: return "its directory does not exist";
	default: return strerror(-err);
	}
}

/* The service manager's socket outlives us, so the server gets a duplicate. */
static struct nbds_server *listener_open(struct loop *loop, int fd,
	const struct addr *at, const struct nbds_options *options, int *err)
{
	int own = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (fd != -1 && own == -1) {
		*err = -errno;
		return NULL;
	}
	return nbds_server_new(loop, at, own, options, err);
}

struct nbds_server *listener_get(struct loop *loop, const struct plan_nbd *nbd,
	unsigned max_clients, char *why, size_t why_size)
{
	const struct nbds_options options = {.max_clients = max_clients};
	struct listener *l;
	struct addr at;
	int err = nbd->fd == -1 ? listener_address(nbd, &at) : 0;

	if (err < 0) {
		snprintf(why, why_size, "nbd %s: not a numeric address",
			nbd->text);
		return NULL;
	}
	l = listener_find(&at, nbd->fd);
	if (l) {
		l->users++;
		return l->server;
	}
	l = calloc(1, sizeof *l);
	if (l)
		l->server = listener_open(loop, nbd->fd, &at, &options, &err);
	if (!l || !l->server) {
		snprintf(why, why_size, "nbd %s: cannot listen: %s", nbd->text,
			l ? listen_cause(err) : "out of memory");
		free(l);
		return NULL;
	}
	at = *nbds_server_addr(l->server);
	if (!addr_is_loopback(&at))
		log_warn("nbd %s: reachable from other hosts without TLS; "
			 "anyone who can connect can read and write",
			nbd->text);
	l->at = at;
	l->fd = nbd->fd;
	l->users = 1;
	LIST_INSERT_HEAD(&listeners, l, link);
	return l->server;
}

void listener_put(struct nbds_server *server)
{
	struct listener *l;

	LIST_FOREACH (l, &listeners, link)
		if (l->server == server)
			break;
	if (!l || --l->users > 0)
		return;
	LIST_REMOVE(l, link);
	nbds_server_free(l->server);
	free(l);
}
