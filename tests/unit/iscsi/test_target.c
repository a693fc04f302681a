/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target, driven by a bare initiator made of the daemon's codec,
 * framer, keys and CHAP: both halves of the protocol check each other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/base/outq.h>
#include <umpio/base/pump.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "daemon/iscsi/chap.h"
#include "daemon/iscsi/keys.h"
#include "daemon/iscsi/pdu.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define SECOND 1000000000ull
#define DATA   (192u << 10)

/* The bare initiator: one PDU out, then the answers in. */
struct ini {
	struct pump *pump;
	struct pdu_rx rx;
	struct outq out;
	struct outq_item item;
	struct pdu_digests digests;
	struct bhs got[64];
	unsigned count;
	uint8_t data[8192]; /* of the last PDU with staged data */
	uint32_t len;
	uint8_t *buffer; /* for Data-In */
	uint32_t cmd_sn, exp_stat_sn;
	bool closed;
	int err;
};

static struct loop *loop;
static struct t_lun *lun;
static struct t_target *target;
static struct t_target_options options;
static struct ini ini;
static struct session_params session;
static struct conn_params conn;
static uint8_t out_data[DATA], in_data[DATA];

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

static void ini_begin(struct stream *stream)
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

static void ini_connect(void)
{
	struct addr at = t_addr("10.0.0.1:3260");
	struct stream *s[2];

	t_stream_pair(loop, loop, &at, s);
	cr_assert_not_null(t_target_accept(target, s[1], 1));
	ini_begin(s[0]);
}

static void ini_leave(void)
{
	outq_drop(&ini.out);
	pump_free(ini.pump, true);
	pdu_rx_fini(&ini.rx);
}

static void begin(void)
{
	struct t_lun_options unit = {.blocks = 4096};
	size_t i;

	for (i = 0; i < DATA; i++)
		out_data[i] = (uint8_t)(i * 7 + i / 251);
	memset(in_data, 0, DATA);
	loop = loop_new();
	lun = t_lun_new(&unit);
	target = t_target_new(loop, lun, &options);
	ini_connect();
}

static void end(void)
{
	ini_leave();
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

/* Sends, and lets all that follows from it happen. */
static void send_pdu(struct bhs *b, const void *data, uint32_t len)
{
	b->exp_stat_sn = ini.exp_stat_sn;
	ini.count = 0;
	ini.len = 0;
	pdu_tx(&ini.item, b, data, len, ini.digests);
	outq_push(&ini.out, &ini.item);
	pump_tx(ini.pump);
	t_loop_run_for(loop, SECOND);
}

static void send_command(struct bhs *b, const void *data, uint32_t len)
{
	b->cmd_sn = ini.cmd_sn;
	if (!b->immediate)
		ini.cmd_sn++;
	send_pdu(b, data, len);
}

static struct text_out text;
static char text_data[8192], why[160];

static void login_send(unsigned csg, unsigned nsg, bool last)
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

static void login_name(const char *type)
{
	text = (struct text_out){.data = text_data, .cap = sizeof text_data};
	text_put(&text, "InitiatorName", "iqn.2003-01.org.example:host");
	text_put(&text, "SessionType", type);
	if (*type == 'N')
		text_put(&text, "TargetName", options.name);
}

static const char *got_value(const char *key)
{
	size_t at, len = strlen(key);

	for (at = 0; at < ini.len; at += strlen((char *)ini.data + at) + 1)
		if (memcmp(ini.data + at, key, len) == 0 &&
			ini.data[at + len] == '=')
			return (char *)ini.data + at + len + 1;
	return NULL;
}

/* The operational stage, to its end. */
static void login_negotiate(enum keys_phase phase, bool first)
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
		(struct pdu_digests){conn.header_digest, conn.data_digest};
}

static void login(void)
{
	login_negotiate(KEYS_LEADING, true);
}

static void no_violations(void)
{
	cr_expect_eq(target->violations, 0, "%s", target->violation);
}

static void setup(void)
{
	t_target_options_init(&options);
}

TestSuite(target, .init = setup);

Test(target, login_and_logout)
{
	struct bhs b = bhs_make(OP_LOGOUT_REQ);

	begin();
	login();
	cr_expect_neq(ini.got[0].login.tsih, 0);
	cr_expect(conn.header_digest && conn.data_digest);
	cr_expect_eq(conn.max_send_data, 65536);
	cr_expect_eq(session.max_burst_length, 131072);
	cr_expect_eq(session.max_outstanding_r2t, 1);
	cr_expect_eq(target->logins, 1);
	b.itt = 2;
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_LOGOUT_RSP);
	cr_expect_eq(ini.got[0].logout_rsp.response, 0);
	cr_expect(LIST_EMPTY(&target->sessions));
	no_violations();
	end();
}

