/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>

#include "pdu.h"

enum state {
	HEADER,  /* BHS, AHS and header digest are gathered in the stage */
	PAYLOAD, /* data is diverted */
	TRAILER, /* padding and data digest of it are gathered */
};

/* What a step of the framer came to. */
enum step { STEP_DONE, STEP_STARVED };

uint8_t pdu_discard[1];

static_assert(PDU_STAGE >= BHS_LEN + BHS_AHS_MAX + 4, "a header fits");

int pdu_rx_init(struct pdu_rx *rx, const struct pdu_rx_ops *ops, void *arg)
{
	*rx = (struct pdu_rx){.ops = ops, .arg = arg};
	pdu_rx_set(rx, false, false, PDU_LOGIN_DATA_MAX);
	return intake_init(&rx->in, PDU_STAGE);
}

void pdu_rx_fini(struct pdu_rx *rx)
{
	intake_fini(&rx->in);
	free(rx->own);
	*rx = (struct pdu_rx){0};
}

void pdu_rx_set(struct pdu_rx *rx, bool header_digest, bool data_digest,
	uint32_t max_data)
{
	rx->header_digest = header_digest;
	rx->data_digest = data_digest;
	rx->max_data = max_data;
}

void pdu_rx_stop(struct pdu_rx *rx, int err)
{
	assert(err < 0);
	if (rx->stopped == 0)
		rx->stopped = err;
}

static void pdu_rx_fail(struct pdu_rx *rx, int err, const char *why)
{
	rx->why = why;
	pdu_rx_stop(rx, err);
}

int pdu_rx_iov(struct pdu_rx *rx, struct iovec *iov)
{
	return rx->stopped ? 0 : intake_iov(&rx->in, iov);
}

static uint8_t trailer_len(const struct pdu_rx *rx, uint32_t len)
{
	uint8_t pad = (uint8_t)(-len & 3);

	return (uint8_t)(pad + (rx->data_digest && len > 0 ? 4 : 0));
}

/* What the digest finds when one bit has changed on the way. */
static uint32_t spoiled(const struct pdu_rx *rx, uint8_t which, uint32_t crc)
{
	if (!rx->spoil || !(*rx->spoil & which))
		return crc;
	*rx->spoil &= (uint8_t)~which;
	return crc ^ 1;
}

static bool data_is_right(const struct pdu_rx *rx, const uint8_t *data,
	uint32_t len, const uint8_t *trailer)
{
	uint8_t pad = (uint8_t)(-len & 3);
	uint32_t crc;

	crc = crc32c(crc32c(0, data, len), trailer, pad);
	crc = spoiled(rx, PDU_SPOIL_DATA, crc);
	return crc == get_le32(trailer + pad);
}

static bool data_digest_ok(const struct pdu_rx *rx, const uint8_t *data,
	uint32_t len, const uint8_t *trailer)
{
	return !rx->data_digest || len == 0 ||
	       data_is_right(rx, data, len, trailer);
}

/* A buffer of our own for a payload that is not staged whole. It grows to what
 * was needed and is bounded by what the owner lets a PDU have. */
static uint8_t *pdu_rx_own(struct pdu_rx *rx, uint32_t len)
{
	uint8_t *own;

	if (len <= rx->own_cap)
		return rx->own;
	own = realloc(rx->own, len);
	if (!own) {
		pdu_rx_fail(rx, -ENOMEM, "no memory for received data");
		return NULL;
	}
	rx->own = own;
	rx->own_cap = len;
	return own;
}

/* A payload of which no copy is needed: it is in the stage with all that
 * belongs to it. */
static void pdu_rx_deliver_staged(struct pdu_rx *rx)
{
	uint32_t len = rx->bhs.data_len;
	const uint8_t *data = intake_data(&rx->in);
	bool ok = data_digest_ok(rx, data, len, data + len);

	rx->state = HEADER;
	rx->ops->pdu(rx->arg, &rx->bhs, len ? data : NULL, len, ok);
	if (!rx->stopped)
		intake_consume(&rx->in, len + rx->trailer);
}

