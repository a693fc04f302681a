/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>

#define MODE_DBD 0x08

static void cdb_init(uint8_t cdb[CDB_MAX], enum scsi_opcode opcode)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = (uint8_t)opcode;
}

/* The common form of 10 bytes: LBA at 2, length at 7. */
static unsigned cdb_block10(uint8_t cdb[CDB_MAX], enum scsi_opcode opcode,
	uint32_t lba, uint16_t blocks, unsigned flags)
{
	cdb_init(cdb, opcode);
	cdb[1] = (uint8_t)flags;
	put_be32(cdb + 2, lba);
	put_be16(cdb + 7, blocks);
	return 10;
}

/* The common form of 16 bytes: LBA at 2, length at 10. */
static unsigned cdb_block16(uint8_t cdb[CDB_MAX], enum scsi_opcode opcode,
	uint64_t lba, uint32_t blocks, unsigned flags)
{
	cdb_init(cdb, opcode);
	cdb[1] = (uint8_t)flags;
	put_be64(cdb + 2, lba);
	put_be32(cdb + 10, blocks);
	return 16;
}

/* The form of the maintenance commands: service action at 1, length at 6. */
static unsigned cdb_maintenance(uint8_t cdb[CDB_MAX], enum scsi_opcode opcode,
	unsigned action, uint32_t len)
{
	cdb_init(cdb, opcode);
	cdb[1] = (uint8_t)action;
	put_be32(cdb + 6, len);
	return 12;
}

unsigned cdb_test_unit_ready(uint8_t cdb[CDB_MAX])
{
	cdb_init(cdb, SCSI_TEST_UNIT_READY);
	return 6;
}

unsigned cdb_request_sense(uint8_t cdb[CDB_MAX], uint8_t alloc)
{
	cdb_init(cdb, SCSI_REQUEST_SENSE);
	cdb[4] = alloc;
	return 6;
}

unsigned cdb_inquiry(uint8_t cdb[CDB_MAX], uint16_t alloc)
{
	cdb_init(cdb, SCSI_INQUIRY);
	put_be16(cdb + 3, alloc);
	return 6;
}

unsigned cdb_inquiry_vpd(uint8_t cdb[CDB_MAX], uint8_t page, uint16_t alloc)
{
	unsigned len = cdb_inquiry(cdb, alloc);

	cdb[1] = 0x01; /* EVPD */
	cdb[2] = page;
	return len;
}

unsigned cdb_mode_sense6(uint8_t cdb[CDB_MAX], uint8_t page, uint8_t alloc)
{
	cdb_init(cdb, SCSI_MODE_SENSE_6);
	cdb[1] = MODE_DBD;
	cdb[2] = page & 0x3f;
	cdb[4] = alloc;
	return 6;
}

unsigned cdb_mode_sense10(uint8_t cdb[CDB_MAX], uint8_t page, uint16_t alloc)
{
	cdb_init(cdb, SCSI_MODE_SENSE_10);
	cdb[1] = MODE_DBD;
	cdb[2] = page & 0x3f;
	put_be16(cdb + 7, alloc);
	return 10;
}

unsigned cdb_start_stop_unit(uint8_t cdb[CDB_MAX], unsigned flags)
{
	cdb_init(cdb, SCSI_START_STOP_UNIT);
	cdb[1] = flags & CDB_START_IMMED ? 0x01 : 0;
	cdb[4] = flags & (CDB_START | CDB_LOEJ | CDB_NO_FLUSH);
	return 6;
}

unsigned cdb_read_capacity10(uint8_t cdb[CDB_MAX])
{
	cdb_init(cdb, SCSI_READ_CAPACITY_10);
	return 10;
}

unsigned cdb_read_capacity16(uint8_t cdb[CDB_MAX], uint32_t alloc)
{
	return cdb_block16(cdb, SCSI_SERVICE_ACTION_IN_16, 0, alloc,
		SCSI_SAI_READ_CAPACITY_16);
}

unsigned cdb_get_lba_status(uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t alloc)
{
	return cdb_block16(cdb, SCSI_SERVICE_ACTION_IN_16, lba, alloc,
		SCSI_SAI_GET_LBA_STATUS);
}

