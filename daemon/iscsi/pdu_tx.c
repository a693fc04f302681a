/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/outq.h>

#include "pdu.h"

static_assert(BHS_LEN + 4 <= OUTQ_HEAD_MAX, "header and its digest");
static_assert(3 + 4 <= OUTQ_TAIL_MAX, "padding and data digest");

/* A fault changes the digest and not what it covers: a target that does not
 * look at it takes no harm. */
static void pdu_spoil(const struct pdu_digests *d, uint8_t which, uint8_t *crc)
{
	if (!d->spoil || !(*d->spoil & which))
		return;
	*d->spoil &= (uint8_t)~which;
	*crc ^= 1;
}

static void add_header_digest(struct outq_item *item, struct pdu_digests d)
{
	put_le32(item->head + BHS_LEN, crc32c(0, item->head, BHS_LEN));
	pdu_spoil(&d, PDU_SPOIL_HEADER, item->head + BHS_LEN);
	item->head_len += 4;
}

/* Over data and padding (RFC 7143 11.1). */
static void add_data_digest(struct outq_item *item, struct pdu_digests d)
{
	uint8_t pad = item->tail_len;
	uint32_t crc = crc32c(0, item->data, item->data_len);

	put_le32(item->tail + pad, crc32c(crc, item->tail, pad));
	pdu_spoil(&d, PDU_SPOIL_DATA, item->tail + pad);
	item->tail_len += 4;
}

void pdu_tx(struct outq_item *item, const struct bhs *b, const void *data,
	uint32_t len, struct pdu_digests digests)
{
	assert(len <= BHS_DATA_MAX && !item->queued);
	bhs_encode(b, item->head);
	put_be32(item->head + 4, len); /* and TotalAHSLength, 0 */
	item->head_len = BHS_LEN;
	item->data = data;
	item->data_len = len;
	memset(item->tail, 0, sizeof item->tail);
	item->tail_len = (uint8_t)(-len & 3);
	if (digests.header)
		add_header_digest(item, digests);
	if (digests.data && len > 0)
		add_data_digest(item, digests);
}
