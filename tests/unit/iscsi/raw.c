/* SPDX-License-Identifier: BSD-2-Clause */
#include "raw.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/pump.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

struct loop *loop;
struct t_lun *lun;
struct t_target *target;
struct t_target_options options;
struct raw raw[RAW_CONNS];
uint32_t cmd_sn;
uint16_t tsih;
uint8_t pattern[RAW_DATA];
const char *keys;

static bool takes_status(const uint8_t *bhs)
{
	unsigned op = (unsigned)t_get(bhs, T_OPCODE);

	if (op == 0x25)
		return t_get(bhs, T_HAS_STATUS);
	if (op == 0x20)
		return t_get(bhs, T_ITT) != T_NO_TAG;
	return op != 0x31;
}

static void take(struct raw *r, const uint8_t *p, uint32_t len, bool bad)
{
	struct raw_pdu *pdu = &r->got[r->count++];

	cr_assert_lt(r->count, RAW_GOT);
	memset(pdu, 0, sizeof *pdu);
	memcpy(pdu->bhs, p, T_BHS_LEN);
	pdu->len = len;
	pdu->bad = bad;
	if (bad)
		return;
	if (t_get(p, T_OPCODE) == 0x23)
		r->exp_stat_sn = (uint32_t)t_get(p, T_STAT_SN);
	if (takes_status(p) && t_get(p, T_STAT_SN) == r->exp_stat_sn)
		r->exp_stat_sn++;
	if (t_get(p, T_OPCODE) == 0x25)
		memcpy(r->data + t_get(p, T_OFFSET), p + T_BHS_LEN, len);
	else if (len < sizeof pdu->text)
		memcpy(pdu->text, p + T_BHS_LEN, len);
}

static int raw_rx(void *engine, struct iovec *iov)
{
	struct raw *r = engine;

	*iov = (struct iovec){r->rx + r->rx_len, sizeof r->rx - r->rx_len};
	return 1;
}

static size_t cut(struct raw *r, const uint8_t *p, size_t have)
{
	uint32_t len, padded, crc;
	bool bad = false;
	size_t total;

	if (have < T_BHS_LEN)
		return 0;
	len = (uint32_t)t_get(p, T_DATA_LEN);
	padded = (len + 3) & ~3u;
	total = T_BHS_LEN + padded + (r->digests && len ? 4 : 0);
	if (have < total)
		return 0;
	if (r->digests && len) {
		crc = crc32c_table(0, p + T_BHS_LEN, padded);
		bad = crc != get_le32(p + total - 4);
	}
	take(r, p, len, bad);
	return total;
}

static int raw_rx_commit(void *engine, size_t n)
{
	struct raw *r = engine;
	size_t at = 0, used;

	r->rx_len += n;
	while ((used = cut(r, r->rx + at, r->rx_len - at)) > 0)
		at += used;
	memmove(r->rx, r->rx + at, r->rx_len - at);
	r->rx_len -= at;
	return 0;
}

static int raw_tx(void *engine, struct iovec *iov, int max)
{
	struct raw *r = engine;

	(void)max;
	*iov = (struct iovec){r->tx + r->tx_at, r->tx_len - r->tx_at};
	return r->tx_len > r->tx_at;
}

static void raw_tx_commit(void *engine, size_t n)
{
	struct raw *r = engine;

	r->tx_at += n;
	r->sent += n;
	if (r->tx_at == r->tx_len)
		r->tx_at = r->tx_len = 0;
}

static void raw_closed(void *engine, int err)
{
	struct raw *r = engine;

	(void)err;
	r->closed = true;
}

