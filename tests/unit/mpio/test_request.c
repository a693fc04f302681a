/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests over healthy and dying paths. */
#include "bench.h"

#include <errno.h>
#include <umpio/scsi/opcode.h>

Test(request, limits_and_overflows)
{
	static const struct {
		enum blk_op op;
		uint64_t offset;
		uint32_t len;
		int err;
	} rows[] = {
		{BLK_READ, 4096 * 512 - 512, 512, 0},
		{BLK_READ, 4096 * 512 - 511, 512, -EINVAL},
		{BLK_READ, UINT64_MAX - 100, 512, -EINVAL},
		{BLK_READ, UINT64_MAX, 0, 0},
		{BLK_WRITE, 4096 * 512, 1, -ENOSPC},
		{BLK_WRITE, UINT64_MAX - 4095, 4096, -ENOSPC},
		{BLK_TRIM, 0, UINT32_MAX, -ENOSPC},
		{BLK_ZERO, 512, UINT32_MAX, -ENOSPC},
		{BLK_ZERO, UINT64_MAX, 1, -ENOSPC},
		{BLK_WRITE, 0, 0, 0},
		{(enum blk_op)77, 0, 512, -EINVAL},
	};
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_assert_eq(bench_do(&b, rows[i].op, 0, rows[i].offset,
				     rows[i].len),
			rows[i].err, "row %zu", i);
	bench_fini(&b);
}

Test(request, read_only)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct blk_info info;

	o.read_only = true;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	blkdev_info(b.blk, &info);
	cr_assert(info.read_only);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 512), -EPERM);
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 0, 512), -EPERM);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_fini(&b);
}

Test(request, clients_are_as_one_where_old_copies_are_held_off)
{
	struct mpdev_options options;
	struct blk_info info;
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	blkdev_info(b.blk, &info);
	cr_assert(info.multi_conn);
	bench_fini(&b);

	bench_init(&b, 2, "failover", NULL);
	mpdev_options_init(&options);
	options.ghost_guard = 0;
	cr_assert_eq(mpdev_set_options(b.dev, &options), 0);
	bench_up(&b);
	blkdev_info(b.blk, &info);
	cr_assert_not(info.multi_conn);
	bench_fini(&b);
}

Test(request, splits_at_the_least_limit)
{
	struct t_lun_options o = bench_lun();
	struct bench b;

	o.max_transfer = 100;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 1001 * 512), 0);
	cr_assert_eq(b.paths[0]->log_len, 11);
	cr_assert_eq(b.lun->writes, 11);
	cr_assert_eq(b.lun->memory[1001 * 512 - 1], 'w');
	cr_assert_eq(b.lun->memory[1001 * 512], 0);
	bench_fini(&b);
}

static void read_bare(
	struct bench *b, struct bench_req *r, uint64_t offset, uint32_t len)
{
	*r = (struct bench_req){
		.blk = {.op = BLK_READ, .offset = offset, .len = len}};
	r->buf = r->blk.buf = buf_get_bare(loop_pool(b->loop), len);
	bench_send(b, r);
}

/* A large read waits without memory, and what came from a path that died is
 * where the rest from the other one belongs to. */
Test(request, a_large_read_has_memory_when_there_are_data)
{
	struct t_lun_options o = bench_lun();
	uint32_t len = 200 * 512;
	struct bench_req r;
	struct bench b;

	o.max_transfer = 100;
	for (uint64_t at = 0; at < 512; at += 100) {
		bench_init(&b, 2, "failover", &o);
		bench_up(&b);
		for (uint32_t i = 0; i < 512 + len; i++)
			b.lun->memory[i] = (uint8_t)(i * 7 + i / 512);
		b.paths[0]->hold = b.paths[1]->hold = true;
		read_bare(&b, &r, at, len);
		bench_run(&b, MS);
		cr_assert_eq(r.done, 0);
		cr_assert(r.buf->data == NULL || at > 0);
		t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
		t_path_go(b.paths[1]);
		bench_run(&b, MS);
		cr_assert_eq(r.err, 0);
		cr_assert_eq(blk_data(&r.blk), r.buf->data);
		cr_assert_arr_eq(r.buf->data, b.lun->memory + at, len);
		bench_req_fini(&r);
		bench_fini(&b);
	}
}

