/* SPDX-License-Identifier: BSD-2-Clause */
/* LUNs that grow, and that must not be let shrink. */
#include "bench.h"

#include <errno.h>

struct ear {
	struct blkdev_watch watch;
	unsigned times;
	uint64_t size;
};

static void heard(struct blkdev_watch *watch, uint64_t size)
{
	struct ear *ear = (struct ear *)watch;

	ear->times++;
	ear->size = size;
}

static uint64_t size_of(const struct bench *b)
{
	struct blk_info info;

	blkdev_info(b->blk, &info);
	return info.size;
}

Test(growth, is_followed_on_all_paths)
{
	struct ear ear = {.watch.resized = heard};
	struct bench b;

	bench_init(&b, 3, "failover", NULL);
	bench_up(&b);
	blkdev_watch(b.blk, &ear.watch);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 4096 * 512, 512), -ENOSPC);
	cr_assert_eq(t_lun_resize(b.lun, 8192), 0);
	/* One path hears of it; the others have not seen a command. */
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	bench_run(&b, 100 * MS);
	cr_assert_eq(ear.times, 1);
	cr_assert_eq(ear.size, 8192 * 512);
	cr_assert_eq(size_of(&b), 8192 * 512);
	cr_assert(bench_heard(&b, "device-grown/-1"));
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_not(bench_heard(&b, "device-queueing"));
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 4096 * 512, 512), 0);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 8191 * 512, 512), 0);
	blkdev_unwatch(b.blk, &ear.watch);
	bench_fini(&b);
}

/* A path that leads to another size keeps the device as it is until it agrees.
 */
Test(growth, waits_until_all_agree)
{
	struct t_lun_options o = bench_lun();
	struct t_lun *late;
	struct bench b;

	bench_init(&b, 1, "round-robin", NULL);
	late = t_lun_new(&o);
	bench_add(&b, late);
	bench_up(&b);
	cr_assert_eq(t_lun_resize(b.lun, 8192), 0);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
		bench_run(&b, MS);
	}
	bench_run(&b, 5 * S);
	cr_assert_eq(size_of(&b), 4096 * 512);
	cr_assert_eq(t_lun_resize(late, 8192), 0);
	bench_run(&b, 2 * S);
	cr_assert_eq(size_of(&b), 8192 * 512);
	bench_fini(&b);
	t_lun_free(late);
}

/* A path that was away comes back to a larger LUN. */
Test(growth, is_found_by_a_path_that_returns)
{
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	b.paths[1]->refusal =
		&(struct path_down){.cure = PATH_RETRY, .reason = "refused"};
	bench_run(&b, MS);
	cr_assert_eq(t_lun_resize(b.lun, 8192), 0);
	b.paths[1]->refusal = NULL;
	bench_run(&b, 12 * S);
	cr_assert_eq(size_of(&b), 8192 * 512);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_fini(&b);
}

/* Nobody is left who could say otherwise. */
Test(growth, is_found_after_an_outage)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	cr_assert_eq(t_lun_resize(b.lun, 8192), 0);
	bench_run(&b, 10 * S);
	cr_assert_eq(size_of(&b), 8192 * 512);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_fini(&b);
}

Test(growth, never_shrinks)
{
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	cr_assert_eq(t_lun_resize(b.lun, 2048), 0);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	bench_run(&b, S);
	cr_assert_eq(size_of(&b), 4096 * 512);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 4095 * 512, 512), -EIO);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	bench_fini(&b);
}
