/* SPDX-License-Identifier: BSD-2-Clause */
/* Persistent reservations of the model unit (SPC-5 5.14, 6.16, 6.17). */
#include "t_lun_private.h"

#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>

#define INVALID_RELEASE 0x052604u
#define NO_ROOM         0x055504u /* INSUFFICIENT REGISTRATION RESOURCES */

static void conflict(struct t_lun_cmd *cmd)
{
	cmd->status = SCSI_STATUS_RESERVATION_CONFLICT;
}

static struct t_lun_key *key_of(const struct t_nexus *nexus)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;

	for (unsigned i = 0; i < r->count; i++)
		if (r->keys[i].initiator == nexus->initiator &&
			r->keys[i].port == nexus->port)
			return &r->keys[i];
	return NULL;
}

static bool is_for_all(uint8_t type)
{
	return type == PR_WRITE_EXCLUSIVE_ALL ||
	       type == PR_EXCLUSIVE_ACCESS_ALL;
}

static bool is_for_registrants(uint8_t type)
{
	return type >= PR_WRITE_EXCLUSIVE_REGISTRANTS;
}

static bool holds(const struct t_lun_reserve *r, const struct t_lun_key *key)
{
	return r->type && key && (is_for_all(r->type) || key->holder);
}

/* A unit attention for the nexuses that are registered, but for `except`. */
static void attend(
	struct t_lun *lun, const struct t_nexus *except, uint8_t ascq)
{
	struct t_nexus *n;

	LIST_FOREACH (n, &lun->nexuses, link)
		if (n != except && key_of(n))
			t_nexus_attend(n, 0x2a, ascq);
}

static void release(struct t_nexus *nexus)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;

	for (unsigned i = 0; i < r->count; i++)
		r->keys[i].holder = false;
	if (is_for_registrants(r->type))
		attend(nexus->lun, nexus, 0x04);
	r->type = PR_NO_TYPE;
}

static void forget(struct t_lun_reserve *r, struct t_lun_key *key)
{
	*key = r->keys[--r->count];
}

void t_lun_forget_keys(struct t_lun *lun)
{
	lun->reserve.count = 0;
	lun->reserve.type = PR_NO_TYPE;
}

static void set_key(struct t_nexus *nexus, struct t_lun_cmd *cmd, uint64_t key)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;
	struct t_lun_key *own = key_of(nexus);

	if (!key && own) {
		if (own->holder || (r->count == 1 && is_for_all(r->type)))
			release(nexus);
		forget(r, key_of(nexus));
	} else if (key && own) {
		own->key = key;
	} else if (key && r->count == T_LUN_KEYS) {
		t_lun_check(cmd, NO_ROOM);
		return;
	} else if (key) {
		r->keys[r->count++] =
			(struct t_lun_key){.initiator = nexus->initiator,
				.port = nexus->port,
				.key = key};
	}
	r->generation++;
}

static void reserve(struct t_nexus *nexus, struct t_lun_cmd *cmd, uint8_t type)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;
	struct t_lun_key *own = key_of(nexus);

	if (r->type && (!holds(r, own) || r->type != type)) {
		conflict(cmd);
		return;
	}
	r->type = type;
	own->holder = !is_for_all(type);
}

static void end_reservation(
	struct t_nexus *nexus, struct t_lun_cmd *cmd, uint8_t type)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;

	if (!holds(r, key_of(nexus)))
		return;
	if (r->type != type)
		t_lun_check(cmd, INVALID_RELEASE);
	else
		release(nexus);
}

static void clear(struct t_nexus *nexus)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;

	attend(nexus->lun, nexus, 0x03);
	r->count = 0;
	r->type = PR_NO_TYPE;
	r->generation++;
}

/* Takes out all registrations with that key but our own; those nexuses hear
 * of it. True when one of them held the reservation. */
