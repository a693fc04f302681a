/* SPDX-License-Identifier: BSD-2-Clause */
/* The router over RAM disks on several virtual loops. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <umpio/router.h>

#include "tests/lib/t_blkdev.h"
#include "tests/lib/t_loop.h"

#define QUEUES 3
#define MIB    ((uint64_t)1 << 20)
#define SIZE   (32 * MIB)

struct rig {
	struct loop *loops[QUEUES];
	struct t_blkdev *disks[QUEUES];
	struct router *router;
	struct blk_info infos[QUEUES];
};

struct ask {
	struct blk_req req;
	unsigned done;
	int err;
	struct loop *where;
};

static void rig_init(struct rig *r, const struct t_blkdev_options *options)
{
	struct t_blkdev_options o = {.size = SIZE};

	if (options)
		o = *options;
	for (unsigned i = 0; i < QUEUES; i++) {
		r->loops[i] = loop_new();
		r->disks[i] = t_blkdev_new(r->loops[i], &o);
		blkdev_info(t_blkdev_dev(r->disks[i]), &r->infos[i]);
	}
	r->router = router_new("db0", QUEUES, r->loops);
	cr_assert(r->router);
}

static void rig_open(struct rig *r)
{
	for (unsigned i = 0; i < QUEUES; i++)
		router_open(r->router, i, t_blkdev_dev(r->disks[i]), r->infos);
}

static void rig_up(struct rig *r)
{
	rig_init(r, NULL);
	rig_open(r);
}

static void settle(struct rig *r)
{
	t_loop_run_for(r->loops[0], NS_PER_MS);
}

static void rig_fini(struct rig *r)
{
	settle(r);
	for (unsigned i = 0; i < QUEUES; i++)
		router_close(r->router, i);
	settle(r);
	router_free(r->router);
	for (unsigned i = 0; i < QUEUES; i++)
		t_blkdev_free(r->disks[i]);
	for (unsigned i = 0; i < QUEUES; i++) {
		cr_assert_eq(buf_pool_used(loop_pool(r->loops[i])), 0);
		loop_free(r->loops[i]);
	}
}

static void on_done(struct blk_req *req, int err)
{
	struct ask *a = req->arg;

	a->done++;
	a->err = err;
	a->where = t_loop_current();
}

static void send(struct rig *r, unsigned port, struct ask *a)
{
	a->req.done = on_done;
	a->req.arg = a;
	blkdev_submit(router_blkdev(r->router, port), &a->req);
	cr_assert_eq(a->done, 0, "not from within submit");
}

static int ask(struct rig *r, unsigned port, struct ask *a)
{
	send(r, port, a);
	settle(r);
	cr_assert_eq(a->done, 1);
	cr_assert_eq(a->where, r->loops[port]);
	return a->err;
}

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at / 512 * 7 + at / MIB + 1);
}

static void fill_write(struct rig *r, unsigned port, struct ask *a,
	uint64_t offset, uint32_t len)
{
	struct buf *buf = buf_get(loop_pool(r->loops[port]), len);

	for (uint32_t i = 0; i < len; i++)
		buf->data[i] = pattern(offset + i);
	*a = (struct ask){.req = {.op = BLK_WRITE,
				  .offset = offset,
				  .len = len,
				  .buf = buf,
				  .data = buf->data}};
}

static int do_write(struct rig *r, unsigned port, uint64_t offset, uint32_t len)
{
	struct ask a;

	fill_write(r, port, &a, offset, len);
	return ask(r, port, &a);
}

static int do_op(struct rig *r, unsigned port, uint8_t op, uint8_t flags,
	uint64_t offset, uint32_t len)
{
	struct ask a = {.req = {.op = op,
				.flags = flags,
				.offset = offset,
				.len = len}};

	return ask(r, port, &a);
}

static uint64_t count(struct rig *r, unsigned queue, enum blk_op op)
{
	return t_blkdev_counts(r->disks[queue])->ops[op];
}

/* What is written through one port is read through each, and each block is on
 * its queue's disk alone. */
