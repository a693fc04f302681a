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

Test(flush, a_target_without_the_command_has_no_cache)
{
	struct bench b;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	t_nexus_script(&b.paths[0]->nexus, SCSI_SYNCHRONIZE_CACHE_16,
		SCSI_STATUS_CHECK_CONDITION, 0x052000);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	cr_assert_eq(b.paths[0]->log_len, 1);
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

Test(flush, failure_reaches_all_waiters)
{
	struct bench b;
	struct bench_req r[2];

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	t_nexus_script(&b.paths[0]->nexus, SCSI_SYNCHRONIZE_CACHE_16,
		SCSI_STATUS_CHECK_CONDITION, 0x030c00);
	bench_submit(&b, &r[0], BLK_FLUSH, 0, 0, 0);
	bench_submit(&b, &r[1], BLK_FLUSH, 0, 0, 0);
	bench_run(&b, S);
	bench_req_fini(&r[0]);
	bench_req_fini(&r[1]);
	cr_assert_eq(r[0].err, -EIO);
	cr_assert_eq(r[1].err, 0);
	bench_fini(&b);
}
