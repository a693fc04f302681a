/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of paths, and what it makes of the device. */
#include "bench.h"

#include <errno.h>

Test(mpath, comes_up_and_goes_down_orderly)
{
	struct bench b;
	bool freed = false;

	bench_init(&b, 2, "round-robin", NULL);
	b.paths[0]->freed = &freed;
	cr_assert_eq(bench_state(&b), MPDEV_CONNECTING);
	bench_up(&b);
	bench_run(&b, S);
	cr_assert_eq(b.ready, 1);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert(bench_heard(&b, "path-up/0"));
	cr_assert(bench_heard(&b, "path-up/1"));
	cr_assert(bench_heard(&b, "device-up/-1"));
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_fini(&b);
	cr_assert(freed);
	cr_assert_eq(b.drain_error, 0);
}

/* At once, then up to 0.1 s doubling; a second at most while no path is left.
 */
Test(mpath, back_off)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;
	struct t_path *tp;
	uint64_t died, max = 100 * MS;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	tp = b.paths[0];
	tp->refusal = &why;
	died = loop_now(b.loop);
	t_path_die(tp, PATH_UNKNOWN, false, "reset");
	bench_run(&b, 20 * S);
	cr_assert_geq(tp->starts, 12);
	cr_assert_eq(tp->started_at[1], died);
	for (unsigned n = 2; n < 14 && n < tp->starts; n++) {
		cr_assert_leq(tp->started_at[n] - tp->started_at[n - 1], max,
			"start %u", n);
		max = max * 2 < S ? max * 2 : S;
	}
	cr_assert_str_eq(bench_path(&b, 0).reason, "refused");
	cr_assert_eq(bench_state(&b), MPDEV_QUEUEING);
	tp->refusal = NULL;
	bench_run(&b, 1100 * MS);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_str_empty(bench_path(&b, 0).reason);
	bench_fini(&b);
}

Test(mpath, others_left_may_take_up_to_five_seconds)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[1]->refusal = &why;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	bench_run(&b, 100 * S);
	cr_assert_eq(bench_state(&b), MPDEV_DEGRADED);
	cr_assert(bench_heard(&b, "device-degraded"));
	cr_assert_lt(b.paths[1]->starts, 70);
	cr_assert_gt(b.paths[1]->starts, 20);
	/* The last one dies: the back-off of the others gets short. */
	b.paths[0]->refusal = &why;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	b.paths[1]->refusal = NULL;
	bench_run(&b, 1001 * MS);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_fini(&b);
}

/* One that has rested for a second is tried at once. */
Test(mpath, the_last_loss_wakes_the_others)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;
	struct t_path *tp;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	tp = b.paths[1];
	tp->refusal = &why;
	t_path_die(tp, PATH_UNKNOWN, false, "reset");
	bench_run(&b, 10 * S);
	while (loop_now(b.loop) < tp->started_at[tp->starts - 1] + S)
		bench_run(&b, 10 * MS);
	b.paths[0]->refusal = &why;
	tp->refusal = NULL;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(&b, 2 * MS);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_fini(&b);
}

Test(mpath, time2wait_is_kept)
{
	struct path_down why = {.cure = PATH_RETRY, .wait = 7 * S};
	struct bench b;
	struct t_path *tp;

	bench_init(&b, 1, "failover", NULL);
	tp = b.paths[0];
	tp->refusal = &why;
	bench_run(&b, 30 * S);
	for (unsigned n = 1; n < tp->starts; n++)
		cr_assert_geq(tp->started_at[n] - tp->started_at[n - 1], 7 * S);
	cr_assert_gt(tp->starts, 2);
	bench_fini(&b);
}

Test(mpath, refusals_are_slow_and_hopeless)
{
	static const struct {
		enum path_cure cure;
		unsigned starts; /* in 61 s: every 30 s, every 5 s */
	} cases[] = {{PATH_RETRY_SLOW, 3}, {PATH_FATAL, 13}};

	for (int i = 0; i < 2; i++) {
		struct path_down why = {
			.cure = cases[i].cure, .reason = "no entry"};
		struct bench b;

		bench_init(&b, 2, "failover", NULL);
		b.paths[0]->refusal = b.paths[1]->refusal = &why;
		bench_run(&b, 61 * S);
		cr_assert_eq(b.paths[0]->starts, cases[i].starts);
		cr_assert_eq(b.hopeless, 1, "said once");
		cr_assert_eq(bench_path(&b, 0).state, MPATH_FAILED);
		cr_assert_eq(bench_state(&b), MPDEV_CONNECTING);
		b.paths[1]->refusal = NULL; /* targets come back */
		bench_run(&b, 31 * S);
		cr_assert_eq(b.ready, 1);
		bench_fini(&b);
	}
}

