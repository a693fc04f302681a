/* SPDX-License-Identifier: BSD-2-Clause */
/* The framer, fed whole, byte by byte and in every split; and the way back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/outq.h>

#include "daemon/iscsi/pdu.h"
#include "tests/lib/t_bhs.h"

#define WIRE_MAX 65536

/* Bytes of the target, as they would be on the wire. */
struct wire {
	uint8_t data[WIRE_MAX];
	size_t len;
	bool header_digest, data_digest;
};

static void wire_add(struct wire *w, const void *data, size_t len)
{
	cr_assert_leq(w->len + len, sizeof w->data);
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void wire_crc(struct wire *w, size_t from)
{
	uint8_t crc[4];

	put_le32(crc, crc32c_table(0, w->data + from, w->len - from));
	wire_add(w, crc, 4);
}

static void wire_pdu(struct wire *w, uint8_t *bhs, const void *data, size_t len)
{
	static const uint8_t ahs[1020];
	size_t start = w->len;

	t_set(bhs, T_DATA_LEN, len);
	wire_add(w, bhs, T_BHS_LEN);
	wire_add(w, ahs, 4 * t_get(bhs, T_AHS_WORDS));
	if (w->header_digest)
		wire_crc(w, start);
	start = w->len;
	wire_add(w, data, len);
	wire_add(w, "\xee\xee\xee", -len & 3); /* need not be zero */
	if (w->data_digest && len)
		wire_crc(w, start);
}

static void wire_nop_in(struct wire *w, uint32_t itt, size_t len)
{
	uint8_t bhs[T_BHS_LEN], data[8192];

	memset(data, (int)(itt & 0xff), sizeof data);
	t_make(bhs, 0x20);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, itt);
	wire_pdu(w, bhs, data, len);
}

static void wire_data_in(struct wire *w, uint32_t offset, size_t len)
{
	uint8_t bhs[T_BHS_LEN], data[20000];
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = (uint8_t)((offset + i) % 251);
	t_make(bhs, 0x25);
	t_set(bhs, T_ITT, 1);
	t_set(bhs, T_OFFSET, offset);
	wire_pdu(w, bhs, data, len);
}

/* Who owns the framer: keeps what came. */
struct owner {
	struct pdu_rx rx;
	uint8_t *buffer; /* of task 1; NULL: it has none */
	bool discard;
	uint8_t ops[64];
	uint32_t lens[64];
	bool ok[64], has_data[64];
	uint8_t first[64]; /* byte of its data */
	unsigned count, stop_at;
};

static void *owner_place(void *arg, const struct bhs *b, uint32_t len)
{
	struct owner *o = arg;

	cr_expect_eq(b->op, OP_DATA_IN);
	cr_expect_eq(b->data_len, len);
	cr_expect_gt(len, 0);
	if (o->discard)
		return pdu_discard;
	return o->buffer ? o->buffer + b->data_in.offset : NULL;
}

static void owner_pdu(void *arg, const struct bhs *b, const uint8_t *data,
	uint32_t len, bool data_ok)
{
	struct owner *o = arg;
	unsigned i = o->count++;

	cr_assert_lt(i, 64);
	o->ops[i] = (uint8_t)b->op;
	o->lens[i] = len;
	o->ok[i] = data_ok;
	o->has_data[i] = data != NULL;
	o->first[i] = data ? data[0] : 0;
	if (o->stop_at && o->count == o->stop_at)
		pdu_rx_stop(&o->rx, -ECONNABORTED);
}

static const struct pdu_rx_ops ops = {.place = owner_place, .pdu = owner_pdu};

static void owner_init(struct owner *o, const struct wire *w)
{
	*o = (struct owner){0};
	cr_assert_eq(pdu_rx_init(&o->rx, &ops, o), 0);
	pdu_rx_set(&o->rx, w->header_digest, w->data_digest, 32768);
}

/* Gives the framer `len` bytes as one read would. */
static int feed(struct owner *o, const uint8_t *data, size_t len)
{
	struct iovec iov[2];
	size_t part, moved;
	int i, n, err;

	while (len > 0) {
		n = pdu_rx_iov(&o->rx, iov);
		cr_assert_gt(n, 0);
		for (i = 0, moved = 0; i < n && len > 0; i++) {
			part = iov[i].iov_len < len ? iov[i].iov_len : len;
			memcpy(iov[i].iov_base, data, part);
			data += part;
			len -= part;
			moved += part;
		}
		err = pdu_rx_commit(&o->rx, moved);
		if (err)
			return err;
	}
	return 0;
}

