/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/opcode.h>

Test(flush, one_in_flight_and_one_for_all_that_came_meanwhile)
{
	struct bench b;
	struct bench_req r[10];

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->latency = 10 * MS;
	for (int i = 0; i < 10; i++)
		bench_submit(&b, &r[i], BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 15 * MS);
	cr_assert_eq(r[0].done, 1);
	cr_assert_eq(r[1].done, 0);
	bench_run(&b, 15 * MS);
	for (int i = 0; i < 10; i++)
		bench_req_fini(&r[i]);
	cr_assert_eq(b.lun->flushes, 2);
	bench_fini(&b);
}

Test(flush, no_command_without_a_cache)
{
	struct t_lun_options o = bench_lun();
	struct bench b;

	o.wce = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_eq(b.paths[0]->log_len, 0);
	bench_fini(&b);
}

/* A unit with a cache that knows so much of SYNCHRONIZE CACHE. */
static struct t_lun_options refusing(bool page, bool no16, bool no10)
{
	struct t_lun_options o = bench_lun();

	o.no_caching_page = !page;
	o.no_sync16 = no16;
	o.no_sync10 = no10;
	return o;
}

Test(flush, a_target_without_the_command_has_no_cache)
{
	struct t_lun_options o = refusing(false, true, true);
	struct bench b;
	unsigned len;

	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	len = b.paths[0]->log_len;
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_eq(b.paths[0]->log_len, len, "it is not asked again");
	cr_assert_not(bench_heard(&b, "cache-"));
	bench_fini(&b);
}

Test(flush, by_the_command_that_the_target_knows)
{
	struct t_lun_options o = refusing(true, true, false);
	struct bench b;

	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	for (unsigned i = 1; i < 3; i++) {
		bench_put(&b, 0, 0, 4096, 'a');
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
		cr_assert(t_lun_is_clean(b.lun));
		cr_assert_eq(b.lun->flushes, i);
	}
	/* 2 writes, one SYNC(16), 2 SYNC(10) */
	cr_assert_eq(b.paths[0]->log_len, 5);
	bench_put(&b, 0, 0, 4096, 'b');
	t_lun_power_cut(b.lun);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_holds(&b, 0, 4096, 'b');
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* FUA by a flush: of the range, or of the whole unit where it must be. */
Test(flush, a_durable_write_by_the_command_that_the_target_knows)
{
	for (unsigned how = 0; how < 3; how++) {
		struct t_lun_options o = refusing(true, how == 1, false);
		struct bench b;

		o.dpofua = false;
		o.no_sync_range = how == 2;
		bench_init(&b, 1, "failover", &o);
		bench_up(&b);
		bench_put(&b, BLK_FUA, 4096, 4096, 'a');
		cr_assert(t_lun_is_clean(b.lun), "%u", how);
		bench_put(&b, 0, 8192, 4096, 'a');
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
		cr_assert(t_lun_is_clean(b.lun), "%u", how);
		bench_fini(&b);
	}
}

/* A cache that nothing empties is no reason to say that it is empty. */
Test(flush, a_cache_without_the_command_fails)
{
	struct t_lun_options o = refusing(true, true, true);
	struct bench_req r;
	struct bench b;

	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	for (int i = 0; i < 3; i++)
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), -EIO);
	cr_assert(bench_heard(&b, "cache-unflushable/-1"));
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'b');
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -EIO);
	/* It learns better: the next login finds out. What was written before,
	 * and nowhere kept, has no witness. */
	b.lun->options.no_sync16 = false;
	bench_die(&b, 0);
	bench_run(&b, S);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), -EIO);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* What the operator says goes before what the page says. */
Test(flush, a_cache_without_the_command_as_the_operator_says)
{
	static const struct {
		enum mpio_cache said;
		bool page;
		int err;
	} rows[] = {
		{MPIO_CACHE_NONVOLATILE, true, 0},
		{MPIO_CACHE_VOLATILE, false, -EIO},
		{MPIO_CACHE_VOLATILE, true, -EIO},
	};

	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct t_lun_options lun = refusing(rows[i].page, true, true);
		struct mpdev_options o;
		struct bench b;

		mpdev_options_init(&o);
		o.policy = "failover";
		o.write_cache = rows[i].said;
		bench_init_with(&b, 1, &o, &lun);
		bench_up(&b);
		bench_put(&b, 0, 0, 4096, 'a');
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), rows[i].err,
			"row %u", i);
		bench_fini(&b);
	}
}

/* What is kept for a cache that there is not is given up, and the device goes
 * on. */
