/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile classes 41 to 50: what a logical unit says of itself. The path stays;
 * either the unit is refused with a reason, or what is believed of it can be
 * served. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/lun.h>
#include <umpio/scsi/alua.h>
#include <umpio/scsi/lba_status.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/pr.h>

#include "tests/scenario/s_rig.h"

/* The answer to one kind of command. */
static struct {
	uint8_t opcode;
	int page; /* VPD page or service action; -1: any, -2: no VPD page */
	const uint8_t *data;
	uint32_t len;
	unsigned seen;
} lie;

static struct {
	unsigned calls;
	int err;
	struct lun_facts facts;
	char reason[160];
} probed;

static bool lie_fits(const uint8_t *cdb)
{
	if (cdb[0] != lie.opcode)
		return false;
	if (lie.page == -1)
		return true;
	if (cdb[0] != SCSI_INQUIRY)
		return (cdb[1] & 0x1f) == lie.page;
	return (cdb[1] & 1) ? cdb[2] == lie.page : lie.page == -2;
}

static void on_answer(void *arg, struct t_lun_cmd *cmd)
{
	(void)arg;
	if (!lie.data || !lie_fits(cmd->cdb))
		return;
	lie.seen++;
	cmd->status = 0;
	cmd->sense_len = 0;
	cmd->moved = lie.len < cmd->in_len ? lie.len : cmd->in_len;
	cmd->overflow = lie.len > cmd->in_len;
	cmd->residual =
		cmd->overflow ? lie.len - cmd->in_len : cmd->in_len - lie.len;
	memcpy(cmd->in, lie.data, cmd->moved);
}

static void on_probed(
	void *arg, int err, const struct lun_facts *facts, const char *reason)
{
	(void)arg;
	probed.calls++;
	probed.err = err;
	if (err)
		snprintf(probed.reason, sizeof probed.reason, "%s", reason);
	else
		probed.facts = *facts;
}

static bool is_probed(void *arg)
{
	(void)arg;
	return probed.calls > 0;
}

static void begin(void)
{
	memset(&lie, 0, sizeof lie);
	memset(&probed, 0, sizeof probed);
	s_init();
	W.disk.blocks = 4096;
	W.disk.unmap = true;
	W.disk.tpgs = 1;
	W.disk.naa[0] = 0x60;
	W.disk.naa[15] = 1;
	W.hooks.answer = on_answer;
	s_up();
}

/* What must hold of facts that are believed. */
static void check_facts(void)
{
	const struct lun_facts *f = &probed.facts;

	cr_assert(f->identity.wwid[0] != '\0');
	cr_assert(f->identity.block_size == 512 ||
		  f->identity.block_size == 4096);
	cr_assert(f->identity.blocks > 0);
	cr_assert(f->identity.blocks <= INT64_MAX / f->identity.block_size);
	cr_assert(f->physical_block_size >= f->identity.block_size);
}

/* Probes a unit that lies; 0 or -errno. */
static int probe(uint8_t opcode, int page, const void *data, uint32_t len)
{
	begin();
	lie.opcode = opcode;
	lie.page = page;
	lie.data = data;
	lie.len = len;
	cr_assert(lun_probe(W.loop, W.path, on_probed, NULL));
	cr_assert(t_loop_run_until(W.loop, is_probed, NULL, 90 * NS_PER_S));
	cr_assert_eq(probed.calls, 1);
	cr_assert_eq(W.downs, 0);
	cr_assert(lie.seen > 0, "it was not asked");
	if (probed.err)
		cr_assert(probed.reason[0] != '\0');
	else
		check_facts();
	s_end();
	return probed.err;
}

/* Random bytes after the first ones, at every kind of length. */
static void rubbish(uint8_t opcode, int page, const void *head, size_t n)
{
	uint8_t data[255];

	srandom(opcode + (unsigned)page);
	for (unsigned i = 0; i < 60; i++) {
		for (unsigned b = 0; b < sizeof data; b++)
			data[b] = (uint8_t)(i % 4 ? random() : 0xff);
		memcpy(data, head, n);
		probe(opcode, page, data, (uint32_t)(random() % 256));
	}
}

