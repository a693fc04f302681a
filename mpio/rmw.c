/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that do not begin and end at a block: reads go through a bounce
 * buffer; writes read the blocks at their edges, merge, and write; zeroes do
 * that for the edges alone. The range lock, held exclusively by the request,
 * keeps other changes of these blocks away in between. A writer that does not
 * come through this device is not kept away.
 */
#include "mpdev.h"
#include "request.h"

#include <errno.h>
#include <string.h>
#include <umpio/base/buf.h>

static uint32_t head_of(const struct request *r) /* bytes into its block */
{
	return (uint32_t)(r->blk->offset % r->dev->info.block_size);
}

static uint32_t tail_of(const struct request *r)
{
	return (uint32_t)((r->blk->offset + r->blk->len) %
			  r->dev->info.block_size);
}

/* The last block is one of its own, and only part of it is meant. */
static bool has_tail(const struct request *r)
{
	return tail_of(r) && !(head_of(r) && r->end - r->lba == 1);
}

static int bounce(struct request *r, uint64_t blocks)
{
	if (!r->bounce)
		r->bounce = buf_get(loop_pool(r->dev->loop),
			blocks * r->dev->info.block_size);
	return r->bounce ? 0 : -ENOMEM;
}

static int one_block(
	const struct request *r, struct extent *x, uint64_t lba, uint64_t slot)
{
	*x = (struct extent){
		.lba = lba,
		.end = lba + 1,
		.chunk = 1,
		.data = r->bounce->data + slot * r->dev->info.block_size,
	};
	return 1;
}

static int read_all(struct request *r, struct extent *x)
{
	if (bounce(r, r->end - r->lba) || !blk_data(r->blk))
		return -ENOMEM;
	*x = (struct extent){
		.lba = r->lba,
		.end = r->end,
		.chunk = r->dev->split.transfer,
		.kind = IO_READ,
		.data = r->bounce->data,
	};
	return 1;
}

static int copy_out(struct request *r, struct extent *x)
{
	(void)x;
	memcpy(r->blk->data, r->bounce->data + head_of(r), r->blk->len);
	return 0;
}

/* Writes: the bounce buffer has all blocks. */
static int write_read_head(struct request *r, struct extent *x)
{
	if (bounce(r, r->end - r->lba))
		return -ENOMEM;
	return head_of(r) ? one_block(r, x, r->lba, 0) : 0;
}

static int write_read_tail(struct request *r, struct extent *x)
{
	if (!has_tail(r))
		return 0;
	return one_block(r, x, r->end - 1, r->end - 1 - r->lba);
}

static int write_merged(struct request *r, struct extent *x)
{
	memcpy(r->bounce->data + head_of(r), r->blk->data, r->blk->len);
	return plan_write(r, x);
}

/* Zeroes: the bounce buffer has two blocks, head and tail. */
static int zero_read_head(struct request *r, struct extent *x)
{
	if (r->blk->flags & BLK_FAST_ZERO)
		return -ENOTSUP;
	if (bounce(r, 2))
		return -ENOMEM;
	return head_of(r) ? one_block(r, x, r->lba, 0) : 0;
}

static int zero_read_tail(struct request *r, struct extent *x)
{
	return has_tail(r) ? one_block(r, x, r->end - 1, 1) : 0;
}

static int zero_write_head(struct request *r, struct extent *x)
{
	uint32_t room = r->dev->info.block_size - head_of(r);

	if (!head_of(r))
		return 0;
	memset(r->bounce->data + head_of(r), 0,
		room < r->blk->len ? room : r->blk->len);
	one_block(r, x, r->lba, 0);
	x->kind = IO_WRITE;
	return 1;
}

static int zero_write_tail(struct request *r, struct extent *x)
{
	if (!has_tail(r))
		return 0;
	memset(r->bounce->data + r->dev->info.block_size, 0, tail_of(r));
	one_block(r, x, r->end - 1, 1);
	x->kind = IO_WRITE;
	return 1;
}

static phase_fn *const read_plan[] = {read_all, copy_out, NULL};
static phase_fn *const write_plan[] = {
	write_read_head, write_read_tail, write_merged, plan_sync, NULL};
static phase_fn *const zero_plan[] = {zero_read_head, zero_read_tail,
	zero_write_head, zero_write_tail, plan_zero, plan_sync, NULL};

phase_fn *const *rmw_plan_of(enum blk_op op)
{
	if (op == BLK_READ)
		return read_plan;
	return op == BLK_WRITE ? write_plan : zero_plan;
}