Test(flush, a_durable_write_finds_that_there_is_no_cache)
{
	struct t_lun_options o = refusing(false, true, true);
	struct bench b;

	o.blocks = 40 << 11;
	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	bench_put(&b, 0, 0, 1 << 20, 'a');
	bench_put(&b, BLK_FUA, 1 << 20, 4096, 'b');
	for (unsigned i = 2; i < 40; i++)
		bench_put(&b, 0, (uint64_t)i << 20, 1 << 20, 'c');
	cr_assert_leq(buf_pool_used(loop_pool(b.loop)), 1u << 20);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_fini(&b);
}

Test(flush, is_repeated_when_its_path_dies)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* The target has told of a failure over a path that was lost. */
static void lose_answer(struct bench *b)
{
	bench_run(b, MS);
	t_lun_power_cut(b->lun);
	for (unsigned n = 0; n < b->npaths; n++)
		b->paths[n]->nexus.nattention = 0;
	t_path_die(b->paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(b, S);
}

Test(flush, an_answer_that_is_lost_may_have_been_a_failure)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	lose_answer(&b);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	cr_assert_eq(b.lun->stable[0], 'a');
	bench_fini(&b);
}

Test(flush, a_durable_write_whose_flush_is_not_answered)
{
	struct t_lun_options o = bench_lun();
	struct bench_req r;
	struct bench b;

	o.dpofua = false;
	bench_init(&b, 2, "failover", &o);
	bench_up(&b);
	b.paths[0]->slow_opcode = SCSI_SYNCHRONIZE_CACHE_16;
	b.paths[0]->slow = S;
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'f');
	lose_answer(&b);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(b.lun->stable[0], 'f');
	bench_fini(&b);
}

/* One that never is answered ends some time, and holds up nobody else then. */
Test(flush, that_is_never_answered)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	for (int i = 0; i < 2; i++) {
		b.paths[i]->slow_opcode = SCSI_SYNCHRONIZE_CACHE_16;
		b.paths[i]->slow = 100000 * S;
	}
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 2000 * S);
	cr_assert_eq(r.done, 1);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -EIO);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 4096), 0);
	b.paths[0]->slow = b.paths[1]->slow = 0;
	bench_fini(&b);
}

/* Nobody is told of a loss for that: not everything is kept, or others write
 * to it. */
Test(flush, an_answer_that_is_lost_and_nothing_to_be_done)
{
	struct mpdev_options o;
	struct bench_req r;
	struct bench b;

	for (int shared = 0; shared < 2; shared++) {
		struct t_lun_options lun = bench_lun();

		lun.block_size = 4096;
		mpdev_options_init(&o);
		o.policy = "failover";
		o.shared = shared;
		bench_init_with(&b, 2, &o, &lun);
		bench_up(&b);
		bench_put(&b, 0, 0, 4096, 'a');
		b.paths[0]->slow_opcode = SCSI_SYNCHRONIZE_CACHE_16;
		b.paths[0]->slow = S;
		if (!shared) /* merged zeroes are not kept, but flushed */
			bench_do(&b, BLK_ZERO, 0, 100, 100);
		bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
		bench_run(&b, MS);
		t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
		bench_run(&b, S);
		bench_req_fini(&r);
		cr_assert_eq(r.err, 0);
		cr_assert_not(bench_heard(&b, "cache-"));
		cr_assert(t_lun_is_clean(b.lun));
		bench_fini(&b);
	}
}

static void fail_syncs(struct bench *b, unsigned times, uint32_t sense)
{
	while (times--)
		t_nexus_script(&b->paths[0]->nexus, SCSI_SYNCHRONIZE_CACHE_16,
			SCSI_STATUS_CHECK_CONDITION, sense);
}

/* A flush of the client whose count of losses is `told`; submitted. */
static void flush_of(struct bench *b, struct bench_req *r, uint64_t *told)
{
	memset(r, 0, sizeof *r);
	r->blk.op = BLK_FLUSH;
	r->blk.losses = told;
	bench_send(b, r);
}

static int flushed_of(struct bench *b, uint64_t *told)
{
	struct bench_req r;

	flush_of(b, &r, told);
	bench_run(b, 10 * S);
	cr_assert_eq(r.done, 1);
	bench_req_fini(&r);
	return r.err;
}

static void setup(struct bench *b, bool shared, enum mpio_cache cache)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.shared = shared;
	o.write_cache = cache;
	bench_init_with(b, 1, &o, NULL);
	bench_up(b);
	bench_put(b, 0, 0, 4096, 'a');
}

/* The error came once; the command again would succeed, over a cache that has
 * thrown away what it could not write. */
