/* SPDX-License-Identifier: BSD-2-Clause */
#include "ini.h"

#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/pump.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

struct loop *loop;
struct t_lun *lun;
struct t_target *target;
struct t_target_options options;
struct ini ini;
struct session_params session;
struct conn_params conn;
uint8_t out_data[INI_DATA], in_data[INI_DATA];
char why[160];

static void *ini_place(void *arg, const struct bhs *b, uint32_t len)
{
	struct ini *i = arg;

	(void)len;
	return i->buffer ? i->buffer + b->data_in.offset : NULL;
}

static void ini_pdu(void *arg, const struct bhs *b, const uint8_t *data,
	uint32_t len, bool data_ok)
{
	struct ini *i = arg;

	cr_assert(data_ok);
	cr_assert_lt(i->count, 64);
	i->got[i->count++] = *b;
	if (bhs_stat_use(b) == STAT_TAKES)
		i->exp_stat_sn = b->stat_sn + 1;
	if (b->op != OP_DATA_IN && len <= sizeof i->data) {
		i->len = len;
		if (len)
			memcpy(i->data, data, len);
	}
}

static int ini_rx(void *engine, struct iovec *iov)
{
	return pdu_rx_iov(&((struct ini *)engine)->rx, iov);
}

static int ini_rx_commit(void *engine, size_t n)
{
	return pdu_rx_commit(&((struct ini *)engine)->rx, n);
}

static int ini_tx(void *engine, struct iovec *iov, int max)
{
	return outq_iov(&((struct ini *)engine)->out, iov, max);
}

static void ini_tx_commit(void *engine, size_t n)
{
	outq_commit(&((struct ini *)engine)->out, n);
}

static void ini_closed(void *engine, int err)
{
	struct ini *i = engine;

	i->closed = true;
	i->err = err;
}

void ini_begin(struct stream *stream)
{
	static const struct pdu_rx_ops rx_ops = {ini_place, ini_pdu};
	static const struct engine_ops ops = {
		ini_rx, ini_rx_commit, ini_tx, ini_tx_commit, ini_closed};

	memset(&ini, 0, sizeof ini);
	cr_assert_eq(pdu_rx_init(&ini.rx, &rx_ops, &ini), 0);
	outq_init(&ini.out);
	ini.pump = pump_new(loop, stream, &ops, &ini);
	ini.cmd_sn = 0xfffffffe;
}

void ini_connect(void)
{
	struct addr at = t_addr("10.0.0.1:3260");
	struct stream *s[2];

	t_stream_pair(loop, loop, &at, s);
	cr_assert_not_null(t_target_accept(target, s[1], 1));
	ini_begin(s[0]);
}

void ini_leave(void)
{
	outq_drop(&ini.out);
	pump_free(ini.pump, true);
	pdu_rx_fini(&ini.rx);
}

void begin(void)
{
	struct t_lun_options unit = {.blocks = 4096};
	size_t i;

	for (i = 0; i < INI_DATA; i++)
		out_data[i] = (uint8_t)(i * 7 + i / 251);
	memset(in_data, 0, INI_DATA);
	loop = loop_new();
	lun = t_lun_new(&unit);
	target = t_target_new(loop, lun, &options);
	ini_connect();
}

void end(void)
{
	ini_leave();
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

/* Sends, and lets all that follows from it happen. */
void send_pdu(struct bhs *b, const void *data, uint32_t len)
{
	b->exp_stat_sn = ini.exp_stat_sn;
	ini.count = 0;
	ini.len = 0;
	pdu_tx(&ini.item, b, data, len, ini.digests);
	outq_push(&ini.out, &ini.item);
	pump_tx(ini.pump);
	t_loop_run_for(loop, SECOND);
}

void send_command(struct bhs *b, const void *data, uint32_t len)
{
	b->cmd_sn = ini.cmd_sn;
	if (!b->immediate)
		ini.cmd_sn++;
	send_pdu(b, data, len);
}

struct text_out text;
static char text_data[8192];

void login_send(unsigned csg, unsigned nsg, bool last)
{
	struct bhs b = bhs_make(OP_LOGIN_REQ);

	b.itt = 1;
	b.final = last;
	b.login.csg = (uint8_t)csg;
	b.login.nsg = last ? (uint8_t)nsg : 0;
	memcpy(b.login.isid, "\x80\0\0\0\0\1", 6);
	b.cmd_sn = ini.cmd_sn;
	send_pdu(&b, text_data, (uint32_t)text.len);
	text = (struct text_out){.data = text_data, .cap = sizeof text_data};
}

void login_name(const char *type)
{
	text = (struct text_out){.data = text_data, .cap = sizeof text_data};
	text_put(&text, "InitiatorName", "iqn.2003-01.org.example:host");
	text_put(&text, "SessionType", type);
	if (*type == 'N')
		text_put(&text, "TargetName", options.name);
}

const char *got_value(const char *key)
{
	size_t at, len = strlen(key);

	for (at = 0; at < ini.len; at += strlen((char *)ini.data + at) + 1)
		if (memcmp(ini.data + at, key, len) == 0 &&
			ini.data[at + len] == '=')
			return (char *)ini.data + at + len + 1;
	return NULL;
}

/* The operational stage, to its end. */
void login_negotiate(enum keys_phase phase, bool first)
{
	static const struct iscsi_offer offer = {
		.immediate_data = true,
		.first_burst_length = 32768,
		.max_burst_length = 131072,
		.max_recv_data_segment_length = 65536,
		.max_outstanding_r2t = 4,
		.max_connections = 1,
		.default_time2retain = 20,
	};
	struct text_in in = {0};
	struct text_pair pair;
	struct keys keys;
	const char *cause;
	size_t at = 0;

	keys_init(&keys, phase, &offer);
	if (first)
		login_name(phase == KEYS_DISCOVERY ? "Discovery" : "Normal");
	keys_offer(&keys, &text);
	login_send(STAGE_OPERATIONAL, STAGE_FULL_FEATURE, true);
	cr_assert_eq(ini.count, 1);
	cr_assert_eq(ini.got[0].login.status_class, 0);
	cr_assert(ini.got[0].final && ini.got[0].login.nsg == 3);
	cr_assert_eq(text_in_add(&in, ini.data, ini.len), 0);
	while (text_in_next(&in, &at, &pair, &cause) == 1)
		cr_assert_eq(keys_take(&keys, pair.key, pair.value, &text, why,
				     sizeof why),
			0, "%s", why);
	text_in_clear(&in);
	cr_assert(keys_settled(&keys));
	cr_assert_eq(text.len, 0, "nothing of it needs an answer");
	cr_assert_eq(keys_finish(&keys, &session, &conn, why, sizeof why), 0,
		"%s", why);
	pdu_rx_set(&ini.rx, conn.header_digest, conn.data_digest,
		conn.max_recv_data);
	ini.digests =
		(struct pdu_digests){.header = conn.header_digest,
			.data = conn.data_digest};
}

void login(void)
{
	login_negotiate(KEYS_LEADING, true);
}

void no_violations(void)
{
	cr_expect_eq(target->violations, 0, "%s", target->violation);
}
