/* SPDX-License-Identifier: BSD-2-Clause */
#include "status.h"

#include "mpdev.h"

#include <errno.h>
#include <umpio/base/buf.h>
#include <umpio/scsi/lba_status.h>

#define HEADER      8u
#define DESCRIPTOR  16u
#define DESCRIPTORS 255u /* most asked for at once: a buffer of 4 KiB */

static void all_data(struct blk_req *blk)
{
	blk->extents[0] = (struct blk_extent){.len = blk->len};
	blk->nextents = 1;
}

/* Deallocated and anchored blocks read as zeroes where the unit says so
 * (LBPRZ); anchored ones have their space. */
static uint32_t flags_of(const struct mpdev *dev, uint8_t status)
{
	uint32_t zero = dev->facts.reads_zero_after_unmap ? BLK_ZEROES : 0;

	if (status == LBA_DEALLOCATED)
		return BLK_HOLE | zero;
	return status == LBA_ANCHORED ? zero : 0;
}

/* Blocks into bytes of the request; the outer ones are cut. */
static void decode(struct mpdev *dev, struct blk_req *blk,
	const struct buf *buf, size_t len)
{
	uint32_t size = dev->info.block_size;
	uint64_t at = blk->offset, end = blk->offset + blk->len;
	uint64_t lba = at / size;
	unsigned n = 0, room = blk->nextents;
	struct lba_status answer;
	struct lba_extent x;

	if (lba_status_open(&answer, lba, (end + size - 1) / size - lba,
		    buf->data, len)) {
		all_data(blk);
		return;
	}
	while (at < end && lba_status_next(&answer, &x)) {
		uint64_t next = (x.lba + x.blocks) * size;
		uint32_t flags = flags_of(dev, x.status);

		if (next > end)
			next = end;
		if (n && blk->extents[n - 1].flags == flags)
			blk->extents[n - 1].len += next - at;
		else if (n < room)
			blk->extents[n++] =
				(struct blk_extent){next - at, flags};
		else
			break;
		at = next;
	}
	if (n)
		blk->nextents = n;
	else
		all_data(blk);
}

/* Blocks whose data the target may have lost with its cache are no holes. */
static void told(struct io *io, int err)
{
	struct mpdev *dev = io->dev;
	struct blk_req *blk = io->owner;
	struct buf *buf = blk->priv;
	uint32_t len = io->cmd.len, residual = io->cmd.result.residual;

	if (err == -EOPNOTSUPP)
		dev->no_lba_status = true;
	if (!err && !io->cmd.result.overflow)
		len -= residual < len ? residual : len;
	if (err || len < HEADER + DESCRIPTOR ||
		io->epoch != dev->suspect.epoch ||
		suspect_holds_flushes(&dev->suspect))
		all_data(blk);
	else
		decode(dev, blk, buf, len);
	buf_put(buf);
	io_put(io);
	mpdev_answer(dev, blk, err == -ESHUTDOWN ? err : 0);
}

static bool send(struct mpdev *dev, struct blk_req *blk)
{
	unsigned n = blk->nextents < DESCRIPTORS ? blk->nextents : DESCRIPTORS;
	uint32_t len = HEADER + n * DESCRIPTOR;
	struct buf *buf = buf_get(loop_pool(dev->loop), len);
	struct io *io = buf ? io_new(dev, IO_STATUS) : NULL;

	if (!io) {
		buf_put(buf);
		return false;
	}
	blk->priv = buf;
	io->done = told;
	io->owner = blk;
	io->epoch = dev->suspect.epoch;
	io->cmd.direction = PATH_DATA_IN;
	io->cmd.data = buf->data;
	io->cmd.len = len;
	cdb_get_lba_status(
		io->cmd.cdb, blk->offset / dev->info.block_size, len);
	io_submit(io);
	return true;
}

void status_begin(struct mpdev *dev, struct blk_req *blk)
{
	if (dev->facts.provisioned && !dev->no_lba_status &&
		!suspect_holds_flushes(&dev->suspect) && send(dev, blk))
		return;
	all_data(blk);
	mpdev_answer(dev, blk, 0);
}
