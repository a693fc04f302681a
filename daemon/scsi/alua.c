/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/sense.h>

#define PORT_LEN 4

static const char *const states[16] = {
#define X(id, code, name) [code] = name,
#include <umpio/tbl/scsi_alua_states.h>
#undef X
};

const char *alua_state_name(int state)
{
	if (state == ALUA_NONE)
		return "none";
	if (state < 0 || state > 15 || !states[state])
		return "reserved";
	return states[state];
}

bool alua_state_usable(int state)
{
	return state == ALUA_NONE || state == ALUA_OPTIMIZED ||
	       state == ALUA_NON_OPTIMIZED || state == ALUA_LBA_DEPENDENT;
}

int alua_state_of_sense(const void *sense, size_t len)
{
	struct sense s = sense_decode(sense, len);

	if (!s.valid || s.deferred || s.key != SENSE_NOT_READY || s.asc != 0x04)
		return ALUA_NONE;
	switch (s.ascq) {
	case 0x0a: return ALUA_TRANSITIONING;
	case 0x0b: return ALUA_STANDBY;
	case 0x0c: return ALUA_UNAVAILABLE;
	case 0x12: return ALUA_OFFLINE;
	default: return ALUA_NONE;
	}
}

uint16_t alua_group_port(const struct alua_group *group, unsigned n)
{
	return get_be16(group->ports + n * PORT_LEN + 2);
}

int alua_report_open(
	struct alua_report *r, const void *data, size_t len, bool extended)
{
	struct cursor c = cursor_over(data, len);
	uint32_t stated = cursor_be32(&c);

	memset(r, 0, sizeof *r);
	if (c.bad)
		return -EPROTO;
	r->length = stated > UINT32_MAX - 4 ? UINT32_MAX : stated + 4;
	r->groups = cursor_sub(&c, stated);
	/* RETURN DATA FORMAT 001b: the group that stands there in the short
	 * form would have the reserved bit 10h set in its first byte. */
	if (extended && r->groups.left >= 4 &&
		(r->groups.at[0] & 0x70) == 0x10) {
		cursor_skip(&r->groups, 1);
		r->transition_time = cursor_u8(&r->groups);
		cursor_skip(&r->groups, 2);
	}
	return 0;
}

bool alua_report_next(struct alua_report *r, struct alua_group *g)
{
	struct cursor *c = &r->groups;
	uint8_t first, count;
	struct cursor ports;

	if (c->bad || !c->left)
		return false;
	first = cursor_u8(c);
	g->preferred = first & 0x80;
	g->state = first & 0x0f;
	g->support = cursor_u8(c);
	g->id = cursor_be16(c);
	cursor_skip(c, 1);
	g->status = cursor_u8(c);
	cursor_skip(c, 1);
	count = cursor_u8(c);
	if (c->bad)
		return false;
	/* A count beyond the end leaves the ports that are there. */
	ports = cursor_sub(c, (size_t)count * PORT_LEN);
	g->ports = ports.at;
	g->nports = (uint8_t)(ports.left / PORT_LEN);
	return true;
}

int alua_report_find(struct alua_group *group, uint16_t id, const void *data,
	size_t len, bool extended)
{
	struct alua_report r;
	int err = alua_report_open(&r, data, len, extended);

	if (err)
		return err;
	while (alua_report_next(&r, group))
		if (group->id == id)
			return 0;
	return -ENOENT;
}

void alua_set_build(
	uint8_t out[ALUA_SET_LEN], uint16_t id, enum alua_state state)
{
	memset(out, 0, ALUA_SET_LEN);
	out[4] = state & 0x0f;
	put_be16(out + 6, id);
}
