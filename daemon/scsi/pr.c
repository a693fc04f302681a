/* SPDX-License-Identifier: BSD-2-Clause */
/* PERSISTENT RESERVE IN and OUT (SPC-5 6.16, 6.17). */
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/cdb.h>
#include <umpio/scsi/opcode.h>

unsigned cdb_pr_in(uint8_t cdb[CDB_MAX], enum pr_in action, uint16_t alloc)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = SCSI_PERSISTENT_RESERVE_IN;
	cdb[1] = (uint8_t)action;
	put_be16(cdb + 7, alloc);
	return 10;
}

unsigned cdb_pr_out(uint8_t cdb[CDB_MAX], enum pr_out action, enum pr_type type)
{
	memset(cdb, 0, CDB_MAX);
	cdb[0] = SCSI_PERSISTENT_RESERVE_OUT;
	cdb[1] = (uint8_t)action;
	cdb[2] = (uint8_t)type;
	put_be32(cdb + 5, PR_LIST_LEN);
	return 10;
}

void pr_list_build(uint8_t out[PR_LIST_LEN], uint64_t key, uint64_t action_key,
	unsigned flags)
{
	memset(out, 0, PR_LIST_LEN);
	put_be64(out, key);
	put_be64(out + 8, action_key);
	out[20] = (uint8_t)flags;
}
