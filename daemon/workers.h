/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers of a daemon, and which of them a device lives on. A worker's
 * thread begins with its first device, so one device costs one thread, however
 * many workers there may be.
 */
#ifndef UMPIOD_WORKERS_H
#define UMPIOD_WORKERS_H

#include <stddef.h>
#include <stdint.h>

struct daemon;
struct device;
struct loop;
struct worker;
struct workers;

/* Room for `count` workers, or, with 0, for one on each processor that we may
 * run on. `poll_ns` as loop_expect_for(). NULL without memory. */
struct workers *workers_new(
	struct loop *control, unsigned count, uint64_t poll_ns);

/* As worker_free() for all of them. NULL is allowed. */
void workers_free(struct workers *workers);

/* Settles the worker of every device of the daemon that has none yet: devices
 * with an NBD address in common have one in common, since a listener has one
 * loop; apart from that it is the one with the fewest devices. */
void workers_assign(struct daemon *daemon);

/* How many there may be. */
unsigned workers_count(const struct workers *workers);

/* The worker of queue number `queue` of `dev`, which has been assigned: those
 * that follow its own. NULL without memory or threads. */
struct worker *workers_of(const struct device *dev, unsigned queue);

/* 0; or -EADDRINUSE and a line in `why`, when an address of `dev` is served by
 * another worker than its own: two of its addresses had been on different ones;
 * or when one of two at an address has queues. */
int workers_check(const struct device *dev, char *why, size_t why_size);

#endif
