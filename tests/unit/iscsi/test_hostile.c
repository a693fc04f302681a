/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hostile target may send: junk, damaged streams, text without end. Each
 * case comes from a seed, which the message names. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/iscsi/chap.h"
#include "daemon/iscsi/keys.h"
#include "daemon/iscsi/name.h"
#include "daemon/iscsi/pdu.h"
#include "tests/lib/t_bhs.h"

#define MOST 32768 /* data of one PDU */

static uint32_t seed;

static uint32_t roll(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

struct owner {
	uint8_t *buffer; /* of MOST bytes */
	unsigned pdus;
};

static void *place(void *arg, const struct bhs *b, uint32_t len)
{
	struct owner *o = arg;

	cr_assert_leq(len, MOST);
	if (b->data_in.offset > MOST - len)
		return pdu_discard;
	return b->itt & 1 ? o->buffer + b->data_in.offset : NULL;
}

/* Touches every byte, so that a sanitizer sees where they are. */
static void pdu(void *arg, const struct bhs *b, const uint8_t *data,
	uint32_t len, bool data_ok)
{
	struct owner *o = arg;
	volatile uint8_t sum = 0;
	uint32_t i;

	(void)data_ok;
	cr_assert_eq(b->data_len, len);
	for (i = 0; data && i < len; i++)
		sum = (uint8_t)(sum + data[i]);
	o->pdus++;
}

/* Feeds `len` bytes in reads of random size. */
static int feed(struct pdu_rx *rx, const uint8_t *data, size_t len)
{
	struct iovec iov[2];
	size_t part, left, moved;
	int i, n, err = 0;

	while (len > 0 && !err) {
		left = 1 + roll(4000);
		left = left < len ? left : len;
		n = pdu_rx_iov(rx, iov);
		cr_assert_gt(n, 0);
		for (i = 0, moved = 0; i < n && left > 0; i++) {
			part = iov[i].iov_len < left ? iov[i].iov_len : left;
			memcpy(iov[i].iov_base, data, part);
			data += part;
			len -= part;
			left -= part;
			moved += part;
		}
		err = pdu_rx_commit(rx, moved);
	}
	return err;
}

/* A stream of well-formed PDUs of random kinds and lengths. */
static size_t make_stream(uint8_t *data, size_t cap)
{
	static const uint8_t ops[] = {0x20, 0x21, 0x24, 0x25, 0x25, 0x32, 0x3f};
	size_t at = 0, len;

	for (;;) {
		uint8_t *bhs = data + at;

		len = roll(3) ? roll(300) : roll(9000);
		if (at + T_BHS_LEN + len + 4 > cap)
			return at;
		t_make(bhs, ops[roll(sizeof ops)]);
		t_set(bhs, T_FINAL, 1);
		t_set(bhs, T_ITT, roll(8));
		t_set(bhs, T_DATA_LEN, len);
		t_set(bhs, T_OFFSET, roll(20000));
		at += T_BHS_LEN + ((len + 3) & ~(size_t)3);
	}
}

Test(hostile, damaged_streams)
{
	static const struct pdu_rx_ops ops = {place, pdu};
	enum { CAP = 60000 };
	struct owner o = {.buffer = malloc(MOST)};
	uint8_t *data = calloc(1, CAP);
	unsigned round, i, whole = 0, refused = 0;
	struct pdu_rx rx;
	size_t len;
	int err;

	for (round = 0; round < 2000; round++) {
		seed = round;
		len = make_stream(data, CAP);
		for (i = round % 5; i > 0; i--)
			data[roll((uint32_t)len)] ^= (uint8_t)(1 + roll(255));
		cr_assert_eq(pdu_rx_init(&rx, &ops, &o), 0);
		pdu_rx_set(&rx, round % 7 == 6, round % 11 == 10, MOST);
		err = feed(&rx, data, len);
		cr_assert(err == 0 || err == -EPROTO || err == -EBADMSG,
			"seed %u: %d", round, err);
		cr_assert(!err == !rx.why, "seed %u", round);
		cr_assert_leq(rx.own_cap, MOST, "seed %u", round);
		whole += err == 0;
		refused += err != 0;
		pdu_rx_fini(&rx);
	}
	cr_expect_gt(whole, 300);
	cr_expect_gt(refused, 300);
	cr_expect_gt(o.pdus, 2000);
	free(data);
	free(o.buffer);
}

Test(hostile, junk_headers)
{
	uint8_t raw[BHS_LEN];
	const char *why;
	struct bhs b;
	unsigned i, round;
	int err;

	for (round = 0; round < 20000; round++) {
		seed = round;
		for (i = 0; i < sizeof raw; i++)
			raw[i] = (uint8_t)roll(256);
		why = NULL;
		err = bhs_decode(&b, raw, &why);
		cr_assert_eq(err, why ? -EPROTO : 0, "seed %u", round);
		if (!err) {
			cr_assert_leq(b.data_len, BHS_DATA_MAX);
			cr_assert(b.op != OP_R2T || b.r2t.len > 0);
		}
		cr_assert_not_null(bhs_op_name(raw[0]));
	}
}

/* Text of known keys and wild values, cut at random. */
static size_t make_text(char *data, size_t cap)
{
	static const char *const pieces[] = {"HeaderDigest", "MaxBurstLength",
		"FirstBurstLength", "ImmediateData", "InitialR2T",
		"TargetAlias", "TargetAddress", "TargetPortalGroupTag",
		"OFMarkInt", "X-foo", "AuthMethod", "=", "=", "=", "Yes", "No",
		"None", "CRC32C", ",", "65536", "0x", "0xffffffffffffffffff",
		"-1", "NotUnderstood", "Reject", "Irrelevant", "?", "~",
		"\x80\xff", "\n", "MaxRecvDataSegmentLength", "TaskReporting",
		"SendTargets"};
	size_t at = 0, len, n = 1 + roll(200);

	while (n-- > 0) {
		const char *piece =
			pieces[roll(sizeof pieces / sizeof *pieces)];

		len = strlen(piece);
		if (at + len + 1 > cap)
			break;
		memcpy(data + at, piece, len);
		at += len;
		if (roll(3) == 0)
			data[at++] = '\0';
	}
	return at;
}

Test(hostile, text)
{
	static const struct iscsi_offer offer = {
		.first_burst_length = 65536,
		.max_burst_length = 65536,
		.max_recv_data_segment_length = 65536,
		.max_outstanding_r2t = 1,
		.max_connections = 1,
	};
	struct session_params session;
	struct conn_params conn;
	char data[8192], answers[8192], why[80];
	unsigned round, agreed = 0;
	const char *cause;

	for (round = 0; round < 20000; round++) {
		struct text_out out = {.data = answers, .cap = sizeof answers};
		struct text_in in = {0};
		struct text_pair pair;
		struct keys keys;
		size_t at = 0;
		int err = 0;

		seed = round;
		keys_init(&keys, (enum keys_phase)roll(4), &offer);
		if (roll(2))
			keys_offer(&keys, &out);
		out.len = 0;
		cr_assert_eq(
			text_in_add(&in, data, make_text(data, sizeof data)),
			0);
		while (!err && text_in_next(&in, &at, &pair, &cause) == 1) {
			err = keys_take(&keys, pair.key, pair.value, &out, why,
				sizeof why);
			if (err == KEYS_SECURITY)
				err = 0;
			cr_assert(err == 0 || err == -EPROTO || err == -ENOTSUP,
				"seed %u: %d", round, err);
		}
		text_in_clear(&in);
		cr_assert_leq(out.len, out.cap);
		session_params_init(&session);
		conn_params_init(&conn);
		if (err || keys_finish(&keys, &session, &conn, why, sizeof why))
			continue;
		agreed++;
		cr_assert_leq(session.first_burst_length,
			session.max_burst_length, "seed %u", round);
		cr_assert_geq(session.max_burst_length, 512);
		cr_assert_geq(conn.max_send_data, 512);
		cr_assert_leq(session.error_recovery_level, 0);
	}
	cr_expect_gt(agreed, 1000);
}

/* Values of any length: digits without end, no number at all. */
Test(hostile, values)
{
	enum { LONG = 1000000 };
	char *value = malloc(LONG + 3);
	uint8_t out[TEXT_BINARY_MAX];
	struct iscsi_portal portal;
	uint64_t number;
	char word[8];

	memset(value, '1', LONG + 2);
	value[LONG + 2] = '\0';
	cr_expect_eq(text_number(value, &number), -ERANGE);
	cr_expect(!text_list_choose(value, "None", word, sizeof word));
	cr_expect_eq(iscsi_address_parse(value, &portal, NULL), -EINVAL);
	cr_expect(!iscsi_name_valid(value));
	memcpy(value, "0x", 2);
	cr_expect_eq(text_number(value, &number), -ERANGE);
	cr_expect_eq(text_binary(value, out, sizeof out), -EMSGSIZE);
	memcpy(value, "0b", 2);
	cr_expect_eq(text_binary(value, out, sizeof out), -EMSGSIZE);
	memset(value, ',', LONG);
	cr_expect(!text_list_choose(value, "None", word, sizeof word));
	free(value);
}
