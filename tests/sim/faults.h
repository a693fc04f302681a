/* SPDX-License-Identifier: BSD-2-Clause */
/* All that can go wrong in a run, one row each. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct world;
struct world_fault;

struct fault_kind {
	const char *name;
	unsigned weight;                       /* how often, among the others */
	uint64_t shortest, longest;            /* ms; 0: a moment */
	bool (*fits)(const struct plan *plan); /* NULL: every plan */
	void (*begin)(struct world_fault *f);
	void (*end)(struct world_fault *f); /* or NULL */
};

/* In families, a file each. */
extern const struct fault_kind faults_wire[], faults_target[], faults_scsi[],
	faults_host[];

/* The kinds by number; NULL behind the last one. */
const struct fault_kind *fault_kind_at(unsigned n);

/* The number of the kind with this name; aborts when there is none. */
unsigned fault_kind(const char *name);

/* Sets all timers of the plan's faults. */
void faults_start(struct world *w);

/* Ends all that lasts, and undoes what waits to happen. */
void faults_stop(struct world *w);

/* What a fault does, for the timeline; before anything is done. */
void fault_say(const struct world_fault *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
