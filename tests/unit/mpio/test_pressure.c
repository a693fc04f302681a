/* SPDX-License-Identifier: BSD-2-Clause */
/* What many devices keep, because it is not flushed yet, leaves memory for the
 * requests of all. */
#include "bench.h"

enum { DEVICES = 48, MIB = 1 << 20 };

static struct bench benches[DEVICES];

static void write_mib(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bench_put(b, 0, 0, MIB, (int)i + 1);
}

/* Each keeps less than would have it flush; no client does. */
Test(pressure, many_devices_do_not_use_up_the_pool)
{
	struct bench *last = &benches[DEVICES - 1];
	struct buf *rest[48];
	unsigned n;

	for (n = 0; n < DEVICES; n++) {
		bench_init(&benches[n], 1, "failover", NULL);
		bench_up(&benches[n]);
		write_mib(&benches[n], 15);
	}
	cr_assert_eq(benches[0].lun->flushes, 0, "it had the pool to itself");
	cr_assert_gt(last->lun->flushes, 0);
	for (n = 0; n < 48; n++) {
		rest[n] = buf_get(loop_pool(last->loop), MIB);
		cr_assert_not_null(rest[n], "after %u", n);
	}
	/* Also one that is not written any more flushes by and by. */
	bench_run(&benches[0], 10 * S);
	cr_assert_gt(benches[0].lun->flushes, 0);
	cr_assert(t_lun_is_clean(benches[0].lun));
	for (n = 0; n < 48; n++)
		buf_put(rest[n]);
	for (n = 0; n < DEVICES; n++)
		bench_fini(&benches[n]);
}

/* The queues of a device share what it may keep. */
Test(pressure, a_queue_flushes_at_its_part)
{
	struct bench b;

	bench_init(&b, 0, "failover", NULL);
	mpdev_be_queue(b.dev, 0, 4);
	bench_add(&b, b.lun);
	bench_up(&b);
	write_mib(&b, 3);
	cr_assert_eq(b.lun->flushes, 0);
	write_mib(&b, 1);
	cr_assert_eq(b.lun->flushes, 1);
	bench_run(&b, 60 * S);
	cr_assert_eq(b.lun->flushes, 1, "there is room");
	write_mib(&b, 2);
	bench_run(&b, 60 * S);
	cr_assert_eq(b.lun->flushes, 1, "for this, too");
	bench_fini(&b);
}
