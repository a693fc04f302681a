/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the proxy (proxy.c says what it is for).
 *
 * A route listens at one address and leads to another one. Each connection
 * that is accepted there becomes a pair of streams with two flows between
 * them, one a direction. A flow cuts what it reads into PDUs, applies the rules
 * to each, and queues it for the other side, where its shape says when it may
 * leave.
 */
#ifndef TESTS_PROXY_H
#define TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#define PROXY_BHS    48u
#define PROXY_ROUTES 8u
#define PROXY_QUEUE                                                            \
	(4u << 20)        /* bytes a flow holds before it stops reading        \
			   */
#define PROXY_ANY   0xffu /* rules: PDUs of every opcode */
#define PROXY_NEVER UINT64_MAX

enum proxy_way { PROXY_IN, PROXY_OUT, PROXY_WAYS }; /* as the initiator sees */

struct proxy;

struct proxy_pdu {
	TAILQ_ENTRY(proxy_pdu) link;
	uint64_t due; /* when it may leave, loop_now() */
	size_t len, sent;
	uint8_t data[];
};
TAILQ_HEAD(proxy_pdus, proxy_pdu);

/* How a direction behaves; connections take it over from their route. */
struct proxy_shape {
	bool held;         /* nothing leaves */
	uint64_t delay_ns; /* each PDU waits that long */
	uint64_t rate;     /* bytes a second; 0: no bound */
};

struct proxy_pair;

struct proxy_flow {
	struct proxy_pair *pair;
	enum proxy_way way;
	struct stream *from, *to; /* `to` is NULL until it is connected */
	struct proxy_shape shape;
	struct proxy_pdu *part; /* what has come of the PDU that is coming */
	size_t part_len, part_room;
	struct proxy_pdu *late; /* `swap`: leaves behind the next one */
	struct proxy_pdus queue;
	size_t queued;
	uint64_t room;    /* `after`: bytes until the pair ends */
	uint64_t next_ns; /* the rate lets nothing leave before */
	bool ended;       /* `from` has nothing more */
	bool torn; /* what is left of the queue is the last that leaves */
	struct loop_timer *timer;
	unsigned long pdus;
	uint64_t bytes;
};

struct proxy_pair {
	LIST_ENTRY(proxy_pair) link;
	struct proxy *proxy;
	unsigned id, route;
	struct stream_connect *connect;
	struct proxy_flow flows[PROXY_WAYS];
	bool header_digest, data_digest; /* as the login has agreed */
	bool full; /* in full feature phase: the digests are in force */
	bool reset;
	struct loop_task dead;
};

struct proxy_route {
	struct proxy *proxy;
	struct stream_listener *listener;
	struct addr to;
	struct proxy_shape shape[PROXY_WAYS];
	bool refuses;
};

/* Which connections a command means: all, a route's, or one. */
struct proxy_scope {
	unsigned route, pair; /* 0: any */
};

enum proxy_fault {
	PROXY_FLIP,        /* a bit of the data */
	PROXY_FLIP_HEADER, /* a bit of the header */
	PROXY_DROP,
	PROXY_TWICE,
	PROXY_SWAP, /* with the one behind it */
	PROXY_KEEP, /* passes, and `replay` sends it again */
	PROXY_TEAR, /* half of it, and the end of the connection */
	PROXY_RESET,
};

struct proxy_rule {
	TAILQ_ENTRY(proxy_rule) link;
	struct proxy_scope scope;
	enum proxy_way way;
	enum proxy_fault fault;
	uint8_t opcode;
	unsigned nth, seen;
	bool every; /* the nth, and again the nth after it */
};
TAILQ_HEAD(proxy_rules, proxy_rule);

struct proxy {
	struct loop *loop;
	struct proxy_route routes[PROXY_ROUTES];
	unsigned nroutes, npairs;
	LIST_HEAD(, proxy_pair) pairs;
	struct proxy_rules rules;
	struct proxy_pdu *kept[PROXY_WAYS];
	unsigned long faults; /* rules that came true */
	struct stream_listener *control;
	LIST_HEAD(, proxy_talk) talks;
	struct loop_signal *term;
};

/* --- proxy_pair.c --- */

/* A connection was accepted on `arg`, a route. */
void proxy_accepted(void *arg, struct stream *s);

/* Ends a pair: at once with RST to both sides, or as the end of a stream. */
void proxy_pair_end(struct proxy_pair *pair, bool reset);
void proxy_pair_free(struct proxy_pair *pair);
bool proxy_scope_has(struct proxy_scope scope, const struct proxy_pair *pair);

/* --- proxy_flow.c --- */

/* 0, or -ENOMEM; a flow of zeros may be finished. */
int proxy_flow_init(
	struct proxy_flow *flow, struct proxy_pair *pair, enum proxy_way way);
void proxy_flow_fini(struct proxy_flow *flow);
void proxy_flow_read(struct proxy_flow *flow);

/* Sends what may leave, and sets when to look again. */
void proxy_flow_write(struct proxy_flow *flow);

/* A PDU behind those that wait; it is the flow's. */
void proxy_flow_add(struct proxy_flow *flow, struct proxy_pdu *pdu);

/* A copy; NULL without memory. */
struct proxy_pdu *proxy_pdu_copy(const struct proxy_pdu *pdu);

/* --- proxy_rule.c --- */

/* Applies the rules to a PDU that has come, and adds it to its flow, or not. */
void proxy_rules_apply(struct proxy_flow *flow, struct proxy_pdu *pdu);
void proxy_rules_clear(struct proxy *proxy);

/* --- proxy_command.c --- */

/* Does one line; writes what is to be answered, a line that begins with `ok`
 * or `error:`, into `answer`. */
void proxy_command(struct proxy *proxy, char *line, char *answer, size_t size);

/* --- proxy_talk.c: the control socket --- */

void proxy_talk_accepted(void *arg, struct stream *s);
void proxy_talks_end(struct proxy *proxy);

#endif
