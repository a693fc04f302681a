/* SPDX-License-Identifier: BSD-2-Clause */
#include "t_lun_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>

void t_lun_check(struct t_lun_cmd *cmd, uint32_t code)
{
	struct sense sense = {
		.valid = true,
		.key = (uint8_t)(code >> 16),
		.asc = (uint8_t)(code >> 8),
		.ascq = (uint8_t)code,
	};

	cmd->status = SCSI_STATUS_CHECK_CONDITION;
	cmd->sense_len =
		(uint8_t)sense_build(&sense, cmd->sense, sizeof cmd->sense);
}

void t_lun_give(
	struct t_lun_cmd *cmd, const void *data, size_t len, uint32_t alloc)
{
	uint32_t n = len < alloc ? (uint32_t)len : alloc;

	cmd->moved = n;
	if (n > cmd->in_len)
		n = cmd->in_len;
	if (n)
		memcpy(cmd->in, data, n);
}

static uint8_t *block(const struct t_lun *lun, uint8_t *base, uint64_t lba)
{
	return base + lba * lun->options.block_size;
}

static bool in_range(const struct t_lun *lun, uint64_t lba, uint64_t blocks)
{
	return lba <= lun->blocks && blocks <= lun->blocks - lba;
}

/* The blocks were changed in memory: what else follows of that. */
static void changed(struct t_lun *lun, uint64_t lba, uint64_t n, uint8_t mapped,
	bool durable)
{
	uint8_t dirty = lun->options.wce && !durable ? T_LUN_DIRTY : 0;

	memset(lun->state + lba, mapped | dirty, n);
	if (!dirty)
		memcpy(block(lun, lun->stable, lba),
			block(lun, lun->memory, lba),
			n * lun->options.block_size);
	if (lun->changed)
		lun->changed(lun->changed_arg, lba, n);
}

static void zero(struct t_lun *lun, uint64_t lba, uint64_t n, bool unmap)
{
	memset(block(lun, lun->memory, lba), 0, n * lun->options.block_size);
	changed(lun, lba, n, unmap ? 0 : T_LUN_MAPPED, false);
}

/* LBA and length of READ and WRITE, (10) and (16). */
static void range_of(const uint8_t *cdb, uint64_t *lba, uint32_t *blocks)
{
	bool sixteen = cdb[0] >> 5 == 4;

	*lba = sixteen ? get_be64(cdb + 2) : get_be32(cdb + 2);
	*blocks = sixteen ? get_be32(cdb + 10) : get_be16(cdb + 7);
}

/* The checks that reads and writes share; false when one has failed. */
static bool range_check(const struct t_lun *lun, struct t_lun_cmd *cmd,
	uint64_t *lba, uint32_t *blocks)
{
	uint32_t max = lun->options.max_transfer;

	range_of(cmd->cdb, lba, blocks);
	if (!in_range(lun, *lba, *blocks))
		t_lun_check(cmd, T_OUT_OF_RANGE);
	else if (max && *blocks > max)
		t_lun_check(cmd, T_INVALID_FIELD);
	else if (cmd->cdb[1] & 0xe0) /* protection information */
		t_lun_check(cmd, T_INVALID_FIELD);
	return !cmd->status;
}

static void fua_check(const struct t_lun *lun, struct t_lun_cmd *cmd)
{
	if ((cmd->cdb[1] & (CDB_FUA | CDB_DPO)) && !lun->options.dpofua)
		t_lun_check(cmd, T_INVALID_FIELD);
}

static void flush(struct t_lun *lun, uint64_t lba, uint64_t end)
{
	for (; lba < end; lba++)
		if (lun->state[lba] & T_LUN_DIRTY)
			changed(lun, lba, 1, lun->state[lba] & T_LUN_MAPPED,
				true);
}

static void do_read(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint64_t lba;
	uint32_t blocks, len;

	fua_check(lun, cmd);
	if (cmd->status || !range_check(lun, cmd, &lba, &blocks))
		return;
	if (cmd->cdb[1] & CDB_FUA) /* SBC-4 4.15: the medium's */
		flush(lun, lba, lba + blocks);
	len = blocks * lun->options.block_size;
	t_lun_give(cmd, block(lun, lun->memory, lba), len, len);
	lun->reads++;
}

