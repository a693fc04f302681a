/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>
#include <umpio/base/units.h>
#include <umpio/scsi/opcode.h>

/* Paths 0 and 2 to group 1, path 1 to group 2. */
static void init(
	struct bench *b, uint8_t tpgs, enum alua_state one, enum alua_state two)
{
	struct t_lun_options o = bench_lun();

	o.tpgs = tpgs;
	bench_init(b, 0, "round-robin", &o);
	t_lun_set_alua_quietly(b->lun, 1, one);
	t_lun_set_alua_quietly(b->lun, 2, two);
	for (unsigned n = 0; n < 3; n++)
		bench_add_group(b, b->lun, n == 1 ? 2 : 1);
	bench_up(b);
	for (unsigned n = 0; n < 3; n++)
		b->paths[n]->latency = MS;
	bench_run(b, MS);
	b->events[0] = '\0';
}

static void expect(const struct bench *b, const char *states)
{
	char is[BENCH_PATHS + 1] = "";

	for (unsigned n = 0; n < b->npaths; n++) {
		enum mpath_state state = bench_path(b, n).state;

		is[n] = state == MPATH_ACTIVE    ? 'a'
			: state == MPATH_STANDBY ? 's'
						 : 'f';
	}
	cr_assert_str_eq(is, states);
}

static uint64_t write_ns(struct bench *b)
{
	uint64_t began = loop_now(b->loop);

	cr_assert_eq(bench_do(b, BLK_WRITE, 0, 0, 4096), 0);
	return loop_now(b->loop) - began;
}

Test(alua_watch, attention_is_read_once_for_the_lun)
{
	struct bench b;
	unsigned before;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	before = b.lun->reports;
	t_lun_set_alua_quietly(b.lun, 1, ALUA_NON_OPTIMIZED);
	t_lun_set_alua(b.lun, 2, ALUA_OPTIMIZED);
	for (unsigned n = 0; n < 12; n++)
		write_ns(&b);
	bench_run(&b, MS);
	expect(&b, "sas");
	cr_assert_str_eq(bench_path(&b, 0).alua, "non-optimized");
	cr_assert_str_eq(bench_path(&b, 1).alua, "optimized");
	bench_run(&b, S);
	cr_assert_leq(b.lun->reports - before, 2);
	cr_assert(bench_heard(&b, "alua-changed/1"));
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_fini(&b);
}

/* The same unasked, as an Async Message brings it. */
Test(alua_watch, attention_that_no_command_met)
{
	const uint8_t sense[18] = {0x70, 0, 0x06, [7] = 10, [12] = 0x2a, 0x06};
	struct bench b;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_NON_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_OPTIMIZED);
	b.paths[0]->path.events->sense(&b.paths[0]->path, sense, sizeof sense);
	bench_run(&b, 100 * MS);
	expect(&b, "sas");
	bench_fini(&b);
}

/* A standby port answers a write: it goes elsewhere, and nothing has failed. */
Test(alua_watch, standby_is_left_at_once)
{
	struct bench b;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_STANDBY);
	expect(&b, "asa");
	t_lun_set_alua_quietly(b.lun, 1, ALUA_STANDBY);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_OPTIMIZED);
	cr_assert_leq(write_ns(&b), 100 * MS);
	expect(&b, "sas");
	cr_assert_not(bench_heard(&b, "path-failed"));
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	/* And back. Sense is believed for a second, whatever a report says. */
	bench_run(&b, S);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_UNAVAILABLE);
	cr_assert_leq(write_ns(&b), 200 * MS);
	bench_run(&b, MS);
	expect(&b, "asa");
	bench_fini(&b);
}

