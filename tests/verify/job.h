/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request as verify makes one: chosen, entered in the history, and judged
 * when it has ended. How it travels is the worker's.
 */
#ifndef VERIFY_JOB_H
#define VERIFY_JOB_H

#include "run.h"

/* Where jobs of one thread come from. */
struct source {
	struct run *run;
	uint64_t random, writer;
	uint64_t low, high, walk;    /* bytes of its slice, next write there */
	uint64_t at, end;            /* bytes still to be filled or checked */
	bool fua, flush, zero, trim; /* what the device can do */
	bool file;    /* its changes wait for each other in the kernel */
	uint64_t due; /* when the next may begin, at a limited rate */
};

struct job {
	struct source *source;
	enum op op;
	uint64_t offset, len, begun;
	uint8_t *data; /* of max_io bytes, the job's */
	struct value *value;
	struct reading reading;
	uint64_t flush;
	bool busy, hot;
};

/* 0 or -ENOMEM. */
int job_init(struct job *j, struct source *s);
void job_fini(struct job *j);

/* The slice of the region that is worker `n`'s of `of`. */
void source_init(struct source *s, unsigned n, unsigned of);
/* It is to be filled or checked, in turn. */
void source_rewind(struct source *s);
/* 0: one may begin now; else ns to wait. */
uint64_t source_wait(const struct source *s);

/* Chooses the next one and begins it; false: the phase has none any more. */
bool job_begin(struct job *j);

/* It has ended with 0 or -errno. `lost`: its connection broke under it, and it
 * may land for a while; then job_settle() is due when that is over. */
void job_end(struct job *j, int err, bool lost);
void job_settle(struct run *run, struct value *v);

#endif
