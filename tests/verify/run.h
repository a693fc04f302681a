/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: what is asked for, and what all workers share.
 */
#ifndef VERIFY_RUN_H
#define VERIFY_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "stalls.h"

#define TARGETS_MAX  8
#define FINDINGS_MAX 64

enum op { OP_READ, OP_WRITE, OP_FUA, OP_FLUSH, OP_ZERO, OP_TRIM, OPS };
extern const char *const op_names[OPS];

struct options {
	const char *targets[TARGETS_MAX];
	unsigned ntargets;
	uint64_t offset, size; /* of the region; size 0: to the end */
	uint32_t unit, max_io; /* bytes; unit 0: the device's */
	unsigned connections, depth;
	uint64_t seconds;     /* 0: until told to stop */
	unsigned parts[OPS];  /* the mix */
	unsigned hot;         /* percent of requests to the first 1 MiB */
	unsigned rate;        /* requests a second of a connection; 0: any */
	uint64_t seed, hang;  /* hang: ns that the last ones may take */
	const char *announce; /* FIFO to make; NULL: none */
	const char *json;     /* file; "-": standard output; NULL: none */
	bool walk;            /* writes go one behind the other */
	bool no_fill, no_check, allow_errors;
};

enum phase { PHASE_FILL, PHASE_MIX, PHASE_DRAIN, PHASE_CHECK };

struct run {
	struct options o;
	struct history *history;
	struct stalls *stalls;
	uint64_t id, sectors;
	_Atomic int phase;
	atomic_uint arrived; /* workers that are through with it */
	atomic_uint inflight;
	atomic_bool stop; /* no more than this */
	atomic_ullong ops[OPS], errors[OPS], disconnects, bytes;
	atomic_ullong found[FOUND_KINDS];
	struct finding findings[FINDINGS_MAX]; /* the first ones */
	uint64_t found_at[FINDINGS_MAX];       /* ns from the start */
	atomic_uint nfindings;
	uint64_t started;
};

uint64_t run_now(void); /* ns */

/* A found_fn; `arg` is the run. */
void run_found(void *run, const struct finding *f);

/* For a worker: waits for the phase; says that it is through with it. */
void run_await(struct run *run, enum phase phase);
void run_arrive(struct run *run);

/* Listens for announcements, for ever; `arg` is the run. The FIFO is there when
 * announce_open() has returned 0. */
int announce_open(struct run *run);
void *announce_listen(void *arg);

/* The table, or JSON, to the stream. */
void report_table(struct run *run, FILE *out);
void report_json(struct run *run, FILE *out);
bool run_clean(const struct run *run);

#endif
