/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the model logical unit. */
#ifndef TESTS_LIB_T_LUN_PRIVATE_H
#define TESTS_LIB_T_LUN_PRIVATE_H

#include "t_lun.h"

#define T_LUN_MAX_WRITE_SAME 65536u
#define T_LUN_MAX_UNMAP      8u /* descriptors */
#define T_LUN_MAX_CAW        16u

/* Ends `cmd` in CHECK CONDITION; `sense` as 0xKKAAQQ. */
void t_lun_check(struct t_lun_cmd *cmd, uint32_t sense);

#define T_INVALID_OPCODE 0x052000u
#define T_INVALID_FIELD  0x052400u
#define T_INVALID_LIST   0x052600u
#define T_LIST_LENGTH    0x051a00u
#define T_OUT_OF_RANGE   0x052100u
#define T_NO_UNIT        0x052500u
#define T_WRITE_PROTECT  0x072700u
#define T_WRONG_AMOUNT   0x0b0c0du
#define T_MISCOMPARE     0x0e1d00u

/* Gives `len` bytes, cut to the allocation length `alloc`. */
void t_lun_give(
	struct t_lun_cmd *cmd, const void *data, size_t len, uint32_t alloc);

/* The commands that tell about the unit, in t_lun_inform.c. */
typedef void t_lun_fn(struct t_nexus *nexus, struct t_lun_cmd *cmd);
t_lun_fn t_lun_inquiry, t_lun_mode_sense6, t_lun_mode_sense10,
	t_lun_read_capacity10, t_lun_read_capacity16, t_lun_report_luns,
	t_lun_report_groups, t_lun_set_groups, t_lun_request_sense,
	t_lun_get_lba_status;

/* t_lun_reserve.c */
t_lun_fn t_lun_pr_in, t_lun_pr_out;
/* A reservation keeps the nexus from writing, or from reading. */
bool t_lun_is_reserved(const struct t_nexus *nexus, bool writes);

#endif