/* What a standby port does not tell is asked before its first write. */
Test(alua_watch, identity_is_complete_before_the_first_write)
{
	struct t_lun_options other = bench_lun();
	struct t_lun *wrong;
	struct bench b;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_OPTIMIZED);
	other.tpgs = 1;
	other.blocks = 2048; /* the same names, but smaller */
	wrong = t_lun_new(&other);
	t_lun_set_alua_quietly(wrong, 3, ALUA_STANDBY);
	bench_add_group(&b, wrong, 3);
	bench_run(&b, S);
	expect(&b, "aaas");
	t_lun_set_alua_quietly(wrong, 3, ALUA_OPTIMIZED);
	/* Each path is of the same target, so this LUN must be asked. */
	for (unsigned n = 0; n < 3; n++)
		mpdev_disable_path(b.dev, (int)n);
	bench_run(&b, 20 * S);
	cr_assert_eq(bench_path(&b, 3).state, MPATH_QUARANTINED);
	cr_assert_eq(wrong->writes, 0);
	for (unsigned n = 0; n < 3; n++)
		mpdev_enable_path(b.dev, (int)n);
	bench_run(&b, 10 * S);
	expect(&b, "aaaf");
	bench_fini(&b);
	t_lun_free(wrong);
}

Test(alua_watch, all_stand_by_until_the_target_moves)
{
	struct t_lun_options o = bench_lun();
	struct bench b;

	o.tpgs = 1;
	bench_init(&b, 0, "round-robin", &o);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_STANDBY);
	bench_add(&b, b.lun);
	bench_run(&b, 5 * S);
	expect(&b, "s");
	cr_assert_eq(b.ready, 0);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_NON_OPTIMIZED);
	bench_run(&b, 2 * S);
	cr_assert_eq(b.ready, 1);
	expect(&b, "a");
	write_ns(&b);
	bench_fini(&b);
}

Test(alua_watch, transition_is_waited_out)
{
	struct bench b;
	struct bench_req r;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_TRANSITIONING);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_TRANSITIONING);
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, 50 * S);
	cr_assert_eq(r.done, 0);
	expect(&b, "sss");
	t_lun_set_alua_quietly(b.lun, 2, ALUA_OPTIMIZED);
	bench_run(&b, 1100 * MS);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	bench_req_fini(&r);
	expect(&b, "sas");
	bench_fini(&b);
}

/* no-path-timeout may be shorter than the transition may last, which is 30 s
 * here as the target says. */
Test(alua_watch, transition_goes_before_the_time_out)
{
	struct mpdev_options options;
	struct bench b;
	struct bench_req r;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	mpdev_options_init(&options);
	options.no_path_timeout = S;
	cr_assert_eq(mpdev_set_options(b.dev, &options), 0);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_TRANSITIONING);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_TRANSITIONING);
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, 29 * S);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 3 * S);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, -EIO);
	bench_req_fini(&r);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_OPTIMIZED);
	bench_run(&b, 2 * S);
	write_ns(&b);
	bench_fini(&b);
}

/* An administrator does not wait for the target: what is held ends now, and so
 * does what comes until it is over. */
Test(alua_watch, transition_does_not_hold_what_is_aborted)
{
	struct bench b;
	struct bench_req r;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_TRANSITIONING);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_TRANSITIONING);
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, 5 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(mpdev_abort_held(b.dev), 0);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -EIO);
	cr_assert_eq(bench_state(&b), MPDEV_FAILED);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), -EIO);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_OPTIMIZED);
	bench_run(&b, 2 * S);
	write_ns(&b);
	cr_assert_eq(mpdev_abort_held(b.dev), -EINVAL);
	bench_fini(&b);
}

Test(alua_watch, explicit_targets_are_told)
{
	struct bench b;

	init(&b, 2, ALUA_OPTIMIZED, ALUA_STANDBY);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_UNAVAILABLE);
	cr_assert_leq(write_ns(&b), 300 * MS);
	expect(&b, "sas");
	cr_assert_eq(b.lun->groups[2].alua, ALUA_OPTIMIZED);
	bench_fini(&b);
}

