/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard INQUIRY data (SPC-5 6.7.2). */
#ifndef UMPIO_SCSI_INQUIRY_H
#define UMPIO_SCSI_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INQUIRY_LEN      36 /* what must be there, and is enough to ask for */

#define INQUIRY_PDT_DISK 0x00

struct inquiry {
	uint8_t qualifier; /* 0: a unit is connected */
	uint8_t type;      /* peripheral device type, INQUIRY_PDT_* */
	uint8_t version;   /* 5: SPC-3, 6: SPC-4, 7: SPC-5 */
	uint8_t tpgs;      /* 0 none, 1 implicit, 2 explicit, 3 both */
	bool removable, multiport, command_queueing, protect, third_party_copy;
	char vendor[9], product[17], revision[5]; /* printable, trimmed */
};

/* 0, or -EPROTO when fewer than INQUIRY_LEN bytes are there. A target's
 * additional length below that is believed: what it does not cover is empty. */
int inquiry_decode(struct inquiry *inquiry, const void *data, size_t len);

/* True for a logical unit that is there and is a disk: qualifier 0, type 0. */
bool inquiry_is_disk(const struct inquiry *inquiry);

#endif
