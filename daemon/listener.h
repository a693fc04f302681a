/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NBD listeners of a worker: devices that name one address share one
 * listener, each as an export of its own, and live on one worker. All calls are
 * on the worker's loop.
 */
#ifndef UMPIOD_LISTENER_H
#define UMPIOD_LISTENER_H

#include <stddef.h>

struct loop;
struct nbds_server;
struct plan;

/* The server at the `n`th NBD address of `plan`, made when it is the first to
 * ask for it. NULL, and one line in `why`. */
struct nbds_server *listener_get(struct loop *loop, const struct plan *plan,
	unsigned n, char *why, size_t why_size);

/* One more for the clients of the `n`th NBD address of `plan`, on the caller's
 * loop, beside `first`, which listens and is another loop's. NULL, and one line
 * in `why`. */
struct nbds_server *listener_join(struct loop *loop, const struct plan *plan,
	unsigned n, const struct nbds_server *first, char *why,
	size_t why_size);

/* Gives it up; the last one to do so ends the listening. */
void listener_put(struct nbds_server *server);

#endif
