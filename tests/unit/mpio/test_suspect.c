/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of writes that a target has acknowledged and then lost. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/opcode.h>

static void setup(struct bench *b, unsigned npaths, bool shared)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.shared = shared;
	bench_init_with(b, npaths, &o, NULL);
	bench_up(b);
}

Test(suspect, what_was_lost_is_written_again_before_a_flush_succeeds)
{
	struct bench b;

	setup(&b, 2, false);
	bench_put(&b, 0, 0, 8192, 'a');
	bench_put(&b, 0, 4096, 4096, 'b');
	t_lun_power_cut(b.lun);
	bench_holds(&b, 0, 8192, 0);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_holds(&b, 0, 4096, 'a');
	bench_holds(&b, 4096, 4096, 'b');
	cr_assert(t_lun_is_clean(b.lun));
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	bench_fini(&b);
}

/* A read that meets the reset sees what was acknowledged, and so does one
 * that was under way. */
Test(suspect, reads_wait_for_the_lost_writes)
{
	struct bench b;
	struct bench_req r[4];

	setup(&b, 1, false);
	bench_put(&b, 0, 0, 4096, 'a');
	t_lun_power_cut(b.lun);
	for (int i = 0; i < 4; i++)
		bench_submit(&b, &r[i], BLK_READ, 0, 0, 4096);
	bench_run(&b, S);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(r[i].err, 0);
		cr_assert_eq(r[i].buf->data[4095], 'a', "read %d", i);
		bench_req_fini(&r[i]);
	}
	bench_fini(&b);
}

/* Newer writes, durable ones too, zeroes and trims hide older ones. */
Test(suspect, the_newest_of_each_block)
{
	struct bench b;

	setup(&b, 1, false);
	bench_put(&b, 0, 0, 65536, 'a');
	bench_put(&b, BLK_FUA, 4096, 4096, 'f');
	bench_put(&b, 0, 6144, 512, 'c');
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 16384, 8192), 0);
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 32768, 4096), 0);
	bench_put(&b, 0, 100, 100, 'u');
	t_lun_power_cut(b.lun);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_holds(&b, 0, 100, 'a');
	bench_holds(&b, 100, 100, 'u');
	bench_holds(&b, 200, 4096 - 200, 'a');
	bench_holds(&b, 4096, 2048, 'f');
	bench_holds(&b, 6144, 512, 'c');
	bench_holds(&b, 6656, 1536, 'f');
	bench_holds(&b, 8192, 8192, 'a');
	bench_holds(&b, 16384, 8192, 0);
	bench_holds(&b, 24576, 8192, 'a');
	bench_holds(&b, 36864, 65536 - 36864, 'a');
	bench_fini(&b);
}

/* Zeroes with ragged ends are not kept, but flushed at once; before that they
 * cost an error. */
Test(suspect, what_is_not_kept_fails_the_flush)
{
	struct bench b;

	setup(&b, 1, false);
	bench_put(&b, 0, 0, 4096, 'a');
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 100, 2000), 0);
	bench_run(&b, MS);
	cr_assert(t_lun_is_clean(b.lun));
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[0]->latency = MS;
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 100, 2000), 0);
	t_lun_power_cut(b.lun);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), -EIO);
	cr_assert(bench_heard(&b, "cache-lost/-1"));
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_fini(&b);
}

/* The same while the flush that such zeroes have begun is all that is there. */
Test(suspect, what_is_not_kept_while_it_is_flushed)
{
	struct bench b;

	setup(&b, 1, false);
	b.paths[0]->latency = MS;
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 100, 2000), 0);
	cr_assert_not(t_lun_is_clean(b.lun));
	t_lun_power_cut(b.lun);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), -EIO);
	cr_assert(bench_heard(&b, "cache-lost/-1"));
	bench_fini(&b);
}

