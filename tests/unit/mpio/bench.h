/* SPDX-License-Identifier: BSD-2-Clause */
/* A device over fake paths to one model LUN, on virtual time, and requests that
 * count how often they complete. */
#ifndef TESTS_UNIT_MPIO_BENCH_H
#define TESTS_UNIT_MPIO_BENCH_H

#include "tests/lib/t_loop.h"
#include "tests/lib/t_lun.h"
#include "tests/lib/t_path.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <umpio/mpio.h>

#define BENCH_PATHS 4
#define MS          NS_PER_MS
#define S           NS_PER_S

struct bench {
	struct loop *loop;
	struct t_lun *lun;
	struct mpdev *dev;
	struct blkdev *blk;
	struct t_path *paths[BENCH_PATHS]; /* not ours: the device's */
	unsigned npaths;
	unsigned ready, hopeless, drained;
	int drain_error;
	char events[16384]; /* "word/path word/path …" */
	char fenced[160];   /* the reason of the last event of that word */
};

struct bench_req {
	struct blk_req blk;
	unsigned done; /* times */
	int err;
	struct buf *buf; /* of a read */
};

struct t_lun_options bench_lun(void); /* 4096 blocks of 512, cache, unmap */

/* A device with `npaths` paths that come up when the loop runs. */
void bench_init(struct bench *b, unsigned npaths, const char *policy,
	const struct t_lun_options *lun);
/* The same with options of the device; `options->policy` is set. */
void bench_init_with(struct bench *b, unsigned npaths,
	const struct mpdev_options *options, const struct t_lun_options *lun);
struct t_path *bench_add(struct bench *b, struct t_lun *lun);
struct t_path *bench_add_group(
	struct bench *b, struct t_lun *lun, uint16_t group);
void bench_up(struct bench *b); /* runs until ready */
/* Drains unless drained, frees, checks that every buffer came back. */
void bench_fini(struct bench *b);
void bench_run(struct bench *b, uint64_t ns);

bool bench_heard(const struct bench *b, const char *event);
enum mpdev_state bench_state(const struct bench *b);
struct mpath_info bench_path(const struct bench *b, unsigned n);

/* Submits; a write is filled with `fill`. */
void bench_submit(struct bench *b, struct bench_req *r, enum blk_op op,
	unsigned flags, uint64_t offset, uint32_t len);
void bench_write(struct bench *b, struct bench_req *r, unsigned flags,
	uint64_t offset, uint32_t len, int fill);
/* Submits r->blk as the test has set it. */
void bench_send(struct bench *b, struct bench_req *r);
/* Gives a read's buffer back. */
void bench_req_fini(struct bench_req *r);
/* Submits, runs until done, checks that it was once; the result. */
int bench_do(struct bench *b, enum blk_op op, unsigned flags, uint64_t offset,
	uint32_t len);

/* A write that succeeds within a millisecond. */
void bench_put(
	struct bench *b, unsigned flags, uint64_t at, uint32_t len, int fill);
/* The unit's bytes [at, at + len) are `fill`. */
void bench_holds(const struct bench *b, uint64_t at, size_t len, int fill);
/* The session of path `n` is lost, if it has one. */
void bench_die(struct bench *b, unsigned n);

#endif