void raw_init(void)
{
	size_t i;

	for (i = 0; i < RAW_DATA; i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
	t_target_options_init(&options);
	options.error_recovery_level = 2;
	options.max_connections = 4;
	options.max_burst_length = 8192;
	options.header_digest = false;
	options.initial_r2t = true;
	cmd_sn = 0xfffffff8;
	keys = "";
}

void raw_begin(void)
{
	struct t_lun_options unit = {.blocks = 4096};

	loop = loop_new();
	lun = t_lun_new(&unit);
	memcpy(lun->memory, pattern, RAW_DATA);
	target = t_target_new(loop, lun, &options);
}

void raw_leave(struct raw *r)
{
	pump_free(r->pump, true);
	r->pump = NULL;
	raw_wait(10);
}

void raw_end(void)
{
	unsigned i;

	cr_expect_eq(target->violations, 0, "%s", target->violation);
	for (i = 0; i < RAW_CONNS; i++)
		if (raw[i].pump)
			raw_leave(&raw[i]);
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

void raw_wait(uint64_t ms)
{
	t_loop_run_for(loop, ms * 1000000);
}

void raw_send(struct raw *r, uint8_t *bhs, const void *data, uint32_t len)
{
	uint32_t padded = (len + 3) & ~3u;
	uint8_t *p = r->tx + r->tx_len;

	t_set(bhs, T_EXP_STAT_SN, r->exp_stat_sn);
	t_set(bhs, T_DATA_LEN, len);
	memcpy(p, bhs, T_BHS_LEN);
	memset(p + T_BHS_LEN, 0, padded);
	if (len)
		memcpy(p + T_BHS_LEN, data, len);
	r->tx_len += T_BHS_LEN + padded;
	if (r->digests && len) {
		put_le32(p + T_BHS_LEN + padded,
			crc32c_table(0, p + T_BHS_LEN, padded));
		r->tx_len += 4;
	}
	r->count = 0;
	pump_tx(r->pump);
	raw_wait(100);
}

void raw_request(struct raw *r, uint8_t *bhs, const void *data, uint32_t len)
{
	t_set(bhs, T_CMD_SN, cmd_sn);
	if (!t_get(bhs, T_IMMEDIATE))
		cmd_sn++;
	raw_send(r, bhs, data, len);
}

void raw_ack(struct raw *r)
{
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x00);
	t_set(bhs, T_IMMEDIATE, 1);
	t_set(bhs, T_FINAL, 1);
	raw_request(r, bhs, NULL, 0);
}

static uint32_t login_text(char *text, size_t size, bool leading, bool digests)
{
	int n = snprintf(text, size,
		"InitiatorName=iqn.2003-01.org.example:host;SessionType=Normal;"
		"TargetName=%s;%s%s%s",
		options.name,
		leading ? "ErrorRecoveryLevel=2;MaxConnections=4;InitialR2T=No;"
			  "MaxBurstLength=8192;FirstBurstLength=4096;"
			  "MaxOutstandingR2T=4;DefaultTime2Wait=0;"
			: "",
		digests ? "DataDigest=CRC32C;" : "", leading ? keys : "");
	int i;

	for (i = 0; i < n; i++)
		if (text[i] == ';')
			text[i] = '\0';
	return (uint32_t)n;
}

struct raw *raw_login(unsigned n, uint16_t cid, uint16_t with_tsih)
{
	static const struct engine_ops ops = {
		raw_rx, raw_rx_commit, raw_tx, raw_tx_commit, raw_closed};
	struct addr at = t_addr("10.0.0.1:3260");
	struct raw *r = &raw[n];
	uint8_t bhs[T_BHS_LEN];
	uint32_t exp = with_tsih ? r->exp_stat_sn : 0, len;
	bool digests = r->digests;
	struct stream *s[2];
	char text[1024];

	if (r->pump)
		raw_leave(r);
	memset(r, 0, sizeof *r);
	r->cid = cid;
	r->exp_stat_sn = exp;
	t_stream_pair(loop, loop, &at, s);
	cr_assert_not_null(t_target_accept(target, s[1], 1));
	r->pump = pump_new(loop, s[0], &ops, r);
	t_make(bhs, 0x03);
	t_set(bhs, T_FLAGS, 0x87);
	t_set(bhs, T_IMMEDIATE, 1);
	memcpy(bhs + 8, "\x80\0\0\0\0\1", 6);
	t_set(bhs, T_TSIH, with_tsih);
	t_set(bhs, T_ITT, 1);
	t_set(bhs, T_CID, cid);
	t_set(bhs, T_CMD_SN, cmd_sn);
	len = login_text(text, sizeof text, with_tsih == 0, digests);
	raw_send(r, bhs, text, len);
	cr_assert_eq(r->count, 1);
	r->status = (unsigned)(t_get(r->got[0].bhs, T_STATUS_CLASS) << 8 |
			       t_get(r->got[0].bhs, T_STATUS_DETAIL));
	if (r->status == 0)
		tsih = (uint16_t)t_get(r->got[0].bhs, T_TSIH);
	r->digests = digests;
	return r;
}

void make_rw(uint8_t *bhs, bool write, uint32_t itt, uint32_t bytes)
{
	t_make(bhs, 0x01);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, write ? T_WRITE : T_READ, 1);
	t_set(bhs, T_ATTR, 1);
	t_set(bhs, T_ITT, itt);
	t_set(bhs, T_EDTL, bytes);
	bhs[32] = write ? 0x2a : 0x28;
	bhs[39] = (uint8_t)(bytes / 512 >> 8);
	bhs[40] = (uint8_t)(bytes / 512);
}

