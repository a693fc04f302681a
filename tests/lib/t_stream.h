/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h in memory: stream_connect() reaches the stream_listen() of the same
 * process at that address, over a wire whose faults a test chooses. TCP's
 * promises hold: bytes come in order or not at all, an abort drops what has not
 * left yet, a reset is seen after the data that came before it.
 *
 * stream_options have no meaning here, and stream_listen_fd() gives NULL.
 *
 * Wires belong to addresses: all connections to one address share it, now and
 * later. Its fields may be changed at any time.
 */
#ifndef TESTS_T_STREAM_H
#define TESTS_T_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/stream.h>

#define T_WIRE_NEVER UINT64_MAX

/* Directions, as seen from the side that connected. */
enum t_way { T_OUT, T_IN };

struct t_wire_way {
	uint64_t delay_ns; /* from writing to reading */
	size_t capacity;   /* bytes under way; more do not go in. 256 KiB */
	size_t chunk;      /* the most that one read gives; 0: no bound */
	bool random_chunk; /* each read gives 1 to `chunk` bytes */
	uint64_t rate;     /* bytes per second leave the writer; 0: no bound */
	bool blackhole;    /* nothing leaves; what waits leaves afterwards */

	/* At the Nth byte of a connection, counted from 0; T_WIRE_NEVER: not.
	 * Each happens once and then switches itself off. */
	uint64_t cut_at;  /* N bytes pass, then both sides are reset */
	uint64_t flip_at; /* one bit of byte N changes */
};

struct t_wire {
	struct t_wire_way way[2];
	bool refuse;  /* connections are refused, -ECONNREFUSED */
	bool cut_off; /* what stream_reachable() denies; bytes still pass */
};

/* The wire to `at`, made when it is asked for first; lives with the world. */
struct t_wire *t_wire_at(const struct addr *at);

/* Resets all connections to `at`, as a device between would: both sides see
 * -ECONNRESET after what had arrived. */
void t_wire_reset(const struct addr *at);

/* Connections to `at` of which a side is still open. */
unsigned t_wire_connections(const struct addr *at);

/* Bytes that have left the writer on the connection to `at` that has carried
 * most that way: where a `cut_at` or `flip_at` would strike next. */
uint64_t t_wire_passed(const struct addr *at, enum t_way way);

/* Two ends of a new connection over the wire to `at`, without a listener:
 * s[0], on loop `a`, is the one that connected. */
void t_stream_pair(struct loop *a, struct loop *b, const struct addr *at,
	struct stream *s[2]);

/* What stream_resolve() says for `host`; n = 0: no such name, as for every
 * name that was not set. Ports are those of the question. */
void t_name_set(const char *host, const struct addr *addrs, int n);

/* `text` (`HOST:PORT`, numeric) as an address; aborts when it is none. */
struct addr t_addr(const char *text);

#endif
