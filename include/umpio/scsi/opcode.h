/* SPDX-License-Identifier: BSD-2-Clause */
/* Operation codes, service actions and status codes, with their names. */
#ifndef UMPIO_SCSI_OPCODE_H
#define UMPIO_SCSI_OPCODE_H

#include <stdint.h>

enum scsi_opcode {
#define X(id, code, name) SCSI_##id = code,
#include <umpio/tbl/scsi_opcodes.h>
#undef X
};

/* SAM-5 5.3.1 */
enum scsi_status {
#define X(id, code, name) SCSI_STATUS_##id = code,
#include <umpio/tbl/scsi_statuses.h>
#undef X
};

/* Service actions: the low five bits of byte 1 of the CDB. */
#define SCSI_SAI_READ_CAPACITY_16    0x10 /* SERVICE ACTION IN(16), SBC-4 */
#define SCSI_SAI_GET_LBA_STATUS      0x12
#define SCSI_MI_REPORT_TARGET_GROUPS 0x0a /* MAINTENANCE IN, SPC-5 */
#define SCSI_MI_REPORT_OPCODES       0x0c
#define SCSI_MO_SET_TARGET_GROUPS    0x0a /* MAINTENANCE OUT, SPC-5 */

/* "READ(16)"; "opcode 0xNN" is for the caller to print when NULL. */
const char *scsi_opcode_name(uint8_t opcode);

/* "CHECK CONDITION"; never NULL: "reserved status" when unknown. */
const char *scsi_status_name(uint8_t status);

#endif
