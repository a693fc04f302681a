/* SPDX-License-Identifier: BSD-2-Clause */
/* iSCSI names (RFC 7143 4.2.7), TargetAddress (13.8) and ISIDs (11.12.5).
 * iscsi_name_valid() is in <umpio/iscsi.h>. */
#ifndef UMPIO_ISCSI_NAME_H
#define UMPIO_ISCSI_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/iscsi.h>

#define ISID_TEXT_MAX 15 /* bytes: 0x, 12 digits, NUL */

/* As strcmp(); without regard to the case of ASCII letters. */
int iscsi_name_compare(const char *a, const char *b);

/* `HOST[:PORT][,TPGT]` as TargetAddress has it, IPv6 in brackets. Without a
 * tag `tpgt` is 0 and *has_tpgt (which may be NULL) false. 0, or -EINVAL. */
int iscsi_address_parse(
	const char *text, struct iscsi_portal *portal, bool *has_tpgt);

/* `0x` and 12 hex digits, as in SCSI port names (SAM-5 A.2); returns `text`. */
const char *isid_text(
	const uint8_t isid[ISCSI_ISID_LEN], char text[ISID_TEXT_MAX]);

#endif
