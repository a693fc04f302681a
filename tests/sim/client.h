/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of the device: keeps some requests in flight, and holds every answer
 * against the oracle. */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "plan.h"

#include <umpio/blkdev.h>

struct loop_timer;
struct world;

struct slot {
	struct client *client;
	struct blk_req blk;
	struct buf *buf; /* of a read, ours */
	uint32_t number; /* of the oracle; 0: free */
	uint64_t begun;
};

struct client {
	struct world *world;
	const struct plan_client *plan;
	unsigned id;
	struct rng rng;
	struct loop_timer *timer;
	struct slot slot[PLAN_DEPTH];
};

void client_init(struct client *c, struct world *w, unsigned id);
void client_start(struct client *c);
/* Nothing new; what is in flight goes on. */
void client_stop(struct client *c);
void client_fini(struct client *c);

/* One request, through slot 0 of a stopped client without requests in flight:
 * for what is looked at in the end. `op` is enum blk_op. */
void client_ask(struct client *c, unsigned op, uint32_t first, uint32_t count);

#endif
