/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pump moves bytes between a stream and a protocol engine. An engine has
 * no socket and no clock: it says where received bytes go and which bytes are
 * to be sent, and is told how many moved. Everything that speaks a protocol
 * here (iSCSI connections, NBD clients, the control socket) is such an engine,
 * so a test can drive it from memory, byte by byte.
 */
#ifndef UMPIO_BASE_PUMP_H
#define UMPIO_BASE_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct loop;
struct stream;

#define PUMP_RX_IOV 2
#define PUMP_TX_IOV 64

struct engine_ops {
	/* Where the next bytes go, up to PUMP_RX_IOV; 0: take none for now, and
	 * pump_rx() will be called when that changes. */
	int (*rx)(void *engine, struct iovec *iov);
	/* `n` bytes came. 0, or -errno: the peer broke the protocol or the
	 * engine is done; closed() follows with that value. */
	int (*rx_commit)(void *engine, size_t n);
	/* What to send, up to `max` iovecs; 0: nothing. */
	int (*tx)(void *engine, struct iovec *iov, int max);
	void (*tx_commit)(void *engine, size_t n);
	/* The stream has ended: 0 for the peer's orderly end, else -errno.
	 * Comes once, as the pump's last call; the engine frees the pump, there
	 * or later. */
	void (*closed)(void *engine, int err);
};

struct pump;

/* Takes the stream over. NULL without memory, and then the stream is aborted.
 * The first bytes are asked for in the loop's next turn. */
struct pump *pump_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine);

/* There is something to send: it goes out before the loop sleeps, together with
 * all else that gathers until then. */
void pump_tx(struct pump *p);

/* The engine can take bytes again. */
void pump_rx(struct pump *p);

/* Ends the stream, by abort or orderly (what tx() offers is not sent), and
 * frees the pump; closed() is not called. May be called from within the
 * engine's callbacks. NULL is allowed. */
void pump_free(struct pump *p, bool abort);

struct stream *pump_stream(struct pump *p);

/* Goes on over `s`, which has taken the former stream over (TLS, faults) or was
 * beneath it. Not from within the engine's callbacks. */
void pump_replace(struct pump *p, struct stream *s);

#endif
