/* SPDX-License-Identifier: BSD-2-Clause */
/* The framer: bytes of a connection become PDUs. The first byte says which
 * digests hold, the second how the bytes come. */
#include "daemon/iscsi/pdu.h"
#include "tests/fuzz/fuzz.h"

#define ROOM 8192u

struct sink {
	struct pdu_rx rx;
	uint8_t room[ROOM];
	unsigned pdus;
};

static void *place(void *arg, const struct bhs *b, uint32_t len)
{
	struct sink *s = arg;

	if (b->itt & 1 || len > ROOM)
		return NULL;
	return b->itt & 2 ? pdu_discard : s->room;
}

static void on_pdu(void *arg, const struct bhs *b, const uint8_t *data,
	uint32_t len, bool data_ok)
{
	struct sink *s = arg;
	unsigned sum = 0;

	(void)b;
	(void)data_ok;
	s->pdus++;
	for (uint32_t i = 0; data && i < len && data != pdu_discard; i++)
		sum += data[i];
	FUZZ_CHECK(sum <= len * 255);
}

static const struct pdu_rx_ops ops = {.place = place, .pdu = on_pdu};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	uint8_t how = cursor_u8(&c), chunk = cursor_u8(&c);
	struct sink *s = calloc(1, sizeof *s);
	int err = 0;

	FUZZ_CHECK(s);
	FUZZ_CHECK(pdu_rx_init(&s->rx, &ops, s) == 0);
	pdu_rx_set(&s->rx, how & 1, how & 2, ROOM);
	while (err == 0 && c.left > 0) {
		struct iovec iov[2];
		int n = pdu_rx_iov(&s->rx, iov);
		size_t room = 0, take, at = 0;

		FUZZ_CHECK(n > 0 && n <= 2);
		for (int i = 0; i < n; i++)
			room += iov[i].iov_len;
		FUZZ_CHECK(room > 0);
		take = room < c.left ? room : c.left;
		if (chunk && take > chunk)
			take = chunk;
		for (int i = 0; i < n && at < take; i++) {
			size_t part = take - at < iov[i].iov_len
					      ? take - at
					      : iov[i].iov_len;

			memcpy(iov[i].iov_base, cursor_take(&c, part), part);
			at += part;
		}
		err = pdu_rx_commit(&s->rx, take);
	}
	pdu_rx_fini(&s->rx);
	free(s);
	return 0;
}