Test(flush, a_failure_has_all_written_again)
{
	static const uint32_t senses[] = {
		0x020800, 0x020400, 0x031100, 0x044400, 0x0b0000, 0x072707};

	for (size_t i = 0; i < sizeof senses / sizeof *senses; i++) {
		struct bench b;
		struct bench_req r[2];

		setup(&b, false, MPIO_CACHE_AUTO);
		fail_syncs(&b, 1, senses[i]);
		bench_submit(&b, &r[0], BLK_FLUSH, 0, 0, 0);
		bench_submit(&b, &r[1], BLK_FLUSH, 0, 0, 0);
		bench_run(&b, S);
		for (int k = 0; k < 2; k++) {
			bench_req_fini(&r[k]);
			cr_assert_eq(r[k].err, 0, "%06x", senses[i]);
		}
		cr_assert_eq(b.lun->writes, 2, "%06x", senses[i]);
		cr_assert(bench_heard(&b, "cache-replayed/-1"));
		cr_assert(t_lun_is_clean(b.lun));
		bench_fini(&b);
	}
}

/* Nothing was tried, so nothing is lost. */
Test(flush, a_refusal_is_tried_again)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
	} rows[] = {
		{SCSI_STATUS_BUSY, 0},
		{SCSI_STATUS_TASK_SET_FULL, 0},
		{SCSI_STATUS_CHECK_CONDITION, 0x062a01},
		{SCSI_STATUS_CHECK_CONDITION, 0x020401},
		{SCSI_STATUS_CHECK_CONDITION, 0x0b4705},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct bench b;

		setup(&b, true, MPIO_CACHE_AUTO);
		t_nexus_script(&b.paths[0]->nexus, SCSI_SYNCHRONIZE_CACHE_16,
			rows[i].status, rows[i].sense);
		cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0, "%zu", i);
		cr_assert_eq(b.lun->writes, 1, "%zu", i);
		cr_assert_not(bench_heard(&b, "cache-"));
		bench_fini(&b);
	}
}

/* Where nothing can be written again, and where the medium fails for ever,
 * every client is told once, not only the one that flushed. */
Test(flush, a_loss_is_told_to_every_client)
{
	static const struct {
		bool shared;
		enum mpio_cache cache;
		unsigned times;
	} rows[] = {
		{true, MPIO_CACHE_AUTO, 1},
		{false, MPIO_CACHE_NONVOLATILE, 1},
		{false, MPIO_CACHE_AUTO, 4},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t told[2] = {0};
		struct bench b;

		setup(&b, rows[i].shared, rows[i].cache);
		fail_syncs(&b, rows[i].times, 0x031100);
		cr_assert_eq(flushed_of(&b, &told[0]), -EIO, "%zu", i);
		cr_assert_eq(flushed_of(&b, &told[1]), -EIO, "%zu", i);
		cr_assert_eq(flushed_of(&b, &told[0]), 0, "%zu", i);
		cr_assert_eq(flushed_of(&b, &told[1]), 0, "%zu", i);
		cr_assert(bench_heard(&b, "cache-lost/-1"));
		bench_fini(&b);
	}
}

/* No flush succeeds, none lasts for ever, and the device goes on. */
Test(flush, a_medium_that_always_fails)
{
	uint64_t told[2] = {0};
	struct bench b;

	setup(&b, false, MPIO_CACHE_AUTO);
	fail_syncs(&b, T_LUN_SCRIPT_MAX, 0x031100);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(flushed_of(&b, &told[0]), -EIO);
		bench_put(&b, 0, 0, 4096, 'b');
	}
	b.paths[0]->nexus.nscript = 0;
	cr_assert_eq(flushed_of(&b, &told[1]), -EIO);
	cr_assert_eq(flushed_of(&b, &told[1]), 0);
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* The flush of a durable write is one of everything, as far as an error is
 * concerned. */
Test(flush, a_durable_write_whose_flush_fails)
{
	struct t_lun_options o = bench_lun();
	struct bench_req r;
	struct bench b;

	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	fail_syncs(&b, 1, 0x020800);
	bench_write(&b, &r, BLK_FUA, 8192, 4096, 'f');
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* One loss, however many durable writes hear of it. */
Test(flush, many_durable_writes_whose_flush_fails)
{
	struct t_lun_options o = bench_lun();
	struct bench_req r[6];
	struct bench b;

	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	fail_syncs(&b, 6, 0x020800);
	for (unsigned i = 0; i < 6; i++)
		bench_write(&b, &r[i], BLK_FUA, 8192 * (i + 1), 4096, 'f');
	bench_run(&b, S);
	for (unsigned i = 0; i < 6; i++) {
		bench_req_fini(&r[i]);
		cr_assert_eq(r[i].err, 0, "%u", i);
	}
	cr_assert_not(bench_heard(&b, "cache-lost/-1"));
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* Nothing can be lost of what is on the medium. */
Test(flush, a_failure_with_nothing_to_write_is_only_repeated)
{
	struct bench_req r;
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	fail_syncs(&b, 1, 0x020800);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, 5 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_not(bench_heard(&b, "cache-"));
	bench_fini(&b);
}