Test(scenario, h41_inquiry)
{
	static const uint8_t disk[96] = {0, 0, 6, 2, 255};
	static const uint8_t none[96] = {0x7f, 0, 6, 2, 91};
	static const uint8_t tape[96] = {1, 0, 6, 2, 91};

	for (uint32_t len = 0; len < 36; len++)
		cr_assert_eq(probe(SCSI_INQUIRY, -2, disk, len), -EPROTO);
	cr_assert_eq(probe(SCSI_INQUIRY, -2, disk, 36), 0);
	cr_assert_eq(probe(SCSI_INQUIRY, -2, disk, 96), 0);
	cr_assert_eq(probe(SCSI_INQUIRY, -2, none, 96), -ENODEV);
	cr_assert_eq(probe(SCSI_INQUIRY, -2, tape, 96), -EMEDIUMTYPE);
	rubbish(SCSI_INQUIRY, -2, "", 0);
}

Test(scenario, h42_vital_product_data)
{
	/* A designator that says to be longer than the page */
	static const uint8_t past[] = {
		0, 0x83, 0, 8, 1, 3, 0, 255, 0x60, 1, 2, 3};
	static const uint8_t page[] = {
		0, 0x83, 255, 255, 1, 3, 0, 8, 0x60, 1, 2, 3};
	static const uint8_t other[] = {
		0, 0x80, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7};
	static const uint8_t unsorted[] = {
		0, 0, 0, 5, 0xb2, 0x83, 0xb0, 0, 0x80};
	uint8_t empty[4 + 1020] = {0, 0x83, 3, 0xfc};

	cr_assert_eq(probe(SCSI_INQUIRY, 0x83, past, sizeof past), 0);
	cr_assert(!strncmp(probed.facts.identity.wwid, "serial.", 7));
	cr_assert_eq(probe(SCSI_INQUIRY, 0x83, page, sizeof page), 0);
	cr_assert_eq(probe(SCSI_INQUIRY, 0x83, other, sizeof other), 0);
	cr_assert(!strncmp(probed.facts.identity.wwid, "serial.", 7), "%s",
		probed.facts.identity.wwid);
	cr_assert_eq(probe(SCSI_INQUIRY, 0x83, empty, sizeof empty), 0);
	cr_assert_eq(probe(SCSI_INQUIRY, 0, unsorted, sizeof unsorted), 0);
	rubbish(SCSI_INQUIRY, 0x83, past, 4);
	rubbish(SCSI_INQUIRY, 0x80, "\0\x80", 2);
	rubbish(SCSI_INQUIRY, 0x00, "", 0);
}

/* Last LBA, block length, and bytes that are there */
static int capacity(uint64_t last, uint32_t size)
{
	uint8_t data[32] = {0};

	put_be64(data, last);
	put_be32(data + 8, size);
	return probe(SCSI_SERVICE_ACTION_IN_16, 0x10, data, sizeof data);
}

Test(scenario, h43_read_capacity)
{
	static const uint32_t sizes[] = {
		0, 1, 3, 511, 513, 1024, 65024, 0x80000000, 0xffffffff};
	static const uint8_t data[32] = {
		0, 0, 0, 0, 0, 0, 0x0f, 0xff, 0, 0, 2, 0, 0, 0xff};

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		cr_assert_eq(capacity(4095, sizes[i]), -EINVAL, "%u", sizes[i]);
	cr_assert_eq(capacity(UINT64_MAX, 512), -EINVAL);
	cr_assert_eq(capacity(UINT64_MAX - 1, 512), -EINVAL);
	cr_assert_eq(capacity(INT64_MAX / 512, 512), -EINVAL);
	cr_assert_eq(capacity(0, 512), 0);
	cr_assert_eq(probed.facts.identity.blocks, 1);
	/* 2^15 logical blocks in a physical one */
	cr_assert_eq(
		probe(SCSI_SERVICE_ACTION_IN_16, 0x10, data, sizeof data), 0);
	cr_assert_eq(probed.facts.physical_block_size, 512);
	rubbish(SCSI_SERVICE_ACTION_IN_16, 0x10, "", 0);
	rubbish(SCSI_SERVICE_ACTION_IN_16, 0x10, "\0\0\0\0\0\0", 6);
}

/* What it says at the second time is another identity. */
Test(scenario, h43_capacity_that_changes)
{
	struct lun_identity first;
	char why[160];

	capacity(4095, 512);
	first = probed.facts.identity;
	capacity(4095, 4096);
	cr_assert(!lun_identity_equal(
		&first, &probed.facts.identity, why, sizeof why));
	cr_assert(strstr(why, "block size"), "%s", why);
}

static int groups(const void *data, uint32_t len)
{
	return probe(SCSI_MAINTENANCE_IN, 0x0a, data, len);
}

