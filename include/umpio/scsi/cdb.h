/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builders of command descriptor blocks (SPC-5, SBC-4). Each writes all of the
 * CDB_MAX bytes, zero where nothing is said (CONTROL too), and returns the
 * length of the CDB. Lengths `alloc` and `len` are bytes, `blocks` and `lba`
 * logical blocks. Builders of parameter lists return the bytes written, or 0
 * when they do not fit in `size`.
 */
#ifndef UMPIO_SCSI_CDB_H
#define UMPIO_SCSI_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CDB_MAX       16

/* Flags of READ, WRITE and COMPARE AND WRITE */
#define CDB_DPO       0x10u /* disable page out: cached data are not needed again */
#define CDB_FUA       0x08u /* force unit access */

/* Flags of SYNCHRONIZE CACHE and PRE-FETCH */
#define CDB_IMMED     0x02u

/* Flags of WRITE SAME */
#define CDB_WS_ANCHOR 0x10u
#define CDB_WS_UNMAP  0x08u
#define CDB_WS_NDOB   0x01u /* no data-out buffer: zeroes; not in the (10) */

unsigned cdb_test_unit_ready(uint8_t cdb[CDB_MAX]);
unsigned cdb_request_sense(uint8_t cdb[CDB_MAX], uint8_t alloc);
unsigned cdb_inquiry(uint8_t cdb[CDB_MAX], uint16_t alloc);
unsigned cdb_inquiry_vpd(uint8_t cdb[CDB_MAX], uint8_t page, uint16_t alloc);

/* Current values, block descriptors disabled (DBD); page 0x3f: all pages. */
unsigned cdb_mode_sense6(uint8_t cdb[CDB_MAX], uint8_t page, uint8_t alloc);
unsigned cdb_mode_sense10(uint8_t cdb[CDB_MAX], uint8_t page, uint16_t alloc);

/* SBC-4 START STOP UNIT, power condition 0h (START_VALID). */
#define CDB_START       0x01u
#define CDB_LOEJ        0x02u
#define CDB_NO_FLUSH    0x04u
#define CDB_START_IMMED 0x10u /* sets IMMED of byte 1 */
unsigned cdb_start_stop_unit(uint8_t cdb[CDB_MAX], unsigned flags);

unsigned cdb_read_capacity10(uint8_t cdb[CDB_MAX]);
unsigned cdb_read_capacity16(uint8_t cdb[CDB_MAX], uint32_t alloc);
unsigned cdb_get_lba_status(uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t alloc);

/* READ(16) and WRITE(16): what I/O uses. `flags` are CDB_DPO and CDB_FUA. */
unsigned cdb_read(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags);
unsigned cdb_write(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags);

/* For units without the 16-byte forms. */
unsigned cdb_read10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags);
unsigned cdb_write10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags);

/* COMPARE AND WRITE: the data are `blocks` to compare, then as many to write.
 */
unsigned cdb_compare_and_write(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint8_t blocks, unsigned flags);

/* `blocks` 0: to the end of the unit; lba 0 and blocks 0: all of it. */
unsigned cdb_synchronize_cache10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags);
unsigned cdb_synchronize_cache16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags);
unsigned cdb_pre_fetch16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags);

/* One block of data is written `blocks` times (none is sent with NDOB). Never
 * ask for 0 blocks: with WSNZ 0 that is the rest of the unit. */
unsigned cdb_write_same16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags);

/* UNMAP, and its parameter list (SBC-4): `len` is the list's length. */
struct unmap_range {
	uint64_t lba;
	uint32_t blocks;
};
#define UNMAP_LIST_LEN(n) (8u + 16u * (n))
#define UNMAP_RANGES_MAX  4095 /* what a list's 16-bit length has room for */
unsigned cdb_unmap(uint8_t cdb[CDB_MAX], uint16_t len, bool anchor);
size_t unmap_list_build(uint8_t *out, size_t size,
	const struct unmap_range *ranges, unsigned n);

/* SPC-5 REPORT LUNS; alloc is at least 16. */
enum lun_select { LUN_SELECT_NORMAL, LUN_SELECT_WELL_KNOWN, LUN_SELECT_ALL };
unsigned cdb_report_luns(
	uint8_t cdb[CDB_MAX], enum lun_select select, uint32_t alloc);

/* REPORT TARGET PORT GROUPS, with the extended header when asked. */
unsigned cdb_report_target_groups(
	uint8_t cdb[CDB_MAX], bool extended, uint32_t alloc);
unsigned cdb_set_target_groups(uint8_t cdb[CDB_MAX], uint32_t len);

/* REPORT SUPPORTED OPERATION CODES of one command: `action` -1 when it has no
 * service action. */
unsigned cdb_report_opcode(
	uint8_t cdb[CDB_MAX], uint8_t opcode, int action, uint32_t alloc);

/* PERSISTENT RESERVE (SPC-5 6.16, 6.17) */
enum pr_in { PR_READ_KEYS, PR_READ_RESERVATION, PR_CAPABILITIES, PR_FULL };
enum pr_out {
	PR_REGISTER,
	PR_RESERVE,
	PR_RELEASE,
	PR_CLEAR,
	PR_PREEMPT,
	PR_PREEMPT_AND_ABORT,
	PR_REGISTER_AND_IGNORE,
	PR_REGISTER_AND_MOVE,
};
enum pr_type {
	PR_NO_TYPE = 0,
	PR_WRITE_EXCLUSIVE = 1,
	PR_EXCLUSIVE_ACCESS = 3,
	PR_WRITE_EXCLUSIVE_REGISTRANTS = 5,
	PR_EXCLUSIVE_ACCESS_REGISTRANTS = 6,
	PR_WRITE_EXCLUSIVE_ALL = 7,
	PR_EXCLUSIVE_ACCESS_ALL = 8,
};
#define PR_SPEC_I_PT 0x08u
#define PR_ALL_TG_PT 0x04u
#define PR_APTPL     0x01u
#define PR_LIST_LEN  24
unsigned cdb_pr_in(uint8_t cdb[CDB_MAX], enum pr_in action, uint16_t alloc);
/* Scope is LU_SCOPE (0); the parameter list is PR_LIST_LEN bytes. */
unsigned cdb_pr_out(
	uint8_t cdb[CDB_MAX], enum pr_out action, enum pr_type type);
void pr_list_build(uint8_t out[PR_LIST_LEN], uint64_t key, uint64_t action_key,
	unsigned flags);

#endif
