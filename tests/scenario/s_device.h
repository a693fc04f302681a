/* SPDX-License-Identifier: BSD-2-Clause */
/* What the scenarios of several paths stand on: a device over up to two iSCSI
 * paths, each by a portal group of its own, to one model target and its unit.
 * One instance a test: d_init(), d_up(), d_end(). */
#ifndef TESTS_SCENARIO_S_DEVICE_H
#define TESTS_SCENARIO_S_DEVICE_H

#include <criterion/criterion.h>
#include <umpio/base/units.h>
#include <umpio/blkdev.h>
#include <umpio/iscsi.h>
#include <umpio/mpio.h>
#include <umpio/scsi/opcode.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define D_PATHS 2

struct d_device {
	struct loop *loop;
	struct t_lun_options disk;       /* until d_up() */
	struct t_target_options options; /* likewise */
	struct t_lun *lun;
	struct t_target *target;
	struct addr at[D_PATHS];
	struct t_wire *wire[D_PATHS];
	struct mpdev *dev;
	struct blkdev *blk;
	unsigned ready, drained;
	uint64_t resized;   /* the last size that was told; 0: none */
	char events[16384]; /* "word/path word/path …" */
	struct blkdev_watch watch;
};

struct d_request {
	struct blk_req blk;
	unsigned done;
	int err;
	struct buf *buf; /* of a read */
};

extern struct d_device D;

void d_init(void);
void d_up(unsigned paths); /* policy failover; all are active */
void d_end(void);          /* the target must have had no complaint */
void d_end_with_breach(void);

/* All paths are active (again), within a minute. */
void d_wait_up(void);
void d_pass(uint64_t ms);

/* Submits; a write is filled with `fill`, a read is checked for it when it is
 * done by d_expect_read(). Offsets and lengths in bytes. */
void d_write(struct d_request *r, uint64_t offset, uint32_t len, int fill);
void d_read(struct d_request *r, uint64_t offset, uint32_t len);
/* Waits up to two minutes; the result, 0 or -errno. */
int d_wait(struct d_request *r);
void d_expect_read(uint64_t offset, uint32_t len, int fill);

struct mpath_info d_path(unsigned n);
bool d_heard(const char *event);
/* The nexus of the target's session over path `n`. */
struct t_nexus *d_nexus(unsigned n);

#endif