static struct bhs rw_command(
	bool write, uint32_t itt, uint32_t lba, uint32_t bytes)
{
	struct bhs b = bhs_make(OP_SCSI_CMD);

	b.itt = itt;
	b.scsi_cmd.write = write;
	b.scsi_cmd.read = !write;
	b.scsi_cmd.attr = ATTR_SIMPLE;
	b.scsi_cmd.edtl = bytes;
	b.scsi_cmd.cdb[0] = write ? 0x2a : 0x28;
	b.scsi_cmd.cdb[4] = (uint8_t)(lba >> 8);
	b.scsi_cmd.cdb[5] = (uint8_t)lba;
	b.scsi_cmd.cdb[7] = (uint8_t)(bytes / 512 >> 8);
	b.scsi_cmd.cdb[8] = (uint8_t)(bytes / 512);
	return b;
}

/* Answers each R2T with PDUs of at most `most` bytes. */
static void answer_r2ts(uint32_t most)
{
	while (ini.count > 0 && ini.got[ini.count - 1].op == OP_R2T) {
		struct bhs r2t = ini.got[ini.count - 1];
		uint32_t at = 0, sn = 0;

		cr_assert_leq(r2t.r2t.len, session.max_burst_length);
		while (at < r2t.r2t.len) {
			struct bhs b = bhs_make(OP_DATA_OUT);
			uint32_t left = r2t.r2t.len - at;
			uint32_t len = left < most ? left : most;

			memcpy(b.lun, r2t.lun, 8);
			b.itt = r2t.itt;
			b.ttt = r2t.ttt;
			b.final = len == left;
			b.data_out.data_sn = sn++;
			b.data_out.offset = r2t.r2t.offset + at;
			send_pdu(&b, out_data + b.data_out.offset, len);
			at += len;
		}
	}
}

static void check_good(void)
{
	const struct bhs *last = &ini.got[ini.count - 1];

	cr_assert_gt(ini.count, 0);
	cr_assert_eq(last->op, OP_SCSI_RSP);
	cr_expect_eq(last->scsi_rsp.status, 0);
	cr_expect_eq(last->scsi_rsp.residual_kind, RESIDUAL_NONE);
}

/* Immediate and solicited data out, then the same back. */
static void write_and_read(uint32_t immediate, uint32_t bytes)
{
	struct bhs b = rw_command(true, 10, 8, bytes);
	unsigned reads;

	send_command(&b, out_data, immediate);
	answer_r2ts(50000);
	check_good();
	b = rw_command(false, 11, 8, bytes);
	ini.buffer = in_data;
	send_command(&b, NULL, 0);
	ini.buffer = NULL;
	reads = ini.count;
	cr_expect_arr_eq(in_data, out_data, bytes);
	if (!options.collapse) {
		check_good();
		cr_expect_eq(
			ini.got[ini.count - 1].scsi_rsp.exp_data_sn, reads - 1);
	} else {
		cr_expect(ini.got[reads - 1].data_in.has_status);
	}
	cr_expect(reads > 1 || options.collapse);
	no_violations();
}

Test(target, data_with_digests)
{
	begin();
	login();
	write_and_read(0, 512);
	write_and_read(32768, DATA);
	write_and_read(4096, 4096);
	end();
}

Test(target, data_without_digests_collapsed)
{
	options.header_digest = options.data_digest = false;
	options.collapse = true;
	begin();
	login();
	cr_expect(!conn.header_digest);
	write_and_read(4096, DATA);
	end();
}

Test(target, unsolicited_data)
{
	struct bhs b;

	begin();
	login();
	cr_assert(!session.initial_r2t);
	b = rw_command(true, 10, 0, 65536);
	b.final = false;
	send_command(&b, out_data, 4096);
	cr_expect_eq(ini.count, 0);
	b = bhs_make(OP_DATA_OUT);
	b.itt = 10;
	b.data_out.offset = 4096;
	send_pdu(&b, out_data + 4096, 32768 - 4096);
	answer_r2ts(65536);
	check_good();
	cr_expect_arr_eq(lun->memory, out_data, 65536);
	no_violations();
	/* Less than announced, with F: that is a breach. */
	b = rw_command(true, 11, 0, 65536);
	b.final = false;
	send_command(&b, out_data, 4096);
	b = bhs_make(OP_DATA_OUT);
	b.itt = 11;
	b.data_out.offset = 4096;
	send_pdu(&b, out_data + 4096, 512);
	cr_expect_eq(target->violations, 1);
	end();
}