/* A tiny limit does not make a request expensive: the window holds. */
Test(request, window_of_commands)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r;

	o.max_transfer = 1;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_READ, 0, 0, 1 << 20);
	cr_assert_eq(b.paths[0]->open, 8);
	t_path_go(b.paths[0]);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	bench_fini(&b);
}

Test(request, batches_stay_together_and_go_round)
{
	struct bench b;
	struct bench_req r[32];

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	for (int i = 0; i < 32; i++)
		bench_submit(&b, &r[i], BLK_READ, 0, (uint64_t)i * 512, 512);
	cr_assert_eq(b.paths[0]->open, 16);
	cr_assert_eq(b.paths[1]->open, 16);
	bench_run(&b, MS);
	for (int i = 0; i < 32; i++)
		bench_req_fini(&r[i]);
	cr_assert_eq(bench_path(&b, 0).reads, 16);
	cr_assert_eq(bench_path(&b, 1).read_bytes, 16 * 512);
	cr_assert_eq(bench_path(&b, 1).read_latency->count, 16);
	bench_fini(&b);
}

Test(request, failover_uses_the_first_and_then_the_next)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;

	bench_init(&b, 3, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	cr_assert_eq(b.paths[0]->log_len, 10);
	b.paths[0]->refusal = &why;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	for (int i = 0; i < 10; i++)
		cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 512), 0);
	cr_assert_eq(b.paths[1]->log_len, 10);
	cr_assert_eq(b.paths[2]->log_len, 0);
	bench_fini(&b);
}

static void die_all(struct bench *b, enum path_outcome outcome, bool ran)
{
	for (unsigned i = 0; i < b->npaths; i++)
		t_path_die(b->paths[i], outcome, ran, "reset");
}

/* Everything dies at once, with all kinds of requests on their way. */
Test(request, each_completes_once_when_all_paths_die)
{
	static const enum path_outcome outcomes[] = {
		PATH_NOT_SENT, PATH_UNKNOWN};

	for (int i = 0; i < 4; i++) {
		struct bench b;
		struct bench_req r[64];

		bench_init(&b, 3, "round-robin", NULL);
		bench_up(&b);
		for (unsigned n = 0; n < b.npaths; n++)
			b.paths[n]->hold = true;
		for (unsigned n = 0; n < 64; n++)
			bench_submit(&b, &r[n], (enum blk_op)(n % 5), 0,
				n * 700, n % 5 == BLK_FLUSH ? 0 : 5000);
		die_all(&b, outcomes[i % 2], i / 2);
		for (unsigned n = 0; n < b.npaths; n++)
			b.paths[n]->hold = false;
		bench_run(&b, 5 * S);
		for (unsigned n = 0; n < 64; n++) {
			bench_req_fini(&r[n]);
			cr_assert_eq(
				r[n].err, 0, "request %u: %d", n, r[n].err);
		}
		cr_assert(bench_heard(&b, "tasks-moved/"));
		bench_fini(&b);
	}
}

Test(request, tasks_move_once_per_death)
{
	struct bench b;
	struct bench_req r[8];
	struct mpdev_snapshot s;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	for (int i = 0; i < 8; i++)
		bench_submit(&b, &r[i], BLK_READ, 0, 0, 512);
	t_path_die(b.paths[0], PATH_UNKNOWN, true, "reset");
	bench_run(&b, 1);
	for (int i = 0; i < 8; i++)
		bench_req_fini(&r[i]);
	cr_assert_eq(bench_path(&b, 0).failovers, 1);
	cr_assert_eq(bench_path(&b, 0).errors, 8);
	mpdev_snapshot(b.dev, &s);
	cr_assert_eq(s.failovers, 1);
	bench_fini(&b);
}

/* A write of unknown outcome is tried elsewhere; a newer one over the same
 * blocks waits for it, one beside it does not. */
Test(request, newer_writes_wait_for_one_of_unknown_outcome)
{
	struct bench b;
	struct bench_req old, newer, beside;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = b.paths[1]->hold = true;
	bench_write(&b, &old, 0, 0, 4096, 'o');
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	b.paths[0]->hold = false;
	bench_run(&b, S); /* path 0 is back, and idle */
	bench_write(&b, &newer, 0, 2048, 4096, 'n');
	bench_write(&b, &beside, 0, 8192, 4096, 'b');
	bench_run(&b, MS);
	cr_assert_eq(old.done, 0);
	cr_assert_eq(newer.done, 0);
	bench_req_fini(&beside);
	t_path_go(b.paths[1]);
	bench_run(&b, MS);
	bench_req_fini(&old);
	bench_req_fini(&newer);
	cr_assert_eq(b.lun->memory[0], 'o');
	cr_assert_eq(b.lun->memory[2048], 'n');
	bench_fini(&b);
}