static void do_write(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint64_t lba, len;
	uint32_t blocks;

	fua_check(lun, cmd);
	if (cmd->status || !range_check(lun, cmd, &lba, &blocks))
		return;
	len = (uint64_t)blocks * lun->options.block_size;
	if (len > cmd->out_len) {
		t_lun_check(cmd, T_WRONG_AMOUNT);
		return;
	}
	if (len)
		memcpy(block(lun, lun->memory, lba), cmd->out, len);
	changed(lun, lba, blocks, T_LUN_MAPPED, cmd->cdb[1] & CDB_FUA);
	cmd->moved = (uint32_t)len;
	lun->writes++;
}

static void do_compare_and_write(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint64_t lba = get_be64(cmd->cdb + 2);
	uint32_t n = cmd->cdb[13], len = n * lun->options.block_size;

	fua_check(lun, cmd);
	if (cmd->status)
		return;
	if (n > T_LUN_MAX_CAW) {
		t_lun_check(cmd, T_INVALID_FIELD);
	} else if (!in_range(lun, lba, n)) {
		t_lun_check(cmd, T_OUT_OF_RANGE);
	} else if (2 * len > cmd->out_len) {
		t_lun_check(cmd, T_WRONG_AMOUNT);
	} else if (n && memcmp(block(lun, lun->memory, lba), cmd->out, len)) {
		t_lun_check(cmd, T_MISCOMPARE);
	} else if (n) {
		memcpy(block(lun, lun->memory, lba),
			(const uint8_t *)cmd->out + len, len);
		changed(lun, lba, n, T_LUN_MAPPED, cmd->cdb[1] & CDB_FUA);
		cmd->moved = 2 * len;
		lun->writes++;
	}
}

static void do_synchronize(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint64_t lba;
	uint32_t n;

	range_of(cmd->cdb, &lba, &n);
	if (cmd->cdb[0] == SCSI_SYNCHRONIZE_CACHE_16 ? lun->options.no_sync16
						     : lun->options.no_sync10) {
		t_lun_check(cmd, T_INVALID_OPCODE);
		return;
	}
	if (lun->options.no_sync_range && (lba || n)) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	if (!in_range(lun, lba, n)) {
		t_lun_check(cmd, T_OUT_OF_RANGE);
		return;
	}
	flush(lun, lba, n ? lba + n : lun->blocks);
	lun->flushes++;
}

static void do_pre_fetch(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint64_t lba;
	uint32_t n;

	range_of(cmd->cdb, &lba, &n);
	if (in_range(nexus->lun, lba, n))
		cmd->status = SCSI_STATUS_CONDITION_MET;
	else
		t_lun_check(cmd, T_OUT_OF_RANGE);
}

static void do_unmap(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint32_t len = get_be16(cmd->cdb + 7), n;
	const uint8_t *list = cmd->out;

	if (!lun->options.unmap) {
		t_lun_check(cmd, T_INVALID_OPCODE);
		return;
	}
	if (!len)
		return;
	if (len < 8 || len > cmd->out_len || get_be16(list + 2) > len - 8) {
		t_lun_check(cmd, T_LIST_LENGTH);
		return;
	}
	n = get_be16(list + 2) / 16;
	if (n > T_LUN_MAX_UNMAP) {
		t_lun_check(cmd, T_INVALID_LIST);
		return;
	}
	/* All is checked before anything is done. */
	for (const uint8_t *d = list + 8; d < list + 8 + 16 * n; d += 16)
		if (!in_range(lun, get_be64(d), get_be32(d + 8))) {
			t_lun_check(cmd, T_OUT_OF_RANGE);
			return;
		}
	for (const uint8_t *d = list + 8; d < list + 8 + 16 * n; d += 16)
		zero(lun, get_be64(d), get_be32(d + 8), true);
	cmd->moved = len;
	lun->unmaps++;
}