unsigned cdb_read(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags)
{
	return cdb_block16(cdb, SCSI_READ_16, lba, blocks, flags);
}

unsigned cdb_write(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags)
{
	return cdb_block16(cdb, SCSI_WRITE_16, lba, blocks, flags);
}

unsigned cdb_read10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags)
{
	return cdb_block10(cdb, SCSI_READ_10, lba, blocks, flags);
}

unsigned cdb_write10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags)
{
	return cdb_block10(cdb, SCSI_WRITE_10, lba, blocks, flags);
}

unsigned cdb_compare_and_write(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint8_t blocks, unsigned flags)
{
	/* Its length is the last byte of the place that others have for four.
	 */
	return cdb_block16(cdb, SCSI_COMPARE_AND_WRITE, lba, blocks, flags);
}

unsigned cdb_synchronize_cache10(
	uint8_t cdb[CDB_MAX], uint32_t lba, uint16_t blocks, unsigned flags)
{
	return cdb_block10(cdb, SCSI_SYNCHRONIZE_CACHE_10, lba, blocks, flags);
}

unsigned cdb_synchronize_cache16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags)
{
	return cdb_block16(cdb, SCSI_SYNCHRONIZE_CACHE_16, lba, blocks, flags);
}

unsigned cdb_pre_fetch16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags)
{
	return cdb_block16(cdb, SCSI_PRE_FETCH_16, lba, blocks, flags);
}

unsigned cdb_write_same16(
	uint8_t cdb[CDB_MAX], uint64_t lba, uint32_t blocks, unsigned flags)
{
	return cdb_block16(cdb, SCSI_WRITE_SAME_16, lba, blocks, flags);
}

unsigned cdb_unmap(uint8_t cdb[CDB_MAX], uint16_t len, bool anchor)
{
	return cdb_block10(cdb, SCSI_UNMAP, 0, len, anchor);
}

size_t unmap_list_build(
	uint8_t *out, size_t size, const struct unmap_range *ranges, unsigned n)
{
	size_t len = UNMAP_LIST_LEN((size_t)n);

	if (n > UNMAP_RANGES_MAX || len > size)
		return 0;
	memset(out, 0, len);
	put_be16(out, (uint16_t)(len - 2));
	put_be16(out + 2, (uint16_t)(len - 8));
	for (unsigned i = 0; i < n; i++) {
		uint8_t *d = out + UNMAP_LIST_LEN(i);

		put_be64(d, ranges[i].lba);
		put_be32(d + 8, ranges[i].blocks);
	}
	return len;
}

unsigned cdb_report_luns(
	uint8_t cdb[CDB_MAX], enum lun_select select, uint32_t alloc)
{
	unsigned len = cdb_maintenance(cdb, SCSI_REPORT_LUNS, 0, alloc);

	cdb[2] = (uint8_t)select;
	return len;
}

unsigned cdb_report_target_groups(
	uint8_t cdb[CDB_MAX], bool extended, uint32_t alloc)
{
	unsigned format = extended ? 1u << 5 : 0;

	return cdb_maintenance(cdb, SCSI_MAINTENANCE_IN,
		format | SCSI_MI_REPORT_TARGET_GROUPS, alloc);
}

unsigned cdb_set_target_groups(uint8_t cdb[CDB_MAX], uint32_t len)
{
	return cdb_maintenance(
		cdb, SCSI_MAINTENANCE_OUT, SCSI_MO_SET_TARGET_GROUPS, len);
}

unsigned cdb_report_opcode(
	uint8_t cdb[CDB_MAX], uint8_t opcode, int action, uint32_t alloc)
{
	unsigned len = cdb_maintenance(
		cdb, SCSI_MAINTENANCE_IN, SCSI_MI_REPORT_OPCODES, alloc);

	cdb[2] = action < 0 ? 1 : 2; /* REPORTING OPTIONS */
	cdb[3] = opcode;
	if (action >= 0)
		put_be16(cdb + 4, (uint16_t)action);
	return len;
}