void make_snack(uint8_t *bhs, unsigned type, uint32_t itt, uint32_t begin,
	uint32_t count)
{
	t_make(bhs, 0x10);
	t_set(bhs, T_FLAGS, 0x80 | type);
	t_set(bhs, T_ITT, itt);
	t_set(bhs, T_BEG_RUN, begin);
	t_set(bhs, T_RUN_LENGTH, count);
}

void make_tmf(uint8_t *bhs, unsigned function, uint32_t rtt, uint32_t ref_sn)
{
	t_make(bhs, 0x02);
	t_set(bhs, T_IMMEDIATE, 1);
	t_set(bhs, T_FLAGS, 0x80 | function);
	t_set(bhs, T_ITT, 0x1000 + cmd_sn + rtt);
	t_set(bhs, T_RTT, rtt);
	t_set(bhs, T_REF_CMD_SN, ref_sn);
}

void make_logout(uint8_t *bhs, unsigned reason, uint16_t cid)
{
	t_make(bhs, 0x06);
	t_set(bhs, T_IMMEDIATE, 1);
	t_set(bhs, T_FLAGS, 0x80 | reason);
	t_set(bhs, T_ITT, 0x2000);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_CID, cid);
}

void answer_r2t(struct raw *r, const uint8_t *r2t, uint32_t most)
{
	uint32_t offset = (uint32_t)t_get(r2t, T_OFFSET), at = 0, sn = 0;
	uint32_t ttt = (uint32_t)t_get(r2t, T_TTT);
	uint32_t itt = (uint32_t)t_get(r2t, T_ITT);
	uint32_t want = (uint32_t)t_get(r2t, T_DESIRED), len;
	uint8_t bhs[T_BHS_LEN];

	for (; at < want; at += len) {
		len = want - at < most ? want - at : most;
		t_make(bhs, 0x05);
		t_set(bhs, T_FINAL, at + len == want);
		t_set(bhs, T_ITT, itt);
		t_set(bhs, T_TTT, ttt);
		t_set(bhs, T_DATA_SN, sn++);
		t_set(bhs, T_OFFSET, offset + at);
		raw_send(r, bhs, pattern + offset + at, len);
	}
}

const uint8_t *got(const struct raw *r, unsigned opcode, unsigned n)
{
	unsigned i;

	for (i = 0; i < r->count; i++)
		if (t_get(r->got[i].bhs, T_OPCODE) == opcode && n-- == 0)
			return r->got[i].bhs;
	cr_assert_fail("no PDU with opcode %#x", opcode);
	return NULL;
}

unsigned got_count(const struct raw *r, unsigned opcode)
{
	unsigned i, n = 0;

	for (i = 0; i < r->count; i++)
		n += t_get(r->got[i].bhs, T_OPCODE) == opcode;
	return n;
}

void expect_violation(const char *text)
{
	cr_expect_eq(target->violations, 1, "%u", target->violations);
	cr_expect_not_null(strstr(target->violation, text), "%s, not %s",
		target->violation, text);
	target->violations = 0;
	*target->violation = '\0';
}
