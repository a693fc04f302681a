/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <umpio/base/cursor.h>
#include <umpio/scsi/mode.h>

#define WP     0x80
#define DPOFUA 0x10
#define SPF    0x40 /* the page has a subpage and a long length */

void mode_init(struct mode *mode)
{
	*mode = (struct mode){.write_cache = true};
}

static void decode_caching(struct mode *mode, struct cursor page)
{
	uint8_t flags = cursor_u8(&page);

	if (page.bad)
		return;
	mode->has_caching = true;
	mode->write_cache = flags & 0x04;
	mode->read_cache_off = flags & 0x01;
}

static void decode_control(struct mode *mode, struct cursor page)
{
	uint8_t tst = cursor_u8(&page), qam = cursor_u8(&page);
	uint8_t swp = cursor_u8(&page), tas = cursor_u8(&page);

	if (page.bad)
		return;
	mode->has_control = true;
	mode->task_set_type = tst >> 5;
	mode->queue_algorithm = qam >> 4;
	mode->software_write_protect = swp & 0x08;
	mode->task_aborted_status = tas & 0x40;
}

static void decode_pages(struct mode *mode, struct cursor c)
{
	while (c.left >= 2) {
		uint8_t code = cursor_u8(&c);
		uint8_t sub = code & SPF ? cursor_u8(&c) : 0;
		uint16_t n = code & SPF ? cursor_be16(&c) : cursor_u8(&c);
		const uint8_t *body = cursor_take(&c, n);

		if (!body)
			return;
		if ((code & 0x3f) == MODE_PAGE_CACHING && !sub)
			decode_caching(mode, cursor_over(body, n));
		if ((code & 0x3f) == MODE_PAGE_CONTROL && !sub)
			decode_control(mode, cursor_over(body, n));
	}
}

/* `c` is behind the length field, which said that `stated` bytes follow. */
static int decode_rest(
	struct mode *mode, struct cursor c, size_t stated, bool ten)
{
	struct cursor rest = cursor_sub(&c, stated);
	uint8_t specific;
	size_t descriptors;

	cursor_skip(&rest, 1); /* medium type */
	specific = cursor_u8(&rest);
	if (ten)
		cursor_skip(&rest, 2);
	descriptors = ten ? cursor_be16(&rest) : cursor_u8(&rest);
	cursor_skip(&rest, descriptors);
	if (rest.bad)
		return -EPROTO;
	mode->write_protect = specific & WP;
	mode->dpofua = specific & DPOFUA;
	decode_pages(mode, rest);
	return 0;
}

int mode_decode6(struct mode *mode, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint8_t stated = cursor_u8(&c);

	mode_init(mode);
	return decode_rest(mode, c, stated, false);
}

int mode_decode10(struct mode *mode, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint16_t stated = cursor_be16(&c);

	mode_init(mode);
	return decode_rest(mode, c, stated, true);
}
