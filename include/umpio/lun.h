/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bringing up a logical unit over one path that is up: INQUIRY, TEST UNIT READY
 * until the unit attentions are through, VPD pages, READ CAPACITY, MODE SENSE.
 * What comes out says what the LUN is (its identity) and what it can do.
 */
#ifndef UMPIO_LUN_H
#define UMPIO_LUN_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct path;

struct lun_identity {
	char wwid[280];   /* VPD 83, or serial.… from VPD 80; never empty */
	char serial[256]; /* VPD 80; empty when there is none */
	uint64_t blocks;
	uint32_t block_size;
};

struct lun_facts {
	struct lun_identity identity;
	char vendor[9], product[17], revision[5];
	uint32_t physical_block_size;
	uint32_t optimal_blocks; /* optimal transfer length; 0: not known */
	uint32_t max_transfer_blocks; /* 0: no limit */
	uint32_t max_unmap_blocks, unmap_granularity, unmap_alignment;
	uint64_t max_write_same_blocks; /* 0: no limit said */
	bool read_only, rotational, write_cache, dpofua;
	bool cache_claimed; /* write_cache: not for want of a caching page */
	bool unmap, write_same, write_same_unmap, reads_zero_after_unmap;
	bool provisioned;      /* LBPME: GET LBA STATUS has something to tell */
	uint8_t tpgs;          /* 0 none, 1 implicit, 2 explicit, 3 both */
	int alua_state;        /* enum alua_state of scsi/alua.h; -1: none */
	bool alua_preferred;   /* PREF of the target port group */
	bool limited;          /* the port's access state forbids to know all:
				* of the identity there are the names alone */
	uint16_t target_group; /* VPD 83 type 5, or of the report */
};

/* Calls `done` once with 0 and facts, or -errno and a line that says why:
 * -ENODEV no such LUN, -EMEDIUMTYPE not a disk, -EINVAL a block size or
 * capacity that cannot be served, -EAGAIN not ready or the path died (try again
 * later), -EPROTO nonsense. */
typedef void lun_probe_fn(
	void *arg, int err, const struct lun_facts *facts, const char *reason);
struct lun_probe;
struct lun_probe *lun_probe(
	struct loop *loop, struct path *path, lun_probe_fn *done, void *arg);

/* Gives it up; `done` is not called. The command in flight is left to end. NULL
 * is allowed. */
void lun_probe_cancel(struct lun_probe *probe);

/* True when both are one logical unit; otherwise `why` (of `size` bytes) names
 * the first difference. */
bool lun_identity_equal(const struct lun_identity *a,
	const struct lun_identity *b, char *why, unsigned size);

#endif
