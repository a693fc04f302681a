/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams over sockets: what connecting and accepting share. */
#ifndef BASE_STREAM_TCP_H
#define BASE_STREAM_TCP_H

struct loop;
struct stream;

/* A stream over the connected, non-blocking socket `fd`, which becomes the
 * stream's. NULL without memory, and then `fd` is still the caller's. */
struct stream *stream_tcp_new(struct loop *loop, int fd);

#endif
