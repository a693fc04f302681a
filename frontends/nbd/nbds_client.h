/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's connection: the engine between its stream and the device. The
 * lifecycle is a table in nbds_client.c; what bytes mean in a state is in
 * nbds_handshake.c, nbds_option.c and nbds_request.c.
 *
 * The object outlives its connection until the device has given back every
 * request.
 */
#ifndef UMPIO_NBDS_CLIENT_H
#define UMPIO_NBDS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/intake.h>
#include <umpio/base/outq.h>
#include <umpio/blkdev.h>
#include <umpio/loop.h>

struct nbds_export;
struct nbds_request;
struct nbds_server;
struct stream;

/* X(ID, "name"); those of the handshake come first */
#define NBDS_STATES(X)                                                         \
	X(FLAGS, "flags")       /* greeted, waiting for client flags */        \
	X(OPTIONS, "options")   /* haggling */                                 \
	X(SECURING, "securing") /* STARTTLS is answered */                     \
	X(PARTING, "parting")   /* ABORT is answered */                        \
	X(TRANSMISSION, "transmission")                                        \
	X(REFUSING, "refusing") /* the export goes: requests get ESHUTDOWN */  \
	X(LEAVING, "leaving")   /* takes nothing more, replies go out */       \
	X(GONE, "gone")         /* no connection; requests may be out */

#define NBDS_EVENTS(X)                                                         \
	X(GREETED, "client flags")                                             \
	X(STARTTLS, "STARTTLS")                                                \
	X(SECURED, "TLS under way")                                            \
	X(CHOSEN, "export chosen")                                             \
	X(ABORT, "ABORT")                                                      \
	X(DISC, "DISC")                                                        \
	X(REMOVED, "export removed")                                           \
	X(DRAINED, "device has no request") /* of this client */               \
	X(SENT, "all replies sent")                                            \
	X(CUT, "cut off")                                                      \
	X(CLOSED, "closed by the peer")

#define NBDS_ENUM(id, name) NBDS_##id,
enum nbds_state { NBDS_STATES(NBDS_ENUM) NBDS_NSTATES };
#undef NBDS_ENUM
#define NBDS_ENUM(id, name) NBDS_EV_##id,
enum nbds_event { NBDS_EVENTS(NBDS_ENUM) NBDS_NEVENTS };
#undef NBDS_ENUM

/* Bytes read ahead of parsing. The largest option fits. */
#define NBDS_STAGE (68u << 10)

struct nbds_client {
	struct nbds_server *server;
	struct loop *loop;
	struct pump *pump; /* NULL: gone */
	struct intake in;
	struct outq out;
	struct loop_timer *timer; /* handshake, linger, then stall */
	struct loop_task turn;    /* what must not happen in a callback */
	uint64_t progress;        /* when output last moved or began */
	uint64_t began, moved;    /* the payload under way, and its last byte */
	uint8_t state;            /* enum nbds_state */
	bool blocked;    /* back-pressure: the next message waits in `in` */
	bool complained; /* one line in the log a connection */
	bool secured;    /* TLS */
	bool fixed;      /* client flags */
	bool no_zeroes;
	bool structured; /* structured replies */

	/* The export name for which base:allocation was selected, copied; NULL:
	 * it is not. A choice of another name drops it. */
	uint8_t *context;
	size_t context_len;

	unsigned options;         /* so far */
	uint32_t handshake_bytes; /* so far */

	struct nbds_export *export;
	struct blk_info info; /* as it was when the export was chosen */
	struct nbds_request *receiving; /* its payload is under way */
	SLIST_HEAD(, nbds_request) spare;
	unsigned inflight;  /* requests, until the reply has left */
	size_t bytes;       /* of their payloads */
	unsigned submitted; /* of them, those that the device has */
	uint64_t losses;    /* blkdev.losses that it was told of */

	char peer[128]; /* for the log */
	TAILQ_ENTRY(nbds_client) link;
};

/* Greets on `s`, which passes to the client, as does its place in the server's
 * seat, and joins the server's list. 0, or -ENOMEM and the stream is aborted.
 */
int nbds_client_new(struct nbds_server *server, struct stream *s);

/* Frees a client that is gone and has no request in flight. */
void nbds_client_free(struct nbds_client *c);

/* An event of the lifecycle; one that the state does not know cuts the client
 * off. Never frees the client. */
void nbds_client_event(struct nbds_client *c, enum nbds_event event);

/* Queues a message; its item must live until done(). */
void nbds_client_send(struct nbds_client *c, struct outq_item *item);

/* A payload has begun of which not all is here: from now on it must move. */
void nbds_client_await(struct nbds_client *c);

/* Has the waiting message looked at again, and the lifecycle go on: later in
 * this turn. */
void nbds_client_kick(struct nbds_client *c);

/* No further message is parsed until nbds_client_kick(). Returns 0. */
int nbds_client_block(struct nbds_client *c);

/* Logs what the client did wrong: the first time only. Returns -EPROTO. */
int nbds_client_complain(struct nbds_client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * What the bytes mean, by state: takes one message out of the intake. 1 when
 * one was taken, 0 when more bytes are needed or the client is blocked, -errno
 * when the connection must end.
 */
int nbds_handshake_step(struct nbds_client *c); /* client flags */
int nbds_option_step(struct nbds_client *c);
int nbds_request_step(struct nbds_client *c);

#endif
