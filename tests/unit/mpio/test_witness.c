/* SPDX-License-Identifier: BSD-2-Clause */
/* New sessions while nobody knows whether the target's cache has survived. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/opcode.h>

/* Path 0 has a new session after a power cut; the last path is dead, which
 * nobody knows: there is doubt. */
static void setup_doubt(struct bench *b, unsigned npaths)
{
	bench_init(b, npaths, "failover", NULL);
	bench_up(b);
	bench_put(b, 0, 0, 8192, 'a');
	b->paths[npaths - 1]->dead = true;
	for (unsigned n = 0; n + 1 < npaths; n++)
		bench_die(b, n);
	t_lun_power_cut(b->lun);
	bench_run(b, MS);
	cr_assert_eq(bench_path(b, 0).state, MPATH_ACTIVE);
}

static void end_doubt(struct bench *b)
{
	struct t_path *last = b->paths[b->npaths - 1];

	bench_die(b, b->npaths - 1);
	last->dead = false;
}

static void expect_read(struct bench_req *r, int fill)
{
	cr_assert_eq(r->done, 1);
	cr_assert_eq(r->err, 0);
	cr_assert_eq(r->buf->data[0], fill, "%02x", r->buf->data[0]);
	bench_req_fini(r);
}

Test(witness, what_a_new_session_reads_waits_for_the_witness)
{
	struct bench b;
	struct bench_req r;

	setup_doubt(&b, 2);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, S);
	cr_assert_eq(r.done, 0);
	end_doubt(&b);
	bench_run(&b, S);
	expect_read(&r, 'a');
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	bench_fini(&b);
}

/* Silence of a witness ends, too, when nobody says that it is dead. */
Test(witness, the_witness_has_its_time)
{
	struct bench b;
	struct bench_req r;

	for (int deaf = 0; deaf < 2; deaf++) {
		setup_doubt(&b, 2);
		b.paths[1]->deaf = deaf;
		bench_submit(&b, &r, BLK_READ, 0, 0, 512);
		bench_run(&b, 2100 * MS);
		expect_read(&r, 'a');
		end_doubt(&b);
		bench_fini(&b);
	}
}

/* One that nobody used is as silent as one that was. */
Test(witness, a_silent_one_fails_in_time)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 8192, 'a');
	bench_run(&b, 1500 * MS);
	b.paths[1]->silent = true;
	bench_die(&b, 0);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 2100 * MS);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_FAILED);
	bench_req_fini(&r);
	bench_fini(&b);
}

/* It costs no more than the answer takes. */
Test(witness, a_living_witness_holds_nobody_up)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[1]->latency = 10 * MS;
	bench_die(&b, 0);
	bench_run(&b, MS);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, 5 * MS);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 5 * MS);
	expect_read(&r, 'a');
	cr_assert_not(bench_heard(&b, "cache-"));
	bench_fini(&b);
}

/* What an older session reads is itself a testimony, and without anything to
 * lose nobody is asked. */
Test(witness, who_need_not_wait_does_not)
{
	struct mpdev_options o;
	struct bench b;
	struct bench_req r[2];

	mpdev_options_init(&o);
	o.policy = "round-robin";
	bench_init_with(&b, 2, &o, NULL);
	bench_up(&b);
	b.paths[1]->slow_opcode = SCSI_TEST_UNIT_READY;
	b.paths[1]->slow = S;
	for (int i = 0; i < 2; i++) {
		unsigned asks = b.paths[1]->asks;

		bench_die(&b, 0);
		while (bench_path(&b, 0).state != MPATH_ACTIVE)
			bench_run(&b, MS);
		cr_assert_eq(b.paths[1]->asks, asks + (unsigned)i);
		for (int k = 0; k < 2; k++) {
			bench_submit(&b, &r[k], BLK_READ, 0, 0, 131072);
			bench_run(&b, MS);
		}
		cr_assert_eq(r[0].done + r[1].done, 2u - i);
		bench_run(&b, S);
		for (int k = 0; k < 2; k++) {
			cr_assert_eq(r[k].done, 1);
			bench_req_fini(&r[k]);
		}
		bench_put(&b, 0, 0, 4096, 'a');
	}
	bench_fini(&b);
}

/* It goes on over the new session when the witness dies, and is answered there
 * before anybody else has said something. */
