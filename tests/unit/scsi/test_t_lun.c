/* SPDX-License-Identifier: BSD-2-Clause */
/* The model logical unit, asked and read through the public functions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/scsi/capacity.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/designator.h>
#include <umpio/scsi/inquiry.h>
#include <umpio/scsi/lba_status.h>
#include <umpio/scsi/lun.h>
#include <umpio/scsi/mode.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/vpd.h>

#include "tests/lib/t_lun.h"

static struct t_lun *lun;
static struct t_nexus a, b;
static uint8_t cdb[CDB_MAX], in[4096], out[4096];
static struct t_lun_cmd cmd;

static void begin(void)
{
	struct t_lun_options o = {.blocks = 128,
		.physical_exponent = 3,
		.wce = true,
		.dpofua = true,
		.unmap = true,
		.tpgs = 3,
		.naa = {0x60, 1, 2, 3}};

	lun = t_lun_new(&o);
	t_nexus_init(&a, lun, 1, 1, false);
	t_nexus_init(&b, lun, 2, 7, false);
}

static void end(void)
{
	t_nexus_fini(&a);
	t_nexus_fini(&b);
	t_lun_free(lun);
}

/* 0 for GOOD, 0xKKAAQQ for CHECK CONDITION, status << 24 otherwise. */
static uint32_t run(struct t_nexus *n, uint32_t out_len, uint32_t in_len)
{
	struct sense s;

	cmd = (struct t_lun_cmd){.cdb = cdb,
		.out = out,
		.out_len = out_len,
		.in = in,
		.in_len = in_len};
	t_lun_execute(n, &cmd);
	if (cmd.status != SCSI_STATUS_CHECK_CONDITION)
		return (uint32_t)cmd.status << 24;
	s = sense_decode(cmd.sense, cmd.sense_len);
	return (uint32_t)s.key << 16 | (uint32_t)s.asc << 8 | s.ascq;
}

static uint32_t put(struct t_nexus *n, uint64_t lba, int byte, unsigned flags)
{
	memset(out, byte, 512);
	cdb_write(cdb, lba, 1, flags);
	return run(n, 512, 0);
}

static int get(uint64_t lba)
{
	cdb_read(cdb, lba, 1, 0);
	return run(&a, 0, 512) ? -1 : in[511];
}

static uint32_t simple(struct t_nexus *n, unsigned len)
{
	cr_assert(len);
	return run(n, 0, 0);
}

TestSuite(t_lun, .init = begin, .fini = end);

Test(t_lun, tells_what_it_is)
{
	struct inquiry inq;
	struct vpd_pages pages;
	struct vpd_limits limits;
	struct vpd_provisioning thin;
	struct capacity cap;
	struct mode mode;
	char wwid[WWID_MAX], serial[32];
	uint16_t n;

	cdb_inquiry(cdb, 96);
	cr_expect_eq(run(&a, 0, 96), 0);
	cr_expect_eq(inquiry_decode(&inq, in, cmd.moved), 0);
	cr_expect(inquiry_is_disk(&inq));
	cr_expect_str_eq(inq.vendor, "UMPIO");
	cr_expect_eq(inq.tpgs, 3);
	cdb_inquiry_vpd(cdb, VPD_PAGES, 512);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect_eq(cmd.residual, 512 - cmd.moved);
	cr_expect_eq(vpd_pages_decode(&pages, in, cmd.moved), 0);
	cr_expect(vpd_pages_has(&pages, 0xb2) && !vpd_pages_has(&pages, 0x85));
	cdb_inquiry_vpd(cdb, VPD_SERIAL, 512);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect_eq(vpd_serial_decode(serial, 32, in, cmd.moved), 0);
	cr_expect_str_eq(serial, "T0001");
	cdb_inquiry_vpd(cdb, VPD_DESIGNATORS, 512);
	cr_expect_eq(run(&b, 0, 512), 0);
	cr_expect_eq(designator_wwid(wwid, in, cmd.moved), 0);
	cr_expect_str_eq(wwid, "naa.60010203000000000000000000000000");
	cr_expect_eq(designator_target_group(&n, in, cmd.moved), 0);
	cr_expect_eq(n, 2);
	cr_expect_eq(designator_relative_port(&n, in, cmd.moved), 0);
	cr_expect_eq(n, 7);
	cdb_inquiry_vpd(cdb, VPD_LIMITS, 512);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect_eq(vpd_limits_decode(&limits, in, cmd.moved), 0);
	cr_expect_eq(limits.max_unmap_descriptors, 8);
	cr_expect_eq(limits.max_write_same, 65536);
	cdb_inquiry_vpd(cdb, VPD_PROVISIONING, 512);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect_eq(vpd_provisioning_decode(&thin, in, cmd.moved), 0);
	cr_expect(thin.unmap && thin.write_same16 && thin.reads_zero == 1);
	cdb_inquiry_vpd(cdb, 0x99, 512);
	cr_expect_eq(run(&a, 0, 512), 0x052400);
	cdb_read_capacity16(cdb, 32);
	cr_expect_eq(run(&a, 0, 32), 0);
	cr_expect_eq(capacity_decode16(&cap, in, cmd.moved), 0);
	cr_expect_eq(cap.blocks, 128);
	cr_expect_eq(cap.physical_block_size, 4096);
	cdb_mode_sense6(cdb, MODE_PAGE_ALL, 192);
	cr_expect_eq(run(&a, 0, 192), 0);
	cr_expect_eq(mode_decode6(&mode, in, cmd.moved), 0);
	cr_expect(mode.has_caching && mode.write_cache && mode.dpofua);
	cr_expect(mode.has_control && mode.task_aborted_status);
	cdb_mode_sense10(cdb, MODE_PAGE_CACHING, 192);
	cr_expect_eq(run(&a, 0, 192), 0);
	cr_expect_eq(mode_decode10(&mode, in, cmd.moved), 0);
	cr_expect(mode.has_caching && !mode.has_control);
}

