/* SPDX-License-Identifier: BSD-2-Clause */
/* Bad paths are kept out while there are others. */
#include "bench.h"

#include <errno.h>

static void lose(struct bench *b, unsigned n, uint64_t then)
{
	t_path_die(b->paths[n], PATH_UNKNOWN, false, "reset");
	bench_run(b, then);
}

/* Reads that went over path `n`, of ten. */
static unsigned share(struct bench *b, unsigned n)
{
	uint64_t reads = bench_path(b, n).reads;

	for (int i = 0; i < 10; i++) {
		cr_assert_eq(bench_do(b, BLK_READ, 0, 0, 512), 0);
		bench_run(b, MS);
	}
	return (unsigned)(bench_path(b, n).reads - reads);
}

Test(damping, a_flapping_path_is_held_down)
{
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	bench_run(&b, 6 * S);
	lose(&b, 0, 10 * S);
	lose(&b, 0, 10 * S);
	cr_assert_gt(share(&b, 0), 0);
	cr_assert_not(bench_heard(&b, "path-held-down"));
	lose(&b, 0, 10 * S);
	cr_assert(bench_heard(&b, "path-held-down/0"));
	cr_assert_eq(share(&b, 0), 0);
	cr_assert_gt(bench_path(&b, 0).held_down, 15 * S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_STANDBY);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_run(&b, 21 * S);
	cr_assert(bench_heard(&b, "path-trusted/0"));
	cr_assert_eq(bench_path(&b, 0).held_down, 0);
	cr_assert_gt(share(&b, 0), 0);
	/* The next time it takes twice as long. */
	for (int i = 0; i < 3; i++)
		lose(&b, 0, 6 * S);
	cr_assert_gt(bench_path(&b, 0).held_down, 50 * S);
	bench_fini(&b);
}

Test(damping, one_that_is_held_down_serves_when_no_other_is_left)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	for (int i = 0; i < 3; i++)
		lose(&b, 0, 6 * S);
	cr_assert_eq(share(&b, 0), 0);
	b.paths[1]->refusal = &why;
	lose(&b, 1, 100 * MS);
	cr_assert_eq(bench_state(&b), MPDEV_DEGRADED);
	cr_assert_eq(share(&b, 0), 10);
	b.paths[1]->refusal = NULL;
	bench_run(&b, 10 * S);
	cr_assert_eq(share(&b, 0), 0);
	bench_fini(&b);
}

Test(damping, nothing_is_held_against_the_only_path)
{
	struct bench b;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	for (int i = 0; i < 5; i++)
		lose(&b, 0, 6 * S);
	cr_assert_not(bench_heard(&b, "path-held-down"));
	cr_assert_eq(share(&b, 0), 10);
	bench_fini(&b);
}

Test(damping, three_digest_errors_make_it_marginal)
{
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	b.paths[1]->digest_errors = 2;
	bench_run(&b, 10 * S);
	cr_assert_not(bench_heard(&b, "path-marginal"));
	b.paths[1]->digest_errors = 3;
	bench_run(&b, 10 * S);
	cr_assert(bench_heard(&b, "path-marginal/1"));
	cr_assert_eq(share(&b, 1), 0);
	cr_assert_gt(bench_path(&b, 1).marginal, 15 * S);
	cr_assert_not_null(strstr(bench_path(&b, 1).reason, "digest"));
	bench_run(&b, 31 * S);
	cr_assert(bench_heard(&b, "path-trusted/1"));
	cr_assert_gt(share(&b, 1), 0);
	bench_fini(&b);
}

/* It comes back in time each time, but one cannot rely on it. */
Test(damping, three_silences_make_it_marginal)
{
	struct bench_req r;
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 3; i++) {
		cr_assert_not(bench_heard(&b, "path-marginal"));
		b.paths[0]->silent = true;
		bench_submit(&b, &r, BLK_READ, 0, 0, 512);
		bench_run(&b, 1400 * MS);
		b.paths[0]->silent = false;
		b.paths[0]->heard = loop_now(b.loop);
		t_path_go(b.paths[0]);
		bench_run(&b, 5 * S);
		bench_req_fini(&r);
	}
	cr_assert(bench_heard(&b, "path-marginal/0"));
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(share(&b, 0), 0);
	bench_fini(&b);
}

Test(damping, far_slower_than_the_others)
{
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	b.paths[0]->latency = 5 * MS;
	b.paths[1]->latency = 200 * MS;
	for (int i = 0; i < 12; i++)
		share(&b, 1);
	cr_assert(bench_heard(&b, "path-marginal/1"));
	cr_assert_not(bench_heard(&b, "path-marginal/0"));
	bench_fini(&b);
}

Test(damping, off_by_option)
{
	struct mpdev_options o;
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	mpdev_options_init(&o);
	for (int i = 0; i < 3; i++)
		lose(&b, 0, 6 * S);
	b.paths[1]->digest_errors = 3;
	bench_run(&b, 3 * S);
	cr_assert(bench_heard(&b, "path-marginal/1"));
	cr_assert_gt(share(&b, 0), 0); /* both are poor */
	cr_assert_gt(share(&b, 1), 0);
	o.hold_down = false; /* live */
	cr_assert_eq(mpdev_set_options(b.dev, &o), 0);
	cr_assert_eq(bench_path(&b, 0).held_down, 0);
	cr_assert_eq(share(&b, 1), 0);
	o.marginal = false;
	cr_assert_eq(mpdev_set_options(b.dev, &o), 0);
	cr_assert_gt(share(&b, 1), 0);
	for (int i = 0; i < 4; i++)
		lose(&b, 0, 6 * S);
	cr_assert_eq(bench_path(&b, 0).held_down, 0);
	bench_fini(&b);
}
