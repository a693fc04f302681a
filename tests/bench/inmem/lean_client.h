/* SPDX-License-Identifier: BSD-2-Clause */
/* An NBD client that costs next to nothing: keeps `depth` equal requests in
 * flight until `count` are answered, and looks at nothing but their number. */
#ifndef TESTS_BENCH_LEAN_CLIENT_H
#define TESTS_BENCH_LEAN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct loop;
struct lean_client;

struct lean_job {
	bool write;
	uint32_t len;   /* bytes of one request */
	unsigned depth; /* at most 64 */
	uint64_t span;  /* offsets go round in [0, span) */
};

/* Connects to the export with the empty name. NULL without memory. */
struct lean_client *lean_client_new(
	struct loop *loop, const struct addr *to, const struct lean_job *job);

/* Asks for `count` more. */
void lean_client_run(struct lean_client *client, uint64_t count);

/* True when all that was asked for is answered. */
bool lean_client_idle(const struct lean_client *client);

/* NULL is allowed. */
void lean_client_free(struct lean_client *client);

#endif
