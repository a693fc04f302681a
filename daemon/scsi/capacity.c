/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <umpio/base/cursor.h>
#include <umpio/scsi/capacity.h>

static int capacity_set(struct capacity *c, uint64_t last, uint32_t block_size)
{
	c->block_size = c->physical_block_size = block_size;
	if (!block_size)
		return -EINVAL;
	if (last == UINT64_MAX || last + 1 > INT64_MAX / block_size)
		return -EOVERFLOW;
	c->blocks = last + 1;
	return 0;
}

int capacity_decode10(struct capacity *capacity, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint32_t last = cursor_be32(&c), block_size = cursor_be32(&c);

	memset(capacity, 0, sizeof *capacity);
	if (c.bad)
		return -EPROTO;
	if (last == UINT32_MAX)
		return -EFBIG;
	return capacity_set(capacity, last, block_size);
}

int capacity_decode16(struct capacity *capacity, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint64_t last = cursor_be64(&c), physical;
	uint32_t block_size = cursor_be32(&c);
	bool bad = c.bad;
	uint8_t protection = cursor_u8(&c), exponent = cursor_u8(&c) & 0x0f;
	uint16_t alignment = cursor_be16(&c);
	int err;

	memset(capacity, 0, sizeof *capacity);
	if (bad)
		return -EPROTO;
	err = capacity_set(capacity, last, block_size);
	if (err)
		return err;
	physical = (uint64_t)block_size << exponent;
	if (physical <= UINT32_MAX)
		capacity->physical_block_size = (uint32_t)physical;
	capacity->protection = protection & 0x01;
	capacity->provisioned = alignment & 0x8000;
	capacity->reads_zero = alignment & 0x4000;
	capacity->lowest_aligned = alignment & 0x3fff;
	return 0;
}