Test(alua_watch, explicit_when_the_paths_are_gone)
{
	static struct path_down refusal = {
		.cure = PATH_RETRY, .reason = "not now"};
	struct bench b;

	init(&b, 3, ALUA_OPTIMIZED, ALUA_STANDBY);
	for (unsigned n = 0; n < 3; n += 2) {
		b.paths[n]->refusal = &refusal;
		t_path_die(b.paths[n], PATH_UNKNOWN, false, "reset");
	}
	cr_assert_leq(write_ns(&b), 300 * MS);
	expect(&b, "faf");
	bench_fini(&b);
}

Test(alua_watch, implicit_ones_are_not_told)
{
	struct bench b;
	struct bench_req r;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_STANDBY);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_UNAVAILABLE);
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, 10 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(bench_state(&b), MPDEV_QUEUEING);
	t_lun_set_alua_quietly(b.lun, 2, ALUA_NON_OPTIMIZED);
	bench_run(&b, 2 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_fini(&b);
}

/* A gateway that hands the unit to and fro is followed every 5 s at most. */
Test(alua_watch, ping_pong_is_damped)
{
	unsigned changes = 0;
	struct bench b;
	bool second = false;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	for (unsigned n = 0; n < 200; n++) {
		bool two = n % 2;

		t_lun_set_alua_quietly(
			b.lun, 1, two ? ALUA_NON_OPTIMIZED : ALUA_OPTIMIZED);
		t_lun_set_alua(
			b.lun, 2, two ? ALUA_OPTIMIZED : ALUA_NON_OPTIMIZED);
		write_ns(&b);
		bench_run(&b, 150 * MS);
		if ((bench_path(&b, 1).state == MPATH_ACTIVE) != second) {
			second = !second;
			changes++;
		}
	}
	cr_assert(changes >= 1 && changes <= 7, "%u", changes);
	cr_assert_not(bench_heard(&b, "path-failed"));
	bench_fini(&b);
}

/* It says that it gives access, and does not. */
Test(alua_watch, a_report_that_lies)
{
	struct bench_req r;
	struct bench b;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_OPTIMIZED);
	for (unsigned n = 0; n < 3; n++)
		for (unsigned i = 0; i < T_LUN_SCRIPT_MAX; i++)
			t_nexus_script(&b.paths[n]->nexus, SCSI_WRITE_16,
				SCSI_STATUS_CHECK_CONDITION, 0x02040b);
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, 5 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_leq(bench_path(&b, 0).errors, 8);
	bench_run(&b, 100 * S);
	bench_req_fini(&r);
	bench_fini(&b);
}

/* States without a report: the target has no ALUA but answers so. */
Test(alua_watch, no_report_at_all)
{
	struct bench b;

	init(&b, 0, ALUA_OPTIMIZED, ALUA_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_STANDBY);
	cr_assert_leq(write_ns(&b), 100 * MS);
	write_ns(&b);
	bench_run(&b, 100 * MS);
	expect(&b, "sas");
	bench_run(&b, 2500 * MS);
	expect(&b, "sas");
	t_lun_set_alua_quietly(b.lun, 1, ALUA_OPTIMIZED);
	bench_run(&b, 2500 * MS);
	expect(&b, "aaa");
	bench_fini(&b);
}

/* The long header is asked for; the short one will do. */
Test(alua_watch, a_target_without_the_long_header)
{
	struct bench b;

	init(&b, 1, ALUA_OPTIMIZED, ALUA_NON_OPTIMIZED);
	t_lun_set_alua_quietly(b.lun, 1, ALUA_NON_OPTIMIZED);
	t_lun_set_alua(b.lun, 2, ALUA_OPTIMIZED);
	for (unsigned n = 0; n < 3; n++) {
		/* The attention first, which would come before it. */
		b.paths[n]->nexus.nattention = 0;
		t_nexus_script(&b.paths[n]->nexus, SCSI_MAINTENANCE_IN,
			SCSI_STATUS_CHECK_CONDITION, 0x052400);
	}
	t_nexus_attend(&b.paths[0]->nexus, 0x2a, 0x06);
	write_ns(&b);
	write_ns(&b);
	bench_run(&b, 200 * MS);
	expect(&b, "sas");
	bench_fini(&b);
}
