/* SPDX-License-Identifier: BSD-2-Clause */
/* A listener, the exports that it offers, and the clients that it has. */
#ifndef UMPIO_NBDS_SERVER_H
#define UMPIO_NBDS_SERVER_H

#include <umpio/base/addr.h>
#include <umpio/frontend.h>
#include <umpio/loop.h>

struct nbds_client;
struct nbds_seat;
struct stream;
struct stream_listener;

struct nbds_export {
	struct nbds_server *server;
	const char *name; /* the caller's */
	size_t name_len;
	struct blkdev *dev;
	char *const *allow; /* the caller's; NULL: everybody */
	unsigned clients;   /* objects that refer to it */
	bool removing;
	void (*removed)(void *arg);
	void *removed_arg;
	struct loop_task task; /* ends the removal when no client is left */
	TAILQ_ENTRY(nbds_export) link;
};

/* Limits on clients; tests make them small. Times in ns. */
struct nbds_limits {
	unsigned clients;         /* of all servers beside each other */
	unsigned options;         /* of one handshake */
	uint32_t option_bytes;    /* of one option's data */
	uint32_t handshake_bytes; /* of all options of one handshake */
	unsigned requests;        /* of one client, until the reply has left */
	size_t request_bytes;     /* their payloads */
	uint64_t handshake;       /* from accept to the choice of an export */
	uint64_t linger;          /* after ABORT, for the client to close */
	uint64_t stall;           /* replies waiting and not a byte taken, or
				   * a payload begun and not a byte come */
};

struct nbds_server {
	struct loop *loop;
	struct nbds_limits limits;
	struct stream_listener *listener; /* NULL: beside one that listens */
	struct addr at;
	struct nbds_seat *seat;
	struct nbds_tls *tls; /* the caller's; NULL: none */
	TAILQ_HEAD(, nbds_export) exports;
	TAILQ_HEAD(, nbds_client) clients; /* the oldest first */
	bool crowded; /* the limit was met, and that is in the log */
};

/* A new client on `s`, which passes to the server that gets it: the listener's
 * callback. */
void nbds_server_accept(void *server, struct stream *s);

/* The client on `s`, which passes to the server, takes the place that
 * nbds_seat_take() has kept for it. `full`: another one has to go. */
void nbds_server_seat(struct nbds_server *server, struct stream *s, bool full);

/* The export of a client's choice, NULL when there is none of that name. One
 * that is being removed is found, too. */
struct nbds_export *nbds_server_find(
	struct nbds_server *server, const void *name, size_t len);

/* True when every export there is is being removed. */
bool nbds_server_is_ending(const struct nbds_server *server);

/* A client refers to `export` no more. */
void nbds_export_leave(struct nbds_export *export);

#endif
