/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <umpio/scsi/opcode.h>

static const char *const opcodes[256] = {
#define X(id, code, name) [code] = name,
#include <umpio/tbl/scsi_opcodes.h>
#undef X
};

static const char *const statuses[256] = {
#define X(id, code, name) [code] = name,
#include <umpio/tbl/scsi_statuses.h>
#undef X
};

const char *scsi_opcode_name(uint8_t opcode)
{
	return opcodes[opcode];
}

const char *scsi_status_name(uint8_t status)
{
	return statuses[status] ? statuses[status] : "reserved status";
}