Test(router, every_block_has_one_queue)
{
	uint8_t *got = malloc(5 * MIB);
	struct rig r;

	rig_up(&r);
	cr_assert_eq(do_write(&r, 1, MIB / 2 + 100, 4 * MIB + 3), 0);
	for (unsigned port = 0; port < QUEUES; port++) {
		struct ask a = {.req = {.op = BLK_READ,
					.offset = MIB / 2,
					.len = 5 * MIB,
					.data = got}};

		memset(got, 0xee, 5 * MIB);
		cr_assert_eq(ask(&r, port, &a), 0);
		for (uint64_t i = 0; i < 5 * MIB; i++)
			cr_assert_eq(got[i],
				i >= 100 && i < 4 * MIB + 103
					? pattern(MIB / 2 + i)
					: 0,
				"port %u, byte %lu", port, (unsigned long)i);
	}
	for (uint64_t at = MIB / 2; at < 6 * MIB; at += 512)
		for (unsigned q = 0; q < QUEUES; q++)
			if (q != router_owner(r.router, at))
				cr_assert_eq(
					t_blkdev_data(r.disks[q])[at + 300], 0,
					"queue %u, byte %lu", q,
					(unsigned long)at);
	rig_fini(&r);
	free(got);
}

Test(router, every_queue_has_blocks)
{
	unsigned stripes[QUEUES] = {0};
	struct rig r;

	rig_up(&r);
	for (uint64_t at = 0; at < 4096 * MIB; at += 4 * MIB)
		stripes[router_owner(r.router, at)]++;
	for (unsigned q = 0; q < QUEUES; q++)
		cr_assert_gt(stripes[q], 1024 / QUEUES * 3 / 4);
	cr_assert_eq(router_owner(r.router, 5 * MIB),
		router_owner(r.router, 6 * MIB - 1));
	rig_fini(&r);
}

/* A queue may keep a write's data beyond its answer, so they are in its own
 * loop's pool. */
Test(router, buffers_do_not_cross)
{
	uint64_t at = 0;
	struct ask a;
	struct rig r;

	rig_up(&r);
	while (router_owner(r.router, at) != 2)
		at += MIB;
	t_blkdev_hold(r.disks[2], true);
	fill_write(&r, 0, &a, at, 4096);
	send(&r, 0, &a);
	settle(&r);
	cr_assert_eq(buf_pool_used(loop_pool(r.loops[0])), 4096);
	cr_assert_eq(buf_pool_used(loop_pool(r.loops[2])), 4096);
	t_blkdev_hold(r.disks[2], false);
	settle(&r);
	cr_assert_eq(a.done, 1);
	cr_assert_eq(buf_pool_used(loop_pool(r.loops[0])), 0);
	/* Its own need no copy. */
	fill_write(&r, 2, &a, at, 4096);
	a.done = 0;
	t_blkdev_hold(r.disks[2], true);
	send(&r, 2, &a);
	settle(&r);
	cr_assert_eq(buf_pool_used(loop_pool(r.loops[2])), 4096);
	t_blkdev_hold(r.disks[2], false);
	rig_fini(&r);
}

Test(router, first_error_wins)
{
	struct rig r;
	unsigned q;

	rig_up(&r);
	q = router_owner(r.router, 2 * MIB);
	t_blkdev_fail(r.disks[q], BLK_WRITE, 2 * MIB, 1, -EPERM);
	cr_assert_eq(do_write(&r, 0, MIB, 4 * MIB), -EPERM);
	cr_assert_eq(do_op(&r, 0, BLK_TRIM, 0, MIB, 4 * MIB), 0);
	t_blkdev_fail(r.disks[q], BLK_FLUSH, 0, 0, -EIO);
	for (unsigned port = 0; port < QUEUES; port++)
		cr_assert_eq(do_op(&r, port, BLK_FLUSH, 0, 0, 0), -EIO);
	rig_fini(&r);
}

