/* SPDX-License-Identifier: BSD-2-Clause */
/* PERSISTENT RESERVE IN and OUT (SPC-5 6.16, 6.17). */
#include <errno.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/pr.h>
#include <umpio/scsi/text.h>

unsigned cdb_pr_in(uint8_t cdb[CDB_MAX], enum pr_in action, uint16_t alloc)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = SCSI_PERSISTENT_RESERVE_IN;
	cdb[1] = (uint8_t)action;
	put_be16(cdb + 7, alloc);
	return 10;
}

unsigned cdb_pr_out(uint8_t cdb[CDB_MAX], enum pr_out action, enum pr_type type)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = SCSI_PERSISTENT_RESERVE_OUT;
	cdb[1] = (uint8_t)action;
	cdb[2] = (uint8_t)type;
	put_be32(cdb + 5, PR_LIST_LEN);
	return 10;
}

void pr_list_build(uint8_t out[PR_LIST_LEN], uint64_t key, uint64_t action_key,
	unsigned flags)
{
	memset(out, 0, PR_LIST_LEN);
	put_be64(out, key);
	put_be64(out + 8, action_key);
	out[20] = (uint8_t)flags;
}

int pr_keys_decode(struct pr_keys *k, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len), list;
	uint32_t stated;

	*k = (struct pr_keys){.generation = cursor_be32(&c)};
	stated = cursor_be32(&c);
	if (c.bad || stated % 8)
		return -EPROTO;
	k->cut = stated > c.left;
	list = cursor_sub(&c, k->cut ? c.left : stated);
	while (list.left >= 8 && k->count < PR_KEYS_MAX)
		k->keys[k->count++] = cursor_be64(&list);
	k->cut |= list.left >= 8;
	return 0;
}

bool pr_keys_have(const struct pr_keys *k, uint64_t key)
{
	for (unsigned i = 0; i < k->count; i++)
		if (k->keys[i] == key)
			return true;
	return false;
}

int pr_reservation_decode(
	struct pr_reservation *r, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint32_t stated;
	uint8_t both;

	*r = (struct pr_reservation){.generation = cursor_be32(&c)};
	stated = cursor_be32(&c);
	if (c.bad)
		return -EPROTO;
	if (stated == 0)
		return 0;
	r->key = cursor_be64(&c);
	cursor_skip(&c, 5);
	both = cursor_u8(&c);
	if (c.bad || stated < 16)
		return -EPROTO;
	r->held = true;
	r->scope = both >> 4;
	r->type = both & 0x0f;
	return 0;
}

int pr_full_open(struct pr_full *f, const void *data, size_t len)
{
	struct cursor c = cursor_over(data, len);
	uint32_t stated;

	f->generation = cursor_be32(&c);
	stated = cursor_be32(&c);
	if (c.bad)
		return -EPROTO;
	f->rest = cursor_sub(&c, stated < c.left ? stated : c.left);
	return 0;
}

#define PROTOCOL_ISCSI 5

/* TransportID of iSCSI (SPC-5 7.6.4.6): the name ends with a NUL. */
static void name_decode(char name[PR_NAME_MAX], struct cursor *id)
{
	uint8_t protocol = cursor_u8(id) & 0x0f;
	const uint8_t *text;
	uint16_t len;

	name[0] = '\0';
	cursor_skip(id, 1);
	len = cursor_be16(id);
	if (id->bad || protocol != PROTOCOL_ISCSI || len > id->left)
		return;
	text = cursor_take(id, len);
	if (text)
		text_printable(name, PR_NAME_MAX, text,
			strnlen((const char *)text, len));
}

bool pr_full_next(struct pr_full *f, struct pr_registrant *r)
{
	struct cursor *c = &f->rest, id;
	uint8_t flags, both;
	uint32_t more;

	if (c->left == 0)
		return false;
	r->key = cursor_be64(c);
	cursor_skip(c, 4);
	flags = cursor_u8(c);
	both = cursor_u8(c);
	cursor_skip(c, 4);
	r->port = cursor_be16(c);
	more = cursor_be32(c);
	if (c->bad || more > c->left) {
		c->bad = true;
		return false;
	}
	r->all_ports = flags & 2;
	r->holder = flags & 1;
	r->scope = both >> 4;
	r->type = both & 0x0f;
	id = cursor_sub(c, more);
	name_decode(r->name, &id);
	return true;
}