Test(t_lun, power_cut_takes_what_was_not_flushed)
{
	cr_expect_eq(put(&a, 1, 0x11, 0), 0);
	cdb_synchronize_cache16(cdb, 0, 0, 0);
	cr_expect_eq(simple(&a, 16), 0);
	cr_expect(t_lun_is_clean(lun));
	cr_expect_eq(put(&a, 2, 0x22, 0), 0);
	cr_expect_eq(put(&b, 3, 0x33, CDB_FUA), 0);
	cr_expect_not(t_lun_is_clean(lun));
	cr_expect_eq(get(2), 0x22);
	t_lun_power_cut(lun);
	cr_expect_eq(get(1), -1);
	cr_expect_eq(get(1), 0x11);
	cr_expect_eq(get(2), 0);
	cr_expect_eq(get(3), 0x33);
	cr_expect_eq(simple(&b, cdb_test_unit_ready(cdb)), 0x062900);
}

Test(t_lun, limits_and_residuals)
{
	cr_expect_eq(put(&a, 128, 1, 0), 0x052100);
	cr_expect_eq(put(&a, UINT64_MAX, 1, 0), 0x052100);
	cdb_read(cdb, 0, 2, 0);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect(cmd.overflow && cmd.residual == 512 && cmd.moved == 512);
	cdb_read(cdb, 0, 1, 0);
	cr_expect_eq(run(&a, 0, 1024), 0);
	cr_expect(!cmd.overflow && cmd.residual == 512);
	cdb_write(cdb, 0, 2, 0);
	cr_expect_eq(run(&a, 512, 0), 0x0b0c0d);
	lun->options.read_only = true;
	cr_expect_eq(put(&a, 0, 1, 0), 0x072700);
	lun->options.dpofua = false;
	lun->options.read_only = false;
	cr_expect_eq(put(&a, 0, 1, CDB_FUA), 0x052400);
	cdb[0] = 0xc7;
	cr_expect_eq(run(&a, 0, 0), 0x052000);
	lun->gone = true;
	cr_expect_eq(put(&a, 0, 1, 0), 0x052500);
}