Test(request, answers_that_are_retried_and_that_are_not)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
		int err;
	} rows[] = {
		{SCSI_STATUS_CHECK_CONDITION, 0x062900, 0},
		{SCSI_STATUS_BUSY, 0, 0},
		{SCSI_STATUS_TASK_SET_FULL, 0, 0},
		{SCSI_STATUS_CHECK_CONDITION, 0x020401, 0},
		{SCSI_STATUS_CHECK_CONDITION, 0x0b4700, 0},
		{SCSI_STATUS_CHECK_CONDITION, 0x031100, -EIO},
		{SCSI_STATUS_RESERVATION_CONFLICT, 0, -EPERM},
		{SCSI_STATUS_CHECK_CONDITION, 0x072707, -ENOSPC},
	};
	struct bench b;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned other = b.paths[1]->log_len;

		t_nexus_script(&b.paths[0]->nexus, SCSI_WRITE_16,
			rows[i].status, rows[i].sense);
		cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 512), rows[i].err,
			"row %zu", i);
		if (rows[i].err)
			cr_assert_eq(b.paths[1]->log_len, other);
	}
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	bench_fini(&b);
}

/* A unit that answers TEST UNIT READY is slow, not dead. */
Test(request, a_command_without_answer_moves_after_a_while)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, 29 * S);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 2 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_not(bench_heard(&b, "path-failed/0"));
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_fini(&b);
}

/* One command is rejected, the session lives: it is sent again, and the path
 * goes on. */
Test(request, a_rejected_command_does_not_cost_the_path)
{
	struct bench b;
	struct bench_req r;
	int n = 0;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
	t_path_reject(b.paths[0], PATH_UNKNOWN);
	b.paths[0]->hold = false;
	bench_run(&b, 50 * MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(b.paths[0]->starts, 1);
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	b.paths[0]->hold = true; /* one that is always rejected ends */
	bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
	for (; !r.done; n++) {
		cr_assert_lt(n, 100);
		if (b.paths[0]->open)
			t_path_reject(b.paths[0], PATH_NOT_SENT);
		bench_run(&b, 20 * MS);
	}
	bench_req_fini(&r);
	cr_assert_eq(r.err, -EIO);
	b.paths[0]->hold = false;
	bench_fini(&b);
}

Test(request, fua_by_bit_or_by_flush)
{
	for (int dpofua = 0; dpofua < 2; dpofua++) {
		struct t_lun_options o = bench_lun();
		struct bench b;

		o.dpofua = dpofua;
		bench_init(&b, 1, "failover", &o);
		bench_up(&b);
		cr_assert_eq(bench_do(&b, BLK_WRITE, BLK_FUA, 512, 1024), 0);
		cr_assert(t_lun_is_clean(b.lun));
		cr_assert_eq(b.lun->flushes, !dpofua);
		cr_assert_eq(bench_do(&b, BLK_WRITE, BLK_FUA, 100, 100), 0);
		cr_assert(t_lun_is_clean(b.lun));
		cr_assert_eq(bench_do(&b, BLK_ZERO, BLK_FUA, 100, 9000), 0);
		cr_assert(t_lun_is_clean(b.lun));
		bench_fini(&b);
	}
}

Test(request, trim_in_whole_granules)
{
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct blk_info info;

	o.unmap_granularity = 8;
	bench_init(&b, 1, "failover", &o);
	bench_up(&b);
	blkdev_info(b.blk, &info);
	cr_assert(info.can_trim);
	cr_assert_eq(info.trim_granularity, 4096);
	bench_do(&b, BLK_WRITE, 0, 0, 65536);
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 1, 4096 + 4095), 0);
	cr_assert_eq(b.lun->unmaps, 1);
	cr_assert_eq(b.lun->memory[4095], 'w');
	cr_assert_neq(b.lun->memory[4096], 'w');
	cr_assert_eq(b.lun->memory[8192], 'w');
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 1, 4096), 0); /* nothing whole */
	cr_assert_eq(b.lun->unmaps, 1);
	bench_fini(&b);
}

