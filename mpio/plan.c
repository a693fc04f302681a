/* SPDX-License-Identifier: BSD-2-Clause */
/* The plans of aligned requests, phase by phase. */
#include "mpdev.h"
#include "request.h"

#include <errno.h>
#include <umpio/base/buf.h>

static int phase_read(struct request *r, struct extent *x)
{
	*x = (struct extent){
		.lba = r->lba,
		.end = r->end,
		.chunk = r->dev->split.transfer,
		.kind = IO_READ,
		.data = r->blk->data,
		.buf = r->blk->buf,
	};
	return 1;
}

static bool needs_fua(const struct request *r)
{
	return r->blk->flags & BLK_FUA && r->dev->facts.write_cache;
}

int plan_write(struct request *r, struct extent *x)
{
	bool fua = needs_fua(r) && r->dev->facts.dpofua;

	*x = (struct extent){
		.lba = r->lba,
		.end = r->end,
		.chunk = r->dev->split.transfer,
		.kind = IO_WRITE,
		.flags = fua ? CDB_FUA : 0,
		.data = r->bounce ? r->bounce->data : r->blk->data,
	};
	return 1;
}

/* FUA that the command itself could not carry: SYNCHRONIZE CACHE of what was
 * written, before the request is answered. */
int plan_sync(struct request *r, struct extent *x)
{
	if (!needs_fua(r) || !cache_exists(r->dev))
		return 0;
	if (r->blk->op == BLK_WRITE && r->dev->facts.dpofua)
		return 0;
	if (!cache_can_sync(r->dev))
		return cache_unsynced(r->dev);
	*x = (struct extent){
		.lba = r->lba,
		.end = r->end,
		.chunk = UINT32_MAX,
		.kind = IO_SYNC,
	};
	return 1;
}

static int phase_trim(struct request *r, struct extent *x)
{
	const struct mpdev *dev = r->dev;
	uint32_t size = dev->info.block_size;
	bool unmap = dev->facts.unmap && !dev->no_unmap;

	if (!unmap &&
		(!dev->facts.write_same_unmap || dev->no_unmapping_write_same))
		return 0;
	*x = (struct extent){
		.lba = (r->blk->offset + size - 1) / size,
		.end = (r->blk->offset + r->blk->len) / size,
		.chunk = unmap ? dev->split.unmap : dev->split.write_same,
		.kind = unmap ? IO_UNMAP : IO_WRITE_SAME,
		.flags = unmap ? 0 : CDB_WS_UNMAP,
	};
	if (x->end <= x->lba)
		return 0;
	split_trim(&dev->split, &x->lba, &x->end);
	if (x->end <= x->lba)
		return 0;
	x->data = unmap ? NULL : mpdev_zeroes(r->dev);
	return unmap || x->data ? 1 : -ENOMEM;
}

/* Zeroes [x->lba, x->end), which the caller has set: WRITE SAME, or WRITE of
 * zeroes where the target has no WRITE SAME. */
static int zero_extent(struct request *r, struct extent *x)
{
	struct mpdev *dev = r->dev;
	const struct lun_facts *f = &dev->facts;
	bool same = f->write_same && !dev->no_write_same;
	bool unmap = f->write_same_unmap && f->reads_zero_after_unmap &&
		     !dev->no_unmapping_write_same &&
		     !(r->blk->flags & BLK_NO_HOLE);
	uint32_t chunk = MPDEV_ZEROES / dev->info.block_size;

	if (!same && !unmap && r->blk->flags & BLK_FAST_ZERO)
		return -ENOTSUP;
	x->data = mpdev_zeroes(dev);
	if (!x->data)
		return -ENOMEM;
	x->repeat = true;
	x->kind = same || unmap ? IO_WRITE_SAME : IO_WRITE;
	x->flags = unmap ? CDB_WS_UNMAP : 0;
	x->chunk = dev->split.write_same;
	if (x->kind == IO_WRITE)
		x->chunk = chunk < dev->split.transfer ? chunk
						       : dev->split.transfer;
	return 1;
}

/* The whole blocks of a zero request, aligned or not. */
int plan_zero(struct request *r, struct extent *x)
{
	uint32_t size = r->dev->info.block_size;

	*x = (struct extent){
		.lba = (r->blk->offset + size - 1) / size,
		.end = (r->blk->offset + r->blk->len) / size,
	};
	return x->lba < x->end ? zero_extent(r, x) : 0;
}

static phase_fn *const read_plan[] = {phase_read, NULL};
static phase_fn *const write_plan[] = {plan_write, plan_sync, NULL};
static phase_fn *const trim_plan[] = {phase_trim, plan_sync, NULL};
static phase_fn *const zero_plan[] = {plan_zero, plan_sync, NULL};

static phase_fn *const *const plans[] = {
	[BLK_READ] = read_plan,
	[BLK_WRITE] = write_plan,
	[BLK_TRIM] = trim_plan,
	[BLK_ZERO] = zero_plan,
};

phase_fn *const *plan_of(const struct request *r)
{
	uint32_t size = r->dev->info.block_size;
	bool aligned = !(r->blk->offset % size) && !(r->blk->len % size);

	if (aligned || r->blk->op == BLK_TRIM)
		return plans[r->blk->op];
	return rmw_plan_of(r->blk->op);
}
