/* SPDX-License-Identifier: BSD-2-Clause */
/* What the target does, within the rules and against them. */
#include "faults.h"
#include "features.h"
#include "trace.h"
#include "world.h"

#include <stdlib.h>
#include <umpio/base/units.h>
#include <umpio/scsi/opcode.h>

static struct t_target *target_of(const struct world_fault *f)
{
	return world_target(f->world, f->plan->where);
}

static struct t_conn *conn_of(const struct world_fault *f)
{
	return world_conn(f->world, f->plan->where, f->plan->dice >> 32);
}

/* Restarts */

/* All paths of a target are refused, or taken again. */
static void set_doors(struct world *w, const struct t_target *t, bool refuse)
{
	for (unsigned i = 0; i < w->plan->paths; i++)
		for (unsigned j = 0; j < w->plan->portals; j++)
			if (!t || world_target(w, i) == t)
				world_wire(w, i, j)->refuse = refuse;
}

static void restart_begin(struct world_fault *f)
{
	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	set_doors(f->world, target_of(f), true);
	t_target_restart(target_of(f));
}

static void restart_end(struct world_fault *f)
{
	set_doors(f->world, target_of(f), false);
}

static void power_begin(struct world_fault *f)
{
	struct world *w = f->world;

	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	set_doors(w, NULL, true);
	for (unsigned i = 0; i < w->plan->targets; i++)
		t_target_restart(w->target[i]);
	world_power_cut(w);
}

static void power_end(struct world_fault *f)
{
	set_doors(f->world, NULL, false);
}

/* Standing still */

/* What has been sent to the connection waits in the target's socket, and comes
 * to life when the initiator has long given it up and cannot log in. */
static bool has_fence(const struct plan *p)
{
	(void)p;
	return feature(FEATURE_FENCE);
}

static void ghost_begin(struct world_fault *f)
{
	f->conn = conn_of(f);
	fault_say(f, "%s", f->conn ? "" : ", but there is no connection");
	if (!f->conn)
		return;
	t_conn_stall(f->conn, true);
	for (unsigned i = 0; i < f->world->plan->portals; i++)
		world_wire(f->world, f->plan->where, i)->refuse = true;
}

static void ghost_end(struct world_fault *f)
{
	if (f->conn)
		t_conn_stall(f->conn, false);
	for (unsigned i = 0; i < f->world->plan->portals; i++)
		world_wire(f->world, f->plan->where, i)->refuse = false;
}

static void stall_begin(struct world_fault *f)
{
	f->conn = conn_of(f);
	fault_say(f, "%s", f->conn ? "" : ", but there is no connection");
	if (f->conn)
		t_conn_stall(f->conn, true);
}

static void stall_end(struct world_fault *f)
{
	if (f->conn && feature(FEATURE_FENCE))
		t_conn_stall(f->conn, false);
	else if (f->conn)
		t_conn_end(f->conn, true);
}

static void hold_begin(struct world_fault *f)
{
	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	target_of(f)->hold = true;
}

static void hold_end(struct world_fault *f)
{
	t_target_release(target_of(f));
}

static void freeze_begin(struct world_fault *f)
{
	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	target_of(f)->frozen = true;
}

static void freeze_end(struct world_fault *f)
{
	target_of(f)->frozen = false;
}

