/* SPDX-License-Identifier: BSD-2-Clause */
/* A router from within: router.c has ports and mail, router_part.c the way of a
 * request. */
#ifndef MPIO_ROUTER_H
#define MPIO_ROUTER_H

#include <umpio/router.h>

#include "mailbox.h"

#define ROUTER_WINDOW       64u /* parts of one request under way */
#define ROUTER_STATUS_PARTS 64u /* that one STATUS looks at */

/* A request under way that is not simply handed through; of its port. */
struct whole {
	struct router_port *port;
	struct blk_req *blk;
	uint64_t at, end;  /* not asked yet: bytes, or of a FLUSH queues */
	unsigned parts;    /* under way */
	unsigned asked;    /* so far */
	unsigned nextents; /* of STATUS, so far */
	int err;           /* the first */
	SLIST_ENTRY(whole) spare;
};

/* What one queue does of it. It goes there and comes back to its port. */
struct part {
	struct letter letter; /* first */
	struct blk_req req;
	struct whole *whole;
	struct router_port *home, *at;
	uint64_t losses; /* of the queue when it was done */
	int err;
	TAILQ_ENTRY(part) link; /* waiting */
	SLIST_ENTRY(part) spare;
};

struct router_port {
	struct blkdev blk; /* first: a port is its blkdev */
	struct router *router;
	struct loop *loop;
	unsigned number;
	struct blkdev *queue; /* NULL: not open */
	struct blkdev_watch watch;
	struct blk_info info;
	struct mailbox in;
	struct letter_list out[ROUTER_QUEUES_MAX];
	struct loop_task posting;

	/* Of the queues, as far as this port has heard. */
	uint64_t sizes[ROUTER_QUEUES_MAX];
	uint64_t losses[ROUTER_QUEUES_MAX];
	uint64_t told; /* of losses, clients without a count */

	unsigned wholes; /* under way */
	SLIST_HEAD(, whole) spare_wholes;
	SLIST_HEAD(, part) spare_parts;
	TAILQ_HEAD(, blk_req) refused; /* with -errno in `priv` */
	struct loop_task refusing;

	/* Parts of other ports that the queue has, and those for which there
	 * was no memory yet, in order. */
	unsigned guests;
	TAILQ_HEAD(, part) waiting;
};

struct router {
	unsigned n;
	struct router_port ports[];
};

/* Brings `letter` to another port at the end of this turn. */
void port_send(struct router_port *port, unsigned to, struct letter *letter);

/* The port's blkdev_ops.submit. */
void port_submit(struct blkdev *dev, struct blk_req *blk);

/* Answers those that were refused within port_submit(). */
void port_refuse(void *port);

/* Frees spare objects. */
void port_spares_free(struct router_port *port);

#endif
