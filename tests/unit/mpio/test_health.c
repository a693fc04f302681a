/* SPDX-License-Identifier: BSD-2-Clause */
/* Which path is still there: silence, lost commands, dead units, pauses. */
#include "bench.h"

#include <errno.h>

static uint64_t started;

static void begin(struct bench *b, struct bench_req *r)
{
	started = loop_now(b->loop);
	bench_submit(b, r, BLK_READ, 0, 0, 512);
}

static bool is_done(void *arg)
{
	return ((struct bench_req *)arg)->done;
}

/* Runs until `r` is done; ms since begin(). */
static uint64_t end(struct bench *b, struct bench_req *r)
{
	cr_assert(t_loop_run_until(b->loop, is_done, r, 300 * S));
	cr_assert_eq(r->err, 0);
	bench_req_fini(r);
	return (loop_now(b->loop) - started) / MS;
}

static void options(struct bench *b, uint64_t probe_after, uint64_t fail_after)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.probe_after = probe_after;
	o.fail_after = fail_after;
	cr_assert_eq(mpdev_set_options(b->dev, &o), 0);
}

Test(health, a_silent_path_is_suspected_then_failed)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_run(&b, 5 * S);
	b.paths[0]->silent = true;
	begin(&b, &r);
	bench_run(&b, 900 * MS);
	cr_assert_not(bench_heard(&b, "path-suspected"));
	bench_run(&b, 200 * MS);
	cr_assert(bench_heard(&b, "path-suspected/0"));
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_geq(b.paths[0]->probes, 1);
	cr_assert_geq(b.paths[0]->asks, 1);
	cr_assert_leq(end(&b, &r), 2300);
	cr_assert(bench_heard(&b, "path-failed/0 "));
	cr_assert(bench_heard(&b, "tasks-moved/0"));
	bench_run(&b, 100 * MS);
	cr_assert(bench_heard(&b, "tasks-resumed/0"));
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	cr_assert_not_null(strstr(bench_path(&b, 0).reason, "nobody"));
	b.paths[0]->silent = false;
	bench_run(&b, 10 * S);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

Test(health, failover_time_of_a_second)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	options(&b, S / 3, S * 2 / 3);
	b.paths[0]->silent = true;
	begin(&b, &r);
	cr_assert_leq(end(&b, &r), 800);
	bench_fini(&b);
}

/* With commands in flight all the time, and the silence in their midst. */
Test(health, under_load_the_limit_holds)
{
	static struct bench_req r[300];
	struct bench b;
	uint64_t silent_at = 0;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->latency = b.paths[1]->latency = 25 * MS;
	for (int i = 0; i < 300; i++) {
		if (i == 150) {
			silent_at = loop_now(b.loop);
			b.paths[0]->silent = true;
		}
		bench_submit(&b, &r[i], BLK_READ, 0, 512u * (unsigned)i, 512);
		bench_run(&b, 10 * MS);
	}
	started = silent_at;
	for (int i = 0; i < 300; i++) {
		cr_assert(t_loop_run_until(b.loop, is_done, &r[i], 10 * S));
		cr_assert_eq(r[i].err, 0);
		bench_req_fini(&r[i]);
	}
	cr_assert_leq(loop_now(b.loop) - silent_at, 2300 * MS);
	/* Before that nobody was asked anything. */
	cr_assert_leq(b.paths[0]->probes, 1);
	bench_fini(&b);
}

Test(health, a_pause_of_the_target_fails_nobody)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 5; i++) {
		b.paths[0]->silent = true;
		begin(&b, &r);
		bench_run(&b, 1300 * MS);
		b.paths[0]->silent = false;
		t_path_go(b.paths[0]);
		/* What was asked while it did not listen comes late. */
		b.paths[0]->heard = loop_now(b.loop);
		cr_assert_leq(end(&b, &r), 1301);
		bench_run(&b, 30 * S);
	}
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(b.paths[0]->starts, 1);
	bench_fini(&b);
}

Test(health, the_last_path_has_a_grace)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->silent = true;
	begin(&b, &r);
	bench_run(&b, 9900 * MS);
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert(bench_heard(&b, "path-suspected/0"));
	bench_run(&b, 500 * MS);
	cr_assert(bench_heard(&b, "path-failed/0"));
	cr_assert_eq(bench_state(&b), MPDEV_QUEUEING);
	bench_run(&b, 7 * S);
	b.paths[0]->silent = false;
	started = loop_now(b.loop);
	cr_assert_leq(end(&b, &r), 1500);
	bench_fini(&b);
}

Test(health, the_grace_ends_when_another_path_is_there)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[1]->refusal = &why;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	b.paths[0]->silent = true;
	begin(&b, &r);
	bench_run(&b, 4 * S);
	cr_assert_not(bench_heard(&b, "path-failed/0"));
	b.paths[1]->refusal = NULL;
	cr_assert_leq(end(&b, &r), 9900);
	cr_assert(bench_heard(&b, "path-failed/0"));
	bench_fini(&b);
}

Test(health, pings_are_answered_but_the_unit_is_dead)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->dead = true;
	begin(&b, &r);
	cr_assert_leq(end(&b, &r), 7500);
	cr_assert(bench_heard(&b, "path-failed/0"));
	b.paths[0]->dead = false;
	bench_fini(&b);
}

Test(health, slow_is_not_dead)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	begin(&b, &r);
	bench_run(&b, 20 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(b.paths[0]->aborts, 0);
	t_path_go(b.paths[0]);
	cr_assert_leq(end(&b, &r), 20001);
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_fini(&b);
}