/* A target that starts up has portals before it has LUNs. */
Test(mpath, a_lun_that_was_there_is_soon_looked_for_again)
{
	struct t_lun_options o = bench_lun();
	struct t_lun *none = t_lun_new(&o);
	struct bench b;

	none->gone = true;
	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	b.paths[1]->lun = none;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	bench_run(&b, 60 * S);
	cr_assert(bench_heard(&b, "path-refused/1"));
	cr_assert_lt(b.paths[1]->starts, 60);
	b.paths[1]->lun = b.lun;
	bench_run(&b, 5001 * MS);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_add(&b, none); /* it never was there, and comes */
	bench_run(&b, 61 * S);
	cr_assert_eq(b.paths[2]->starts, 13);
	b.paths[2]->lun = b.lun;
	bench_run(&b, 5001 * MS);
	cr_assert_eq(bench_path(&b, 2).state, MPATH_ACTIVE);
	bench_fini(&b);
	t_lun_free(none);
}

Test(mpath, another_lun_is_quarantined)
{
	struct t_lun_options o = bench_lun();
	struct t_lun *other;
	struct bench b;
	struct bench_req r;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	o.blocks = 4095; /* same name, another size */
	other = t_lun_new(&o);
	bench_add(&b, other);
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_QUARANTINED);
	cr_assert_not_null(strstr(bench_path(&b, 1).reason, "capacity"));
	cr_assert(bench_heard(&b, "path-mismatched/1"));
	for (int i = 0; i < 20; i++) {
		bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
		bench_run(&b, MS);
		bench_req_fini(&r);
	}
	cr_assert_eq(other->writes, 0);
	cr_assert_eq(b.hopeless, 0);
	b.paths[1]->lun = b.lun; /* mended */
	bench_run(&b, 31 * S);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_fini(&b);
	t_lun_free(other);
}

Test(mpath, identity_is_looked_at_again_at_each_return)
{
	struct t_lun_options o = bench_lun();
	struct t_lun *other;
	struct bench b;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	o.naa[15] = 9;
	other = t_lun_new(&o);
	b.paths[0]->lun = other;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_QUARANTINED);
	cr_assert_not_null(strstr(bench_path(&b, 0).reason, "WWID"));
	bench_fini(&b);
	t_lun_free(other);
}

/* 3F/03, INQUIRY data have changed: looked at before the next command. */
Test(mpath, a_change_of_identity_is_noticed_while_up)
{
	struct bench b;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	t_nexus_attend(&b.paths[0]->nexus, 0x3f, 0x03);
	b.lun->options.serial = "OTHER";
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	struct bench_req r;
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_QUARANTINED);
	b.lun->options.serial = NULL;
	bench_run(&b, 40 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_fini(&b);
}

Test(mpath, disable_and_enable)
{
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	cr_assert_eq(mpdev_disable_path(b.dev, 0), 0);
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_DISABLED);
	cr_assert_not(b.paths[0]->up);
	bench_run(&b, 100 * S);
	cr_assert_eq(b.paths[0]->starts, 1);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	cr_assert_eq(b.paths[1]->log_len, 1);
	cr_assert_eq(mpdev_enable_path(b.dev, 0), 0);
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	cr_assert(bench_heard(&b, "path-disabled/0"));
	cr_assert(bench_heard(&b, "path-enabled/0"));
	cr_assert_eq(mpdev_disable_path(b.dev, 7), -ENOENT);
	bench_fini(&b);
}

Test(mpath, remove_with_drain_lets_commands_finish)
{
	struct bench b;
	struct bench_req r;
	bool freed = false;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->freed = &freed;
	b.paths[0]->latency = 100 * MS;
	bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
	cr_assert_eq(mpdev_remove_path(b.dev, 0, true), 0);
	cr_assert_eq(mpdev_remove_path(b.dev, 0, true), -ENOENT);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert(freed);
	cr_assert_eq(bench_path(&b, 0).id, 1);
	cr_assert_eq(bench_path(&b, 0).failovers, 0);
	cr_assert_eq(b.paths[1]->log_len, 0);
	bench_fini(&b);
}

Test(mpath, remove_at_once_moves_commands)
{
	struct bench b;
	struct bench_req r;
	bool freed = false;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->freed = &freed;
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
	mpdev_remove_path(b.dev, 0, false);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(freed);
	cr_assert_eq(b.paths[1]->log_len, 1);
	bench_fini(&b);
}

/* An orderly stop that does not end is cut. */
Test(mpath, a_stuck_path_is_cut)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	mpdev_disable_path(b.dev, 0);
	bench_run(&b, 4 * S);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 2 * S);
	bench_req_fini(&r);
	cr_assert_not(b.paths[0]->up);
	bench_fini(&b);
}