static void refuse_begin(struct world_fault *f)
{
	fault_say(f, "for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	target_of(f)->refuse = true;
}

static void refuse_end(struct world_fault *f)
{
	target_of(f)->refuse = false;
}

/* PDUs */

static void pdu_fault(const struct world_fault *f, enum t_dir dir, int opcode,
	enum t_effect effect, uint8_t reason)
{
	struct t_fault fault = {.dir = dir,
		.opcode = opcode,
		.cid = T_ANY,
		.nth = 1 + (unsigned)(f->plan->dice >> 20) % 20,
		.effect = effect,
		.reason = reason};

	fault_say(f, "opcode %#x, the %uth from now", (unsigned)opcode,
		fault.nth);
	if (target_of(f)->nfaults < T_FAULTS_MAX)
		t_target_fault(target_of(f), &fault);
}

static void lose_begin(struct world_fault *f)
{
	static const int out[] = {0x21, 0x25, 0x31};

	/* At level 0 nothing gets lost but with the connection. */
	if (f->plan->dice & 1)
		pdu_fault(f, T_FROM_INITIATOR, 0x01,
			f->world->plan->level ? T_LOSE : T_SWALLOW, 0);
	else
		pdu_fault(f, T_TO_INITIATOR, out[f->plan->dice / 2 % 3], T_LOSE,
			0);
}

static bool has_digests(const struct plan *p)
{
	return p->digests;
}

static void spoil_begin(struct world_fault *f)
{
	static const int in[] = {0x01, 0x05}, out[] = {0x21, 0x25};

	if (f->plan->dice & 1)
		pdu_fault(f, T_FROM_INITIATOR, in[f->plan->dice / 2 % 2],
			T_SPOIL_DATA, 0);
	else
		pdu_fault(f, T_TO_INITIATOR, out[f->plan->dice / 2 % 2],
			T_SPOIL_DATA, 0);
}

static void reject_begin(struct world_fault *f)
{
	static const uint8_t reasons[] = {4, 5, 9, 10, 12};

	pdu_fault(f, T_FROM_INITIATOR, 0x01, T_REJECT,
		reasons[f->plan->dice % sizeof reasons]);
}

static void async_begin(struct world_fault *f)
{
	struct t_conn *c = conn_of(f);
	uint8_t event = (uint8_t)(1 + f->plan->dice % 4);

	fault_say(f, "%u%s", event, c ? "" : ", but there is no connection");
	if (!c)
		return;
	t_conn_async(c, event, event == 2 ? c->cid : 0, event == 1 ? 0 : 1, 3);
	if (event == 2)
		t_conn_end(c, true);
	else if (event == 3)
		t_target_restart(target_of(f));
}

static void ping_begin(struct world_fault *f)
{
	struct t_conn *c = conn_of(f);

	fault_say(f, "from the target");
	if (c)
		t_conn_ping(c);
}

/* Wrong answers: each befalls the next PDU that can bear it. */

enum lie {
	LIE_NONE,
	LIE_SHORT,    /* a read says that it moved less, and does */
	LIE_RESIDUAL, /* a write says that it moved less */
	LIE_TAG,      /* an answer for a tag that does not exist */
	LIE_OFFSET,   /* data for another place */
	LIE_DATA_SN,
	LIE_STAT_SN,
	LIE_R2T, /* data beyond the end are asked for */
	LIES,
};

static const struct {
	const char *name;
	uint8_t opcode; /* of the PDU; 0: not a PDU */
	enum t_field field;
	uint64_t add;
} lies[LIES] = {
	[LIE_SHORT] = {"a short read", 0, T_OPCODE, 0},
	[LIE_RESIDUAL] = {"a residual", 0x21, T_RESIDUAL, 512},
	[LIE_TAG] = {"a tag", 0x21, T_ITT, 0x55550000},
	[LIE_OFFSET] = {"an offset", 0x25, T_OFFSET, 512},
	[LIE_DATA_SN] = {"DataSN", 0x25, T_DATA_SN, 1},
	[LIE_STAT_SN] = {"StatSN", 0x21, T_STAT_SN, 5},
	[LIE_R2T] = {"an R2T", 0x31, T_OFFSET, 1u << 24},
};

/* At level 1 and above, numbers that jump are asked for: the target would be
 * asked for what it has sent. */
static bool is_told(const struct plan *p, unsigned lie)
{
	return p->level == 0 || lie == LIE_SHORT || lie == LIE_RESIDUAL;
}

static void lie_begin(struct world_fault *f)
{
	unsigned lie = 1 + (unsigned)(f->plan->dice % (LIES - 1));

	if (!is_told(f->world->plan, lie))
		lie = 1 + lie % 2;
	fault_say(f, "about %s", lies[lie].name);
	f->world->lie = lie;
}

static enum t_verdict lie_pdu(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	struct world *w = arg;
	unsigned lie = w->lie;

	trace_note(TRACE_PDU_OUT, c->tpgt, t_get(pdu->bhs, T_OPCODE),
		t_get(pdu->bhs, T_ITT), t_get(pdu->bhs, T_STAT_SN));
	if (!lie || t_get(pdu->bhs, T_OPCODE) != lies[lie].opcode)
		return T_PASS;
	w->lie = LIE_NONE;
	t_set(pdu->bhs, lies[lie].field,
		t_get(pdu->bhs, lies[lie].field) + lies[lie].add);
	if (lie == LIE_RESIDUAL)
		t_set(pdu->bhs, T_UNDER, 1);
	return T_PASS;
}

static enum t_verdict note_pdu(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	(void)arg, (void)data, (void)len;
	trace_note(TRACE_PDU_IN, c->tpgt, t_get(bhs, T_OPCODE),
		t_get(bhs, T_ITT), t_get(bhs, T_CMD_SN));
	return T_PASS;
}

static void lie_answer(void *arg, struct t_lun_cmd *cmd)
{
	struct world *w = arg;

	if (w->lie != LIE_SHORT || cmd->status || cmd->moved < 1024 ||
		(cmd->cdb[0] != SCSI_READ_10 && cmd->cdb[0] != SCSI_READ_16))
		return;
	w->lie = LIE_NONE;
	cmd->moved -= 512;
	cmd->residual = 512;
}

void world_set_hooks(struct world *w)
{
	w->hooks = (struct t_hooks){
		.rx = note_pdu, .tx = lie_pdu, .answer = lie_answer};
	for (unsigned i = 0; i < w->plan->targets; i++) {
		w->target[i]->hooks = &w->hooks;
		w->target[i]->hooks_arg = w;
	}
}

static bool has_cache(const struct plan *p)
{
	return p->disk.wce;
}

const struct fault_kind faults_target[] = {
	{"restart", 5, 10, 5000, NULL, restart_begin, restart_end},
	{"power cut", 6, 10, 5000, has_cache, power_begin, power_end},
	{"ghost", 12, 500, 15000, has_fence, ghost_begin, ghost_end},
	{"stall", 4, 100, 10000, NULL, stall_begin, stall_end},
	{"hold", 4, 10, 5000, NULL, hold_begin, hold_end},
	{"frozen window", 3, 10, 5000, NULL, freeze_begin, freeze_end},
	{"login refused", 3, 10, 5000, NULL, refuse_begin, refuse_end},
	{"lost PDU", 8, 0, 0, NULL, lose_begin, NULL},
	{"spoilt data", 8, 0, 0, has_digests, spoil_begin, NULL},
	{"reject", 5, 0, 0, NULL, reject_begin, NULL},
	{"async message", 5, 0, 0, NULL, async_begin, NULL},
	{"ping", 2, 0, 0, NULL, ping_begin, NULL},
	{"lie", 8, 0, 0, NULL, lie_begin, NULL},
	{NULL, 0, 0, 0, NULL, NULL, NULL},
};