Test(witness, a_read_that_moves_to_the_new_session)
{
	struct path_down gone = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;
	struct bench_req r;

	bench_init(&b, 3, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 8192, 'a');
	b.paths[0]->refusal = b.paths[2]->refusal = &gone;
	bench_die(&b, 0);
	b.paths[1]->dead = b.paths[2]->dead = true;
	bench_run(&b, MS);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	t_lun_power_cut(b.lun);
	b.paths[0]->refusal = NULL;
	while (bench_path(&b, 0).state != MPATH_ACTIVE)
		bench_run(&b, MS);
	b.paths[1]->refusal = &gone;
	bench_die(&b, 1);
	bench_run(&b, 100 * MS);
	cr_assert_eq(r.done, 0);
	bench_die(&b, 2);
	bench_run(&b, S);
	expect_read(&r, 'a');
	b.paths[1]->refusal = b.paths[2]->refusal = NULL;
	b.paths[1]->dead = b.paths[2]->dead = false;
	bench_fini(&b);
}

/* A session that came up during the doubt is no witness for the next, even
 * though changes were acknowledged after it. */
Test(witness, one_new_session_does_not_vouch_for_another)
{
	struct path_down gone = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;
	struct bench_req r, w;

	setup_doubt(&b, 3);
	bench_write(&b, &w, 0, 4096, 4096, 'b');
	bench_run(&b, MS);
	cr_assert_eq(w.done, 1);
	bench_req_fini(&w);
	bench_die(&b, 1);
	while (bench_path(&b, 1).state != MPATH_ACTIVE)
		bench_run(&b, MS);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, 100 * MS);
	cr_assert_eq(r.done, 0);
	b.paths[2]->refusal = &gone;
	end_doubt(&b);
	bench_run(&b, S);
	expect_read(&r, 'a');
	bench_holds(&b, 4096, 4096, 'b');
	b.paths[2]->refusal = NULL;
	bench_fini(&b);
}

/* Its first answer says nothing of a session that came up after the question.
 */
Test(witness, a_witness_is_asked_again_for_a_newer_session)
{
	struct bench b;
	struct bench_req r;
	unsigned asks;

	bench_init(&b, 3, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[2]->latency = 10 * MS;
	asks = b.paths[2]->asks;
	b.paths[1]->dead = true;
	bench_die(&b, 0);
	bench_run(&b, MS);
	bench_die(&b, 1);
	b.paths[1]->dead = false;
	bench_run(&b, 2 * MS);
	cr_assert_eq(bench_path(&b, 1).state, MPATH_ACTIVE);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, 30 * MS);
	expect_read(&r, 'a');
	cr_assert_eq(b.paths[2]->asks, asks + 2);
	cr_assert_not(bench_heard(&b, "cache-"));
	bench_fini(&b);
}

/* FUA as write and flush: between the two the target lost the write and its
 * sessions, and the flush goes over a new one. */
Test(witness, a_durable_write_whose_flush_moves_to_the_new_session)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r;

	o.dpofua = false;
	bench_init(&b, 2, "failover", &o);
	bench_up(&b);
	b.paths[0]->latency = MS;
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'a');
	bench_run(&b, 1500 * NS_PER_US);
	cr_assert_eq(b.lun->writes, 1);
	b.paths[0]->latency = 0;
	b.paths[1]->dead = true;
	bench_die(&b, 0);
	t_lun_power_cut(b.lun);
	bench_run(&b, MS);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	end_doubt(&b);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* Writes go on in doubt, and what is written again does not undo them. */
Test(witness, newer_writes_outlive_the_replay)
{
	struct bench b;
	struct bench_req w;

	setup_doubt(&b, 2);
	bench_write(&b, &w, 0, 4096, 2048, 'n');
	bench_run(&b, MS);
	cr_assert_eq(w.done, 1);
	bench_req_fini(&w);
	end_doubt(&b);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_holds(&b, 0, 4096, 'a');
	bench_holds(&b, 4096, 2048, 'n');
	bench_holds(&b, 6144, 2048, 'a');
	bench_fini(&b);
}

/* A lost write would show as a hole. */
Test(witness, in_doubt_nothing_is_a_hole)
{
	struct blk_extent x[4];
	struct bench_req r;
	struct bench b;

	setup_doubt(&b, 2);
	memset(&r, 0, sizeof r);
	r.blk = (struct blk_req){
		.op = BLK_STATUS, .len = 65536, .extents = x, .nextents = 4};
	bench_send(&b, &r);
	bench_run(&b, MS);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.blk.nextents, 1);
	cr_assert_eq(x[0].len, 65536);
	cr_assert_eq(x[0].flags, 0);
	end_doubt(&b);
	bench_fini(&b);
}

