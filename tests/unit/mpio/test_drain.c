/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>

Test(drain, finishes_flushes_and_refuses)
{
	struct bench b;
	struct bench_req r[2];

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	b.paths[0]->latency = b.paths[1]->latency = 50 * MS;
	bench_submit(&b, &r[0], BLK_WRITE, 0, 0, 4096);
	mpdev_drain(b.dev, false);
	bench_submit(&b, &r[1], BLK_READ, 0, 0, 4096);
	bench_run(&b, 10 * MS);
	bench_req_fini(&r[1]);
	cr_assert_eq(r[1].err, -ESHUTDOWN);
	cr_assert_eq(b.drained, 0);
	bench_run(&b, S);
	bench_req_fini(&r[0]);
	cr_assert_eq(r[0].err, 0);
	cr_assert_eq(b.drained, 1);
	cr_assert_eq(b.drain_error, 0);
	cr_assert_eq(b.lun->flushes, 1);
	cr_assert(t_lun_is_clean(b.lun));
	bench_fini(&b);
}

Test(drain, without_unflushed_writes_there_is_no_flush)
{
	struct bench b;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	bench_do(&b, BLK_FLUSH, 0, 0, 0);
	bench_do(&b, BLK_WRITE, BLK_FUA, 0, 4096);
	bench_fini(&b);
	cr_assert_eq(b.drain_error, 0);
}

Test(drain, at_once_answers_everything)
{
	struct bench b;
	struct bench_req r[40];

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	b.paths[0]->hold = b.paths[1]->hold = true;
	for (unsigned n = 0; n < 40; n++)
		bench_submit(&b, &r[n], (enum blk_op)(n % 5), 0, n * 100,
			n % 5 == BLK_FLUSH ? 0 : 5000);
	mpdev_drain(b.dev, false);
	bench_run(&b, S);
	cr_assert_eq(b.drained, 0);
	mpdev_drain(b.dev, true);
	bench_run(&b, MS);
	for (unsigned n = 0; n < 40; n++)
		bench_req_fini(&r[n]);
	cr_assert_eq(b.drained, 1);
	cr_assert_eq(b.drain_error, -EIO); /* the first write */
	bench_fini(&b);
}

Test(drain, without_a_path_unflushed_writes_are_an_error)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;

	bench_init(&b, 1, "round-robin", NULL);
	bench_up(&b);
	bench_do(&b, BLK_WRITE, 0, 0, 4096);
	b.paths[0]->refusal = &why;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	mpdev_drain(b.dev, false);
	bench_run(&b, 59 * S);
	cr_assert_eq(b.drained, 0);
	bench_run(&b, 2 * S);
	cr_assert_eq(b.drained, 1);
	cr_assert_eq(b.drain_error, -EIO);
	bench_fini(&b);
}

Test(drain, of_a_device_that_never_had_a_path)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "gone"};
	struct bench b;
	struct bench_req r;

	bench_init(&b, 1, "round-robin", NULL);
	b.paths[0]->refusal = &why;
	bench_submit(&b, &r, BLK_READ, 0, 0, 512);
	bench_run(&b, S);
	mpdev_drain(b.dev, false);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -ESHUTDOWN);
	cr_assert_eq(b.drained, 1);
	bench_fini(&b);
	bench_init(&b, 0, "round-robin", NULL);
	bench_fini(&b);
}

/* While paths are still coming up, in every state of theirs. */
Test(drain, at_any_time)
{
	for (uint64_t at = 0; at < 40; at++) {
		struct bench b;

		bench_init(&b, 3, "round-robin", NULL);
		for (int n = 0; n < 3; n++)
			b.paths[n]->latency = (uint64_t)(n + 1) * MS;
		bench_run(&b, at * MS);
		mpdev_drain(b.dev, at % 2);
		bench_run(&b, 20 * S);
		cr_assert_eq(b.drained, 1, "at %d ms", (int)at);
		bench_fini(&b);
	}
}
