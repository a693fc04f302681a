/* SPDX-License-Identifier: BSD-2-Clause */
/* A replay without memory: late, but not given up. */
#include "bench.h"

#include <errno.h>

#include "tests/sim/starve.h"

enum { PIECES = 12 };

static struct rng dice;

static void setup(struct bench *b)
{
	bench_init(b, 2, "failover", NULL);
	bench_up(b);
	for (unsigned i = 0; i < PIECES; i++) /* none touches another */
		bench_put(b, 0, i * 8192, 4096, 'a' + (int)i);
	t_lun_power_cut(b->lun);
	rng_init(&dice, 1, 1);
}

/* A flush meets the reset. The paths, whose LUN is looked at again, and which
 * are asked what they know, have memory; the replay has none. */
static void flush_without_memory(struct bench *b, struct bench_req *r)
{
	unsigned before;

	for (unsigned n = 0; n < 2; n++) {
		b->paths[n]->slow_opcode = 0x00;
		b->paths[n]->slow = S;
	}
	bench_submit(b, r, BLK_FLUSH, 0, 0, 0);
	bench_run(b, 1500 * MS);
	cr_assert_eq(bench_path(b, 0).state, MPATH_ACTIVE);
	before = starve_count();
	starve(b->loop, &dice, 100);
	for (unsigned n = 0; n < 2; n++)
		b->paths[n]->slow = 0;
	bench_run(b, 3 * S);
	cr_assert_gt(starve_count(), before + 10);
	cr_assert_eq(r->done, 0);
	cr_assert_eq(bench_path(b, 0).state, MPATH_ACTIVE);
}

Test(starved, a_replay_waits_for_memory)
{
	struct bench_req r;
	struct bench b;

	setup(&b);
	flush_without_memory(&b, &r);
	starve(b.loop, &dice, 0);
	bench_run(&b, 200 * MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	for (unsigned i = 0; i < PIECES; i++)
		bench_holds(&b, i * 8192, 4096, 'a' + (int)i);
	cr_assert(t_lun_is_clean(b.lun));
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	cr_assert_not(bench_heard(&b, "cache-lost"));
	bench_fini(&b);
}

/* Much is refused, not all: it gets through in the end. */
Test(starved, a_replay_with_little_memory)
{
	struct bench_req r;
	struct bench b;

	setup(&b);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	starve(b.loop, &dice, 50);
	for (int n = 0; !r.done && n < 600; n++)
		bench_run(&b, S);
	starve(b.loop, &dice, 0);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	for (unsigned i = 0; i < PIECES; i++)
		bench_holds(&b, i * 8192, 4096, 'a' + (int)i);
	bench_fini(&b);
}

/* A reset during the wait, and the end of the device. */
Test(starved, a_wait_that_is_cut_short)
{
	for (int now = 0; now < 2; now++) {
		struct bench_req r;
		struct bench b;

		setup(&b);
		flush_without_memory(&b, &r);
		t_lun_power_cut(b.lun);
		bench_run(&b, S);
		cr_assert_eq(r.done, 0);
		mpdev_drain(b.dev, now);
		bench_run(&b, S);
		starve(b.loop, &dice, 0);
		bench_run(&b, 2 * S);
		bench_req_fini(&r);
		cr_assert_eq(r.err, now ? -ESHUTDOWN : 0);
		bench_fini(&b);
	}
}
