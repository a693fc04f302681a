/* SPDX-License-Identifier: BSD-2-Clause */
#include "repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>

#include "conn.h"
#include "session.h"

#define SPOILT 16 /* answers to what was asked for */

bool repair_has(const struct task *t, uint32_t sn)
{
	if (sn_lt(sn, t->data_sn))
		return true;
	return t->repair && !repair_is_far(t, sn) &&
	       (t->repair->have >> (sn - t->data_sn) & 1);
}

bool repair_is_far(const struct task *t, uint32_t sn)
{
	return sn - t->data_sn >= REPAIR_AHEAD;
}

bool repair_is_stale(const struct task *t, uint32_t sn)
{
	const struct repair *r = t->repair;

	return r && r->tag && !r->fresh && sn != t->data_sn;
}

static void hold_status(struct conn *c, struct repair *r, uint32_t stat_sn)
{
	r->holds = c->hold = true;
	r->stat_sn = stat_sn;
}

bool repair_answers(struct conn *c, struct task *t, const struct bhs *b)
{
	struct repair *r = t->repair;

	if (!r || !r->tag || b->scsi_rsp.snack_tag == r->tag)
		return true;
	hold_status(c, r, b->stat_sn);
	return false;
}

struct repair *repair_of(struct conn *c, struct task *t)
{
	if (!t->repair)
		t->repair = calloc(1, sizeof *t->repair);
	if (!t->repair) {
		conn_fail(c, -ENOMEM, "out of memory");
		return NULL;
	}
	t->repair->known = sn_max(t->repair->known, t->data_sn);
	session_watch(c->session);
	return t->repair;
}

void repair_drop(struct task *t)
{
	struct repair *r = t->repair;

	t->repair = NULL;
	if (r && r->holds && t->conn)
		statsn_settle(&t->conn->stat, r->stat_sn);
	free(r);
}

/* What was sent before our limit changed cannot come again as it was. */
static bool wants_recut(const struct conn *c, const struct task *t)
{
	return t->cmd->direction == PATH_DATA_IN &&
	       (t->segment != c->params.max_recv_data ||
		       (t->repair->tag && !t->repair->fresh));
}

/* All but what is acknowledged is void (RFC 7143 11.16.1), the status too. */
static void recut(struct conn *c, struct task *t)
{
	struct repair *r = t->repair;

	t->segment = c->params.max_recv_data;
	t->data_sn = t->acked_sn;
	t->received = t->acked_at;
	r->known = t->data_sn;
	r->have = 0;
	r->ended = r->fresh = r->ack = false;
	r->tag = ++c->session->snack_tags;
}

/* Asks for what is missing, unless that is being asked for. */
static void ask(struct conn *c, struct task *t)
{
	struct repair *r = t->repair;

	if (r->due && !sn_gte(t->data_sn, r->asked))
		return;
	if (wants_recut(c, t))
		recut(c, t);
	r->asked = r->known;
	r->due = loop_now(c->session->loop) + (SNACK_AGAIN << r->tries);
	snack_task(c, t, r->fresh ? 0 : r->tag);
}

/* The numbers that are now in a row. False, and the connection has failed: the
 * data of a read is not in a row. */
static bool advance(struct conn *c, struct task *t)
{
	struct repair *r = t->repair;
	uint32_t at, sn = t->data_sn;

	while (r->have & 1) {
		at = t->data_sn % REPAIR_AHEAD;
		if (t->cmd->direction == PATH_DATA_IN) {
			if (r->ahead[at].offset != t->received) {
				conn_fail(c, -EPROTO,
					"Data-In out of order (BufferOffset)");
				return false;
			}
			t->received = r->ahead[at].end;
		}
		r->have >>= 1;
		t->data_sn++;
	}
	if (sn != t->data_sn)
		r->tries = 0;
	return true;
}

/* What is to be done now that something has come. */
static void proceed(struct conn *c, struct task *t)
{
	struct repair *r = t->repair;
	struct ending end;

	if (!advance(c, t))
		return;
	if (t->data_sn != r->known) {
		ask(c, t);
		return;
	}
	if (r->ack)
		snack_ack(c, t, r->ack_ttt, r->ack_lun);
	r->ack = false;
	end = r->end;
	if (!r->ended) {
		r->due = 0;
		if (!r->tag)
			repair_drop(t);
		return;
	}
	repair_drop(t);
	task_in_finish(c, t, &end);
}

void repair_data(
	struct conn *c, struct task *t, const struct bhs *b, uint32_t len)
{
	uint32_t sn = b->data_in.data_sn;
	struct repair *r = repair_of(c, t);

	if (!r)
		return;
	r->fresh = true;
	r->known = sn_max(r->known, sn + 1);
	r->have |= 1ull << (sn - t->data_sn);
	r->ahead[sn % REPAIR_AHEAD].offset = b->data_in.offset;
	r->ahead[sn % REPAIR_AHEAD].end = b->data_in.offset + len;
	if (b->data_in.ack && !b->data_in.has_status) {
		r->ack = true;
		r->ack_ttt = b->ttt;
		memcpy(r->ack_lun, b->lun, sizeof r->ack_lun);
	}
	if (b->data_in.has_status && !r->ended) {
		hold_status(c, r, b->stat_sn);
		r->ended = true;
		r->end = (struct ending){.status = b->data_in.status,
			.kind = b->data_in.residual_kind,
			.residual = b->data_in.residual};
	}
	proceed(c, t);
}

void repair_r2t(struct conn *c, struct task *t, uint32_t sn)
{
	struct repair *r = repair_of(c, t);

	if (!r)
		return;
	r->known = sn_max(r->known, sn + 1);
	r->have |= 1ull << (sn - t->data_sn);
	proceed(c, t);
}

void repair_status(struct conn *c, struct task *t, const struct ending *e,
	uint32_t stat_sn, uint32_t exp_data_sn)
{
	struct repair *r = repair_of(c, t);

	if (!r || r->ended)
		return;
	hold_status(c, r, stat_sn);
	r->ended = true;
	r->end = *e;
	r->known = sn_max(r->known, exp_data_sn);
	proceed(c, t);
}

void repair_spoilt(struct conn *c, struct task *t, uint32_t sn)
{
	struct repair *r = repair_of(c, t);

	if (!r)
		return;
	r->fresh = true;
	r->known = sn_max(r->known, sn + 1);
	/* It is the answer, since this number is asked for. */
	if (r->due && sn == t->data_sn) {
		if (++r->spoilt > SPOILT) {
			tmf_abort(c->session, t, -EIO);
			return;
		}
		r->asked = sn;
	}
	ask(c, t);
}

void repair_tick(struct conn *c, struct task *t, uint64_t now)
{
	struct repair *r = t->repair;

	if (!r->due || now < r->due || t->aborted)
		return;
	if (++r->tries >= SNACK_TRIES) {
		tmf_abort(c->session, t, -EIO);
		return;
	}
	r->asked = t->data_sn;
	ask(c, t);
}
