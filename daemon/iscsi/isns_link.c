/* SPDX-License-Identifier: BSD-2-Clause */
#include "isns_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/pump.h>
#include <umpio/stream.h>

struct isns_link {
	struct pump *pump;
	const struct isns_link_events *events;
	void *arg;
	uint8_t raw[ISNS_HEADER_LEN];
	size_t got; /* bytes of the PDU under way, header included */
	struct isns_header first; /* of the message under way */
	struct isns_header pdu;
	unsigned pdus; /* of the message so far; 0: none under way */
	uint8_t *message;
	size_t len, cap;
	uint8_t out[ISNS_SEND_MAX];
	size_t out_len;
};

static int link_rx(void *engine, struct iovec *iov)
{
	struct isns_link *l = engine;

	if (l->got < ISNS_HEADER_LEN) {
		iov->iov_base = l->raw + l->got;
		iov->iov_len = ISNS_HEADER_LEN - l->got;
	} else {
		iov->iov_base = l->message + l->len;
		iov->iov_len = ISNS_HEADER_LEN + l->pdu.length - l->got;
	}
	return 1;
}

/* RFC 4171 5.1.4 to 5.1.6: a message's PDUs come in order, one message after
 * the other. */
static int check_header(const struct isns_link *l)
{
	const struct isns_header *h = &l->pdu;

	if (h->version != ISNS_VERSION || h->length % 4 != 0 ||
		h->sequence != l->pdus)
		return -EPROTO;
	if (l->pdus > 0 && (h->function != l->first.function ||
				   h->transaction != l->first.transaction))
		return -EPROTO;
	return l->len + h->length > ISNS_MESSAGE_MAX ? -EMSGSIZE : 0;
}

static int take_header(struct isns_link *l)
{
	size_t need;
	uint8_t *more;
	int err;

	isns_header_decode(&l->pdu, l->raw);
	err = check_header(l);
	if (err < 0)
		return err;
	if (l->pdus == 0)
		l->first = l->pdu;
	need = l->len + l->pdu.length;
	if (need <= l->cap)
		return 0;
	more = realloc(l->message, need * 2);
	if (!more)
		return -ENOMEM;
	l->message = more;
	l->cap = need * 2;
	return 0;
}

static int take_pdu(struct isns_link *l)
{
	size_t len = l->len;

	l->got = 0;
	l->pdus++;
	if (!(l->pdu.flags & ISNS_LAST))
		/* One that adds nothing would let a message go on for ever. */
		return l->pdu.length > 0 ? 0 : -EPROTO;
	l->pdus = 0;
	l->len = 0;
	return l->events->message(l->arg, &l->first, l->message, len);
}

static int link_rx_commit(void *engine, size_t n)
{
	struct isns_link *l = engine;
	bool header = l->got < ISNS_HEADER_LEN;
	int err = 0;

	l->got += n;
	if (!header)
		l->len += n;
	else if (l->got == ISNS_HEADER_LEN)
		err = take_header(l);
	if (err < 0 || l->got < ISNS_HEADER_LEN)
		return err;
	if (l->got < (size_t)ISNS_HEADER_LEN + l->pdu.length)
		return 0;
	return take_pdu(l);
}

static int link_tx(void *engine, struct iovec *iov, int max)
{
	struct isns_link *l = engine;

	(void)max;
	iov->iov_base = l->out;
	iov->iov_len = l->out_len;
	return l->out_len > 0;
}

static void link_tx_commit(void *engine, size_t n)
{
	struct isns_link *l = engine;

	l->out_len -= n;
	memmove(l->out, l->out + n, l->out_len);
}

static void link_closed(void *engine, int err)
{
	struct isns_link *l = engine;

	l->events->closed(l->arg, err);
}

static const struct engine_ops link_ops = {
	.rx = link_rx,
	.rx_commit = link_rx_commit,
	.tx = link_tx,
	.tx_commit = link_tx_commit,
	.closed = link_closed,
};

struct isns_link *isns_link_new(struct loop *loop, struct stream *s,
	const struct isns_link_events *events, void *arg)
{
	struct isns_link *l = calloc(1, sizeof *l);

	if (!l) {
		stream_abort(s);
		return NULL;
	}
	l->events = events;
	l->arg = arg;
	l->pump = pump_new(loop, s, &link_ops, l);
	if (!l->pump) {
		free(l);
		return NULL;
	}
	return l;
}

int isns_link_send(struct isns_link *l, uint16_t function, uint16_t transaction,
	uint16_t flags, const struct isns_out *payload)
{
	const struct isns_header h = {
		.version = ISNS_VERSION,
		.function = function,
		.length = (uint16_t)payload->len,
		.flags = flags | ISNS_CLIENT | ISNS_FIRST | ISNS_LAST,
		.transaction = transaction,
	};

	if (payload->full ||
		payload->len + ISNS_HEADER_LEN > ISNS_SEND_MAX - l->out_len)
		return -ENOBUFS;
	isns_header_encode(&h, l->out + l->out_len);
	memcpy(l->out + l->out_len + ISNS_HEADER_LEN, payload->data,
		payload->len);
	l->out_len += ISNS_HEADER_LEN + payload->len;
	pump_tx(l->pump);
	return 0;
}

void isns_link_close(struct isns_link *l)
{
	struct iovec iov = {.iov_base = l->out, .iov_len = l->out_len};

	if (l->out_len > 0)
		(void)stream_writev(pump_stream(l->pump), &iov, 1);
	pump_free(l->pump, false);
	free(l->message);
	free(l);
}

void isns_link_free(struct isns_link *l)
{
	if (!l)
		return;
	pump_free(l->pump, true);
	free(l->message);
	free(l);
}

struct stream *isns_link_stream(struct isns_link *l)
{
	return pump_stream(l->pump);
}
