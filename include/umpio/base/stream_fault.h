/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream over a stream, with faults: it holds back, delays or slows down what
 * passes, each direction by itself. Memory is bounded; what does not fit makes
 * the writer wait, or stays in the stream beneath.
 */
#ifndef UMPIO_BASE_STREAM_FAULT_H
#define UMPIO_BASE_STREAM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct stream;

#define STREAM_FAULT_HELD     (4u << 20) /* bytes, each direction */
#define STREAM_FAULT_RATE_MAX 10000000000ull

/* All zero: everything passes. */
struct stream_fault {
	bool hold;      /* nothing passes, also not the end of the stream */
	uint64_t delay; /* ns */
	uint64_t rate; /* bytes a second, up to STREAM_FAULT_RATE_MAX; 0: any */
};

/* A stream over `inner`, which passes to it; no fault yet. NULL without memory,
 * and then `inner` is as it was. */
struct stream *stream_fault_new(struct loop *loop, struct stream *inner);

/* The faults from now on. What is held back already keeps its time, or passes
 * at once when there is neither delay nor hold any more. */
void stream_fault_set(struct stream *s, const struct stream_fault *in,
	const struct stream_fault *out);

/* Takes the wrapping off: the inner stream, which has no owner now, and `s` is
 * gone. NULL while something is held back; then nothing has changed. Not from
 * within callbacks of `s`. */
struct stream *stream_fault_unwrap(struct stream *s);

#endif
