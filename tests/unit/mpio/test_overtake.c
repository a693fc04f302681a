/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that overtake a unit attention: over a path that is not in order a
 * command is executed when it is sent, and answered later. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/opcode.h>

#define AWAY (1u << 20) /* where nothing is unflushed */

/* `slow` takes 10 ms over path 0, which is the one that is used. */
static void setup(struct bench *b, unsigned npaths, uint8_t slow,
	const struct t_lun_options *lun)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	bench_init_with(b, 0, &o, lun);
	while (b->npaths < npaths)
		bench_add(b, b->lun)->unordered = true;
	bench_up(b);
	bench_put(b, 0, 0, 4096, 'a');
	b->paths[0]->slow_opcode = slow;
	b->paths[0]->slow = 10 * MS;
}

static void is_replayed(struct bench *b)
{
	cr_assert(bench_heard(b, "cache-replayed/-1"));
	bench_holds(b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b->lun));
}

/* A read meets the reset and is slow; the flush after it finds nothing to do.
 */
Test(overtake, a_flush_waits_for_what_was_under_way)
{
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 1, SCSI_READ_16, NULL);
	t_lun_power_cut(b.lun);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * MS);
	cr_assert_eq(flush.done, 0);
	bench_run(&b, S);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, 0);
	is_replayed(&b);
	bench_req_fini(&slow);
	bench_fini(&b);
}

Test(overtake, without_a_reset_it_waits_and_no_more)
{
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 1, SCSI_READ_16, NULL);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 11 * MS);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, 0);
	cr_assert_eq(b.lun->writes, 1);
	cr_assert_eq(b.lun->flushes, 1);
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* What is sent later is not waited for: it would never end. */
Test(overtake, what_comes_later_holds_nobody_up)
{
	struct bench b;
	struct bench_req slow[2], flush;

	setup(&b, 1, SCSI_READ_16, NULL);
	bench_submit(&b, &slow[0], BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * MS);
	bench_submit(&b, &slow[1], BLK_READ, 0, AWAY, 512);
	bench_run(&b, 6 * MS);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(slow[1].done, 0);
	bench_run(&b, S);
	for (int i = 0; i < 2; i++)
		bench_req_fini(&slow[i]);
	bench_fini(&b);
}

Test(overtake, a_read_of_what_is_unflushed)
{
	struct bench b;
	struct bench_req slow, r, other;

	setup(&b, 1, SCSI_WRITE_16, NULL);
	t_lun_power_cut(b.lun);
	bench_write(&b, &slow, 0, AWAY, 512, 'x');
	bench_submit(&b, &r, BLK_READ, 0, 2048, 512);
	bench_submit(&b, &other, BLK_READ, 0, 2 * AWAY - 512, 512);
	bench_run(&b, 5 * MS);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(other.done, 1, "nothing is unflushed there");
	bench_run(&b, S);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(r.buf->data[0], 'a');
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	bench_req_fini(&r);
	bench_req_fini(&other);
	bench_fini(&b);
}

/* A write that was seen but not acknowledged is not unseen. */
Test(overtake, a_read_of_what_is_being_changed)
{
	struct bench b;
	struct bench_req slow, r;

	setup(&b, 1, SCSI_WRITE_16, NULL);
	bench_write(&b, &slow, 0, 0, 512, 'x');
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, 5 * MS);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 6 * MS);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.buf->data[0], 'x');
	bench_req_fini(&r);
	bench_fini(&b);
}

Test(overtake, a_hole)
{
	struct blk_extent x[4];
	struct bench b;
	struct bench_req slow, r = {0};

	setup(&b, 1, SCSI_WRITE_16, NULL);
	t_lun_power_cut(b.lun);
	bench_write(&b, &slow, 0, AWAY, 512, 'x');
	r.blk = (struct blk_req){
		.op = BLK_STATUS, .len = 4096, .extents = x, .nextents = 4};
	bench_send(&b, &r);
	bench_run(&b, 5 * MS);
	cr_assert_eq(r.done, 0);
	bench_run(&b, S);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(x[0].flags & BLK_HOLE, 0);
	bench_fini(&b);
}

/* WRITE and SYNCHRONIZE CACHE; the reset is between the two, and told to
 * another command. */
Test(overtake, a_durable_write_in_two_steps)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req slow, r;

	o.dpofua = false;
	setup(&b, 1, SCSI_READ_16, &o);
	b.paths[0]->latency = MS;
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'a');
	bench_run(&b, MS / 2);
	t_lun_power_cut(b.lun);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_run(&b, 5 * MS);
	cr_assert_eq(r.done, 0);
	bench_run(&b, S);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b.lun));
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* A write of a part of a block keeps what is beside it. */
Test(overtake, a_merge)
{
	struct bench b;
	struct bench_req slow, r;

	setup(&b, 1, SCSI_WRITE_SAME_16, NULL);
	t_lun_power_cut(b.lun);
	bench_submit(&b, &slow, BLK_ZERO, 0, AWAY, 4096);
	bench_write(&b, &r, 0, 100, 100, 'b');
	bench_run(&b, S);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(slow.err, 0);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_holds(&b, 0, 100, 'a');
	bench_holds(&b, 100, 100, 'b');
	bench_holds(&b, 200, 4096 - 200, 'a');
	bench_fini(&b);
}