Test(target, check_condition_has_sense)
{
	struct bhs b = rw_command(false, 10, 4095, 1024);

	begin();
	login();
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].scsi_rsp.status, 2);
	cr_expect_eq(ini.len, 2 + 18);
	cr_expect_eq(ini.data[1], 18);
	cr_expect_eq(ini.data[2 + 2] & 15, 5);
	end();
}

Test(target, pings)
{
	struct bhs b = bhs_make(OP_NOP_OUT), ping;

	begin();
	login();
	b.itt = 5;
	b.immediate = true;
	send_command(&b, "hello", 5);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_NOP_IN);
	cr_expect_eq(ini.got[0].itt, 5);
	cr_expect_arr_eq(ini.data, "hello", 5);
	ini.count = 0;
	t_conn_ping(t_target_conn(target, 0));
	t_loop_run_for(loop, SECOND);
	cr_assert_eq(ini.count, 1);
	ping = ini.got[0];
	cr_expect_eq(bhs_stat_use(&ping), STAT_NEXT);
	b = bhs_make(OP_NOP_OUT);
	b.immediate = true;
	b.ttt = ping.ttt;
	memcpy(b.lun, ping.lun, 8);
	send_command(&b, NULL, 0);
	cr_expect_eq(t_target_conn(target, 0)->ping_ttt, T_NO_TAG);
	no_violations();
	b.ttt = 4711;
	send_command(&b, NULL, 0);
	cr_expect_eq(target->violations, 1);
	end();
}

Test(target, task_management)
{
	struct bhs b = rw_command(true, 10, 0, 65536), tmf;

	begin();
	login();
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.got[0].op, OP_R2T);
	tmf = bhs_make(OP_TMF_REQ);
	tmf.immediate = true;
	tmf.itt = 11;
	tmf.tmf.function = TMF_ABORT_TASK;
	tmf.tmf.rtt = 10;
	tmf.tmf.ref_cmd_sn = b.cmd_sn;
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_COMPLETE);
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_NO_TASK);
	tmf.tmf.function = TMF_LUN_RESET;
	tmf.tmf.rtt = BHS_TAG_NONE;
	send_command(&tmf, NULL, 0);
	cr_expect_eq(ini.got[0].tmf_rsp.response, TMF_RSP_COMPLETE);
	no_violations();
	end();
}

Test(target, numbers_are_watched)
{
	struct bhs b = rw_command(false, 10, 0, 512);

	begin();
	login();
	ini.cmd_sn++;
	send_command(&b, NULL, 0);
	cr_expect_eq(target->violations, 1);
	cr_expect_eq(ini.count, 0);
	end();
}

Test(target, hold_and_release)
{
	struct bhs b = rw_command(false, 10, 0, 512);

	begin();
	login();
	target->hold = true;
	send_command(&b, NULL, 0);
	cr_expect_eq(ini.count, 0);
	t_target_release(target);
	t_loop_run_for(loop, SECOND);
	check_good();
	end();
}

Test(target, discovery)
{
	struct bhs b = bhs_make(OP_TEXT_REQ);
	char all[256];
	size_t len = 0;

	options.text_chunk = 20;
	options.portals[1] = (struct t_portal){"[2001:db8::1]:3260", 2};
	options.nportals = 2;
	begin();
	login_negotiate(KEYS_DISCOVERY, true);
	b.itt = 7;
	send_command(&b, "SendTargets=All", 16);
	while (ini.count == 1 && len < sizeof all - 20) {
		memcpy(all + len, ini.data, ini.len);
		len += ini.len;
		if (ini.got[0].final)
			break;
		b.ttt = ini.got[0].ttt;
		send_command(&b, NULL, 0);
	}
	cr_expect_str_eq(all, "TargetName=iqn.2003-01.org.example:model");
	cr_expect_not_null(
		memmem(all, len, "TargetAddress=127.0.0.1:3260,1", 31));
	cr_expect_not_null(
		memmem(all, len, "TargetAddress=[2001:db8::1]:3260,2", 35));
	no_violations();
	end();
}

/* The whole of CHAP against the daemon's half. */
static int chap_login(const struct iscsi_chap *config)
{
	static const uint8_t random[1 + CHAP_CHALLENGE_LEN] = {33, 1, 2, 3};
	char list[CHAP_LIST_MAX];
	const char *cause;
	struct chap c;
	int err;

	cr_assert_eq(chap_init(&c, config, NULL, false, &cause), 0);
	login_name("Normal");
	text_put(&text, "AuthMethod", "CHAP,None");
	login_send(STAGE_SECURITY, 0, false);
	cr_assert_str_eq(got_value("AuthMethod"), "CHAP");
	text_put(&text, "CHAP_A", chap_list(&c, list));
	login_send(STAGE_SECURITY, 0, false);
	cr_assert_eq(chap_choose(&c, got_value("CHAP_A"), &cause), 0);
	cr_assert_eq(chap_challenge(&c, got_value("CHAP_I"),
			     got_value("CHAP_C"), &cause),
		0, "%s", cause);
	cr_assert_eq(chap_respond(&c, random, &text, &cause), 0);
	login_send(STAGE_SECURITY, STAGE_OPERATIONAL, true);
	err = ini.got[0].login.status_class << 8 |
	      ini.got[0].login.status_detail;
	if (!err)
		err = chap_verify(
			&c, got_value("CHAP_N"), got_value("CHAP_R"), &cause);
	chap_fini(&c);
	return err;
}