Test(router, flush_goes_to_all)
{
	struct ask a = {.req = {.op = BLK_FLUSH}};
	struct rig r;

	rig_up(&r);
	t_blkdev_hold(r.disks[1], true);
	send(&r, 0, &a);
	settle(&r);
	cr_assert_eq(a.done, 0, "one has not flushed yet");
	t_blkdev_hold(r.disks[1], false);
	settle(&r);
	cr_assert_eq(a.done, 1);
	cr_assert_eq(a.err, 0);
	for (unsigned q = 0; q < QUEUES; q++)
		cr_assert_eq(count(&r, q, BLK_FLUSH), 1);
	rig_fini(&r);
}

/* More parts than are under way at once, each once, with its flags. */
Test(router, long_requests)
{
	struct t_blkdev_options o = {.size = 1024 * MIB, .delay = 1000};
	uint64_t n = 0, fua = 0, max = 0;
	struct rig r;

	rig_init(&r, &o);
	rig_open(&r);
	cr_assert_eq(do_op(&r, 1, BLK_ZERO, BLK_FUA | BLK_NO_HOLE, 1,
			     (uint32_t)(300 * MIB)),
		0);
	for (unsigned q = 0; q < QUEUES; q++) {
		n += count(&r, q, BLK_ZERO);
		fua += t_blkdev_counts(r.disks[q])->fua;
		if (max < t_blkdev_counts(r.disks[q])->inflight_max)
			max = t_blkdev_counts(r.disks[q])->inflight_max;
	}
	cr_assert_eq(n, 301);
	cr_assert_eq(fua, 301);
	cr_assert_leq(max, 64);
	rig_fini(&r);
}

Test(router, past_the_end)
{
	struct rig r;

	rig_up(&r);
	for (unsigned port = 0; port < QUEUES; port++) {
		cr_assert_eq(do_write(&r, port, SIZE - 512, 1024), -ENOSPC);
		cr_assert_eq(do_op(&r, port, BLK_READ, 0, SIZE - 512, 1024),
			-EINVAL);
		cr_assert_eq(do_op(&r, port, BLK_TRIM, 0, UINT64_MAX - 9, 100),
			-ENOSPC);
		cr_assert_eq(do_op(&r, port, BLK_READ, 0, SIZE, 0), 0);
		cr_assert_eq(do_op(&r, port, BLK_ZERO, BLK_FUA, MIB, 0), 0);
	}
	for (unsigned q = 0; q < QUEUES; q++)
		cr_assert_eq(
			count(&r, q, BLK_WRITE) + count(&r, q, BLK_TRIM), 0);
	rig_fini(&r);
}

static void status(struct rig *r, struct ask *a, struct blk_extent *x,
	unsigned room, uint64_t offset, uint32_t len)
{
	*a = (struct ask){.req = {.op = BLK_STATUS,
				  .offset = offset,
				  .len = len,
				  .extents = x,
				  .nextents = room}};
	cr_assert_eq(ask(r, 1, a), 0);
}

Test(router, status_is_joined)
{
	struct t_blkdev_options o = {.size = 1024 * MIB, .unallocated = true};
	struct blk_extent x[4];
	struct ask a;
	struct rig r;

	rig_init(&r, &o);
	rig_open(&r);
	cr_assert_eq(do_write(&r, 0, 3 * MIB + 512, 2 * MIB), 0);
	status(&r, &a, x, 4, MIB, 8 * MIB);
	cr_assert_eq(a.req.nextents, 3);
	cr_assert_eq(x[0].len, 2 * MIB + 512);
	cr_assert_eq(x[0].flags, BLK_HOLE | BLK_ZEROES);
	cr_assert_eq(x[1].len, 2 * MIB);
	cr_assert_eq(x[1].flags, 0);
	cr_assert_eq(x[2].len, 4 * MIB - 512);
	/* As far as there is room, */
	status(&r, &a, x, 2, MIB, 8 * MIB);
	cr_assert_leq(a.req.nextents, 2);
	cr_assert_eq(x[0].len, 2 * MIB + 512);
	status(&r, &a, x, 1, 3 * MIB + 512, 8 * MIB);
	cr_assert_eq(a.req.nextents, 1);
	cr_assert_eq(x[0].len, MIB - 512);
	/* and as one request is worth. */
	status(&r, &a, x, 4, 100 * MIB, (uint32_t)(800 * MIB));
	cr_assert_eq(a.req.nextents, 1);
	cr_assert_geq(x[0].len, 32 * MIB);
	cr_assert_leq(x[0].len, 800 * MIB);
	rig_fini(&r);
}