Test(scenario, h44_target_port_groups)
{
	static const uint8_t length[] = {
		0xff, 0xff, 0xff, 0xff, 0, 0x8f, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
	static const uint8_t count[] = {
		0, 0, 0, 12, 0, 0x8f, 0, 1, 0, 0, 0, 255, 0, 0, 0, 1};
	static const uint8_t zero[] = {
		0, 0, 0, 12, 0, 0x8f, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1};
	static const uint8_t odd[] = {
		0, 0, 0, 12, 0x07, 0x8f, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};

	cr_assert_eq(groups(length, sizeof length), 0);
	cr_assert_eq(probed.facts.alua_state, ALUA_OPTIMIZED);
	cr_assert_eq(groups(count, sizeof count), 0);
	cr_assert_eq(groups(zero, sizeof zero), 0);
	cr_assert_eq(groups(odd, sizeof odd), 0);
	cr_assert(!alua_state_usable(probed.facts.alua_state));
	for (uint32_t len = 0; len < sizeof length; len++)
		cr_assert_eq(groups(length, len), 0);
	rubbish(SCSI_MAINTENANCE_IN, 0x0a, "\0\0", 2);
}

/* In transition for ever: the probe does not wait, and says what it knows. */
Test(scenario, h44_transition_without_end)
{
	uint64_t began;

	begin();
	began = loop_now(W.loop);
	t_lun_set_alua(W.lun, 1, ALUA_TRANSITIONING);
	cr_assert(lun_probe(W.loop, W.path, on_probed, NULL));
	cr_assert(t_loop_run_until(W.loop, is_probed, NULL, 90 * NS_PER_S));
	cr_assert_eq(probed.err, 0);
	cr_assert(probed.facts.limited);
	cr_assert_eq(probed.facts.alua_state, ALUA_TRANSITIONING);
	cr_assert(loop_now(W.loop) - began <= 1 * NS_PER_S);
	s_end();
}

static uint32_t ask(uint8_t opcode, const void *data, uint32_t len)
{
	lie.opcode = opcode;
	lie.page = -1;
	lie.data = data;
	lie.len = len;
	s_command(0, PATH_DATA_IN, 4096);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	return 4096 - (W.commands[0].cmd.result.overflow
				      ? 0
				      : W.commands[0].cmd.result.residual);
}

Test(scenario, h45_report_luns)
{
	uint8_t data[64] = {0xff, 0xff, 0xff, 0xf8};
	struct lun_list list;

	begin();
	for (unsigned i = 8; i < sizeof data; i++)
		data[i] = (uint8_t)(i % 8 == 0 ? 0xc1 : 0); /* all the same */
	for (uint32_t len = 0; len <= sizeof data; len++) {
		uint32_t got;

		cdb_report_luns(W.commands[0].cmd.cdb, 0, 4096);
		got = ask(SCSI_REPORT_LUNS, data, len);
		cr_assert_eq(got, len);
		if (lun_list_decode(&list, W.commands[0].data, got)) {
			cr_assert(len < 8);
			continue;
		}
		cr_assert_eq(list.count, (len - 8) / 8);
		cr_assert_eq(list.needed, 0x100000000ull);
		for (unsigned i = 0; i < list.count; i++)
			cr_assert_eq(lun_number(list.luns + 8 * i), -1);
	}
	s_end();
}

Test(scenario, h46_lba_status)
{
	uint8_t data[8 + 4 * 16] = {0xff, 0xff, 0xff, 0xff};
	struct lba_status status;
	struct lba_extent extent;
	uint64_t sum;
	unsigned n;

	begin();
	srandom(46);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t got;

		for (unsigned i = 8; i < sizeof data; i++)
			data[i] = (uint8_t)(round % 2 ? 0 : random());
		/* It begins where it was asked for, mostly. */
		put_be64(data + 8, 100);
		put_be32(data + 16, round % 3 ? 0xffffffff : 0);
		cdb_get_lba_status(W.commands[0].cmd.cdb, 100, 4096);
		got = ask(SCSI_SERVICE_ACTION_IN_16, data,
			(uint32_t)(random() % (sizeof data + 1)));
		if (lba_status_open(
			    &status, 100, 1000, W.commands[0].data, got))
			continue;
		for (sum = n = 0; lba_status_next(&status, &extent); n++) {
			cr_assert(extent.blocks > 0);
			cr_assert_eq(extent.lba, 100 + sum);
			sum += extent.blocks;
		}
		cr_assert(sum <= 1000 && n <= 4);
	}
	s_end();
}