static void make_mix(struct wire *w)
{
	uint8_t bhs[T_BHS_LEN];

	wire_nop_in(w, 7, 0);
	wire_data_in(w, 0, 5);
	wire_data_in(w, 5, 300);
	wire_nop_in(w, 9, 3);
	t_make(bhs, 0x21);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, 1);
	t_set(bhs, T_AHS_WORDS, 3);
	wire_pdu(w, bhs, "\0\4sens", 6);
}

static void check_mix(const struct owner *o, const uint8_t *buffer)
{
	static const uint8_t want_ops[] = {0x20, 0x25, 0x25, 0x20, 0x21};
	static const uint32_t want_lens[] = {0, 5, 300, 3, 6};
	unsigned i;

	cr_assert_eq(o->count, 5);
	for (i = 0; i < 5; i++) {
		cr_expect_eq(o->ops[i], want_ops[i]);
		cr_expect_eq(o->lens[i], want_lens[i]);
		cr_expect(o->ok[i]);
		cr_expect_eq(o->has_data[i], want_lens[i] > 0);
	}
	cr_expect_eq(o->first[3], 9);
	for (i = 0; buffer && i < 305; i++)
		cr_assert_eq(buffer[i], i % 251, "byte %u", i);
}

static void mix_in_pieces(bool header_digest, bool data_digest, bool placed)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t *buffer = malloc(305);
	struct owner o;
	size_t split, i;

	w->header_digest = header_digest;
	w->data_digest = data_digest;
	make_mix(w);
	for (split = 0; split <= w->len; split++) {
		owner_init(&o, w);
		o.buffer = placed ? buffer : NULL;
		memset(buffer, 0xff, 305);
		cr_assert_eq(feed(&o, w->data, split), 0);
		cr_assert_eq(feed(&o, w->data + split, w->len - split), 0);
		check_mix(&o, o.buffer);
		pdu_rx_fini(&o.rx);
	}
	owner_init(&o, w);
	o.buffer = placed ? buffer : NULL;
	for (i = 0; i < w->len; i++)
		cr_assert_eq(feed(&o, w->data + i, 1), 0);
	check_mix(&o, o.buffer);
	pdu_rx_fini(&o.rx);
	free(buffer);
	free(w);
}

Test(pdu, every_split)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		mix_in_pieces(i & 1, i & 2, i & 4);
}

/* 18 KB do not fit behind a short read: they go straight to the buffer. */
Test(pdu, large_payload_is_diverted)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t *buffer = malloc(18001);
	struct iovec iov[2];
	struct owner o;
	size_t i;

	w->data_digest = true;
	wire_data_in(w, 1, 18000);
	wire_nop_in(w, 3, 0);
	owner_init(&o, w);
	o.buffer = buffer;
	cr_assert_eq(feed(&o, w->data, 100), 0);
	cr_assert_eq(pdu_rx_iov(&o.rx, iov), 2);
	cr_expect_eq(iov[0].iov_base, buffer + 1 + 52);
	cr_expect_eq(iov[0].iov_len, 18000 - 52);
	cr_assert_eq(feed(&o, w->data + 100, w->len - 100), 0);
	cr_assert_eq(o.count, 2);
	cr_expect(o.ok[0]);
	for (i = 1; i < 18001; i++)
		cr_assert_eq(buffer[i], i % 251);
	pdu_rx_fini(&o.rx);
	free(buffer);
	free(w);
}

/* A damaged bit anywhere in header, digest, data, pad or data digest. */
Test(pdu, every_damaged_byte_is_noticed)
{
	struct wire *w = calloc(1, sizeof *w);
	struct owner o;
	size_t i;
	int err;

	w->header_digest = w->data_digest = true;
	wire_nop_in(w, 7, 6);
	for (i = 0; i < w->len; i++) {
		owner_init(&o, w);
		w->data[i] ^= 0x10;
		err = feed(&o, w->data, w->len);
		w->data[i] ^= 0x10;
		if (i == 4) { /* a longer AHS: waits for more */
			cr_expect_eq(o.count, 0);
		} else if (i < 52) {
			cr_expect_eq(err, -EBADMSG, "byte %zu", i);
			cr_expect_not_null(o.rx.why);
			cr_expect_eq(o.count, 0);
		} else {
			cr_expect_eq(err, 0, "byte %zu", i);
			cr_assert_eq(o.count, 1);
			cr_expect(!o.ok[0], "byte %zu", i);
		}
		pdu_rx_fini(&o.rx);
	}
	free(w);
}

