/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bench's end of a connection: an engine (base/pump.h), as cheap as can be.
 *
 * In memory (lean_wire.c) it is no stream with buffers: the engine is asked and
 * told from within the readv and writev of the daemon's end, so each byte is
 * copied once each way, as a kernel does. That takes the place of t_stream.c
 * below t_net.c; no wire has faults. Over TCP (lean_tcp.c) it is a pump.
 */
#ifndef TESTS_BENCH_LEAN_WIRE_H
#define TESTS_BENCH_LEAN_WIRE_H

struct engine_ops;
struct lean_link;
struct loop;
struct stream;

/* `s`, which was connected or accepted, is the engine's from now on. tx() may
 * be called for one iovec only, to see whether there is anything. NULL without
 * memory. */
struct lean_link *lean_link_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine);

/* There is something to send. */
void lean_link_tx(struct lean_link *link);

/* NULL is allowed. */
void lean_link_free(struct lean_link *link);

#endif