Test(scenario, h47_mode_sense)
{
	static const uint8_t descriptors[] = {
		0x17, 0, 0, 0xff, 8, 18, 4, 0, 0, 0, 0, 0};
	static const uint8_t page[] = {23, 0, 0, 0, 8, 255, 4, 0};
	static const uint8_t none[] = {0xff, 0, 0x80, 0, 8, 0, 8, 0, 8, 0};

	/* Not to be made out: a cache is supposed. */
	cr_assert_eq(
		probe(SCSI_MODE_SENSE_6, -1, descriptors, sizeof descriptors),
		0);
	cr_assert_eq(probe(SCSI_MODE_SENSE_6, -1, page, sizeof page), 0);
	cr_assert(probed.facts.write_cache);
	cr_assert_eq(probe(SCSI_MODE_SENSE_6, -1, none, sizeof none), 0);
	cr_assert(probed.facts.read_only);
	rubbish(SCSI_MODE_SENSE_6, -1, "", 0);
}

Test(scenario, h48_block_limits)
{
	uint8_t data[64] = {0, 0xb0, 0, 60};

	memset(data + 4, 0xff, 60);
	cr_assert_eq(probe(SCSI_INQUIRY, 0xb0, data, sizeof data), 0);
	memset(data + 4, 0, 60);
	cr_assert_eq(probe(SCSI_INQUIRY, 0xb0, data, sizeof data), 0);
	put_be32(data + 12, 3); /* OPTIMAL TRANSFER LENGTH */
	cr_assert_eq(probe(SCSI_INQUIRY, 0xb0, data, sizeof data), 0);
	for (uint32_t len = 0; len < 64; len += 7)
		cr_assert_eq(probe(SCSI_INQUIRY, 0xb0, data, len), 0);
	rubbish(SCSI_INQUIRY, 0xb0, data, 4);
}

static void read_registrants(const uint8_t *data, size_t len)
{
	struct pr_reservation reservation;
	struct pr_registrant r;
	struct pr_full full;
	struct pr_keys keys;
	unsigned n = 0;

	if (pr_keys_decode(&keys, data, len) == 0)
		cr_assert(
			keys.count <= PR_KEYS_MAX && 8 * keys.count + 8 <= len);
	if (pr_reservation_decode(&reservation, data, len) == 0)
		cr_assert(len >= 8);
	if (pr_full_open(&full, data, len))
		return;
	while (pr_full_next(&full, &r))
		n++;
	cr_assert(8 + 24 * n <= len);
}

/* A full status of two descriptors, the first of which names an initiator; then
 * each length in it lies, and any byte. */
Test(scenario, h49_reservations)
{
	static const char name[] = "iqn.2026-01.org.example:a";
	uint8_t honest[8 + 24 + 32 + 24] = {0}, data[sizeof honest];
	uint32_t got;

	put_be32(honest + 4, sizeof honest - 8);
	put_be32(honest + 28, 32);
	honest[32] = 0x05; /* TransportID: iSCSI */
	put_be16(honest + 34, 28);
	memcpy(honest + 36, name, sizeof name);
	begin();
	srandom(49);
	for (unsigned round = 0; round < 300; round++) {
		memcpy(data, honest, sizeof data);
		if (round % 4 == 1)
			put_be32(data + 4, (uint32_t)random());
		else if (round % 4 == 2)
			put_be32(data + 28, (uint32_t)random());
		else if (round % 4 == 3)
			put_be16(data + 34, (uint16_t)random());
		data[(size_t)random() % sizeof data] ^= (uint8_t)random();
		cdb_pr_in(W.commands[0].cmd.cdb, PR_FULL, 4096);
		got = ask(SCSI_PERSISTENT_RESERVE_IN, data,
			(uint32_t)((size_t)random() % (sizeof data + 1)));
		read_registrants(W.commands[0].data, got);
	}
	s_end();
}

/* What is not asked cannot be answered with a lie. */
Test(scenario, h50_command_timeouts_are_not_asked_for)
{
	begin();
	cr_assert(lun_probe(W.loop, W.path, on_probed, NULL));
	cr_assert(t_loop_run_until(W.loop, is_probed, NULL, 90 * NS_PER_S));
	cr_assert_eq(probed.err, 0);
	for (unsigned i = 0; s_sent(0x01, i); i++) {
		const uint8_t *cdb = s_sent(0x01, i)->bhs + 32;

		cr_assert(cdb[0] != SCSI_MAINTENANCE_IN ||
			  (cdb[1] & 0x1f) == 0x0a);
	}
	s_end();
}