Test(suspect, every_client_of_a_shared_unit_is_told_once)
{
	struct bench b;
	struct bench_req r;
	uint64_t told[3] = {0};

	setup(&b, 2, true);
	bench_put(&b, 0, 0, 4096, 'a');
	t_lun_power_cut(b.lun);
	for (int i = 0; i < 6; i++) {
		memset(&r, 0, sizeof r);
		r.blk.op = BLK_FLUSH;
		r.blk.losses = &told[i % 3];
		bench_send(&b, &r);
		bench_run(&b, S);
		bench_req_fini(&r);
		cr_assert_eq(r.err, i < 3 ? -EIO : 0, "flush %d", i);
	}
	bench_holds(&b, 0, 4096, 0); /* nothing is repeated */
	cr_assert(bench_heard(&b, "cache-lost/-1"));
	bench_put(&b, 0, 0, 4096, 'b');
	told[0] = 0;
	memset(&r, 0, sizeof r);
	r.blk = (struct blk_req){.op = BLK_WRITE,
		.flags = BLK_FUA,
		.len = 512,
		.losses = &told[0],
		.buf = buf_get(loop_pool(b.loop), 512)};
	r.blk.data = r.blk.buf->data;
	bench_send(&b, &r);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -EIO, "a durable write of one who was not told");
	bench_fini(&b);
}

Test(suspect, a_nonvolatile_cache_is_trusted)
{
	struct mpdev_options o;
	struct bench b;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.write_cache = MPIO_CACHE_NONVOLATILE;
	bench_init_with(&b, 1, &o, NULL);
	bench_up(&b);
	bench_put(&b, 0, 0, 4096, 'a');
	t_lun_attend(b.lun, NULL, 0x29, 0x00);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_eq(b.lun->writes, 1);
	bench_fini(&b);
}

/* The target restarts: every session goes, and the new ones say nothing. */
Test(suspect, every_session_lost)
{
	struct bench b;

	setup(&b, 2, false);
	bench_put(&b, 0, 0, 4096, 'a');
	bench_die(&b, 0);
	bench_die(&b, 1);
	t_lun_power_cut(b.lun);
	bench_holds(&b, 0, 4096, 0);
	bench_run(&b, 10 * S);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(bench_heard(&b, "cache-replayed/-1"));
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* One session lives through it, and says so. */
Test(suspect, a_witness_is_enough)
{
	struct bench b;

	setup(&b, 2, false);
	bench_put(&b, 0, 0, 4096, 'a');
	for (int i = 0; i < 3; i++) {
		bench_die(&b, (unsigned)i % 2);
		bench_run(&b, 10 * S);
		cr_assert_eq(bench_state(&b), MPDEV_UP);
	}
	cr_assert_eq(b.lun->writes, 1);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_not(bench_heard(&b, "cache-"));
	bench_fini(&b);
}

/* The other session is dead too, which shows only when it is asked: a flush
 * over the new one waits for that. */
Test(suspect, a_witness_that_does_not_answer)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2, false);
	bench_put(&b, 0, 0, 4096, 'a');
	b.paths[1]->dead = true;
	bench_die(&b, 0);
	t_lun_power_cut(b.lun);
	bench_run(&b, MS);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	bench_run(&b, S);
	cr_assert_eq(r.done, 0);
	bench_die(&b, 1);
	b.paths[1]->dead = false;
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

Test(suspect, a_second_reset_during_the_replay)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 1, false);
	bench_put(&b, 0, 0, 4096, 'a');
	t_lun_power_cut(b.lun);
	b.paths[0]->latency = MS;
	bench_submit(&b, &r, BLK_FLUSH, 0, 0, 0);
	for (int i = 0; i < 100 && b.lun->writes < 2; i++)
		bench_run(&b, MS);
	cr_assert_eq(b.lun->writes, 2);
	t_lun_power_cut(b.lun);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* FUA as write and flush: a reset between the two. */
Test(suspect, a_durable_write_in_two_steps_is_begun_anew)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r;

	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	b.paths[0]->latency = MS;
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'a');
	bench_run(&b, 1500 * NS_PER_US);
	cr_assert_eq(b.lun->writes, 1);
	t_lun_power_cut(b.lun);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_holds(&b, 0, 4096, 'a');
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

/* A target that loses its cache each time, between write and flush: the write
 * is not said to be durable, and is not tried for ever. */
Test(suspect, a_durable_write_that_is_never_sure_fails)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r;
	uint64_t seen = 0;

	o.dpofua = false;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	b.paths[0]->latency = MS;
	bench_write(&b, &r, BLK_FUA, 0, 4096, 'a');
	for (int i = 0; i < 10000 && !r.done; i++) {
		bench_run(&b, 100 * NS_PER_US);
		if (b.lun->writes > seen)
			t_lun_power_cut(b.lun);
		seen = b.lun->writes;
	}
	bench_req_fini(&r);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, -EIO);
	bench_fini(&b);
}

/* What is read of a block whose last write is lost, and will be written again,
 * is not merged and written. */
