/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <umpio/scsi/text.h>
#include <umpio/scsi/vpd.h>

#define HEADER_LEN 4
#define LIMITS_LEN 60 /* of B0h behind the header (SBC-4) */

int vpd_open(struct cursor *body, uint8_t page, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint8_t found;
	uint16_t stated;

	cursor_skip(&c, 1);
	found = cursor_u8(&c);
	stated = cursor_be16(&c);
	*body = cursor_sub(&c, stated);
	return c.bad || found != page ? -EPROTO : 0;
}

size_t vpd_length(const void *data, size_t len)
{
	const uint8_t *d = data;

	return len < HEADER_LEN ? 0 : HEADER_LEN + (size_t)get_be16(d + 2);
}

int vpd_pages_decode(struct vpd_pages *pages, const void *data, size_t len)
{
	struct cursor c;
	int err = vpd_open(&c, VPD_PAGES, data, len);

	memset(pages, 0, sizeof *pages);
	if (err)
		return err;
	while (c.left) {
		uint8_t page = cursor_u8(&c);

		pages->bits[page / 64] |= (uint64_t)1 << page % 64;
	}
	return 0;
}

bool vpd_pages_has(const struct vpd_pages *pages, uint8_t page)
{
	return pages->bits[page / 64] >> page % 64 & 1;
}

int vpd_serial_decode(char *serial, size_t size, const void *data, size_t len)
{
	struct cursor c;
	int err = vpd_open(&c, VPD_SERIAL, data, len);

	*serial = '\0';
	if (!err)
		text_printable(serial, size, c.at, c.left);
	return err;
}

/* The page's body, padded with zeroes to `n` bytes. */
static int open_padded(
	uint8_t *body, size_t n, uint8_t page, const void *data, size_t len)
{
	struct cursor c;
	int err = vpd_open(&c, page, data, len);

	memset(body, 0, n);
	if (!err)
		memcpy(body, c.at, c.left < n ? c.left : n);
	return err;
}

int vpd_limits_decode(struct vpd_limits *l, const void *data, size_t len)
{
	uint8_t d[LIMITS_LEN];
	int err = open_padded(d, sizeof d, VPD_LIMITS, data, len);
	uint32_t alignment = get_be32(d + 28);

	*l = (struct vpd_limits){
		.write_same_nonzero = d[0] & 0x01,
		.max_compare_and_write = d[1],
		.optimal_granularity = get_be16(d + 2),
		.max_transfer = get_be32(d + 4),
		.optimal_transfer = get_be32(d + 8),
		.max_prefetch = get_be32(d + 12),
		.max_unmap_blocks = get_be32(d + 16),
		.max_unmap_descriptors = get_be32(d + 20),
		.unmap_granularity = get_be32(d + 24),
		.max_write_same = get_be64(d + 32),
		.max_atomic = get_be32(d + 40),
		.atomic_alignment = get_be32(d + 44),
		.atomic_granularity = get_be32(d + 48),
	};
	if (alignment >> 31) /* UGAVALID */
		l->unmap_alignment = alignment & INT32_MAX;
	return err;
}

int vpd_rotation_decode(struct vpd_rotation *r, const void *data, size_t len)
{
	uint8_t d[4];
	int err = open_padded(d, sizeof d, VPD_ROTATION, data, len);

	*r = (struct vpd_rotation){
		.rate = get_be16(d),
		.form_factor = d[3] & 0x0f,
	};
	return err;
}

int vpd_provisioning_decode(
	struct vpd_provisioning *p, const void *data, size_t len)
{
	uint8_t d[4];
	int err = open_padded(d, sizeof d, VPD_PROVISIONING, data, len);

	*p = (struct vpd_provisioning){
		.threshold_exponent = d[0],
		.unmap = d[1] & 0x80,
		.write_same16 = d[1] & 0x40,
		.write_same10 = d[1] & 0x20,
		.reads_zero = d[1] >> 2 & 7,
		.anchor = d[1] & 0x02,
		.type = d[2] & 7,
	};
	return err;
}
