/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How requests travel: over connections of NBD, or by threads to a block file.
 */
#ifndef VERIFY_WORKER_H
#define VERIFY_WORKER_H

#include "run.h"

struct target {
	const char *name;
	bool nbd;
	uint64_t size;
	uint32_t unit; /* bytes that requests are multiples of */
};

/* Looks at it. 0 or -errno, said on stderr. */
int target_probe(struct target *t, const char *name);

struct worker {
	struct run *run;
	const struct target *target;
	unsigned n, of; /* which one of how many */
};

/* Threads; `arg` is a worker. They go through all phases. */
void *worker_nbd(void *arg);
void *worker_file(void *arg);

/* 0 or -errno. */
int target_probe_nbd(struct target *t);
int target_probe_file(struct target *t);

#endif