Test(pdu, damaged_data_in_the_owners_buffer)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t buffer[100];
	struct owner o;

	w->data_digest = true;
	wire_data_in(w, 0, 100);
	w->data[48 + 99] ^= 1;
	owner_init(&o, w);
	o.buffer = buffer;
	cr_assert_eq(feed(&o, w->data, w->len), 0);
	cr_expect(o.count == 1 && !o.ok[0]);
	pdu_rx_fini(&o.rx);
	free(w);
}

/* The same as an injected fault: once, and for the header as for the data. */
Test(pdu, rx_spoilt_once)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t spoil = PDU_SPOIL_DATA;
	struct owner o;

	w->header_digest = w->data_digest = true;
	wire_nop_in(w, 7, 0);
	wire_nop_in(w, 7, 6);
	wire_nop_in(w, 7, 6);
	owner_init(&o, w);
	o.rx.spoil = &spoil;
	cr_assert_eq(feed(&o, w->data, w->len), 0);
	cr_assert_eq(o.count, 3);
	cr_expect(o.ok[0] && !o.ok[1] && o.ok[2]);
	cr_expect_eq(spoil, 0);
	spoil = PDU_SPOIL_HEADER;
	cr_expect_eq(feed(&o, w->data, w->len), -EBADMSG);
	cr_expect_eq(spoil, 0);
	pdu_rx_fini(&o.rx);
	free(w);
}

Test(pdu, too_much_data)
{
	struct wire *w = calloc(1, sizeof *w);
	struct owner o;

	wire_nop_in(w, 7, 8192);
	wire_nop_in(w, 7, 100);
	t_set(w->data + w->len - 148, T_DATA_LEN, 8193);
	owner_init(&o, w);
	pdu_rx_set(&o.rx, false, false, PDU_LOGIN_DATA_MAX);
	cr_expect_eq(feed(&o, w->data, w->len), -EPROTO);
	cr_expect_eq(o.count, 1);
	cr_expect_not_null(o.rx.why);
	cr_expect_eq(pdu_rx_commit(&o.rx, 0), -EPROTO, "it stays so");
	cr_expect_eq(o.count, 1);
	pdu_rx_fini(&o.rx);
	free(w);
}

/* The length of a PDU with a wrong header digest is not believed. */
Test(pdu, header_digest_comes_before_length)
{
	struct wire *w = calloc(1, sizeof *w);
	struct owner o;

	w->header_digest = true;
	wire_nop_in(w, 7, 0);
	t_set(w->data, T_DATA_LEN, 0xffffff);
	owner_init(&o, w);
	cr_expect_eq(feed(&o, w->data, w->len), -EBADMSG);
	pdu_rx_fini(&o.rx);
	free(w);
}

Test(pdu, longest_ahs_is_skipped)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t bhs[T_BHS_LEN];
	struct owner o;
	size_t i;

	w->header_digest = true;
	t_make(bhs, 0x20);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_AHS_WORDS, 255);
	wire_pdu(w, bhs, "ab", 2);
	wire_nop_in(w, 1, 0);
	owner_init(&o, w);
	for (i = 0; i < w->len; i++)
		cr_assert_eq(feed(&o, w->data + i, 1), 0);
	cr_expect_eq(o.count, 2);
	cr_expect_eq(o.first[0], 'a');
	pdu_rx_fini(&o.rx);
	free(w);
}

Test(pdu, stop_within_a_batch)
{
	struct wire *w = calloc(1, sizeof *w);
	struct owner o;
	int i;

	for (i = 0; i < 10; i++)
		wire_nop_in(w, (uint32_t)i, 4);
	owner_init(&o, w);
	o.stop_at = 4;
	cr_expect_eq(feed(&o, w->data, w->len), -ECONNABORTED);
	cr_expect_eq(o.count, 4);
	cr_expect_eq(pdu_rx_iov(&o.rx, (struct iovec[2]){0}), 0);
	pdu_rx_fini(&o.rx);
	free(w);
}

/* The buffer's owner goes away in the middle: not a byte more is written. */
Test(pdu, forgotten_task)
{
	struct wire *w = calloc(1, sizeof *w);
	uint8_t buffer[5000];
	struct owner o;
	size_t i;

	w->data_digest = true;
	wire_data_in(w, 0, 5000);
	wire_nop_in(w, 3, 0);
	owner_init(&o, w);
	o.buffer = buffer;
	memset(buffer, 0xff, sizeof buffer);
	cr_assert_eq(feed(&o, w->data, 1000), 0);
	pdu_rx_forget(&o.rx, 2); /* another one */
	pdu_rx_forget(&o.rx, 1);
	cr_assert_eq(feed(&o, w->data + 1000, w->len - 1000), 0);
	for (i = 1000; i < sizeof buffer; i++)
		cr_assert_eq(buffer[i], 0xff);
	cr_assert_eq(o.count, 2);
	cr_expect(!o.has_data[0] && o.lens[0] == 5000);
	pdu_rx_fini(&o.rx);
	free(w);
}