Test(health, one_lost_command_moves_while_the_rest_flows)
{
	struct bench b;
	struct bench_req r, other;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->drop = 1;
	begin(&b, &r);
	for (int i = 0; i < 80 && !r.done; i++) {
		bench_submit(&b, &other, BLK_READ, 0, 4096, 512);
		bench_run(&b, 100 * MS);
		bench_req_fini(&other);
	}
	cr_assert_leq(end(&b, &r), 8000);
	cr_assert_eq(b.paths[0]->aborts, 1);
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert(bench_heard(&b, "tasks-moved/0"));
	bench_fini(&b);
}

Test(health, an_abort_that_nobody_answers_costs_the_path)
{
	struct bench b;
	struct bench_req r, other;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->drop = 1;
	b.paths[0]->deaf = true;
	begin(&b, &r);
	for (int i = 0; i < 90 && !r.done; i++) {
		bench_submit(&b, &other, BLK_READ, 0, 4096, 512);
		bench_run(&b, 100 * MS);
		bench_req_fini(&other);
	}
	cr_assert_leq(end(&b, &r), 8000);
	cr_assert(bench_heard(&b, "path-failed/0"));
	bench_fini(&b);
}

Test(health, flushes_may_take_long)
{
	struct bench b;
	struct bench_req w, r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_write(&b, &w, 0, 0, 512, 'x');
	bench_run(&b, 100 * MS);
	bench_req_fini(&w);
	b.paths[0]->hold = true;
	started = loop_now(b.loop);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 58 * S);
	cr_assert_eq(r.done, 0);
	t_path_go(b.paths[0]);
	end(&b, &r);
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_fini(&b);
}

/* A flush that is lost while the rest flows does not wait for ever. */
Test(health, a_lost_flush_moves_after_a_minute)
{
	struct bench b;
	struct bench_req r, other;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_write(&b, &r, 0, 0, 512, 'x');
	bench_run(&b, 100 * MS);
	bench_req_fini(&r);
	b.paths[0]->drop = 1;
	started = loop_now(b.loop);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	for (int i = 0; i < 1000 && !r.done; i++) {
		bench_submit(&b, &other, BLK_READ, 0, 4096, 512);
		bench_run(&b, 100 * MS);
		bench_req_fini(&other);
	}
	cr_assert_leq(end(&b, &r), 61000);
	cr_assert_eq(b.paths[0]->aborts, 1);
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_fini(&b);
}

/* Found without any command, so that the next one does not wait. */
Test(health, idle_paths_are_checked)
{
	struct bench b;
	struct bench_req r;
	unsigned n;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	bench_run(&b, 5 * S);
	b.paths[1]->silent = true;
	bench_run(&b, 4200 * MS);
	cr_assert(bench_heard(&b, "path-failed/1"));
	b.paths[0]->probes = b.paths[0]->asks = 0;
	bench_run(&b, 40 * S);
	cr_assert_geq(b.paths[0]->probes, 18);
	cr_assert_geq(b.paths[0]->asks, 4);
	/* Ever more rarely. */
	b.paths[1]->silent = false;
	bench_run(&b, 300 * S);
	n = b.paths[0]->probes;
	bench_run(&b, 200 * S);
	n = b.paths[0]->probes - n;
	cr_assert(n >= 9 && n <= 11, "%u probes", n);
	b.paths[0]->dead = true; /* only TEST UNIT READY shows that */
	bench_run(&b, 100 * S);
	cr_assert(bench_heard(&b, "path-failed/0"));
	begin(&b, &r);
	cr_assert_leq(end(&b, &r), 10);
	bench_fini(&b);
}

/* A check that was answered is over, whatever comes then. */
Test(health, silence_counts_from_the_command)
{
	for (uint64_t at = 0; at < 4000 * MS; at += 130 * MS) {
		struct bench b;
		struct bench_req r;
		uint64_t took;

		bench_init(&b, 2, "failover", NULL);
		bench_up(&b);
		bench_run(&b, 10 * S + at);
		b.paths[0]->silent = true;
		begin(&b, &r);
		took = end(&b, &r);
		cr_assert(took >= 1990 && took <= 2300, "%d ms", (int)took);
		bench_fini(&b);
	}
}

/* What a check is told of must not be lost with it. */
Test(health, attentions_told_to_a_check_are_heeded)
{
	struct bench b;
	struct mpdev_snapshot s;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	cr_assert_eq(t_lun_resize(b.lun, 8192), 0);
	bench_run(&b, 30 * S);
	mpdev_snapshot(b.dev, &s);
	cr_assert_eq(s.info.size, 8192 * 512);
	bench_fini(&b);
}

/* The clock jumps while a command is on its way, once short of each limit. */
Test(health, a_pause_of_our_own_fails_nobody)
{
	for (uint64_t at = 50 * MS; at < 1800 * MS; at += 250 * MS) {
		struct bench b;
		struct bench_req r;

		bench_init(&b, 2, "failover", NULL);
		bench_up(&b);
		b.paths[0]->hold = true;
		begin(&b, &r);
		bench_run(&b, at);
		b.paths[0]->silent = true; /* what comes is not read … */
		t_loop_skip(b.loop, 10 * S);
		b.paths[0]->silent = false;
		bench_run(&b, 2 * S);
		cr_assert_not(bench_heard(&b, "path-failed"));
		cr_assert_eq(b.paths[0]->aborts, 0);
		t_path_go(b.paths[0]);
		end(&b, &r);
		/* … and a path that stays silent fails all the same. */
		b.paths[0]->silent = true;
		begin(&b, &r);
		bench_run(&b, at);
		t_loop_skip(b.loop, 10 * S);
		end(&b, &r);
		cr_assert(bench_heard(&b, "path-failed/0"));
		bench_fini(&b);
	}
}
