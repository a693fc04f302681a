/* SPDX-License-Identifier: BSD-2-Clause */
/* Another LUN in place of the one in use, and no word of it. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/alua.h>

/* In the middle of a session; no unit attention comes. */
static void swap(struct bench *b, unsigned n, struct t_lun *lun)
{
	struct t_path *tp = b->paths[n];

	t_nexus_fini(&tp->nexus);
	t_nexus_init(&tp->nexus, lun, tp->group, tp->port, false);
	tp->lun = lun;
}

/* With something to do each second, or nothing. */
static void pass(struct bench *b, unsigned seconds, bool busy)
{
	while (seconds--) {
		if (busy)
			cr_assert_eq(bench_do(b, BLK_WRITE, 0, 0, 4096), 0);
		bench_run(b, S);
	}
}

/* By its name, its serial number, its size: within 60 s, busy or idle, at
 * whatever moment. */
Test(recheck, a_swapped_lun_is_found_within_60_s)
{
	for (unsigned k = 0; k < 12; k++) {
		struct t_lun_options o = bench_lun();
		bool busy = k % 2;
		struct t_lun *other;
		struct bench b;
		uint64_t writes;

		if (k % 3 == 0)
			o.naa[15] = 9;
		else if (k % 3 == 1)
			o.serial = "OTHER";
		else
			o.blocks = k == 2 ? 4095 : 8192;
		other = t_lun_new(&o);
		bench_init(&b, 2, "round-robin", NULL);
		bench_up(&b);
		pass(&b, 3 + 17 * k, busy);
		swap(&b, k / 6, other);
		pass(&b, 60, busy);
		cr_assert_eq(bench_path(&b, k / 6).state, MPATH_QUARANTINED,
			"%u", k);
		cr_assert_eq(bench_path(&b, !(k / 6)).state, MPATH_ACTIVE);
		cr_assert(bench_heard(
			&b, k / 6 ? "path-mismatched/1" : "path-mismatched/0"));
		writes = other->writes;
		pass(&b, 20, true);
		cr_assert_eq(other->writes, writes);
		bench_fini(&b);
		t_lun_free(other);
	}
}

/* The LUN is gone, and the target says so only when it is asked. */
Test(recheck, the_only_path_to_another_lun)
{
	struct t_lun_options o = bench_lun();
	struct t_lun *other;
	struct bench b;

	o.naa[15] = 9;
	other = t_lun_new(&o);
	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	swap(&b, 0, other);
	pass(&b, 60, false);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_QUARANTINED);
	cr_assert_eq(bench_state(&b), MPDEV_QUEUEING);
	swap(&b, 0, b.lun);
	pass(&b, 31, false);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_fini(&b);
	t_lun_free(other);
}

/* One look a minute at a path, not at all of them in one moment; I/O goes on
 * meanwhile, and nothing is told. */
Test(recheck, what_has_not_changed_stays_in_use)
{
	struct bench b;
	char before[sizeof b.events];
	unsigned looks[BENCH_PATHS];

	bench_init(&b, BENCH_PATHS, "round-robin", NULL);
	bench_up(&b);
	memcpy(before, b.events, sizeof before);
	for (unsigned n = 0; n < BENCH_PATHS; n++)
		looks[n] = b.paths[n]->looks;
	pass(&b, 300, true);
	for (unsigned n = 0; n < BENCH_PATHS; n++) {
		looks[n] = b.paths[n]->looks - looks[n];
		cr_assert(looks[n] == 5 || looks[n] == 6, "%u", looks[n]);
		for (unsigned i = 0; i < n; i++)
			cr_assert_neq(
				b.paths[n]->looked_at, b.paths[i]->looked_at);
	}
	cr_assert_str_eq(b.events, before);
	bench_fini(&b);
}

/* An answer that takes long takes nothing out of use. */
Test(recheck, the_path_carries_io_meanwhile)
{
	struct bench b;
	unsigned looks;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	looks = b.paths[0]->looks;
	b.paths[0]->slow_opcode = 0x9e;
	b.paths[0]->slow = 3 * S;
	while (b.paths[0]->looks == looks)
		pass(&b, 1, true);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 4096), 0);
	pass(&b, 5, true);
	bench_fini(&b);
}

/* Its capacity is the last that is asked for: an idle device is to cost little.
 */
Test(recheck, asks_for_the_identity_alone)
{
	struct bench b;
	unsigned looks, submitted;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	looks = b.paths[0]->looks;
	submitted = b.paths[0]->submitted;
	while (b.paths[0]->looks == looks)
		bench_run(&b, MS);
	cr_assert_gt(b.paths[0]->submitted, submitted);
	submitted = b.paths[0]->submitted;
	bench_run(&b, S);
	cr_assert_eq(b.paths[0]->submitted, submitted);
	bench_fini(&b);
}

/* It ends with the path: lost, taken away, or left in the middle of it. */
Test(recheck, is_given_up_with_its_path)
{
	for (int k = 0; k < 4; k++) {
		struct bench b;
		unsigned looks;

		bench_init(&b, 2, "round-robin", NULL);
		bench_up(&b);
		looks = b.paths[0]->looks;
		b.paths[0]->slow_opcode = 0x9e;
		b.paths[0]->slow = 3 * S;
		while (b.paths[0]->looks == looks)
			pass(&b, 1, true);
		if (k == 0)
			t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
		else if (k == 1)
			mpdev_remove_path(b.dev, 0, true);
		else if (k == 2)
			t_path_leave(b.paths[0]);
		else
			t_nexus_attend(&b.paths[0]->nexus, 0x3f, 0x03);
		pass(&b, 20, true);
		if (k != 1)
			cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
		bench_fini(&b);
	}
}

/* What it is told is heeded: nobody else hears of it. */
Test(recheck, heeds_unit_attentions)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	unsigned looks;

	o.tpgs = 1;
	bench_init(&b, 1, "round-robin", &o);
	bench_up(&b);
	looks = b.paths[0]->looks;
	b.paths[0]->slow_opcode = 0x9e;
	b.paths[0]->slow = S;
	while (b.paths[0]->looks == looks)
		bench_run(&b, 100 * MS);
	t_lun_set_alua(b.lun, 1, ALUA_NON_OPTIMIZED);
	bench_run(&b, 1500 * MS);
	cr_assert(bench_heard(&b, "alua-changed/0"));
	bench_fini(&b);
}
