/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS of the NBD server: a stream over a stream. The only place that knows
 * OpenSSL. TLS 1.2 at least, no renegotiation, no tickets, no resumption.
 */
#ifndef UMPIO_NBDS_TLS_H
#define UMPIO_NBDS_TLS_H

#include <stdbool.h>

struct loop;
struct nbds_tls;
struct stream;

/* A stream over `inner`, which passes to it: the handshake goes on while it is
 * read, and nothing is written before it is over. NULL without memory, and then
 * `inner` is as it was. */
struct stream *nbds_tls_stream(
	struct nbds_tls *tls, struct loop *loop, struct stream *inner);

/* True when the peer of that stream has shown one of the names: the CN or a
 * DNS, e-mail or URI name of its verified certificate, or its PSK identity. */
bool nbds_tls_peer_is(const struct stream *s, char *const *names);

#endif