static void do_write_same(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun *lun = nexus->lun;
	uint32_t size = lun->options.block_size;
	bool unmap = cmd->cdb[1] & CDB_WS_UNMAP;
	bool data = !(cmd->cdb[1] & CDB_WS_NDOB);
	uint64_t lba = get_be64(cmd->cdb + 2);
	uint32_t n = get_be32(cmd->cdb + 10);

	if (!n || n > T_LUN_MAX_WRITE_SAME || (unmap && !lun->options.unmap)) {
		t_lun_check(cmd, T_INVALID_FIELD);
		return;
	}
	if (!in_range(lun, lba, n)) {
		t_lun_check(cmd, T_OUT_OF_RANGE);
		return;
	}
	if (data && cmd->out_len < size) {
		t_lun_check(cmd, T_WRONG_AMOUNT);
		return;
	}
	zero(lun, lba, n, unmap);
	cmd->moved = data ? size : 0;
	lun->writes++;
	if (!data)
		return;
	for (uint64_t i = lba; i < lba + n; i++) {
		uint8_t *b = block(lun, lun->memory, i);

		/* UNMAP holds for zeroes only (SBC-4 4.7.3.4.4). */
		if (memcmp(b, cmd->out, size)) {
			memcpy(b, cmd->out, size);
			changed(lun, i, 1, T_LUN_MAPPED, false);
		}
	}
}

static void do_nothing(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	(void)nexus;
	(void)cmd;
}

#define INFORM 1 /* works in every access state and without the unit */
#define QUIET  2 /* does not report unit attentions */
#define WRITES 4 /* write protection forbids it, and a reservation */
#define READS  8 /* a reservation may forbid it */

static const struct command {
	uint8_t opcode;
	int8_t action; /* service action; -1: the opcode has none */
	uint8_t flags;
	t_lun_fn *run;
} commands[] = {
	{SCSI_TEST_UNIT_READY, -1, 0, do_nothing},
	{SCSI_REQUEST_SENSE, -1, INFORM | QUIET, t_lun_request_sense},
	{SCSI_INQUIRY, -1, INFORM | QUIET, t_lun_inquiry},
	{SCSI_REPORT_LUNS, -1, INFORM | QUIET, t_lun_report_luns},
	{SCSI_MODE_SENSE_6, -1, INFORM, t_lun_mode_sense6},
	{SCSI_MODE_SENSE_10, -1, INFORM, t_lun_mode_sense10},
	{SCSI_MAINTENANCE_IN, SCSI_MI_REPORT_TARGET_GROUPS, INFORM,
		t_lun_report_groups},
	{SCSI_MAINTENANCE_OUT, SCSI_MO_SET_TARGET_GROUPS, INFORM,
		t_lun_set_groups},
	{SCSI_PERSISTENT_RESERVE_IN, -1, 0, t_lun_pr_in},
	{SCSI_PERSISTENT_RESERVE_OUT, -1, 0, t_lun_pr_out},
	{SCSI_START_STOP_UNIT, -1, 0, do_nothing},
	{SCSI_READ_CAPACITY_10, -1, 0, t_lun_read_capacity10},
	{SCSI_SERVICE_ACTION_IN_16, SCSI_SAI_READ_CAPACITY_16, 0,
		t_lun_read_capacity16},
	{SCSI_SERVICE_ACTION_IN_16, SCSI_SAI_GET_LBA_STATUS, 0,
		t_lun_get_lba_status},
	{SCSI_READ_10, -1, READS, do_read},
	{SCSI_READ_16, -1, READS, do_read},
	{SCSI_WRITE_10, -1, WRITES, do_write},
	{SCSI_WRITE_16, -1, WRITES, do_write},
	{SCSI_COMPARE_AND_WRITE, -1, WRITES, do_compare_and_write},
	{SCSI_SYNCHRONIZE_CACHE_10, -1, 0, do_synchronize},
	{SCSI_SYNCHRONIZE_CACHE_16, -1, 0, do_synchronize},
	{SCSI_PRE_FETCH_16, -1, 0, do_pre_fetch},
	{SCSI_UNMAP, -1, WRITES, do_unmap},
	{SCSI_WRITE_SAME_16, -1, WRITES, do_write_same},
};

static const struct command *command_find(const uint8_t *cdb)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct command *c = &commands[i];

		if (c->opcode == cdb[0] &&
			(c->action < 0 || c->action == (cdb[1] & 0x1f)))
			return c;
	}
	return NULL;
}