Test(request, a_refused_trim_succeeds_and_is_not_tried_again)
{
	struct bench b;
	unsigned n;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	t_nexus_script(&b.paths[0]->nexus, SCSI_UNMAP,
		SCSI_STATUS_CHECK_CONDITION, 0x052000);
	t_nexus_script(&b.paths[0]->nexus, SCSI_WRITE_SAME_16,
		SCSI_STATUS_CHECK_CONDITION, 0x052400);
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 0, 65536), 0);
	n = b.paths[0]->log_len;
	cr_assert_eq(bench_do(&b, BLK_TRIM, 0, 0, 65536), 0);
	cr_assert_eq(b.paths[0]->log_len, n);
	bench_fini(&b);
}

Test(request, zero_falls_back_to_writes)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 1 << 20);
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 0, 65536), 0);
	cr_assert_eq(b.lun->memory[65535], 0);
	cr_assert_eq(b.lun->memory[65536], 'w');
	for (int i = 0; i < 2; i++)
		t_nexus_script(&b.paths[0]->nexus, SCSI_WRITE_SAME_16,
			SCSI_STATUS_CHECK_CONDITION, 0x052000);
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 65536, 65536), 0);
	cr_assert_eq(b.lun->memory[131071], 0);
	cr_assert_eq(b.lun->memory[131072], 'w');
	cr_assert_eq(bench_do(&b, BLK_ZERO, BLK_FAST_ZERO, 0, 4096), -ENOTSUP);
	cr_assert_eq(bench_do(&b, BLK_ZERO, 0, 131072, 4096), 0);
	bench_fini(&b);
}

Test(request, no_hole_keeps_blocks)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	cr_assert_eq(bench_do(&b, BLK_ZERO, BLK_NO_HOLE, 0, 4096), 0);
	cr_assert(b.lun->state[0] & T_LUN_MAPPED);
	cr_assert_eq(b.lun->memory[0], 0);
	bench_fini(&b);
}

/* A target that is full gets half as much, and slowly more again. */
Test(request, a_full_target_gets_less)
{
	struct bench b;
	struct bench_req r[64];
	unsigned most = 0;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->latency = MS;
	for (int i = 0; i < 32; i++)
		t_nexus_script(&b.paths[0]->nexus, SCSI_WRITE_16,
			i % 2 ? SCSI_STATUS_TASK_SET_FULL : SCSI_STATUS_BUSY,
			0);
	for (unsigned i = 0; i < 64; i++)
		bench_submit(&b, &r[i], BLK_WRITE, 0, i * 512, 512);
	cr_assert_eq(b.paths[0]->open, 64);
	bench_run(&b, 5 * MS);
	for (int i = 0; i < 3000; i++) {
		bench_run(&b, MS / 2);
		if (b.paths[0]->open > most)
			most = b.paths[0]->open;
	}
	cr_assert_leq(most, 40, "%u at once", most);
	for (unsigned i = 0; i < 64; i++) {
		bench_req_fini(&r[i]);
		cr_assert_eq(r[i].err, 0);
	}
	cr_assert_eq(bench_state(&b), MPDEV_UP);
	cr_assert_eq(b.paths[0]->starts, 1);
	bench_fini(&b);
}

Test(request, a_full_target_is_left_for_another_path_in_the_end)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 30; i++)
		t_nexus_script(
			&b.paths[0]->nexus, SCSI_WRITE_16, SCSI_STATUS_BUSY, 0);
	bench_submit(&b, &r, BLK_WRITE, 0, 0, 512);
	bench_run(&b, 9 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(b.paths[1]->log_len, 0);
	bench_run(&b, 4 * S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_gt(b.paths[1]->log_len, 0);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_fini(&b);
}

Test(request, a_protected_unit_is_told_of_once)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	for (int i = 0; i < 2; i++)
		t_nexus_script(&b.paths[0]->nexus, SCSI_WRITE_16,
			SCSI_STATUS_CHECK_CONDITION, 0x072700);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 0, 512), -EPERM);
	bench_run(&b, 1);
	cr_assert(bench_heard(&b, "device-protected/-1"));
	bench_fini(&b);
}
