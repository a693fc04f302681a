/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/cursor.h>
#include <umpio/scsi/sense.h>

#define FIXED_LEN     18
#define INFO_TYPE     0x00 /* descriptor type: information */
#define INFO_BODY_LEN 10

static const char *const keys[16] = {
#define X(id, code, name) [code] = name,
#include <umpio/tbl/scsi_sense_keys.h>
#undef X
};

/* The additional codes worth a name in a log; ascq -1: whatever it is. */
static const struct {
	uint8_t asc;
	int16_t ascq;
	const char *name;
} codes[] = {
	{0x00, 0x00, "no additional sense information"},
	{0x04, 0x01, "becoming ready"},
	{0x04, 0x02, "initializing command required"},
	{0x04, 0x03, "manual intervention required"},
	{0x04, 0x0a, "asymmetric access state transition"},
	{0x04, 0x0b, "target port in standby state"},
	{0x04, 0x0c, "target port in unavailable state"},
	{0x04, 0x12, "offline"},
	{0x04, -1, "not ready"},
	{0x08, -1, "logical unit communication failure"},
	{0x0b, -1, "warning"},
	{0x0c, 0x0c, "unexpected unsolicited data"},
	{0x0c, 0x0d, "incorrect amount of data"},
	{0x0c, -1, "write error"},
	{0x10, -1, "protection information check failed"},
	{0x11, -1, "unrecovered read error"},
	{0x1a, -1, "parameter list length error"},
	{0x1d, -1, "miscompare during verify"},
	{0x20, -1, "invalid command operation code"},
	{0x21, -1, "logical block address out of range"},
	{0x24, -1, "invalid field in CDB"},
	{0x25, -1, "logical unit not supported"},
	{0x26, -1, "invalid field in parameter list"},
	{0x27, 0x07, "space allocation failed write protect"},
	{0x27, -1, "write protected"},
	{0x28, -1, "not ready to ready change"},
	{0x29, 0x07, "I_T nexus loss occurred"},
	{0x29, -1, "power on, reset, or bus device reset occurred"},
	{0x2a, 0x01, "mode parameters changed"},
	{0x2a, 0x03, "reservations preempted"},
	{0x2a, 0x04, "reservations released"},
	{0x2a, 0x05, "registrations preempted"},
	{0x2a, 0x06, "asymmetric access state changed"},
	{0x2a, 0x07, "implicit access state transition failed"},
	{0x2a, 0x09, "capacity data has changed"},
	{0x2a, -1, "parameters changed"},
	{0x2f, -1, "commands cleared"},
	{0x31, -1, "medium format corrupted"},
	{0x38, 0x07, "thin provisioning soft threshold reached"},
	{0x3a, -1, "medium not present"},
	{0x3e, -1, "logical unit failure or timeout"},
	{0x3f, 0x01, "microcode has been changed"},
	{0x3f, 0x03, "inquiry data has changed"},
	{0x3f, 0x05, "device identifier changed"},
	{0x3f, 0x0e, "reported LUNs data has changed"},
	{0x3f, -1, "target operating conditions have changed"},
	{0x44, -1, "internal target failure"},
	{0x47, -1, "parity or CRC error"},
	{0x4b, -1, "data phase error"},
	{0x4e, -1, "overlapped commands attempted"},
	{0x5d, -1, "failure prediction threshold exceeded"},
};

/* SPC-5 4.4.3 */
static void decode_fixed(struct sense *s, const uint8_t *d, size_t len)
{
	/* ADDITIONAL SENSE LENGTH counts from byte 8; a lie is cut. */
	size_t end = len > 7 ? 8u + d[7] : len;

	if (end > len)
		end = len;
	s->valid = end > 2;
	s->key = end > 2 ? d[2] & 0x0f : 0;
	s->info_valid = (d[0] & 0x80) && end >= 7;
	if (s->info_valid)
		s->info = get_be32(d + 3);
	s->asc = end > 12 ? d[12] : 0;
	s->ascq = end > 13 ? d[13] : 0;
}

/* SPC-5 4.4.2 */
static void decode_descriptors(struct sense *s, const uint8_t *d, size_t len)
{
	struct cursor c = cursor_over(d, len), list;

	cursor_skip(&c, 1);
	s->valid = len > 1;
	s->key = cursor_u8(&c) & 0x0f;
	s->asc = cursor_u8(&c);
	s->ascq = cursor_u8(&c);
	cursor_skip(&c, 3);
	list = cursor_sub(&c, cursor_u8(&c));
	while (!list.bad && list.left >= 2) {
		uint8_t type = cursor_u8(&list), n = cursor_u8(&list);
		const uint8_t *body = cursor_take(&list, n);

		if (!body || type != INFO_TYPE || n < INFO_BODY_LEN)
			continue;
		s->info_valid = body[0] & 0x80;
		s->info = s->info_valid ? get_be64(body + 2) : 0;
	}
}

struct sense sense_decode(const void *data, size_t len)
{
	const uint8_t *d = data;
	struct sense s = {0};
	uint8_t code = len ? d[0] & 0x7f : 0;

	if (code == 0x70 || code == 0x71)
		decode_fixed(&s, d, len);
	else if (code == 0x72 || code == 0x73)
		decode_descriptors(&s, d, len);
	s.deferred = s.valid && (code & 1);
	return s;
}

size_t sense_build(const struct sense *s, uint8_t *out, size_t size)
{
	uint8_t d[FIXED_LEN] = {0};
	size_t len = size < FIXED_LEN ? size : FIXED_LEN;

	d[0] = (s->deferred ? 0x71 : 0x70);
	d[2] = s->key;
	/* What 32 bits cannot hold is not given (SPC-5 4.4.3). */
	if (s->info_valid && s->info <= UINT32_MAX) {
		d[0] |= 0x80;
		put_be32(d + 3, (uint32_t)s->info);
	}
	d[7] = FIXED_LEN - 8;
	d[12] = s->asc;
	d[13] = s->ascq;
	memcpy(out, d, len);
	return len;
}

const char *sense_key_name(uint8_t key)
{
	return keys[key & 0x0f];
}

static const char *code_name(uint8_t asc, uint8_t ascq)
{
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		if (codes[i].asc != asc)
			continue;
		if (codes[i].ascq < 0 || codes[i].ascq == ascq)
			return codes[i].name;
	}
	return "unnamed condition";
}

const char *sense_text(const struct sense *s, char *out, size_t size)
{
	char at[32] = "";

	if (!s->valid) {
		snprintf(out, size, "no usable sense data");
		return out;
	}
	if (s->info_valid)
		snprintf(at, sizeof at, ", at %" PRIu64, s->info);
	snprintf(out, size, "%s%s, %s (%x/%02x/%02x)%s",
		s->deferred ? "deferred " : "", sense_key_name(s->key),
		code_name(s->asc, s->ascq), s->key, s->asc, s->ascq, at);
	return out;
}
