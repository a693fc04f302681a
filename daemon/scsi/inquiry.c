/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include <umpio/scsi/inquiry.h>
#include <umpio/scsi/text.h>

int inquiry_decode(struct inquiry *inq, const void *data, size_t len)
{
	uint8_t d[INQUIRY_LEN] = {0};
	size_t stated;

	memset(inq, 0, sizeof *inq);
	if (len < INQUIRY_LEN)
		return -EPROTO;
	stated = 5u + ((const uint8_t *)data)[4];
	memcpy(d, data, stated < sizeof d ? stated : sizeof d);
	inq->qualifier = d[0] >> 5;
	inq->type = d[0] & 0x1f;
	inq->removable = d[1] & 0x80;
	inq->version = d[2];
	inq->protect = d[5] & 0x01;
	inq->third_party_copy = d[5] & 0x08;
	inq->tpgs = d[5] >> 4 & 3;
	inq->multiport = d[6] & 0x10;
	inq->command_queueing = d[7] & 0x02;
	text_printable(inq->vendor, sizeof inq->vendor, d + 8, 8);
	text_printable(inq->product, sizeof inq->product, d + 16, 16);
	text_printable(inq->revision, sizeof inq->revision, d + 32, 4);
	return 0;
}

bool inquiry_is_disk(const struct inquiry *inq)
{
	return inq->qualifier == 0 && inq->type == INQUIRY_PDT_DISK;
}
