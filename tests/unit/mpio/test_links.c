/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths that a link of this host has cut off. */
#include "bench.h"

static bool is_done(void *arg)
{
	return ((struct bench_req *)arg)->done;
}

static void cut(struct t_path *tp)
{
	tp->cut_off = tp->silent = true;
}

static void mend(struct t_path *tp)
{
	tp->cut_off = tp->silent = false;
	t_path_go(tp);
}

/* A read that a path has when its link goes. */
static void begin(struct bench *b, struct bench_req *r)
{
	b->paths[0]->latency = 10 * MS;
	bench_submit(b, r, BLK_READ, 0, 0, 512);
	bench_run(b, 5 * MS);
	cr_assert_not(r->done);
}

static uint64_t end(struct bench *b, struct bench_req *r)
{
	uint64_t since = loop_now(b->loop);

	cr_assert(t_loop_run_until(b->loop, is_done, r, 300 * S));
	cr_assert_eq(r->err, 0);
	bench_req_fini(r);
	return (loop_now(b->loop) - since) / MS;
}

Test(links, a_path_that_is_cut_off_fails_at_once)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	begin(&b, &r);
	cut(b.paths[0]);
	mpdev_links_changed(b.dev);
	cr_assert_leq(end(&b, &r), 20);
	cr_assert(bench_heard(&b, "path-failed/0 "));
	cr_assert_not(bench_heard(&b, "path-failed/1"));
	cr_assert(bench_heard(&b, "tasks-moved/0"));
	cr_assert_eq(b.paths[0]->probes, 0);
	mend(b.paths[0]);
	bench_run(&b, 10 * S);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

Test(links, the_reason_names_the_link)
{
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[1]->stopped = true; /* does not come back at once */
	cut(b.paths[1]);
	mpdev_links_changed(b.dev);
	bench_run(&b, S);
	cr_assert_str_eq(
		bench_path(&b, 1).reason, "the link to it is down (t0)");
	cr_assert_eq(bench_state(&b), MPDEV_DEGRADED);
	t_path_continue(b.paths[1]);
	mend(b.paths[1]);
	bench_fini(&b);
}

Test(links, other_changes_harm_nobody)
{
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 100; i++) {
		mpdev_links_changed(b.dev);
		bench_run(&b, 100 * MS);
	}
	cr_assert_not(bench_heard(&b, "path-suspected"));
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

/* One link carried all of them. */
Test(links, the_last_paths_are_kept_and_asked)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	begin(&b, &r);
	cut(b.paths[0]);
	cut(b.paths[1]);
	for (int i = 0; i < 5; i++) {
		mpdev_links_changed(b.dev);
		bench_run(&b, 100 * MS);
	}
	cr_assert(bench_heard(&b, "path-suspected/0"));
	cr_assert(bench_heard(&b, "path-suspected/1"));
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(b.paths[0]->probes, 1);
	cr_assert_eq(b.paths[1]->probes, 1);
	mend(b.paths[0]);
	mend(b.paths[1]);
	mpdev_links_changed(b.dev);
	cr_assert_leq(end(&b, &r), 20);
	bench_run(&b, 5 * S);
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

Test(links, of_those_kept_the_first_that_is_back_carries_on)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	begin(&b, &r);
	cut(b.paths[0]);
	cut(b.paths[1]);
	mpdev_links_changed(b.dev);
	bench_run(&b, 500 * MS);
	cr_assert_not(r.done);
	mend(b.paths[1]);
	mpdev_links_changed(b.dev);
	cr_assert_leq(end(&b, &r), 20);
	cr_assert(bench_heard(&b, "path-failed/0 "));
	mend(b.paths[0]);
	bench_fini(&b);
}

/* The other one was down when the link of the last one went. */
Test(links, one_that_comes_up_carries_on)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[1]->stopped = true;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	bench_run(&b, S);
	begin(&b, &r);
	cut(b.paths[0]);
	mpdev_links_changed(b.dev);
	bench_run(&b, 300 * MS);
	cr_assert_not(bench_heard(&b, "path-failed/0"));
	t_path_continue(b.paths[1]);
	cr_assert_leq(end(&b, &r), 50);
	cr_assert(bench_heard(&b, "path-failed/0 "));
	mend(b.paths[0]);
	bench_fini(&b);
}

/* Its back-off is longer by then; what harms nobody does not hurry it. */
Test(links, a_change_has_it_tried_again)
{
	struct path_down nobody = {.cure = PATH_RETRY, .reason = "nobody"};
	struct bench b;
	unsigned starts;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->refusal = &nobody;
	cut(b.paths[0]);
	mpdev_links_changed(b.dev);
	bench_run(&b, 120 * S);
	starts = b.paths[0]->starts;
	for (int i = 0; i < 100; i++) {
		mpdev_links_changed(b.dev);
		bench_run(&b, 100 * MS);
	}
	cr_assert_geq(b.paths[0]->starts, starts + 8);
	cr_assert_leq(b.paths[0]->starts, starts + 12);
	b.paths[0]->refusal = NULL;
	mend(b.paths[0]);
	mpdev_links_changed(b.dev);
	bench_run(&b, 1100 * MS);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	/* One that failed otherwise has its own time. */
	b.paths[1]->refusal = &nobody;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	bench_run(&b, 120 * S);
	starts = b.paths[1]->starts;
	for (int i = 0; i < 300; i++) {
		mpdev_links_changed(b.dev);
		bench_run(&b, 100 * MS);
	}
	cr_assert_leq(b.paths[1]->starts, starts + 20); /* of 30 */
	b.paths[1]->refusal = NULL;
	bench_fini(&b);
}

/* It stays the last one, and has its grace. */
Test(links, the_grace_of_the_last_one_ends)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_run(&b, S);
	cut(b.paths[0]);
	mpdev_links_changed(b.dev);
	bench_run(&b, 9 * S);
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_run(&b, 2 * S);
	cr_assert(bench_heard(&b, "path-failed/0"));
	mend(b.paths[0]);
	bench_run(&b, 10 * S);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}
