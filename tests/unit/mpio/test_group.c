/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <umpio/base/units.h>

/* Two paths to group 1, which is optimized, and one to group 2, which is not.
 */
static void init(struct bench *b)
{
	struct t_lun_options o = bench_lun();

	o.tpgs = 1;
	bench_init(b, 0, "round-robin", &o);
	t_lun_set_alua_quietly(b->lun, 2, ALUA_NON_OPTIMIZED);
	bench_add_group(b, b->lun, 1);
	bench_add_group(b, b->lun, 2);
	bench_add_group(b, b->lun, 1);
	bench_up(b);
	for (unsigned n = 0; n < 3; n++)
		b->paths[n]->latency = MS;
	bench_run(b, 100 * MS);
}

static void set(struct bench *b, enum mpio_grouping group_by, uint64_t failback)
{
	struct mpdev_options options;

	mpdev_options_init(&options);
	options.group_by = (uint8_t)group_by;
	options.failback = failback;
	cr_assert_eq(mpdev_set_options(b->dev, &options), 0);
}

/* The states of all paths: "a" active, "s" standby, "f" anything else. */
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

static void write_some(struct bench *b)
{
	for (unsigned n = 0; n < 8; n++)
		cr_assert_eq(bench_do(b, BLK_WRITE, 0, n * 4096, 4096), 0);
}

static void die(struct bench *b, unsigned n)
{
	t_path_die(b->paths[n], PATH_UNKNOWN, false, "reset");
}

/* Keeps a path that has died from coming back, or lets it. */
static void keep_down(struct bench *b, unsigned n, bool down)
{
	static struct path_down refusal = {
		.cure = PATH_RETRY, .reason = "not now"};

	b->paths[n]->refusal = down ? &refusal : NULL;
}

Test(group, by_alua_the_optimized_are_used)
{
	struct mpath_group_info info;
	struct bench b;

	init(&b);
	expect(&b, "asa");
	write_some(&b);
	cr_assert_eq(bench_path(&b, 1).writes, 0);
	cr_assert_gt(bench_path(&b, 0).writes, 0);
	cr_assert_gt(bench_path(&b, 2).writes, 0);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert(mpdev_group_info(b.dev, 0, &info));
	cr_assert(info.in_use && info.usable == 2 && info.priority == 50);
	cr_assert(mpdev_group_info(b.dev, 1, &info));
	cr_assert(!info.in_use && info.usable == 1 && info.priority == 10);
	cr_assert_not(mpdev_group_info(b.dev, 2, &info));
	cr_assert_eq(bench_path(&b, 1).group, 1);
	bench_fini(&b);
}

Test(group, the_next_one_at_once_and_back_after_a_while)
{
	struct bench_req r;
	struct bench b;

	init(&b);
	keep_down(&b, 2, true);
	die(&b, 2);
	bench_run(&b, MS);
	expect(&b, "asf");
	/* A request that the last path of the group leaves unanswered. */
	b.paths[0]->hold = true;
	bench_write(&b, &r, 0, 0, 4096, 'x');
	bench_run(&b, MS);
	keep_down(&b, 0, true);
	die(&b, 0);
	bench_run(&b, MS);
	expect(&b, "faf");
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	bench_req_fini(&r);
	cr_assert(bench_heard(&b, "group-changed/-1"));
	/* 30 s without failure */
	b.paths[0]->hold = false;
	keep_down(&b, 0, false);
	bench_run(&b, 20 * S);
	expect(&b, "saf");
	die(&b, 0);
	bench_run(&b, 20 * S);
	expect(&b, "saf");
	bench_run(&b, 20 * S);
	expect(&b, "asf");
	keep_down(&b, 2, false);
	bench_run(&b, 10 * S);
	expect(&b, "asa");
	bench_fini(&b);
}

