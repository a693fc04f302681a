/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>

static char *hex(const uint8_t *p, size_t n)
{
	static char out[256];

	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	return out;
}

/* Builds over garbage, so that what is not set is seen. */
#define CDB(expected, call)                                                    \
	do {                                                                   \
		static const uint8_t none[CDB_MAX];                            \
		uint8_t cdb[CDB_MAX];                                          \
		unsigned n;                                                    \
		memset(cdb, 0xa5, sizeof cdb);                                 \
		n = call;                                                      \
		cr_expect_str_eq(hex(cdb, n), expected, "%s", #call);          \
		cr_expect_arr_eq(cdb + n, none, sizeof cdb - n);               \
	} while (0)

Test(cdb, information)
{
	CDB("000000000000", cdb_test_unit_ready(cdb));
	CDB("03000000fc00", cdb_request_sense(cdb, 252));
	CDB("120000012400", cdb_inquiry(cdb, 0x124));
	CDB("120183020000", cdb_inquiry_vpd(cdb, 0x83, 512));
	CDB("1a083f00c000", cdb_mode_sense6(cdb, 0x3f, 192));
	CDB("5a080800000000010000", cdb_mode_sense10(cdb, 8, 256));
	CDB("25000000000000000000", cdb_read_capacity10(cdb));
	CDB("9e100000000000000000000000200000", cdb_read_capacity16(cdb, 32));
	CDB("9e120102030405060708000004000000",
		cdb_get_lba_status(cdb, 0x0102030405060708, 1024));
	CDB("a00002000000000100000000",
		cdb_report_luns(cdb, LUN_SELECT_ALL, 65536));
	CDB("a30a00000000000004000000",
		cdb_report_target_groups(cdb, false, 1024));
	CDB("a32a00000000000004000000",
		cdb_report_target_groups(cdb, true, 1024));
	CDB("a40a00000000000000080000", cdb_set_target_groups(cdb, 8));
	CDB("a30c01420000000000400000", cdb_report_opcode(cdb, 0x42, -1, 64));
	CDB("a30c029e0010000000400000", cdb_report_opcode(cdb, 0x9e, 16, 64));
	CDB("1b0100000100",
		cdb_start_stop_unit(cdb, CDB_START | CDB_START_IMMED));
	CDB("1b0000000600", cdb_start_stop_unit(cdb, CDB_LOEJ | CDB_NO_FLUSH));
}

Test(cdb, block)
{
	CDB("8800010203040506070800000010"
	    "0000",
		cdb_read(cdb, 0x0102030405060708, 16, 0));
	CDB("8a18000000000000000100000008"
	    "0000",
		cdb_write(cdb, 1, 8, CDB_FUA | CDB_DPO));
	CDB("28100102030400050600",
		cdb_read10(cdb, 0x01020304, 0x506, CDB_DPO));
	CDB("2a08ffffffff00ffff00",
		cdb_write10(cdb, UINT32_MAX, UINT16_MAX, CDB_FUA));
	CDB("8908000000000000000700000001"
	    "0000",
		cdb_compare_and_write(cdb, 7, 1, CDB_FUA));
	CDB("35020000000900000300", cdb_synchronize_cache10(cdb, 9, 3, 2));
	CDB("9100000000000000000000000000"
	    "0000",
		cdb_synchronize_cache16(cdb, 0, 0, 0));
	CDB("9002000000000000000500000006"
	    "0000",
		cdb_pre_fetch16(cdb, 5, 6, CDB_IMMED));
	CDB("9319000000000000000500000006"
	    "0000",
		cdb_write_same16(
			cdb, 5, 6, CDB_WS_ANCHOR | CDB_WS_UNMAP | CDB_WS_NDOB));
	CDB("42010000000000001800", cdb_unmap(cdb, 24, true));
	CDB("5e010000000000002000", cdb_pr_in(cdb, PR_READ_RESERVATION, 32));
	CDB("5f010500000000001800",
		cdb_pr_out(cdb, PR_RESERVE, PR_WRITE_EXCLUSIVE_REGISTRANTS));
}

Test(cdb, lists)
{
	static const struct unmap_range ranges[] = {{0x10, 2}, {0x20, 3}};
	uint8_t out[UNMAP_LIST_LEN(2)];

	cr_expect_eq(unmap_list_build(out, sizeof out, ranges, 2), 40);
	cr_expect_str_eq(hex(out, 40), "0026002000000000"
				       "00000000000000100000000200000000"
				       "00000000000000200000000300000000");
	cr_expect_eq(unmap_list_build(out, sizeof out - 1, ranges, 2), 0);
	cr_expect_eq(unmap_list_build(out, SIZE_MAX, ranges, 4096), 0);
	pr_list_build(out, 0x0102030405060708, 0xff, PR_APTPL);
	cr_expect_str_eq(hex(out, PR_LIST_LEN),
		"010203040506070800000000000000ff0000000001000000");
}

Test(opcode, names)
{
	cr_expect_str_eq(scsi_opcode_name(0x88), "READ(16)");
	cr_expect_null(scsi_opcode_name(0xff));
	cr_expect_str_eq(scsi_status_name(0x28), "TASK SET FULL");
	cr_expect_str_eq(scsi_status_name(0x99), "reserved status");
}