Test(pdu, discarded_payload)
{
	struct wire *w = calloc(1, sizeof *w);
	struct owner o;

	w->data_digest = true;
	wire_data_in(w, 0, 9001);
	wire_nop_in(w, 3, 0);
	owner_init(&o, w);
	o.discard = true;
	cr_assert_eq(feed(&o, w->data, 60), 0);
	cr_assert_eq(feed(&o, w->data + 60, w->len - 60), 0);
	cr_assert_eq(o.count, 2);
	cr_expect(!o.has_data[0] && o.lens[0] == 9001);
	cr_expect_null(o.rx.own, "no memory is spent on it");
	pdu_rx_fini(&o.rx);
	free(w);
}

/* Digests of RFC 3720 B.4, as they go onto the wire. */
Test(pdu, tx_digests)
{
	static const struct {
		uint8_t fill, crc[4];
	} cases[] = {
		{0x00, {0xaa, 0x36, 0x91, 0x8a}},
		{0xff, {0x43, 0xab, 0xa8, 0x62}},
	};
	struct outq_item item = {0};
	struct bhs b = bhs_make(OP_SCSI_CMD);
	uint8_t data[32];
	size_t i;

	b.itt = 0x14000000;
	b.scsi_cmd.read = true;
	b.scsi_cmd.edtl = 0x400;
	b.cmd_sn = 0x14;
	b.exp_stat_sn = 0x18;
	b.scsi_cmd.cdb[0] = 0x28;
	b.scsi_cmd.cdb[7] = 0x14;
	b.scsi_cmd.cdb[9] = 0;
	for (i = 0; i < 2; i++) {
		memset(data, cases[i].fill, sizeof data);
		pdu_tx(&item, &b, data, 32, (struct pdu_digests){.data = true});
		cr_expect_eq(item.head_len, 48);
		cr_expect_eq(item.tail_len, 4);
		cr_expect_arr_eq(item.tail, cases[i].crc, 4);
		cr_expect_eq(t_get(item.head, T_DATA_LEN), 32);
	}
	pdu_tx(&item, &b, NULL, 0,
		(struct pdu_digests){.header = true, .data = true});
	cr_expect_eq(item.head_len, 52);
	cr_expect_eq(item.tail_len, 0, "no data, no digest of it");
	cr_expect_eq(get_le32(item.head + 48), crc32c_table(0, item.head, 48));
}

/* A fault spoils the digest once, and nothing else; without one it waits. */
Test(pdu, tx_spoilt_once)
{
	uint8_t data[4] = {1, 2, 3, 4}, spoil = PDU_SPOIL_HEADER;
	struct bhs b = bhs_make(OP_NOP_OUT);
	struct outq_item item = {0};
	struct pdu_digests d = {.spoil = &spoil};

	pdu_tx(&item, &b, data, 4, d);
	cr_assert_eq(spoil, PDU_SPOIL_HEADER, "no digest, nothing to spoil");
	spoil |= PDU_SPOIL_DATA;
	d.header = d.data = true;
	pdu_tx(&item, &b, data, 4, d);
	cr_assert_eq(spoil, 0);
	cr_assert_eq(
		get_le32(item.head + 48) ^ 1, crc32c_table(0, item.head, 48));
	cr_assert_eq(get_le32(item.tail) ^ 1, crc32c_table(0, data, 4));
	pdu_tx(&item, &b, data, 4, d);
	cr_assert_eq(get_le32(item.head + 48), crc32c_table(0, item.head, 48));
	cr_assert_eq(get_le32(item.tail), crc32c_table(0, data, 4));
}

Test(pdu, tx_padding)
{
	uint8_t data[4] = {1, 2, 3, 4}, padded[8] = {1};
	struct bhs b = bhs_make(OP_NOP_OUT);
	struct outq_item item = {0};
	uint32_t len;

	for (len = 1; len <= 4; len++) {
		memset(padded, 0, sizeof padded);
		memcpy(padded, data, len);
		pdu_tx(&item, &b, data, len,
			(struct pdu_digests){.data = true});
		cr_expect_eq(item.tail_len, 4 - len + 4);
		cr_expect_eq(get_le32(item.tail + item.tail_len - 4),
			crc32c_table(0, padded, 4));
		pdu_tx(&item, &b, data, len, (struct pdu_digests){0});
		cr_expect_eq(item.tail_len, 4 - len);
	}
}