/* A witness that cannot answer yet, and says `status` and `sense`. */
static void setup_busy(
	struct bench *b, bool shared, uint8_t status, uint32_t sense)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.shared = shared;
	bench_init_with(b, 2, &o, NULL);
	bench_up(b);
	bench_put(b, 0, 0, 4096, 'a');
	for (int i = 0; i < 4; i++)
		t_nexus_script(&b->paths[1]->nexus, SCSI_TEST_UNIT_READY,
			status, sense);
	bench_die(b, 0);
	bench_run(b, MS);
	cr_assert_eq(bench_path(b, 0).state, MPATH_ACTIVE);
}

Test(witness, one_that_is_busy_is_asked_again)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
	} rows[] = {
		{SCSI_STATUS_BUSY, 0},
		{SCSI_STATUS_TASK_SET_FULL, 0},
		{SCSI_STATUS_CHECK_CONDITION, 0x020401},
		{SCSI_STATUS_CHECK_CONDITION, 0x0b0000},
	};

	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		struct bench b;

		setup_busy(&b, i % 2, rows[i / 2].status, rows[i / 2].sense);
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0, "%zu", i);
		cr_assert_eq(b.lun->writes, 1, "%zu", i);
		cr_assert_not(bench_heard(&b, "cache-"));
		bench_fini(&b);
	}
}

/* Not longer than a silent one is waited for. */
Test(witness, one_that_stays_busy_has_its_time)
{
	struct bench b;
	struct bench_req r;

	setup_busy(&b, false, SCSI_STATUS_BUSY, 0);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	for (int i = 0; i < 18; i++) {
		b.paths[1]->nexus.nscript = 0;
		for (int k = 0; k < 8; k++)
			t_nexus_script(&b.paths[1]->nexus, SCSI_TEST_UNIT_READY,
				SCSI_STATUS_BUSY, 0);
		cr_assert_eq(r.done, 0);
		bench_run(&b, 100 * MS);
	}
	bench_run(&b, 300 * MS);
	expect_read(&r, 'a');
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	b.paths[1]->nexus.nscript = 0;
	bench_fini(&b);
}

/* Nobody waits for it when it is gone, or everything is. */
Test(witness, one_that_goes_while_it_is_busy)
{
	struct bench b;
	struct bench_req r;

	setup_busy(&b, false, SCSI_STATUS_BUSY, 0);
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, MS);
	cr_assert_eq(r.done, 0);
	bench_die(&b, 1);
	bench_run(&b, 10 * MS);
	expect_read(&r, 'a');
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	bench_fini(&b);

	setup_busy(&b, false, SCSI_STATUS_BUSY, 0);
	mpdev_drain(b.dev, true);
	bench_run(&b, MS);
	cr_assert_eq(b.drained, 1);
	bench_fini(&b);
}

Test(witness, a_drain_in_doubt_does_not_wait)
{
	struct bench b;
	struct bench_req r[2];

	setup_doubt(&b, 2);
	bench_submit(&b, &r[0], BLK_READ, 0, 0, 512);
	bench_run(&b, MS);
	bench_submit(&b, &r[1], BLK_READ, 0, 0, 512);
	mpdev_drain(b.dev, true);
	bench_run(&b, MS);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(r[i].done, 1);
		cr_assert_eq(r[i].err, -ESHUTDOWN);
		bench_req_fini(&r[i]);
	}
	cr_assert_eq(b.drained, 1);
	bench_fini(&b);
}

/* The only path in use did not answer in time as a witness: nobody is left to
 * be asked before what is kept is written again. */
Test(witness, a_replay_over_one_that_was_slow)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 3; i++) {
		bench_die(&b, 0);
		bench_run(&b, 2 * S);
	}
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[1]->slow_opcode = SCSI_TEST_UNIT_READY;
	b.paths[1]->slow = 3 * S;
	bench_die(&b, 0);
	while (!b.paths[0]->up)
		bench_run(&b, MS);
	bench_run(&b, MS);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 4 * S);
	cr_assert_eq(r.done, 1);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	bench_run(&b, S);
	bench_fini(&b);
}