/* A loss of one queue is told to each client once, by flush or FUA. */
Test(router, losses_are_told_once)
{
	uint64_t one = 0, other = 0;
	struct ask a = {.req = {.op = BLK_FLUSH, .losses = &one}};
	struct ask b = {.req = {.op = BLK_FLUSH, .losses = &other}};
	struct rig r;

	rig_up(&r);
	cr_assert_eq(ask(&r, 0, &a), 0);
	t_blkdev_dev(r.disks[2])->losses++;
	a.done = 0;
	cr_assert_eq(ask(&r, 0, &a), -EIO);
	a.done = 0;
	cr_assert_eq(ask(&r, 0, &a), 0);
	cr_assert_eq(ask(&r, 1, &b), -EIO);
	b.done = 0;
	cr_assert_eq(ask(&r, 1, &b), 0);
	/* Without a count the port keeps it. */
	cr_assert_eq(do_op(&r, 2, BLK_FLUSH, 0, 0, 0), -EIO);
	cr_assert_eq(do_op(&r, 2, BLK_FLUSH, 0, 0, 0), 0);
	t_blkdev_dev(r.disks[0])->losses++;
	cr_assert_eq(do_op(&r, 2, BLK_ZERO, BLK_FUA, 0, 8 * MIB), -EIO);
	cr_assert_eq(do_op(&r, 2, BLK_ZERO, BLK_FUA, 0, 8 * MIB), 0);
	rig_fini(&r);
}

struct listener {
	struct blkdev_watch watch;
	uint64_t size;
	unsigned calls;
};

static void on_resized(struct blkdev_watch *w, uint64_t size)
{
	struct listener *l = (struct listener *)w;

	l->size = size;
	l->calls++;
}

Test(router, grows_when_all_have_grown)
{
	struct t_blkdev_options o = {.size = SIZE};
	struct listener l[QUEUES] = {0};
	struct blk_info info;
	struct rig r;

	rig_init(&r, &o);
	for (unsigned i = 0; i < QUEUES; i++) {
		t_blkdev_resize(r.disks[i], SIZE / 2);
		blkdev_info(t_blkdev_dev(r.disks[i]), &r.infos[i]);
	}
	t_blkdev_resize(r.disks[0], SIZE); /* before it is open */
	rig_open(&r);
	for (unsigned i = 0; i < QUEUES; i++) {
		l[i].watch.resized = on_resized;
		blkdev_watch(router_blkdev(r.router, i), &l[i].watch);
	}
	t_blkdev_resize(r.disks[1], SIZE);
	settle(&r);
	for (unsigned i = 0; i < QUEUES; i++) {
		blkdev_info(router_blkdev(r.router, i), &info);
		cr_assert_eq(info.size, SIZE / 2);
		cr_assert_eq(l[i].calls, 0);
	}
	t_blkdev_resize(r.disks[2], SIZE);
	settle(&r);
	for (unsigned i = 0; i < QUEUES; i++) {
		blkdev_info(router_blkdev(r.router, i), &info);
		cr_assert_eq(info.size, SIZE);
		cr_assert_eq(l[i].calls, 1);
		cr_assert_eq(l[i].size, SIZE);
		blkdev_unwatch(router_blkdev(r.router, i), &l[i].watch);
	}
	rig_fini(&r);
}

