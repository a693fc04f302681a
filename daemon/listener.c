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
#include "plan_frontend.h"

struct listener {
	struct nbds_server *server;
	struct addr at;
	int fd; /* of the service manager; -1: our own */
	unsigned users;
	struct plan_tls tls; /* copied */
	struct nbds_tls *keys;
	LIST_ENTRY(listener) link;
};

/* One list for all workers would need a lock; each thread has those of its own
 * loop. */
static _Thread_local LIST_HEAD(, listener) listeners;

static struct listener *listener_find(const struct addr *at, int fd)
{
	struct listener *l;

	LIST_FOREACH (l, &listeners, link)
		if (l->fd == fd && (fd != -1 || plan_addr_equal(&l->at, at)))
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

/* The certificates and keys are read each time that listening begins. 0; or
 * -EINVAL and a line in `why`. */
static int listener_tls(
	struct listener *l, const struct plan_tls *tls, char *why, size_t size)
{
	struct nbds_tls_options options = {
		.certificates = tls->certificates,
		.verify_peer = tls->verify_peer,
	};
	char *psk = NULL;
	size_t psk_len = 0;
	char cause[384];

	l->tls.required = tls->required;
	if (!tls->required)
		return 0;
	if (tls->psk_file &&
		secret_read(tls->psk_file, &psk, &psk_len, why, size) < 0)
		return -EINVAL;
	l->tls = (struct plan_tls){
		.required = true,
		.verify_peer = tls->verify_peer,
		.certificates =
			tls->certificates ? strdup(tls->certificates) : NULL,
		.psk_file = tls->psk_file ? strdup(tls->psk_file) : NULL,
	};
	options.psk_text = psk;
	l->keys = nbds_tls_new(&options, cause, sizeof cause);
	secret_free(psk, psk_len);
	if (l->keys)
		return 0;
	snprintf(why, size, "tls: %.240s", cause);
	return -EINVAL;
}

static void listener_free(struct listener *l)
{
	nbds_server_free(l->server);
	nbds_tls_free(l->keys);
	free(l->tls.certificates);
	free(l->tls.psk_file);
	free(l);
}

/* Beside `first`, unless that is NULL. */
static struct listener *listener_new(struct loop *loop, const struct plan *plan,
	const struct plan_nbd *nbd, const struct nbds_server *first, char *why,
	size_t why_size)
{
	struct nbds_options options = {.max_clients = plan->nbd_max_clients};
	struct listener *l = calloc(1, sizeof *l);
	int err = -ENOMEM;

	if (!l || listener_tls(l, &plan->tls, why, why_size)) {
		free(l ? l->tls.certificates : NULL);
		free(l ? l->tls.psk_file : NULL);
		free(l);
		return NULL;
	}
	options.tls = l->keys;
	l->server =
		first ? nbds_server_beside(loop, first, &options, &err)
		      : listener_open(loop, nbd->fd, &nbd->at, &options, &err);
	if (l->server) {
		l->at = nbd->fd == -1 ? nbd->at : *nbds_server_addr(l->server);
		l->fd = nbd->fd;
		return l;
	}
	snprintf(why, why_size, "nbd %s: cannot listen: %s", nbd->text,
		listen_cause(err));
	listener_free(l);
	return NULL;
}

struct nbds_server *listener_get(struct loop *loop, const struct plan *plan,
	unsigned n, char *why, size_t why_size)
{
	const struct plan_nbd *nbd = &plan->nbd[n];
	struct listener *l;

	if (nbd->fd == -1 && nbd->at.len == 0) {
		snprintf(why, why_size, "nbd %s: not a numeric address",
			nbd->text);
		return NULL;
	}
	l = listener_find(&nbd->at, nbd->fd);
	if (l && !plan_tls_equal(&l->tls, &plan->tls)) {
		snprintf(why, why_size,
			"nbd %s: another device is served there with other tls "
			"settings",
			nbd->text);
		return NULL;
	}
	if (!l) {
		snprintf(why, why_size, "out of memory");
		l = listener_new(loop, plan, nbd, NULL, why, why_size);
		if (!l)
			return NULL;
		if (!addr_is_loopback(&l->at) && !plan->tls.required)
			log_warn("nbd %s: reachable from other hosts without "
				 "TLS; anyone who can connect can read and "
				 "write",
				nbd->text);
		LIST_INSERT_HEAD(&listeners, l, link);
	}
	l->users++;
	return l->server;
}

struct nbds_server *listener_join(struct loop *loop, const struct plan *plan,
	unsigned n, const struct nbds_server *first, char *why, size_t why_size)
{
	struct listener *l;

	snprintf(why, why_size, "out of memory");
	l = listener_new(loop, plan, &plan->nbd[n], first, why, why_size);
	if (!l)
		return NULL;
	LIST_INSERT_HEAD(&listeners, l, link);
	l->users = 1;
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
	listener_free(l);
}
