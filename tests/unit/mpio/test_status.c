/* SPDX-License-Identifier: BSD-2-Clause */
/* STATUS: what is allocated, as GET LBA STATUS tells it. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/lba_status.h>

#define ROOM 8

struct asked {
	struct bench_req req;
	struct blk_extent x[ROOM];
};

static void ask(struct bench *b, struct asked *a, uint64_t offset, uint32_t len,
	unsigned room)
{
	memset(a, 0, sizeof *a);
	a->req.blk.op = BLK_STATUS;
	a->req.blk.offset = offset;
	a->req.blk.len = len;
	a->req.blk.extents = a->x;
	a->req.blk.nextents = room;
	bench_send(b, &a->req);
	bench_run(b, S);
	cr_assert_eq(a->req.done, 1);
}

static void expect(
	const struct asked *a, unsigned n, const struct blk_extent *x)
{
	cr_assert_eq(a->req.err, 0);
	cr_assert_eq(a->req.blk.nextents, n, "%u extents", a->req.blk.nextents);
	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(a->x[i].len, x[i].len, "extent %u", i);
		cr_assert_eq(a->x[i].flags, x[i].flags, "extent %u", i);
	}
}

#define HOLE (BLK_HOLE | BLK_ZEROES)

Test(status, tells_what_was_written)
{
	struct bench b;
	struct asked a;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 8192, 4096), 0);
	ask(&b, &a, 0, 65536, ROOM);
	expect(&a, 3,
		(struct blk_extent[]){{8192, HOLE}, {4096, 0}, {53248, HOLE}});
	/* Any bytes; the extents are cut to them. */
	ask(&b, &a, 8191, 4098, ROOM);
	expect(&a, 3, (struct blk_extent[]){{1, HOLE}, {4096, 0}, {1, HOLE}});
	ask(&b, &a, 8200, 3, ROOM);
	expect(&a, 1, (struct blk_extent[]){{3, 0}});
	/* No more than there is room for. */
	ask(&b, &a, 0, 65536, 2);
	expect(&a, 2, (struct blk_extent[]){{8192, HOLE}, {4096, 0}});
	ask(&b, &a, 4096 * 512 - 512, 512, 1);
	expect(&a, 1, (struct blk_extent[]){{512, HOLE}});
	ask(&b, &a, 4096 * 512, 1, 1);
	cr_assert_eq(a.req.err, -EINVAL);
	bench_fini(&b);
}

Test(status, is_never_asked_for_by_reads)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->log_len = 0;
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 65536), 0);
	for (unsigned i = 0; i < b.paths[0]->log_len; i++)
		cr_assert_neq(b.paths[0]->log[i], 0x9e);
	bench_fini(&b);
}

Test(status, is_data_where_the_unit_is_not_provisioned)
{
	struct t_lun_options lun = bench_lun();
	struct bench b;
	struct asked a;

	lun.unmap = false;
	bench_init(&b, 1, "failover", &lun);
	bench_up(&b);
	b.paths[0]->log_len = 0;
	ask(&b, &a, 512, 65536, ROOM);
	expect(&a, 1, (struct blk_extent[]){{65536, 0}});
	cr_assert_eq(b.paths[0]->log_len, 0, "a command for nothing");
	bench_fini(&b);
}

Test(status, is_data_when_the_target_fails)
{
	struct bench b;
	struct asked a;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	t_nexus_script(&b.paths[0]->nexus, 0x9e, 2, 0x031100); /* medium */
	ask(&b, &a, 0, 65536, ROOM);
	expect(&a, 1, (struct blk_extent[]){{65536, 0}});
	ask(&b, &a, 0, 65536, ROOM);
	expect(&a, 1, (struct blk_extent[]){{65536, HOLE}});
	/* Not there at all: it is not asked for again. */
	t_nexus_script(&b.paths[0]->nexus, 0x9e, 2, 0x052000);
	ask(&b, &a, 0, 65536, ROOM);
	expect(&a, 1, (struct blk_extent[]){{65536, 0}});
	ask(&b, &a, 0, 65536, ROOM);
	expect(&a, 1, (struct blk_extent[]){{65536, 0}});
	bench_fini(&b);
}

/* A failed path moves the question to the other one. */
Test(status, survives_the_path)
{
	struct bench b;
	struct asked a;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	memset(&a, 0, sizeof a);
	a.req.blk.op = BLK_STATUS;
	a.req.blk.len = 4096;
	a.req.blk.extents = a.x;
	a.req.blk.nextents = ROOM;
	bench_send(&b, &a.req);
	bench_run(&b, MS);
	cr_assert_eq(a.req.done, 0);
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(&b, S);
	cr_assert_eq(a.req.done, 1);
	expect(&a, 1, (struct blk_extent[]){{4096, HOLE}});
	b.paths[0]->hold = false;
	bench_fini(&b);
}
