/* SPDX-License-Identifier: BSD-2-Clause */
/* A server on virtual time and a client that says whatever a test wants. What
 * it waits for must come within a second, or the test fails. */
#ifndef TESTS_T_NBD_H
#define TESTS_T_NBD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tests/lib/t_blkdev.h>
#include <tests/lib/t_loop.h>
#include <tests/lib/t_stream.h>

#include "frontends/nbd/nbd_proto.h"
#include "frontends/nbd/nbds_server.h"

#define DISK (1u << 20) /* bytes */

struct world {
	struct loop *loop;
	struct t_blkdev *ram;
	struct nbds_server *server;
	struct addr at;
	struct t_wire *wire;
	unsigned removals; /* done() calls of nbds_export_remove() */
};

/* A server with the export "disk" of DISK bytes; `options` NULL: plain. */
void world_init(struct world *w, const struct t_blkdev_options *options);
/* Also checks that every client object has gone. */
void world_fini(struct world *w);
void world_run(struct world *w, uint64_t ns);
void world_remove(struct world *w, const char *name, bool now);

struct peer {
	struct world *world;
	struct stream *stream; /* NULL: closed by us */
	uint8_t *in;           /* bytes received and not taken */
	size_t len, cap;
	bool ended;
};

/* Connects; the greeting has not been read. */
void peer_open(struct peer *p, struct world *w);
void peer_close(struct peer *p);
/* Connects, takes the greeting and sends `flags`. */
void peer_hello(struct peer *p, struct world *w, uint32_t flags);
void peer_reading(struct peer *p, bool on);

void peer_send(struct peer *p, const void *data, size_t len);
/* Takes `len` bytes that must come; into `out` when not NULL. */
void peer_take(struct peer *p, void *out, size_t len);
/* The next `len` bytes must be these. */
void peer_expect(struct peer *p, const void *bytes, size_t len);
/* Nothing more comes within 100 ms; the connection stays. */
void peer_expect_silence(struct peer *p);
/* The connection ends without another byte. */
void peer_expect_end(struct peer *p);

void option_send(struct peer *p, uint32_t option, const void *data, size_t len);
/* Takes a reply to `option`, its data (at most 8192 bytes, with a NUL behind)
 * into `data` when not NULL; returns the type. */
uint32_t option_take(
	struct peer *p, uint32_t option, uint8_t *data, size_t *len);
/* Sends INFO or GO with `n` info types. */
void go_send(struct peer *p, uint32_t option, const char *name, int n,
	const uint16_t *types);

struct offer {
	uint64_t size;
	uint16_t flags;
	uint32_t min, preferred, max;
	char name[64]; /* of NBD_INFO_NAME */
	char description[256];
	uint32_t end; /* type of the last reply */
	unsigned infos;
};
void offer_take(struct peer *p, uint32_t option, struct offer *o);

/* Sends LIST_ or SET_META_CONTEXT for export `name`; queries up to a NULL. */
void context_send(struct peer *p, uint32_t option, const char *name,
	const char *const *queries);
/* Takes replies to it: the number of contexts, or the error that came. */
uint32_t context_take(struct peer *p, uint32_t option, uint32_t *id);

/* A client in transmission. */
void peer_go(struct peer *p, struct world *w, bool structured);

void cmd_send(struct peer *p, unsigned flags, unsigned type, uint64_t cookie,
	uint64_t offset, uint32_t len);
/* With structured replies and base:allocation. */
void peer_go_status(struct peer *p, struct world *w);
/* Takes the one chunk of a BLOCK_STATUS; pairs of length and flags into `x` of
 * `room` pairs. Returns their number. */
unsigned status_take(
	struct peer *p, uint64_t cookie, uint32_t (*x)[2], unsigned room);

/* Takes a simple reply, which must bear the cookie; returns its error. */
uint32_t simple_take(struct peer *p, uint64_t cookie);
/* Takes an error chunk, which must be the last; returns its error. */
uint32_t error_take(struct peer *p, uint64_t cookie, char *text, size_t size);

#endif