/* The scripted answer for this command, taken from the script. */
static bool take_scripted(struct t_nexus *nexus, const struct t_lun_cmd *cmd,
	struct t_lun_answer *answer)
{
	for (unsigned i = 0; i < nexus->nscript; i++) {
		struct t_lun_answer a = nexus->script[i];

		if (a.opcode >= 0 && a.opcode != cmd->cdb[0])
			continue;
		nexus->nscript--;
		memmove(nexus->script + i, nexus->script + i + 1,
			(nexus->nscript - i) * sizeof a);
		*answer = a;
		return true;
	}
	return false;
}

static void answer(struct t_lun_cmd *cmd, const struct t_lun_answer *a)
{
	cmd->status = a->status;
	if (a->sense.valid)
		cmd->sense_len = (uint8_t)sense_build(
			&a->sense, cmd->sense, sizeof cmd->sense);
}

static bool answer_attention(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct sense s = nexus->attention[0];

	if (!nexus->nattention)
		return false;
	nexus->nattention--;
	memmove(nexus->attention, nexus->attention + 1,
		nexus->nattention * sizeof s);
	t_lun_check(cmd, (uint32_t)s.key << 16 | (uint32_t)s.asc << 8 | s.ascq);
	return true;
}

/* SPC-5 5.16.2: what the access state forbids. */
static bool answer_access(const struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	static const uint8_t ascq[16] = {
		[ALUA_STANDBY] = 0x0b,
		[ALUA_UNAVAILABLE] = 0x0c,
		[ALUA_OFFLINE] = 0x12,
		[ALUA_TRANSITIONING] = 0x0a,
	};

	int state = nexus->lun->groups[nexus->group].alua;

	if (state == ALUA_NONE || !ascq[state & 0x0f])
		return false;
	t_lun_check(cmd, 0x020400u | ascq[state & 0x0f]);
	return true;
}

static void dispatch(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	const struct command *c = command_find(cmd->cdb);
	unsigned flags = c ? c->flags : 0;

	if (nexus->lun->gone && !(flags & QUIET))
		t_lun_check(cmd, T_NO_UNIT);
	else if (!(flags & QUIET) && answer_attention(nexus, cmd))
		return;
	else if (!c)
		t_lun_check(cmd, T_INVALID_OPCODE);
	else if (!(flags & INFORM) && answer_access(nexus, cmd))
		return;
	else if ((flags & WRITES) && nexus->lun->options.read_only)
		t_lun_check(cmd, T_WRITE_PROTECT);
	else if (flags & (READS | WRITES) &&
		 t_lun_is_reserved(nexus, flags & WRITES))
		cmd->status = SCSI_STATUS_RESERVATION_CONFLICT;
	else
		c->run(nexus, cmd);
}

/* What is answered by RECOVERED ERROR has been executed (SPC-5 4.4.8). */
static void dispatch_scripted(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	struct t_lun_answer a;
	bool scripted = take_scripted(nexus, cmd, &a);

	cmd->recovered = scripted && a.sense.valid &&
			 a.sense.key == SENSE_RECOVERED_ERROR;
	if (!scripted || cmd->recovered)
		dispatch(nexus, cmd);
	cmd->recovered &= !cmd->status;
	if (scripted && !cmd->status)
		answer(cmd, &a);
}

void t_lun_execute(struct t_nexus *nexus, struct t_lun_cmd *cmd)
{
	uint32_t expected = cmd->in_len + cmd->out_len;

	cmd->status = SCSI_STATUS_GOOD;
	cmd->sense_len = 0;
	cmd->moved = 0;
	dispatch_scripted(nexus, cmd);
	cmd->overflow = cmd->moved > expected;
	cmd->residual =
		cmd->overflow ? cmd->moved - expected : expected - cmd->moved;
	if (cmd->overflow)
		cmd->moved = expected;
}

struct t_lun *t_lun_new(const struct t_lun_options *options)
{
	struct t_lun *lun = calloc(1, sizeof *lun);

	if (!lun)
		return NULL;
	lun->options = *options;
	if (!lun->options.block_size)
		lun->options.block_size = 512;
	LIST_INIT(&lun->nexuses);
	if (t_lun_resize(lun, options->blocks)) {
		t_lun_free(lun);
		return NULL;
	}
	return lun;
}

