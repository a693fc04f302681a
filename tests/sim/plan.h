/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run is made of, all of it chosen from the seed before it begins: the
 * paths and targets, the manners of both sides, the work, and the faults. */
#ifndef TESTS_SIM_PLAN_H
#define TESTS_SIM_PLAN_H

#include "rng.h"

#include <umpio/iscsi.h>
#include <umpio/mpio.h>

#include "tests/lib/t_target.h"

#define PLAN_PATHS   4
#define PLAN_PORTALS 2
#define PLAN_TARGETS 2
#define PLAN_CLIENTS 5
#define PLAN_DEPTH   16
#define PLAN_FAULTS  64

struct plan_client {
	unsigned depth;
	uint64_t gap; /* ns between requests, on average */
	unsigned read, write, zero, trim, flush; /* parts of the whole */
	unsigned fua;                            /* percent */
	uint32_t max_cells;
	uint32_t first, span; /* cells that it works on */
	unsigned hot;         /* percent of requests to `hot_cells` of them */
	uint32_t hot_cells;
};

struct plan_fault {
	uint64_t at, lasts; /* ns; lasts 0: a moment */
	unsigned kind;      /* of faults.h */
	unsigned where;     /* path */
	uint64_t dice;      /* chooses the rest */
};

struct plan {
	uint64_t seed;
	unsigned paths, portals, targets, connections, level;
	bool digests;
	bool one_group; /* of all paths to a target: they are one port */
	uint64_t delay[PLAN_PATHS]; /* one way, ns */
	uint32_t block_size, grain, cells;
	struct t_lun_options disk;
	struct t_target_options target;
	struct iscsi_offer offer;
	enum iscsi_spread spread;
	struct iscsi_timeouts timeouts;
	struct mpdev_options device;
	unsigned clients;
	struct plan_client client[PLAN_CLIENTS];
	unsigned faults;
	struct plan_fault fault[PLAN_FAULTS];
	uint64_t storm; /* ns: from the beginning until faults stop */
};

/* `storm` in ns; the same seed and storm give the same plan. */
void plan_make(struct plan *plan, uint64_t seed, uint64_t storm);

/* Takes all faults out but those whose number is in `only` ("3,7,8"). */
void plan_keep(struct plan *plan, const char *only);

/* The plan as lines of the trace. */
void plan_tell(const struct plan *plan);

#endif