/* The header is known and gone from the stage: finds a place for the data. */
static void pdu_rx_begin_data(struct pdu_rx *rx)
{
	uint32_t len = rx->bhs.data_len;
	uint8_t *into = NULL;

	if (rx->bhs.op == OP_DATA_IN && len > 0 && rx->ops->place)
		into = rx->ops->place(rx->arg, &rx->bhs, len);
	if (rx->stopped)
		return;
	rx->trailer = trailer_len(rx, len);
	if (!into && intake_len(&rx->in) >= (size_t)len + rx->trailer) {
		pdu_rx_deliver_staged(rx);
		return;
	}
	if (!into)
		into = pdu_rx_own(rx, len);
	if (!into)
		return;
	rx->into = into == pdu_discard ? NULL : into;
	rx->state = PAYLOAD;
	intake_divert(&rx->in, rx->into, len);
}

static bool header_digest_ok(
	const struct pdu_rx *rx, const uint8_t *header, size_t len)
{
	uint32_t crc = spoiled(rx, PDU_SPOIL_HEADER, crc32c(0, header, len));

	return crc == get_le32(header + len);
}

/* BHS, AHS (skipped, but under the digest), digest; only then is what the
 * header says believed. */
static enum step pdu_rx_header(struct pdu_rx *rx)
{
	const uint8_t *header = intake_data(&rx->in);
	size_t have = intake_len(&rx->in), len;
	const char *why;

	if (have < BHS_LEN)
		return STEP_STARVED;
	len = BHS_LEN + 4u * header[4];
	if (have < len + (rx->header_digest ? 4 : 0))
		return STEP_STARVED;
	if (rx->header_digest && !header_digest_ok(rx, header, len)) {
		pdu_rx_fail(rx, -EBADMSG, "header digest error");
		return STEP_DONE;
	}
	if (bhs_decode(&rx->bhs, header, &why) < 0) {
		pdu_rx_fail(rx, -EPROTO, why);
		return STEP_DONE;
	}
	if (rx->bhs.data_len > rx->max_data) {
		pdu_rx_fail(rx, -EPROTO,
			"more data in a PDU than we declared to take");
		return STEP_DONE;
	}
	intake_consume(&rx->in, len + (rx->header_digest ? 4 : 0));
	pdu_rx_begin_data(rx);
	return STEP_DONE;
}

static enum step pdu_rx_payload(struct pdu_rx *rx)
{
	if (intake_diverting(&rx->in))
		return STEP_STARVED;
	rx->state = TRAILER;
	return STEP_DONE;
}

static enum step pdu_rx_trailer(struct pdu_rx *rx)
{
	const uint8_t *into = rx->into;
	bool ok = true;

	if (intake_len(&rx->in) < rx->trailer)
		return STEP_STARVED;
	if (into)
		ok = data_digest_ok(
			rx, into, rx->bhs.data_len, intake_data(&rx->in));
	intake_consume(&rx->in, rx->trailer);
	rx->into = NULL;
	rx->state = HEADER;
	rx->ops->pdu(rx->arg, &rx->bhs, into, rx->bhs.data_len, ok);
	return STEP_DONE;
}

static enum step pdu_rx_step(struct pdu_rx *rx)
{
	switch (rx->state) {
	case HEADER: return pdu_rx_header(rx);
	case PAYLOAD: return pdu_rx_payload(rx);
	default: return pdu_rx_trailer(rx);
	}
}

int pdu_rx_commit(struct pdu_rx *rx, size_t n)
{
	if (rx->stopped)
		return rx->stopped;
	intake_commit(&rx->in, n);
	while (!rx->stopped && pdu_rx_step(rx) == STEP_DONE)
		;
	return rx->stopped;
}

void pdu_rx_forget(struct pdu_rx *rx, uint32_t itt)
{
	if (rx->state == HEADER || rx->bhs.op != OP_DATA_IN ||
		rx->bhs.itt != itt || !rx->into || rx->into == rx->own)
		return;
	rx->into = NULL;
	if (intake_diverting(&rx->in))
		rx->in.into = NULL;
}