/* What was waited for ends without an answer: so may have the reset. */
Test(overtake, an_answer_that_is_lost)
{
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 1, SCSI_READ_16, NULL);
	t_lun_power_cut(b.lun);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * MS);
	cr_assert_eq(flush.done, 0);
	t_path_reject(b.paths[0], PATH_UNKNOWN);
	bench_run(&b, S);
	cr_assert_eq(b.paths[0]->starts, 1, "the session lives on");
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, 0);
	is_replayed(&b);
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* The same with another session that knows better. */
Test(overtake, an_answer_that_is_lost_with_a_witness)
{
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 2, SCSI_READ_16, NULL);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * MS);
	t_path_reject(b.paths[0], PATH_UNKNOWN);
	bench_run(&b, S);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, 0);
	cr_assert_not(bench_heard(&b, "cache-"));
	cr_assert_eq(b.lun->writes, 1);
	cr_assert(t_lun_is_clean(b.lun));
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* The session ends while an answer of it waits. */
Test(overtake, a_session_that_ends)
{
	for (unsigned npaths = 1; npaths <= 2; npaths++) {
		struct bench b;
		struct bench_req slow, flush;

		setup(&b, npaths, SCSI_READ_16, NULL);
		t_lun_power_cut(b.lun);
		bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
		bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
		bench_run(&b, 5 * MS);
		bench_die(&b, 0);
		cr_assert_eq(flush.done, 0);
		bench_run(&b, 10 * S);
		cr_assert_eq(flush.done, 1);
		cr_assert_eq(flush.err, 0);
		is_replayed(&b);
		bench_req_fini(&slow);
		bench_fini(&b);
	}
}

/* The device is given up meanwhile. */
Test(overtake, a_drain_in_a_hurry)
{
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 1, SCSI_READ_16, NULL);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * MS);
	mpdev_drain(b.dev, true);
	bench_run(&b, S);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, -ESHUTDOWN);
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* A witness whose good word has overtaken the news. */
Test(overtake, a_witness)
{
	struct path_down no = {.cure = PATH_RETRY, .reason = "refused"};
	struct bench b;
	struct bench_req slow, flush;

	setup(&b, 2, 0, NULL);
	b.paths[0]->refusal = &no;
	bench_die(&b, 0);
	bench_run(&b, S);
	b.paths[1]->slow_opcode = SCSI_READ_16;
	b.paths[1]->slow = 3 * S;
	t_lun_power_cut(b.lun);
	bench_submit(&b, &slow, BLK_READ, 0, AWAY, 512);
	b.paths[0]->refusal = NULL;
	while (bench_path(&b, 0).state != MPATH_ACTIVE)
		bench_run(&b, 10 * MS);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 100 * MS);
	cr_assert_eq(slow.done, 0);
	cr_assert_eq(flush.done, 0);
	bench_run(&b, 10 * S);
	cr_assert_eq(flush.err, 0);
	is_replayed(&b);
	bench_req_fini(&slow);
	bench_fini(&b);
}

/* A command that is never answered is given up, and so ends the wait. */
Test(overtake, a_command_that_hangs)
{
	struct bench b;
	struct bench_req hung, flush;

	setup(&b, 1, 0, NULL);
	b.paths[0]->drop = 1;
	bench_submit(&b, &hung, BLK_READ, 0, AWAY, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, S);
	cr_assert_eq(flush.done, 0);
	bench_run(&b, 60 * S);
	cr_assert_eq(hung.done, 1);
	cr_assert_eq(hung.err, 0);
	cr_assert_eq(flush.done, 1);
	cr_assert_eq(flush.err, 0);
	bench_req_fini(&hung);
	bench_fini(&b);
}

/* So is a TEST UNIT READY of the device's own. */
Test(overtake, a_question_of_the_devices_own)
{
	struct bench b;
	struct bench_req flush;

	setup(&b, 1, SCSI_TEST_UNIT_READY, NULL);
	b.paths[0]->slow = 100 * MS;
	while (!b.paths[0]->asks || !b.paths[0]->open)
		bench_run(&b, MS);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 10 * MS);
	cr_assert_eq(flush.done, 0);
	bench_run(&b, 100 * MS);
	cr_assert_eq(flush.done, 1);
	bench_fini(&b);
}

/* And the look at the identity of the unit, once a minute. */
Test(overtake, a_look_at_the_identity)
{
	struct bench b;
	struct bench_req flush;

	setup(&b, 1, SCSI_INQUIRY, NULL);
	b.paths[0]->slow = 100 * MS;
	for (int i = 0; i < 70000 && b.paths[0]->open == 0; i++)
		bench_run(&b, MS);
	cr_assert(b.paths[0]->open);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 10 * MS);
	cr_assert_eq(flush.done, 0);
	bench_run(&b, 200 * MS);
	cr_assert_eq(flush.done, 1);
	bench_fini(&b);
}

/* A path in order has nothing to wait for. */
Test(overtake, one_connection)
{
	struct bench b;
	struct bench_req slow, flush, r;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[0]->slow_opcode = SCSI_WRITE_16;
	b.paths[0]->slow = 10 * MS;
	bench_write(&b, &slow, 0, AWAY, 512, 'x');
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_submit(&b, &flush, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, MS);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(flush.done, 1);
	bench_run(&b, S);
	bench_req_fini(&r);
	bench_fini(&b);
}