Test(router, is_what_all_queues_are)
{
	struct blk_info in[2] = {
		{.size = 100,
			.block_size = 512,
			.physical_block_size = 512,
			.trim_granularity = 512,
			.can_trim = true,
			.can_fast_zero = true,
			.multi_conn = true},
		{.size = 90,
			.block_size = 512,
			.physical_block_size = 4096,
			.can_trim = false,
			.read_only = true,
			.write_cache = true,
			.multi_conn = true},
	};
	struct blk_info out;

	router_merge(&out, in, 2);
	cr_assert_eq(out.size, 90);
	cr_assert_eq(out.physical_block_size, 4096);
	cr_assert_eq(out.trim_granularity, 0);
	cr_assert(!out.can_trim && !out.can_fast_zero && out.read_only);
	cr_assert(out.write_cache && out.multi_conn);
}

/* One port after the other is full before the device has more than its bound.
 */
Test(router, memory_is_bounded_for_the_whole_device)
{
	size_t held = 0;
	struct rig r;

	rig_up(&r);
	for (unsigned i = 0; i < QUEUES; i++) {
		struct blkdev *dev = router_blkdev(r.router, i);
		size_t mine = 0;

		while (blkdev_has_room(dev, MIB)) {
			blkdev_hold(dev, MIB);
			mine += MIB;
		}
		cr_assert_gt(mine, 0);
		held += mine;
		blkdev_let_go(dev, mine);
	}
	cr_assert_leq(held, BLKDEV_HELD_MAX);
	rig_fini(&r);
}

#define MANY   40
#define COPIES 8

/* Without memory for a copy a part waits until others there are done. */
Test(router, a_copy_waits_for_memory)
{
	struct ask a[COPIES];
	struct buf *taken[256];
	unsigned ntaken = 0;
	uint64_t at = 0;
	struct rig r;

	rig_up(&r);
	while (router_owner(r.router, at) != 1)
		at += MIB;
	t_blkdev_hold(r.disks[1], true);
	for (unsigned i = 0; i < COPIES; i++)
		fill_write(&r, 0, &a[i], at, MIB);
	for (unsigned i = 0; i < COPIES / 2; i++)
		send(&r, 0, &a[i]);
	settle(&r);
	for (size_t size = 8 * MIB; size >= 512; size /= 2)
		while (ntaken < 256 &&
			(taken[ntaken] = buf_get(loop_pool(r.loops[2]), size)))
			ntaken++;
	cr_assert_lt(ntaken, 256);
	for (unsigned i = COPIES / 2; i < COPIES; i++)
		send(&r, 0, &a[i]);
	settle(&r);
	cr_assert_lt(t_blkdev_counts(r.disks[1])->inflight, COPIES);
	t_blkdev_hold(r.disks[1], false);
	settle(&r);
	for (unsigned i = 0; i < COPIES; i++) {
		cr_assert_eq(a[i].done, 1);
		cr_assert_eq(a[i].err, 0);
	}
	while (ntaken)
		buf_put(taken[--ntaken]);
	rig_fini(&r);
}

/* The device goes away with requests under way: each is answered, once. */
Test(router, teardown_in_the_middle)
{
	struct ask a[MANY];
	struct rig r;

	rig_up(&r);
	for (unsigned q = 0; q < QUEUES; q++)
		t_blkdev_hold(r.disks[q], true);
	for (unsigned i = 0; i < MANY; i++) {
		fill_write(&r, i % QUEUES, &a[i], i * MIB / 2, 2 * MIB);
		send(&r, i % QUEUES, &a[i]);
	}
	t_loop_pause(r.loops[1], 50 * NS_PER_MS);
	settle(&r);
	/* As a device that is drained now: all that it has, and all that comes
	 * yet. */
	for (unsigned q = 0; q < QUEUES; q++) {
		t_blkdev_fail(r.disks[q], BLK_WRITE, 0, 0, -ESHUTDOWN);
		t_blkdev_hold(r.disks[q], false);
	}
	t_loop_run_for(r.loops[0], 100 * NS_PER_MS);
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_eq(a[i].done, 1);
		cr_assert(a[i].err == -ESHUTDOWN || a[i].err == -ENOSPC);
	}
	rig_fini(&r);
}