void t_lun_free(struct t_lun *lun)
{
	if (!lun)
		return;
	free(lun->memory);
	free(lun->stable);
	free(lun->state);
	free(lun);
}

/* `*p`, of `old` items, gets place for `now`. */
static int regrow(uint8_t **p, uint64_t old, uint64_t now, size_t item)
{
	uint8_t *fresh = calloc(now ? now : 1, item);

	if (!fresh)
		return -ENOMEM;
	if (*p)
		memcpy(fresh, *p, (old < now ? old : now) * item);
	free(*p);
	*p = fresh;
	return 0;
}

int t_lun_resize(struct t_lun *lun, uint64_t blocks)
{
	size_t size = lun->options.block_size;
	uint64_t old = lun->blocks;

	/* Until all three have grown the smaller of the sizes holds. */
	if (blocks < old)
		lun->blocks = blocks;
	if (regrow(&lun->memory, old, blocks, size) ||
		regrow(&lun->stable, old, blocks, size) ||
		regrow(&lun->state, old, blocks, 1))
		return -ENOMEM;
	lun->blocks = blocks;
	t_lun_attend(lun, NULL, 0x2a, 0x09);
	return 0;
}

void t_nexus_init(struct t_nexus *nexus, struct t_lun *lun, uint16_t group,
	uint16_t port, bool attention)
{
	if (group >= T_LUN_GROUPS)
		abort(); /* the test's mistake, not to be overlooked */
	memset(nexus, 0, sizeof *nexus);
	nexus->lun = lun;
	nexus->group = group;
	nexus->port = port;
	LIST_INSERT_HEAD(&lun->nexuses, nexus, link);
	if (attention)
		t_nexus_attend(nexus, 0x29, 0x00);
}

void t_nexus_fini(struct t_nexus *nexus)
{
	LIST_REMOVE(nexus, link);
}

void t_nexus_script(
	struct t_nexus *nexus, int opcode, uint8_t status, uint32_t sense)
{
	if (nexus->nscript == T_LUN_SCRIPT_MAX)
		abort(); /* the test's mistake, not to be overlooked */
	nexus->script[nexus->nscript++] = (struct t_lun_answer){
		.opcode = opcode,
		.status = status,
		.sense =
			{
				.valid = sense,
				.key = (uint8_t)(sense >> 16),
				.asc = (uint8_t)(sense >> 8),
				.ascq = (uint8_t)sense,
			},
	};
}

void t_nexus_attend(struct t_nexus *nexus, uint8_t asc, uint8_t ascq)
{
	size_t max = sizeof nexus->attention / sizeof *nexus->attention;

	if (nexus->nattention == max)
		return;
	nexus->attention[nexus->nattention++] = (struct sense){
		.valid = true,
		.key = SENSE_UNIT_ATTENTION,
		.asc = asc,
		.ascq = ascq,
	};
}

void t_lun_attend(struct t_lun *lun, const struct t_nexus *except, uint8_t asc,
	uint8_t ascq)
{
	struct t_nexus *n;

	LIST_FOREACH (n, &lun->nexuses, link)
		if (n != except)
			t_nexus_attend(n, asc, ascq);
}

void t_lun_power_cut(struct t_lun *lun)
{
	uint32_t size = lun->options.block_size;

	for (uint64_t i = 0; i < lun->blocks; i++) {
		if (!(lun->state[i] & T_LUN_DIRTY))
			continue;
		memcpy(block(lun, lun->memory, i), block(lun, lun->stable, i),
			size);
		lun->state[i] = T_LUN_MAPPED;
	}
	t_lun_attend(lun, NULL, 0x29, 0x00);
}

void t_lun_set_alua(struct t_lun *lun, uint16_t group, enum alua_state state)
{
	t_lun_set_alua_quietly(lun, group, state);
	t_lun_attend(lun, NULL, 0x2a, 0x06);
}

void t_lun_set_alua_quietly(
	struct t_lun *lun, uint16_t group, enum alua_state state)
{
	if (group < T_LUN_GROUPS)
		lun->groups[group].alua = (int8_t)state;
}

bool t_lun_is_clean(const struct t_lun *lun)
{
	for (uint64_t i = 0; i < lun->blocks; i++)
		if (lun->state[i] & T_LUN_DIRTY)
			return false;
	return true;
}
