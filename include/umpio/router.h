/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A router makes one block device of several queues, each of which is a block
 * device of the same data on a loop of its own. Every block belongs to exactly
 * one queue, so what a queue holds together for its blocks (order of
 * overlapping changes, fencing, what is kept until a flush) holds for the
 * device: the address space is cut into stripes, and a stripe's number says
 * whose it is.
 *
 * On each loop the device has a port, which is the blkdev that frontends of
 * that loop use. A request within a stripe goes to its queue, straight when
 * that is on this loop, else by mailbox; one across stripes is split and its
 * parts are joined, the first error is its answer. A FLUSH goes to all queues.
 * A write for another loop is copied there into a buffer of that loop's pool:
 * buffers never cross.
 *
 * The memory bound of blkdev.h is shared out evenly among the ports.
 */
#ifndef UMPIO_ROUTER_H
#define UMPIO_ROUTER_H

#include <stdint.h>
#include <umpio/blkdev.h>

struct loop;
struct router;

#define ROUTER_STRIPE     ((uint64_t)1 << 20) /* bytes, of whole blocks */
#define ROUTER_QUEUES_MAX 64

/* A device of `n` queues, from 1 to ROUTER_QUEUES_MAX, the i-th on loops[i];
 * `name` must outlive it. From any thread, before one of the loops knows of it.
 * NULL without memory. */
struct router *router_new(
	const char *name, unsigned n, struct loop *const *loops);

/* What all queues together are: the smallest size, and what all can. */
void router_merge(
	struct blk_info *info, const struct blk_info *queues, unsigned n);

/* On the queue's loop: it is open from now on. `queue` must live until
 * router_close(); `infos` are those of all queues, as they were once. Requests
 * may come when all queues are open. */
void router_open(struct router *router, unsigned n, struct blkdev *queue,
	const struct blk_info *infos);

/* The port on the n-th queue's loop. Its size grows when all queues have grown.
 */
struct blkdev *router_blkdev(struct router *router, unsigned n);

/* On the queue's loop, when no request is left at any port: nothing more is
 * asked of it. Allowed when it was never opened. */
void router_close(struct router *router, unsigned n);

/* From any thread, when all queues are closed and what the loops had been sent
 * before has run. NULL is allowed. */
void router_free(struct router *router);

/* The queue that the block at `offset` (bytes) belongs to. */
unsigned router_owner(const struct router *router, uint64_t offset);

#endif