static bool take_out(struct t_nexus *nexus, uint64_t key, bool *any)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;
	struct t_nexus *n;
	bool held = false;

	LIST_FOREACH (n, &nexus->lun->nexuses, link)
		if (n != nexus && key_of(n) && key_of(n)->key == key)
			t_nexus_attend(n, 0x2a, 0x05);
	for (unsigned i = r->count; i-- > 0;) {
		struct t_lun_key *k = &r->keys[i];

		if (k->key != key)
			continue;
		*any = true;
		held |= holds(r, k);
		if (k != key_of(nexus))
			forget(r, k);
	}
	return held;
}

static void preempt(struct t_nexus *nexus, struct t_lun_cmd *cmd, uint8_t type,
	uint64_t key)
{
	struct t_lun_reserve *r = &nexus->lun->reserve;
	bool any = false, held = take_out(nexus, key, &any);

	if (!any) {
		conflict(cmd);
		return;
	}
	r->generation++;
	if (!held)
		return;
	for (unsigned i = 0; i < r->count; i++)
		r->keys[i].holder = false;
	r->type = type;
	key_of(nexus)->holder = !is_for_all(type);
}

void t_lun_pr_out(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint8_t action = cmd->cdb[1] & 0x1f, type = cmd->cdb[2] & 0x0f;
	const uint8_t *list = cmd->out;
	const struct t_lun_key *own = key_of(nexus);
	uint64_t key, action_key;

	if (cmd->out_len != PR_LIST_LEN) {
		t_lun_check(cmd, T_LIST_LENGTH);
		return;
	}
	cmd->moved = PR_LIST_LEN;
	key = get_be64(list);
	action_key = get_be64(list + 8);
	if (action != PR_REGISTER_AND_IGNORE && (own ? own->key : 0) != key) {
		conflict(cmd);
		return;
	}
	if (action > PR_REGISTER && action < PR_REGISTER_AND_IGNORE && !own) {
		conflict(cmd);
		return;
	}
	switch (action) {
	case PR_REGISTER:
	case PR_REGISTER_AND_IGNORE: set_key(nexus, cmd, action_key); break;
	case PR_RESERVE: reserve(nexus, cmd, type); break;
	case PR_RELEASE: end_reservation(nexus, cmd, type); break;
	case PR_CLEAR: clear(nexus); break;
	case PR_PREEMPT:
	case PR_PREEMPT_AND_ABORT: preempt(nexus, cmd, type, action_key); break;
	default: t_lun_check(cmd, T_INVALID_FIELD);
	}
}

void t_lun_pr_in(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	const struct t_lun_reserve *r = &nexus->lun->reserve;
	uint8_t data[8 + 8 * T_LUN_KEYS] = {0};
	uint32_t len = 0;

	put_be32(data, r->generation);
	switch (cmd->cdb[1] & 0x1f) {
	case PR_READ_KEYS:
		for (unsigned i = 0; i < r->count; i++, len += 8)
			put_be64(data + 8 + len, r->keys[i].key);
		break;
	case PR_READ_RESERVATION:
		if (!r->type)
			break;
		len = 16;
		data[21] = r->type;
		for (unsigned i = 0; i < r->count; i++)
			if (r->keys[i].holder)
				put_be64(data + 8, r->keys[i].key);
		break;
	default: t_lun_check(cmd, T_INVALID_FIELD); return;
	}
	put_be32(data + 4, len);
	t_lun_give(cmd, data, 8 + len, get_be16(cmd->cdb + 7));
}

bool t_lun_is_reserved(const struct t_nexus *nexus, bool writes)
{
	const struct t_lun_reserve *r = &nexus->lun->reserve;
	const struct t_lun_key *own = key_of(nexus);
	bool reads_too = r->type == PR_EXCLUSIVE_ACCESS ||
			 r->type == PR_EXCLUSIVE_ACCESS_REGISTRANTS ||
			 r->type == PR_EXCLUSIVE_ACCESS_ALL;

	if (!r->type || holds(r, own) || (own && is_for_registrants(r->type)))
		return false;
	return writes || reads_too;
}
