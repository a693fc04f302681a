/* SPDX-License-Identifier: BSD-2-Clause */
/* The world of one run: a device of the real mpio over real iSCSI paths, model
 * targets with one medium, the wires between, and clients above. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "client.h"
#include "oracle.h"
#include "plan.h"

#include "tests/lib/t_stream.h"

struct loop_timer;

/* What the device may hold in buffers: what the clients have in flight, as much
 * again for what it reads, merges and zeroes, and the connections' own; and
 * what is kept until a flush, 32 MiB. */
#define WORLD_MEMORY_MAX (64u << 20)

struct world_fault {
	struct world *world;
	const struct plan_fault *plan;
	struct loop_timer *timer;
	bool on;
	struct t_conn *conn; /* that it has struck */
};

struct world {
	struct plan *plan;
	struct rng rng;    /* of what is decided while it runs */
	struct loop *near; /* the daemon's */
	struct loop *far;  /* the targets' and the faults' */
	struct t_lun *lun;
	struct t_target *target[PLAN_TARGETS];
	struct mpdev *dev;
	struct blkdev *blk;
	struct oracle *oracle;
	struct client client[PLAN_CLIENTS];
	unsigned inflight; /* requests of all clients */
	struct world_fault fault[PLAN_FAULTS];
	unsigned struck;      /* faults that have begun */
	struct t_hooks hooks; /* of both targets */
	unsigned lie;         /* enum lie of faults_target.c; 0: none waits */
	struct loop_timer *sampler;
	size_t peak; /* bytes of buffers */
	unsigned ready, drained;
	int drain_error;
	uint64_t requests, failures;
	uint64_t longest; /* ns that one request took */
	bool owed; /* acknowledged writes were lost, and no flush has said so */
	uint64_t losses; /* blkdev.losses that the oracle knows of */
	bool starved;    /* allocations have failed */
	bool calm;       /* faults have stopped and are forgotten */
};

void world_init(struct world *w, struct plan *plan);
/* The device was drained; everything is freed. */
void world_fini(struct world *w);

/* The target that path `n` leads to, and the wire to a portal of it. */
struct t_target *world_target(struct world *w, unsigned path);
struct t_wire *world_wire(
	const struct world *w, unsigned path, unsigned portal);
struct addr world_addr(const struct world *w, unsigned path, unsigned portal);
uint16_t world_group(const struct world *w, unsigned path);

/* A living connection of the path, `dice` says which; NULL: there is none. */
struct t_conn *world_conn(struct world *w, unsigned path, uint64_t dice);
/* The session of the path; NULL: there is none. */
struct t_session *world_session(struct world *w, unsigned path);

/* All paths are active. */
bool world_is_whole(const struct world *w);

/* The device has lost acknowledged writes and has said so by its count alone:
 * for want of memory an event is only logged. To be asked before what a request
 * has found is judged. */
void world_heed_losses(struct world *w);

/* What the volatile cache held is gone, on all targets. */
void world_power_cut(struct world *w);

/* The hooks of the targets: wrong answers (faults_target.c). */
void world_set_hooks(struct world *w);

#endif
