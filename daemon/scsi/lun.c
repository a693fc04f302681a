/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/cursor.h>
#include <umpio/scsi/lun.h>

#define PERIPHERAL_MAX 255u
#define FLAT_MAX       16383u
#define EXTENDED_FLAT  0xd2 /* SAM-5 4.7.7.5.1: three bytes follow */

int lun_encode(uint8_t lun[LUN_LEN], uint32_t number)
{
	memset(lun, 0, LUN_LEN);
	if (number > LUN_NUMBER_MAX)
		return -ERANGE;
	if (number <= PERIPHERAL_MAX) {
		lun[1] = (uint8_t)number;
	} else if (number <= FLAT_MAX) {
		put_be16(lun, (uint16_t)(0x4000u | number));
	} else {
		lun[0] = EXTENDED_FLAT;
		put_be24(lun + 1, number);
	}
	return 0;
}

int32_t lun_number(const uint8_t lun[LUN_LEN])
{
	uint64_t whole = get_be64(lun);

	if (lun[0] == EXTENDED_FLAT)
		return whole << 32 ? -1 : (int32_t)get_be24(lun + 1);
	if (whole << 16)
		return -1;
	if (lun[0] == 0)
		return lun[1];
	if (lun[0] >> 6 == 1)
		return get_be16(lun) & FLAT_MAX;
	return -1;
}

const char *lun_text(const uint8_t lun[LUN_LEN], char out[LUN_TEXT_MAX])
{
	int32_t number = lun_number(lun);

	if (number >= 0)
		snprintf(out, LUN_TEXT_MAX, "%" PRId32, number);
	else
		snprintf(out, LUN_TEXT_MAX, "%016" PRIx64, get_be64(lun));
	return out;
}

int lun_list_decode(struct lun_list *list, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len), luns;
	uint32_t stated = cursor_be32(&c);

	memset(list, 0, sizeof *list);
	cursor_skip(&c, 4);
	if (c.bad)
		return -EPROTO;
	luns = cursor_sub(&c, stated);
	list->luns = luns.at;
	list->count = (uint32_t)(luns.left / LUN_LEN);
	list->needed = 8 + (uint64_t)stated;
	return 0;
}
