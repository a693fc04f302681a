/* SPDX-License-Identifier: BSD-2-Clause */
/* How a test steers the model target: faults of PDUs, and what the
 * target says unasked. */
#include <stdlib.h>
#include <string.h>

#include "t_target_private.h"

void t_target_fault(struct t_target *t, const struct t_fault *fault)
{
	if (t->nfaults == T_FAULTS_MAX)
		abort();
	t->faults[t->nfaults++] = *fault;
}

void t_target_lose(struct t_target *t, enum t_dir dir, int opcode)
{
	t_target_fault(t, &(struct t_fault){.dir = dir,
				  .opcode = opcode,
				  .cid = T_ANY,
				  .effect = T_LOSE});
}

void t_target_spoil(struct t_target *t, enum t_dir dir, int opcode)
{
	t_target_fault(t, &(struct t_fault){.dir = dir,
				  .opcode = opcode,
				  .cid = T_ANY,
				  .effect = T_SPOIL_DATA});
}

static bool fault_matches(const struct t_fault *f, const struct t_conn *c,
	enum t_dir dir, const uint8_t *bhs)
{
	return f->dir == dir &&
	       (f->opcode == T_ANY ||
		       (unsigned)f->opcode == t_get(bhs, T_OPCODE)) &&
	       (f->cid == T_ANY || f->cid == c->cid) &&
	       (bhs[1] & f->flags) == f->flags;
}

bool t_fault_take(struct t_conn *c, enum t_dir dir, const uint8_t *bhs,
	struct t_fault *taken)
{
	struct t_target *t = c->target;
	unsigned i;

	for (i = 0; i < t->nfaults; i++) {
		struct t_fault *f = &t->faults[i];

		if (!fault_matches(f, c, dir, bhs))
			continue;
		if (f->nth > 1) {
			f->nth--;
			continue;
		}
		*taken = *f;
		t->struck++;
		if (f->count > 1) {
			f->count--;
			return true;
		}
		memmove(f, f + 1, (t->nfaults - i - 1) * sizeof *f);
		t->nfaults--;
		return true;
	}
	return false;
}

struct t_conn *t_target_cid(struct t_target *t, uint16_t cid)
{
	struct t_conn *c, *found = NULL;

	TAILQ_FOREACH (c, &t->conns, link)
		if (c->state == T_FULL_FEATURE && c->cid == cid)
			found = c;
	return found;
}

void t_conn_reject(struct t_conn *c, uint8_t reason, const uint8_t *bhs)
{
	uint8_t out[T_BHS_LEN];

	t_make(out, 0x3f);
	t_set(out, T_TTT, 0);
	t_set(out, T_FINAL, 1);
	t_set(out, T_RESPONSE, reason);
	t_conn_stamp(c, out, true);
	t_conn_send(c, out, bhs, T_BHS_LEN);
}

static void async_make(uint8_t *out, uint8_t event)
{
	t_make(out, 0x32);
	t_set(out, T_TTT, 0);
	t_set(out, T_FINAL, 1);
	t_set(out, T_EVENT, event);
}

void t_conn_async(struct t_conn *c, uint8_t event, uint16_t param1,
	uint16_t param2, uint16_t param3)
{
	uint8_t out[T_BHS_LEN];

	async_make(out, event);
	if (event == 5)
		t_set(out, T_LUN, c->target->options.lun);
	t_set(out, T_PARAM1, param1);
	t_set(out, T_PARAM2, param2);
	t_set(out, T_PARAM3, param3);
	t_conn_stamp(c, out, true);
	t_conn_send(c, out, NULL, 0);
}

void t_conn_async_sense(struct t_conn *c, uint32_t sense)
{
	uint8_t out[T_BHS_LEN], data[20] = {0, 18, 0x70};

	async_make(out, 0);
	t_set(out, T_LUN, c->target->options.lun);
	data[4] = (uint8_t)(sense >> 16 & 15);
	data[9] = 10;
	data[14] = (uint8_t)(sense >> 8);
	data[15] = (uint8_t)sense;
	t_conn_stamp(c, out, true);
	t_conn_send(c, out, data, sizeof data);
}

void t_conn_ping(struct t_conn *c)
{
	uint8_t out[T_BHS_LEN];

	if (!c->session)
		return;
	c->older_ping_ttt = c->ping_ttt;
	c->ping_ttt = ++c->session->next_ttt;
	t_make(out, 0x20);
	t_set(out, T_FINAL, 1);
	t_set(out, T_LUN, c->target->options.lun);
	t_set(out, T_TTT, c->ping_ttt);
	t_conn_stamp(c, out, false);
	t_conn_send(c, out, NULL, 0);
}