Test(mpath, leaving_path_gets_nothing_new)
{
	struct bench b;
	struct bench_req r[2];

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_submit(&b, &r[0], BLK_READ, 0, 0, 512);
	t_path_leave(b.paths[0]);
	bench_submit(&b, &r[1], BLK_READ, 0, 0, 512);
	bench_run(&b, MS);
	bench_req_fini(&r[1]);
	cr_assert_eq(r[0].done, 0);
	cr_assert_eq(b.paths[0]->log_len, 1);
	t_path_go(b.paths[0]);
	bench_run(&b, S);
	bench_req_fini(&r[0]);
	cr_assert_eq(b.paths[0]->starts, 2);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

Test(mpath, no_path_holds_then_fails_then_comes_back)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;
	struct bench_req r[5];
	struct mpdev_snapshot s;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	for (int i = 0; i < 2; i++) {
		b.paths[i]->refusal = &why;
		t_path_die(b.paths[i], PATH_UNKNOWN, false, "reset");
	}
	for (int i = 0; i < 4; i++)
		bench_submit(&b, &r[i], i % 2 ? BLK_READ : BLK_WRITE, 0,
			(uint64_t)i * 4096, 4096);
	bench_run(&b, 59 * S);
	mpdev_snapshot(b.dev, &s);
	cr_assert_eq(s.queued, 4);
	cr_assert_eq(s.state, MPDEV_QUEUEING);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(r[i].done, 0);
	bench_run(&b, 2 * S);
	for (int i = 0; i < 4; i++) {
		bench_req_fini(&r[i]);
		cr_assert_eq(r[i].err, -EIO);
	}
	cr_assert_eq(bench_state(&b), MPDEV_FAILED);
	cr_assert(bench_heard(&b, "device-failed/-1"));
	bench_submit(&b, &r[4], BLK_READ, 0, 0, 512);
	bench_run(&b, 0);
	bench_req_fini(&r[4]);
	cr_assert_eq(r[4].err, -EIO);
	b.paths[1]->refusal = NULL;
	bench_run(&b, 2 * S);
	cr_assert_eq(bench_state(&b), MPDEV_DEGRADED);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	bench_fini(&b);
}

Test(mpath, requests_before_ready_wait)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "not yet"};
	struct bench b;
	struct bench_req r[3];

	bench_init(&b, 1, "failover", NULL);
	b.paths[0]->refusal = &why;
	bench_submit(&b, &r[0], BLK_WRITE, 0, 100, 1000);
	bench_run(&b, 61 * S);
	bench_req_fini(&r[0]);
	cr_assert_eq(r[0].err, -EIO);
	cr_assert_eq(bench_state(&b), MPDEV_CONNECTING);
	bench_submit(&b, &r[1], BLK_WRITE, 0, 100, 1000);
	bench_submit(&b, &r[2], BLK_READ, 0, 1ull << 40, 1000);
	b.paths[0]->refusal = NULL;
	bench_run(&b, 2 * S);
	bench_req_fini(&r[1]);
	bench_req_fini(&r[2]);
	cr_assert_eq(r[1].err, 0);
	cr_assert_eq(r[2].err, -EINVAL);
	bench_fini(&b);
}

Test(mpath, options_of_a_live_device)
{
	struct mpdev_options o;
	struct bench b;

	mpdev_options_init(&o);
	o.policy = "failover";
	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	cr_assert_eq(mpdev_set_options(b.dev, &o), 0);
	for (int i = 0; i < 20; i++)
		bench_do(&b, BLK_READ, 0, 0, 512);
	cr_assert_eq(b.paths[1]->log_len, 0);
	o.policy = "best";
	cr_assert_eq(mpdev_set_options(b.dev, &o), -EINVAL);
	bench_fini(&b);
}

/* One that could not be made has used its id up. */
Test(mpath, ids_as_they_are_numbered)
{
	struct mpath_info info;
	struct t_path *tp;
	struct bench b;

	bench_init(&b, 0, "round-robin", NULL);
	mpdev_be_queue(b.dev, 1, 3);
	for (int want = 1; want <= 7; want += 3) {
		if (want == 4) {
			cr_assert_eq(
				mpdev_add_path(b.dev, NULL, NULL), -ENOMEM);
			continue;
		}
		tp = t_path_new(b.loop, b.lun);
		tp->group = tp->port = 1;
		cr_assert_eq(mpdev_add_path(b.dev, &tp->path, NULL), want);
		b.paths[b.npaths++] = tp;
	}
	bench_up(&b);
	cr_assert(mpdev_path_info(b.dev, 1, &info));
	cr_assert_eq(info.id, 7);
	cr_assert_eq(mpdev_disable_path(b.dev, 4), -ENOENT);
	cr_assert_eq(mpdev_disable_path(b.dev, 7), 0);
	bench_fini(&b);
}
