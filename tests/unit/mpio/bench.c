/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <stdio.h>

static void on_ready(void *arg)
{
	((struct bench *)arg)->ready++;
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	struct bench *b = arg;
	size_t len = strlen(b->events);

	cr_assert(reason && *reason, "event %s without a reason", event);
	snprintf(
		b->events + len, sizeof b->events - len, "%s/%d ", event, path);
	if (strcmp(event, "fenced") == 0)
		snprintf(b->fenced, sizeof b->fenced, "%s", reason);
}

static void on_hopeless(void *arg, const char *reason)
{
	cr_assert(*reason);
	((struct bench *)arg)->hopeless++;
}

static void on_drained(void *arg, int err)
{
	struct bench *b = arg;

	b->drained++;
	b->drain_error = err;
}

static const struct mpdev_events events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

struct t_lun_options bench_lun(void)
{
	return (struct t_lun_options){
		.blocks = 4096,
		.block_size = 512,
		.wce = true,
		.dpofua = true,
		.unmap = true,
		.naa = {0x60, 0x01, 0x40, 0x5a},
	};
}

void bench_init(struct bench *b, unsigned npaths, const char *policy,
	const struct t_lun_options *lun)
{
	struct mpdev_options options;

	mpdev_options_init(&options);
	options.policy = policy;
	bench_init_with(b, npaths, &options, lun);
}

void bench_init_with(struct bench *b, unsigned npaths,
	const struct mpdev_options *options, const struct t_lun_options *lun)
{
	struct t_lun_options usual = bench_lun();

	memset(b, 0, sizeof *b);
	b->loop = loop_new();
	b->lun = t_lun_new(lun ? lun : &usual);
	cr_assert(b->loop && b->lun);
	b->dev = mpdev_new(b->loop, "d0", options, &events, b);
	cr_assert(b->dev);
	b->blk = mpdev_blkdev(b->dev);
	while (b->npaths < npaths)
		bench_add(b, b->lun);
}

struct t_path *bench_add(struct bench *b, struct t_lun *lun)
{
	return bench_add_group(b, lun, 1);
}

struct t_path *bench_add_group(
	struct bench *b, struct t_lun *lun, uint16_t group)
{
	struct t_path *tp = t_path_new(b->loop, lun);

	tp->group = tp->port = group;
	cr_assert_eq(mpdev_add_path(b->dev, &tp->path, NULL), (int)b->npaths);
	b->paths[b->npaths++] = tp;
	return tp;
}

static bool is_ready(void *arg)
{
	struct bench *b = arg;
	struct mpdev_snapshot s;

	mpdev_snapshot(b->dev, &s);
	return b->ready && s.up == b->npaths;
}

void bench_up(struct bench *b)
{
	cr_assert(t_loop_run_until(b->loop, is_ready, b, 10 * S));
	for (unsigned n = 0; n < b->npaths; n++)
		b->paths[n]->log_len = 0;
}

static bool is_drained(void *arg)
{
	return ((struct bench *)arg)->drained;
}

void bench_fini(struct bench *b)
{
	if (!b->drained) {
		mpdev_drain(b->dev, false);
		cr_assert(t_loop_run_until(b->loop, is_drained, b, 200 * S));
	}
	cr_assert_eq(b->drained, 1);
	mpdev_free(b->dev);
	cr_assert_eq(buf_pool_used(loop_pool(b->loop)), 0);
	t_lun_free(b->lun);
	loop_free(b->loop);
}

void bench_run(struct bench *b, uint64_t ns)
{
	t_loop_run_for(b->loop, ns);
}

bool bench_heard(const struct bench *b, const char *event)
{
	return strstr(b->events, event) != NULL;
}

enum mpdev_state bench_state(const struct bench *b)
{
	struct mpdev_snapshot s;

	mpdev_snapshot(b->dev, &s);
	return s.state;
}

struct mpath_info bench_path(const struct bench *b, unsigned n)
{
	struct mpath_info info;

	cr_assert(mpdev_path_info(b->dev, n, &info));
	return info;
}

static void on_done(struct blk_req *blk, int err)
{
	struct bench_req *r = blk->arg;

	r->done++;
	r->err = err;
}

static void prepare(struct bench *b, struct bench_req *r, enum blk_op op,
	unsigned flags, uint64_t offset)
{
	(void)b;
	memset(r, 0, sizeof *r);
	r->blk.op = (uint8_t)op;
	r->blk.flags = (uint8_t)flags;
	r->blk.offset = offset;
	r->blk.done = on_done;
	r->blk.arg = r;
}

void bench_submit(struct bench *b, struct bench_req *r, enum blk_op op,
	unsigned flags, uint64_t offset, uint32_t len)
{
	if (op == BLK_WRITE) {
		bench_write(b, r, flags, offset, len, 'w');
		return;
	}
	prepare(b, r, op, flags, offset);
	r->blk.len = len;
	if (op == BLK_READ) {
		r->buf = r->blk.buf = buf_get(loop_pool(b->loop), len);
		r->blk.data = r->buf->data;
	}
	blkdev_submit(b->blk, &r->blk);
	cr_assert_eq(r->done, 0, "completed from within submit");
}

void bench_send(struct bench *b, struct bench_req *r)
{
	r->blk.done = on_done;
	r->blk.arg = r;
	blkdev_submit(b->blk, &r->blk);
	cr_assert_eq(r->done, 0, "completed from within submit");
}

void bench_write(struct bench *b, struct bench_req *r, unsigned flags,
	uint64_t offset, uint32_t len, int fill)
{
	prepare(b, r, BLK_WRITE, flags, offset);
	r->blk.len = len;
	r->blk.buf = buf_get(loop_pool(b->loop), len);
	r->blk.data = r->blk.buf->data;
	memset(r->blk.data, fill, len);
	blkdev_submit(b->blk, &r->blk);
	cr_assert_eq(r->done, 0, "completed from within submit");
}

void bench_req_fini(struct bench_req *r)
{
	cr_assert_eq(r->done, 1);
	buf_put(r->buf);
	r->buf = NULL;
}

static bool is_done(void *arg)
{
	return ((struct bench_req *)arg)->done;
}

int bench_do(struct bench *b, enum blk_op op, unsigned flags, uint64_t offset,
	uint32_t len)
{
	struct bench_req r;

	bench_submit(b, &r, op, flags, offset, len);
	cr_assert(t_loop_run_until(b->loop, is_done, &r, 300 * S));
	bench_req_fini(&r);
	return r.err;
}

void bench_put(
	struct bench *b, unsigned flags, uint64_t at, uint32_t len, int fill)
{
	struct bench_req r;

	bench_write(b, &r, flags, at, len, fill);
	bench_run(b, MS);
	bench_req_fini(&r);
	cr_assert_eq(r.done, 1);
	cr_assert_eq(r.err, 0);
}

void bench_holds(const struct bench *b, uint64_t at, size_t len, int fill)
{
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(b->lun->memory[at + i], fill, "byte %zu: %02x",
			(size_t)at + i, b->lun->memory[at + i]);
}

void bench_die(struct bench *b, unsigned n)
{
	if (b->paths[n]->up)
		t_path_die(b->paths[n], PATH_UNKNOWN, false, "reset");
}
