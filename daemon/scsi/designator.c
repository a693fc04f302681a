/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/scsi/designator.h>
#include <umpio/scsi/text.h>
#include <umpio/scsi/vpd.h>

int designator_open(struct cursor *c, const void *page, size_t len)
{
	return vpd_open(c, VPD_DESIGNATORS, page, len);
}

bool designator_next(struct cursor *c, struct designator *d)
{
	uint8_t first = cursor_u8(c), second = cursor_u8(c);

	cursor_skip(c, 1);
	d->protocol = first >> 4;
	d->code = first & 0x0f;
	d->protocol_valid = second & 0x80;
	d->association = second >> 4 & 3;
	d->type = second & 0x0f;
	d->len = cursor_u8(c);
	d->value = cursor_take(c, d->len);
	return d->value;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static bool put_hex(char *out, const char *prefix, const struct designator *d)
{
	char *p = stpcpy(out, prefix);

	/* The name of nothing in particular: unset firmware. */
	if (all_zero(d->value, d->len))
		return false;
	for (unsigned i = 0; i < d->len; i++)
		p += sprintf(p, "%02x", d->value[i]);
	return true;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\0';
}

/* True for what may stand in a WWID as it is. */
static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '%' && c != '/';
}

/* Text after the prefix in `out`; false when nothing is left, or it does not
 * fit: a name cut short would not be one. */
static bool put_text(
	char *out, const char *prefix, const uint8_t *in, size_t len)
{
	char *p = stpcpy(out, prefix), *limit = out + WWID_MAX - 4;

	while (len && is_blank(in[0])) {
		in++;
		len--;
	}
	while (len && is_blank(in[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (p > limit)
			return false;
		if (is_plain(in[i]))
			*p++ = (char)in[i];
		else if (in[i] != ' ')
			p += sprintf(p, "%%%02x", in[i]);
		else if (in[i - 1] != ' ')
			*p++ = '_';
	}
	*p = '\0';
	return len;
}

static bool is_naa(const struct designator *d, unsigned naa, unsigned len)
{
	return d->type == DESIGNATOR_NAA && d->code == CODE_BINARY &&
	       d->len == len && d->value[0] >> 4 == naa;
}

static bool is_eui(const struct designator *d)
{
	return d->type == DESIGNATOR_EUI64 && d->code == CODE_BINARY &&
	       (d->len == 8 || d->len == 12 || d->len == 16);
}

static bool is_name(const struct designator *d)
{
	return d->type == DESIGNATOR_NAME && d->code == CODE_UTF8;
}

/* A vendor of 8 bytes and something behind it. */
static bool is_t10(const struct designator *d)
{
	return d->type == DESIGNATOR_T10 && d->len > 8;
}

/* The rank of a designator as a WWID; 0: it is none. */
static int rank(const struct designator *d)
{
	if (d->association != DESIGNATOR_LUN)
		return 0;
	if (is_naa(d, 6, 16))
		return 7;
	if (is_naa(d, 5, 8))
		return 6;
	if (is_naa(d, 2, 8))
		return 5;
	if (is_eui(d))
		return 4;
	if (is_name(d))
		return 3;
	if (is_t10(d))
		return 2;
	return is_naa(d, 3, 8) ? 1 : 0;
}

static bool put_wwid(char *out, const struct designator *d)
{
	switch (d->type) {
	case DESIGNATOR_NAA: return put_hex(out, "naa.", d);
	case DESIGNATOR_EUI64: return put_hex(out, "eui.", d);
	case DESIGNATOR_NAME: return put_text(out, "name.", d->value, d->len);
	case DESIGNATOR_T10:
		/* A vendor alone names no unit. */
		return !all_zero(d->value + 8, d->len - 8u) &&
		       (d->code == CODE_BINARY ? put_hex(out, "t10.", d)
					       : put_text(out, "t10.", d->value,
							 d->len));
	default: return false;
	}
}

int designator_wwid(char *wwid, const void *page, size_t len)
{
	char text[WWID_MAX + 256]; /* hex of 255 bytes is more than a WWID */
	struct designator d;
	struct cursor c;
	int best = 0, err = designator_open(&c, page, len);

	*wwid = '\0';
	if (err)
		return err;
	while (designator_next(&c, &d)) {
		if (rank(&d) <= best || !put_wwid(text, &d))
			continue;
		if (strlen(text) >= WWID_MAX)
			continue;
		best = rank(&d);
		strcpy(wwid, text);
	}
	return best ? 0 : -ENOENT;
}

int wwid_from_serial(char *wwid, const struct inquiry *inq, const char *serial)
{
	char whole[WWID_MAX];
	int len;

	*wwid = '\0';
	if (!*serial)
		return -ENOENT;
	len = snprintf(whole, sizeof whole, "%s_%s_%s", inq->vendor,
		inq->product, serial);
	if (len < WWID_MAX &&
		put_text(wwid, "serial.", (const uint8_t *)whole, (size_t)len))
		return 0;
	*wwid = '\0';
	return -ENOENT;
}

/* A 16-bit number in the last two of the four bytes of a port's designator. */
static int find_port_number(uint16_t *number, enum designator_type type,
	const void *page, size_t len)
{
	struct designator d;
	struct cursor c;
	int err = designator_open(&c, page, len);

	*number = 0;
	if (err)
		return err;
	while (designator_next(&c, &d)) {
		if (d.association != DESIGNATOR_PORT || d.type != type ||
			d.code != CODE_BINARY || d.len != 4)
			continue;
		*number = get_be16(d.value + 2);
		return 0;
	}
	return -ENOENT;
}

int designator_target_group(uint16_t *group, const void *page, size_t len)
{
	return find_port_number(group, DESIGNATOR_TARGET_GROUP, page, len);
}

int designator_relative_port(uint16_t *port, const void *page, size_t len)
{
	return find_port_number(port, DESIGNATOR_RELATIVE_PORT, page, len);
}
