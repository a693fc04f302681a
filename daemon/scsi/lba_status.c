/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <umpio/scsi/lba_status.h>

int lba_status_open(struct lba_status *s, uint64_t lba, uint64_t blocks,
	const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint32_t stated = cursor_be32(&c);

	s->at = lba;
	s->end = blocks > UINT64_MAX - lba ? UINT64_MAX : lba + blocks;
	cursor_skip(&c, 4);
	/* PARAMETER DATA LENGTH counts from byte 4 (SBC-4 5.6.2). */
	s->descriptors = cursor_sub(&c, stated < 4 ? 0 : stated - 4);
	return c.bad ? -EPROTO : 0;
}

bool lba_status_next(struct lba_status *s, struct lba_extent *extent)
{
	struct cursor *c = &s->descriptors;
	uint64_t lba = cursor_be64(c), end;
	uint32_t blocks = cursor_be32(c);
	uint8_t status = cursor_u8(c) & 0x0f;

	cursor_skip(c, 3);
	if (c->bad || s->at >= s->end)
		return false;
	end = blocks > UINT64_MAX - lba ? UINT64_MAX : lba + blocks;
	/* The first may begin before what was asked for; none may leave a gap
	 * or go back. */
	if (lba > s->at || end <= s->at) {
		c->bad = true;
		return false;
	}
	if (end > s->end)
		end = s->end;
	extent->lba = s->at;
	extent->blocks = end - s->at;
	extent->status = status > LBA_ANCHORED ? LBA_MAPPED : status;
	s->at = end;
	return true;
}
