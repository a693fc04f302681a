/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <umpio/lun.h>

bool lun_identity_equal(const struct lun_identity *a,
	const struct lun_identity *b, char *why, unsigned size)
{
	if (strcmp(a->wwid, b->wwid))
		snprintf(why, size, "another LUN: its WWID is %.60s, not %.60s",
			b->wwid, a->wwid);
	else if (strcmp(a->serial, b->serial))
		snprintf(why, size,
			"another LUN: its serial number is \"%.40s\", not "
			"\"%.40s\"",
			b->serial, a->serial);
	else if (a->block_size != b->block_size)
		snprintf(why, size,
			"another LUN: its block size is %" PRIu32
			", not %" PRIu32,
			b->block_size, a->block_size);
	else if (a->blocks != b->blocks)
		snprintf(why, size,
			"another LUN: its capacity is %" PRIu64
			" blocks, not %" PRIu64,
			b->blocks, a->blocks);
	else
		return true;
	return false;
}