Test(suspect, nothing_lost_is_merged)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 1, false);
	bench_put(&b, 0, 0, 512, 'a');
	b.paths[0]->hold = true;
	bench_write(&b, &r, 0, 100, 100, 'r');
	bench_run(&b, MS);
	bench_die(&b, 0);
	t_lun_power_cut(b.lun);
	b.paths[0]->hold = false;
	bench_run(&b, 10 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(b.lun->writes, 3, "%u", (unsigned)b.lun->writes);
	bench_holds(&b, 0, 100, 'a');
	bench_holds(&b, 100, 100, 'r');
	bench_holds(&b, 200, 312, 'a');
	bench_fini(&b);
}

/* The device flushes by itself; what it keeps is bounded, and newer writes
 * wait when a flush takes long. */
Test(suspect, what_is_kept_is_bounded)
{
	enum { N = 48 };
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r[N], late;
	unsigned done = 0;

	o.blocks = N << 11;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	for (unsigned i = 0; i < N; i++) {
		bench_put(&b, 0, (uint64_t)i << 20, 1 << 20, 'a');
		cr_assert_leq(
			buf_pool_used(loop_pool(b.loop)), (17u << 20) + 4096);
	}
	cr_assert_geq(b.lun->flushes, 2);
	b.paths[0]->slow_opcode = SCSI_SYNCHRONIZE_CACHE_16;
	b.paths[0]->slow = S;
	for (unsigned i = 0; i < N; i++)
		bench_write(&b, &r[i], 0, (uint64_t)i << 20, 1 << 20, 'b');
	bench_run(&b, 500 * MS);
	for (unsigned i = 0; i < N; i++)
		done += r[i].done;
	cr_assert_eq(done, N, "those that had begun end");
	bench_write(&b, &late, 0, 0, 512, 'c');
	bench_run(&b, 100 * MS);
	cr_assert_eq(late.done, 0, "a newer one waits for the flush");
	bench_run(&b, 10 * S);
	bench_req_fini(&late);
	for (unsigned i = 0; i < N; i++)
		bench_req_fini(&r[i]);
	bench_fini(&b);
}

/* Random writes, flushes, resets and lost paths: what a flush has covered is
 * durable, and what was acknowledged is there. */
Test(suspect, random_against_a_model)
{
	enum { BLOCKS = 64, ROUNDS = 4000 };
	static uint8_t model[BLOCKS];

	for (unsigned seed = 0; seed < 10; seed++) {
		struct bench b;

		srand(seed);
		memset(model, 0, sizeof model);
		setup(&b, 2, false);
		for (int i = 0; i < ROUNDS; i++) {
			unsigned at = (unsigned)rand() % BLOCKS;
			unsigned n = 1 + (unsigned)rand() % (BLOCKS - at);
			int fill = 1 + rand() % 255;

			switch (rand() % 24) {
			case 0: t_lun_power_cut(b.lun); break;
			case 1: bench_die(&b, (unsigned)rand() % 2); break;
			case 2:
				bench_die(&b, 0);
				bench_die(&b, 1);
				t_lun_power_cut(b.lun);
				break;
			case 3:
			case 4:
				cr_assert_eq(
					bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
				for (unsigned k = 0; k < BLOCKS; k++)
					cr_assert_eq(b.lun->stable[k * 512],
						model[k], "seed %u, %d: %u",
						seed, i, k);
				break;
			case 5:
				cr_assert_eq(bench_do(&b, BLK_ZERO, 0, at * 512,
						     n * 512),
					0);
				memset(model + at, 0, n);
				break;
			case 6:
			case 7: {
				struct bench_req r;

				bench_submit(
					&b, &r, BLK_READ, 0, at * 512, n * 512);
				while (!r.done)
					bench_run(&b, MS);
				for (unsigned k = 0; k < n; k++)
					cr_assert_eq(r.buf->data[k * 512],
						model[at + k], "seed %u, %d",
						seed, i);
				bench_req_fini(&r);
				break;
			}
			default: {
				struct bench_req r;
				unsigned f = rand() % 6 ? 0 : BLK_FUA;

				bench_write(&b, &r, f, at * 512, n * 512, fill);
				while (!r.done)
					bench_run(&b, MS);
				bench_req_fini(&r);
				cr_assert_eq(r.err, 0);
				memset(model + at, fill, n);
			}
			}
		}
		bench_fini(&b);
	}
}