Test(t_lun, thin)
{
	struct unmap_range r[2] = {{4, 2}, {127, 1}};
	struct lba_status st;
	struct lba_extent e;
	uint16_t len;

	for (uint64_t i = 0; i < 128; i++)
		cr_assert_eq(put(&a, i, 0xee, 0), 0);
	len = (uint16_t)unmap_list_build(out, sizeof out, r, 2);
	cdb_unmap(cdb, len, false);
	cr_expect_eq(run(&a, len, 0), 0);
	cr_expect(get(4) == 0 && get(5) == 0 && get(6) == 0xee);
	cdb_get_lba_status(cdb, 3, 512);
	cr_expect_eq(run(&a, 0, 512), 0);
	cr_expect_eq(lba_status_open(&st, 3, 4, in, cmd.moved), 0);
	cr_expect(lba_status_next(&st, &e));
	cr_expect(e.lba == 3 && e.blocks == 1 && e.status == LBA_MAPPED);
	cr_expect(lba_status_next(&st, &e));
	cr_expect(e.lba == 4 && e.blocks == 2 && e.status == LBA_DEALLOCATED);
	cr_expect(lba_status_next(&st, &e));
	cr_expect(e.lba == 6 && e.blocks == 1 && e.status == LBA_MAPPED);
	cr_expect_not(lba_status_next(&st, &e));
	r[1].blocks = 2; /* past the end: nothing of it is done */
	r[0].lba = 10;
	unmap_list_build(out, sizeof out, r, 2);
	cdb_unmap(cdb, len, false);
	cr_expect_eq(run(&a, len, 0), 0x052100);
	cr_expect_eq(get(10), 0xee);
	memset(out, 0x5a, 512);
	cdb_write_same16(cdb, 20, 3, 0);
	cr_expect_eq(run(&a, 512, 0), 0);
	cr_expect(get(19) == 0xee && get(20) == 0x5a && get(22) == 0x5a);
	cdb_write_same16(cdb, 20, 2, CDB_WS_UNMAP | CDB_WS_NDOB);
	cr_expect_eq(run(&a, 0, 0), 0);
	cr_expect(get(21) == 0 && get(22) == 0x5a);
	cdb_write_same16(cdb, 20, 0, CDB_WS_NDOB);
	cr_expect_eq(run(&a, 0, 0), 0x052400);
}

Test(t_lun, compare_and_write)
{
	cr_assert_eq(put(&a, 9, 0x77, 0), 0);
	memset(out, 0x77, 512);
	memset(out + 512, 0x88, 512);
	cdb_compare_and_write(cdb, 9, 1, 0);
	cr_expect_eq(run(&a, 1024, 0), 0);
	cr_expect_eq(get(9), 0x88);
	cdb_compare_and_write(cdb, 9, 1, 0);
	cr_expect_eq(run(&a, 1024, 0), 0x0e1d00);
}

Test(t_lun, groups)
{
	struct alua_group g;
	struct lun_list luns;

	t_lun_set_alua(lun, 2, ALUA_STANDBY);
	cr_expect_eq(simple(&a, cdb_test_unit_ready(cdb)), 0x062a06);
	cr_expect_eq(simple(&b, cdb_test_unit_ready(cdb)), 0x062a06);
	cr_expect_eq(put(&b, 0, 1, 0), 0x02040b);
	for (int extended = 0; extended < 2; extended++) {
		cdb_report_target_groups(cdb, extended, 1024);
		cr_expect_eq(run(&b, 0, 1024), 0);
		cr_expect_eq(
			alua_report_find(&g, 2, in, cmd.moved, extended), 0);
		cr_expect(g.state == ALUA_STANDBY && g.nports == 1);
		cr_expect_eq(alua_group_port(&g, 0), 7);
	}
	alua_set_build(out, 2, ALUA_OPTIMIZED);
	cdb_set_target_groups(cdb, ALUA_SET_LEN);
	cr_expect_eq(run(&b, ALUA_SET_LEN, 0), 0);
	cr_expect_eq(simple(&b, cdb_test_unit_ready(cdb)), 0x062a06);
	cr_expect_eq(put(&b, 0, 1, 0), 0);
	cdb_report_luns(cdb, LUN_SELECT_NORMAL, 64);
	cr_expect_eq(run(&a, 0, 64), 0);
	cr_expect_eq(lun_list_decode(&luns, in, cmd.moved), 0);
	cr_expect_eq(luns.count, 1);
}

Test(t_lun, script_and_resize)
{
	t_nexus_script(&a, SCSI_WRITE_16, SCSI_STATUS_BUSY, 0);
	t_nexus_script(&a, -1, SCSI_STATUS_CHECK_CONDITION, 0x031100);
	cr_expect_eq(get(0), -1);
	cr_expect_eq(put(&b, 0, 0x42, 0), 0);
	cr_expect_eq(put(&a, 0, 0x43, 0), SCSI_STATUS_BUSY << 24);
	cr_expect_eq(get(0), 0x42);
	t_nexus_script(&a, -1, SCSI_STATUS_CHECK_CONDITION, 0x010000);
	cr_expect_eq(put(&a, 0, 0x44, 0), 0x010000);
	cr_expect_eq(get(0), 0x44, "it was executed");
	cr_expect_eq(t_lun_resize(lun, 256), 0);
	cr_expect_eq(put(&a, 255, 1, 0), 0x062a09);
	cr_expect_eq(put(&a, 255, 1, 0), 0);
	cr_expect_eq(get(0), 0x44);
}