Test(group, immediate_failback_but_not_to_and_fro)
{
	struct bench b;

	init(&b);
	set(&b, MPIO_BY_ALUA, MPIO_FAILBACK_IMMEDIATE);
	keep_down(&b, 0, true);
	keep_down(&b, 2, true);
	die(&b, 0);
	die(&b, 2);
	bench_run(&b, 10 * S);
	expect(&b, "faf");
	keep_down(&b, 0, false);
	bench_run(&b, 5 * S);
	expect(&b, "asf");
	/* Again: the way back takes 5 s. */
	die(&b, 0);
	bench_run(&b, 2 * S);
	expect(&b, "saf");
	bench_run(&b, 4 * S);
	expect(&b, "asf");
	bench_fini(&b);
}

Test(group, manual_failback_is_by_command)
{
	struct bench b;

	init(&b);
	set(&b, MPIO_BY_ALUA, MPIO_FAILBACK_MANUAL);
	keep_down(&b, 0, true);
	die(&b, 0);
	die(&b, 2);
	bench_run(&b, 600 * S);
	expect(&b, "fas");
	cr_assert_eq(mpdev_enable_path(b.dev, 2), 0);
	bench_run(&b, MS);
	expect(&b, "fsa");
	/* By command to the worse one, too; and it stays. */
	cr_assert_eq(mpdev_enable_path(b.dev, 1), 0);
	bench_run(&b, 600 * S);
	expect(&b, "fas");
	write_some(&b);
	/* What was manual is no more: at once. */
	set(&b, MPIO_BY_ALUA, MPIO_FAILBACK_IMMEDIATE);
	expect(&b, "fsa");
	bench_fini(&b);
}

Test(group, followover_when_a_failed_path_returns)
{
	struct bench b;

	init(&b);
	set(&b, MPIO_BY_ALUA, MPIO_FAILBACK_FOLLOWOVER);
	cr_assert_eq(mpdev_enable_path(b.dev, 1), 0);
	bench_run(&b, 600 * S);
	expect(&b, "sas"); /* nothing has failed */
	die(&b, 0);
	bench_run(&b, 10 * S);
	expect(&b, "asa");
	bench_fini(&b);
}

Test(group, by_portal_group_the_first_named)
{
	struct bench b;

	bench_init(&b, 0, "round-robin", NULL);
	bench_add_group(&b, b.lun, 7);
	bench_add_group(&b, b.lun, 3);
	bench_add_group(&b, b.lun, 7);
	bench_add_group(&b, b.lun, 3);
	bench_up(&b);
	expect(&b, "aaaa"); /* by ALUA, of which the target knows nothing */
	set(&b, MPIO_BY_PORTAL_GROUP, 30 * S);
	expect(&b, "asas");
	write_some(&b);
	cr_assert_eq(bench_path(&b, 1).writes + bench_path(&b, 3).writes, 0);
	keep_down(&b, 0, true);
	keep_down(&b, 2, true);
	die(&b, 0);
	die(&b, 2);
	bench_run(&b, S);
	expect(&b, "fafa");
	set(&b, MPIO_ONE_GROUP, 30 * S);
	keep_down(&b, 0, false);
	bench_run(&b, 10 * S);
	expect(&b, "aafa");
	bench_fini(&b);
}

Test(group, by_priority)
{
	struct mpath_options first = {.priority = 2, .weight = 1};
	struct mpath_options second = {.priority = 900, .weight = 1};
	struct bench b;

	bench_init(&b, 0, "failover", NULL);
	for (unsigned n = 0; n < 3; n++) {
		b.paths[n] = t_path_new(b.loop, b.lun);
		cr_assert_eq(mpdev_add_path(b.dev, &b.paths[n]->path,
				     n ? &second : &first),
			(int)n);
		b.npaths++;
	}
	set(&b, MPIO_BY_PRIORITY, 30 * S);
	bench_up(&b);
	bench_run(&b, MS);
	expect(&b, "saa");
	cr_assert_eq(bench_path(&b, 1).priority, 900);
	cr_assert_eq(bench_path(&b, 0).priority, 2);
	bench_fini(&b);
}