Test(target, chap)
{
	struct iscsi_chap config = {.user = "host1",
		.secret = "abcdefghijkl",
		.secret_len = 12,
		.mutual_user = "array1",
		.mutual_secret = "zyxwvutsrqpo",
		.mutual_secret_len = 12};

	options.chap_user = "host1";
	options.chap_secret = "abcdefghijkl";
	options.mutual_user = "array1";
	options.mutual_secret = "zyxwvutsrqpo";
	for (options.chap_alg = 5; options.chap_alg <= 8; options.chap_alg++) {
		begin();
		cr_expect_eq(chap_login(&config), 0);
		login_negotiate(KEYS_LEADING, false);
		cr_expect_eq(target->logins, 1);
		no_violations();
		end();
	}
	config.secret = "abcdefghijkL";
	begin();
	cr_expect_eq(chap_login(&config), 0x0201);
	end();
	config.secret = "abcdefghijkl";
	config.mutual_secret = "ZyxwvutsrqpO";
	begin();
	cr_expect_eq(chap_login(&config), -EACCES);
	end();
}

Test(target, refusals)
{
	options.chap_user = "host1";
	options.chap_secret = "abcdefghijkl";
	begin();
	login_name("Normal");
	text_put(&text, "AuthMethod", "None");
	login_send(STAGE_SECURITY, STAGE_FULL_FEATURE, true);
	cr_expect_eq(ini.got[0].login.status_class, 2);
	cr_expect_eq(ini.got[0].login.status_detail, 1);
	end();
	options.chap_user = NULL;
	options.name = "iqn.2003-01.org.example:other";
	begin();
	login_name("Normal");
	target->options.name = "iqn.2003-01.org.example:model";
	login_send(STAGE_OPERATIONAL, STAGE_FULL_FEATURE, true);
	cr_expect_eq(ini.got[0].login.status_detail, 3);
	end();
}

Test(target, reinstatement)
{
	begin();
	login();
	ini_leave();
	ini_connect();
	login();
	cr_expect_eq(target->reinstatements, 1);
	cr_expect_not_null(LIST_FIRST(&target->sessions));
	cr_expect_null(LIST_NEXT(LIST_FIRST(&target->sessions), link));
	no_violations();
	end();
}

static enum t_verdict drop_data_in(
	void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) == 0x21)
		t_set(pdu->bhs, T_STATUS, 0x28);
	return t_get(pdu->bhs, T_OPCODE) == *(unsigned *)arg ? T_DROP : T_PASS;
}

Test(target, hooks)
{
	static const struct t_hooks hooks = {.tx = drop_data_in};
	struct bhs b = rw_command(false, 10, 0, 512);
	unsigned opcode = 0x25;

	begin();
	login();
	target->hooks = &hooks;
	target->hooks_arg = &opcode;
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_SCSI_RSP);
	cr_expect_eq(ini.got[0].scsi_rsp.status, 0x28);
	t_conn_end(t_target_conn(target, 0), true);
	t_loop_run_for(loop, SECOND);
	cr_expect(ini.closed);
	cr_expect_lt(ini.err, 0);
	end();
}

static void ini_connected(void *arg, struct stream *s, int err)
{
	cr_assert_eq(err, 0);
	*(struct stream **)arg = s;
}

/* Over a listener, as a test of the daemon reaches it: two portals of two
 * groups are two sessions of one initiator. */
Test(target, portals)
{
	struct addr at = t_addr("10.0.0.2:3260");
	struct stream *s = NULL;

	options.portals[1].tpgt = 2;
	begin();
	login();
	cr_assert_eq(t_target_listen(target, 1, &at), 0);
	cr_assert_not_null(stream_connect(
		loop, &at, &(struct stream_options){0}, ini_connected, &s));
	t_loop_run_for(loop, SECOND);
	cr_assert_not_null(s);
	cr_expect_eq(t_target_conn(target, 1)->tpgt, 2);
	ini_leave();
	ini_begin(s);
	login();
	cr_expect_eq(target->reinstatements, 0);
	cr_expect_eq(target->logins, 2);
	t_target_unlisten(target, 1);
	no_violations();
	end();
}
