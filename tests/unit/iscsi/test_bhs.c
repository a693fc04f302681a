/* SPDX-License-Identifier: BSD-2-Clause */
/* Every field of every PDU at its offset, against the tests' own codec. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/iscsi/bhs.h"
#include "daemon/iscsi/sn.h"
#include "tests/lib/t_bhs.h"

#define LUN_BYTES 0x0001020304050607ull

/* A request with every common field told apart. */
static struct bhs request(enum bhs_op op)
{
	struct bhs b = bhs_make(op);

	b.immediate = true;
	b.data_len = 0x010203;
	memcpy(b.lun, "\0\1\2\3\4\5\6\7", 8);
	b.itt = 0x11121314;
	b.ttt = 0x21222324;
	b.cmd_sn = 0x31323334;
	b.exp_stat_sn = 0x41424344;
	return b;
}

static void check_common(const uint8_t *raw, uint8_t op)
{
	cr_expect_eq(t_get(raw, T_OPCODE), op);
	cr_expect_eq(t_get(raw, T_IMMEDIATE), 1);
	cr_expect_eq(t_get(raw, T_AHS_WORDS), 0);
	cr_expect_eq(t_get(raw, T_DATA_LEN), 0x010203);
	cr_expect_eq(t_get(raw, T_ITT), 0x11121314);
	cr_expect_eq(t_get(raw, T_EXP_STAT_SN), 0x41424344);
}

Test(bhs, scsi_command)
{
	struct bhs b = request(OP_SCSI_CMD);
	uint8_t raw[48];

	b.scsi_cmd.read = true;
	b.scsi_cmd.attr = ATTR_ORDERED;
	b.scsi_cmd.edtl = 0x51525354;
	memcpy(b.scsi_cmd.cdb, "0123456789abcdef", 16);
	bhs_encode(&b, raw);
	check_common(raw, 0x01);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x80 | 0x40 | 2);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_EDTL), 0x51525354);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
	cr_expect_arr_eq(raw + 32, "0123456789abcdef", 16);
	b.scsi_cmd.read = b.final = false;
	b.scsi_cmd.write = true;
	bhs_encode(&b, raw);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x20 | 2);
}

/* The example of RFC 3720 B.4: READ(10) with ITT, EDTL and numbers set. */
Test(bhs, known_bytes)
{
	static const uint8_t want[48] = {0x01, 0xc0, [16] = 0x14, [22] = 0x04,
		[27] = 0x14, [31] = 0x18, [32] = 0x28, [39] = 0x14};
	struct bhs b = bhs_make(OP_SCSI_CMD);
	uint8_t raw[48];

	b.itt = 0x14000000;
	b.scsi_cmd.read = true;
	b.scsi_cmd.edtl = 0x400;
	b.cmd_sn = 0x14;
	b.exp_stat_sn = 0x18;
	b.scsi_cmd.cdb[0] = 0x28;
	b.scsi_cmd.cdb[7] = 0x14;
	bhs_encode(&b, raw);
	cr_expect_arr_eq(raw, want, 48);
}

Test(bhs, nop_out)
{
	struct bhs b = request(OP_NOP_OUT);
	uint8_t raw[48];

	bhs_encode(&b, raw);
	check_common(raw, 0x00);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x80);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_TTT), 0x21222324);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
}

Test(bhs, tmf_request)
{
	struct bhs b = request(OP_TMF_REQ);
	uint8_t raw[48];

	b.tmf.function = TMF_TASK_REASSIGN;
	b.tmf.rtt = 0x51525354;
	b.tmf.ref_cmd_sn = 0x61626364;
	b.tmf.exp_data_sn = 0x71727374;
	bhs_encode(&b, raw);
	check_common(raw, 0x02);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x88);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_RTT), 0x51525354);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
	cr_expect_eq(t_get(raw, T_REF_CMD_SN), 0x61626364);
	cr_expect_eq(t_get(raw, T_EXP_DATA_SN), 0x71727374);
}

Test(bhs, login_request)
{
	struct bhs b = request(OP_LOGIN_REQ);
	uint8_t raw[48];

	b.immediate = false; /* always set on the wire */
	b.login.csg = STAGE_OPERATIONAL;
	b.login.nsg = STAGE_FULL_FEATURE;
	b.login.tsih = 0x0908;
	b.login.cid = 0x0a0b;
	memcpy(b.login.isid, "\x80\1\2\3\4\5", 6);
	bhs_encode(&b, raw);
	check_common(raw, 0x03);
	cr_expect_eq(raw[0], 0x43);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x80 | 0x04 | 0x03);
	cr_expect_eq(t_get(raw, T_ISID), 0x800102030405);
	cr_expect_eq(t_get(raw, T_TSIH), 0x0908);
	cr_expect_eq(t_get(raw, T_CID), 0x0a0b);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
	b.final = false;
	b.login.more = true;
	b.login.nsg = 0;
	bhs_encode(&b, raw);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x40 | 0x04);
}

Test(bhs, text_request)
{
	struct bhs b = request(OP_TEXT_REQ);
	uint8_t raw[48];

	b.final = false;
	b.text.more = true;
	bhs_encode(&b, raw);
	check_common(raw, 0x04);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x40);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_TTT), 0x21222324);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
}

Test(bhs, data_out)
{
	struct bhs b = request(OP_DATA_OUT);
	uint8_t raw[48];

	b.data_out.data_sn = 0x51525354;
	b.data_out.offset = 0x61626364;
	bhs_encode(&b, raw);
	check_common(raw, 0x05);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x80);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_TTT), 0x21222324);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0, "has none");
	cr_expect_eq(t_get(raw, T_DATA_SN), 0x51525354);
	cr_expect_eq(t_get(raw, T_OFFSET), 0x61626364);
}

Test(bhs, logout_request)
{
	struct bhs b = request(OP_LOGOUT_REQ);
	uint8_t raw[48];

	b.logout.reason = LOGOUT_RECOVERY;
	b.logout.cid = 0x0a0b;
	bhs_encode(&b, raw);
	check_common(raw, 0x06);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x82);
	cr_expect_eq(t_get(raw, T_LUN), 0, "has none");
	cr_expect_eq(t_get(raw, T_CID), 0x0a0b);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0x31323334);
}

/* BegRun and RunLength stand at 40 and 44; a draft had them elsewhere. */
Test(bhs, snack)
{
	struct bhs b = request(OP_SNACK);
	uint8_t raw[48];

	b.snack.type = SNACK_R_DATA;
	b.snack.beg_run = 0x51525354;
	b.snack.run_length = 0x61626364;
	bhs_encode(&b, raw);
	check_common(raw, 0x10);
	cr_expect_eq(t_get(raw, T_FLAGS), 0x83);
	cr_expect_eq(t_get(raw, T_LUN), LUN_BYTES);
	cr_expect_eq(t_get(raw, T_TTT), 0x21222324);
	cr_expect_eq(t_get(raw, T_CMD_SN), 0, "has none");
	cr_expect_eq(t_get(raw, T_BEG_RUN), 0x51525354);
	cr_expect_eq(t_get(raw, T_RUN_LENGTH), 0x61626364);
}

/* A response with every common field told apart and its first flag set. */
static void response(uint8_t *raw, uint8_t op)
{
	t_make(raw, op);
	t_set(raw, T_FINAL, 1);
	t_set(raw, T_LUN, LUN_BYTES);
	t_set(raw, T_ITT, 0x11121314);
	t_set(raw, T_TTT, 0x21222324);
	t_set(raw, T_STAT_SN, 0x31323334);
	t_set(raw, T_EXP_CMD_SN, 0x41424344);
	t_set(raw, T_MAX_CMD_SN, 0x51525354);
}

static struct bhs decoded(const uint8_t *raw)
{
	const char *why = NULL;
	struct bhs b;

	cr_assert_eq(bhs_decode(&b, raw, &why), 0, "%s", why);
	cr_expect_eq(b.op, t_get(raw, T_OPCODE));
	cr_expect_eq(b.itt, 0x11121314);
	cr_expect_eq(b.exp_cmd_sn, 0x41424344);
	cr_expect_eq(b.max_cmd_sn, 0x51525354);
	return b;
}

static void refused(const uint8_t *raw)
{
	const char *why = NULL;
	struct bhs b;

	cr_expect_eq(bhs_decode(&b, raw, &why), -EPROTO);
	cr_expect_not_null(why);
}

Test(bhs, scsi_response)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x21);
	t_set(raw, T_UNDER, 1);
	t_set(raw, T_RESPONSE, 1);
	t_set(raw, T_STATUS, 0x28);
	t_set(raw, T_EXP_DATA_SN, 0x61626364);
	t_set(raw, T_RESIDUAL, 0x71727374);
	t_set(raw, T_DATA_LEN, 0x010203);
	b = decoded(raw);
	cr_expect_eq(b.scsi_rsp.response, 1);
	cr_expect_eq(b.scsi_rsp.status, 0x28);
	cr_expect_eq(b.scsi_rsp.residual_kind, RESIDUAL_UNDERFLOW);
	cr_expect_eq(b.scsi_rsp.residual, 0x71727374);
	cr_expect_eq(b.scsi_rsp.exp_data_sn, 0x61626364);
	cr_expect_eq(b.scsi_rsp.snack_tag, 0x21222324);
	cr_expect_eq(b.stat_sn, 0x31323334);
	cr_expect_eq(b.data_len, 0x010203);
	cr_expect_eq(b.ttt, BHS_TAG_NONE);
	t_set(raw, T_UNDER, 0);
	cr_expect_eq(decoded(raw).scsi_rsp.residual, 0, "holds with O or U");
	t_set(raw, T_OVER, 1);
	cr_expect_eq(decoded(raw).scsi_rsp.residual_kind, RESIDUAL_OVERFLOW);
	t_set(raw, T_UNDER, 1);
	refused(raw);
}

Test(bhs, data_in)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x25);
	t_set(raw, T_FINAL, 0);
	t_set(raw, T_ACK, 1);
	t_set(raw, T_DATA_SN, 0x61626364);
	t_set(raw, T_OFFSET, 0x71727374);
	t_set(raw, T_STATUS, 0x28);
	b = decoded(raw);
	cr_expect(b.data_in.ack && !b.final && !b.data_in.has_status);
	cr_expect_eq(b.data_in.data_sn, 0x61626364);
	cr_expect_eq(b.data_in.offset, 0x71727374);
	cr_expect_eq(b.data_in.status, 0, "holds with S");
	cr_expect_eq(b.stat_sn, 0, "holds with S");
	cr_expect_eq(b.ttt, 0x21222324);
	cr_expect_eq(bhs_stat_use(&b), STAT_NONE);
	t_set(raw, T_HAS_STATUS, 1);
	refused(raw); /* S without F */
	t_set(raw, T_FINAL, 1);
	t_set(raw, T_UNDER, 1);
	t_set(raw, T_RESIDUAL, 5);
	b = decoded(raw);
	cr_expect_eq(b.data_in.status, 0x28);
	cr_expect_eq(b.data_in.residual_kind, RESIDUAL_UNDERFLOW);
	cr_expect_eq(b.data_in.residual, 5);
	cr_expect_eq(b.stat_sn, 0x31323334);
	cr_expect_eq(bhs_stat_use(&b), STAT_TAKES);
	t_set(raw, T_STATUS, 0x02);
	refused(raw); /* CHECK CONDITION needs sense */
	t_set(raw, T_STATUS, 0);
	t_set(raw, T_OVER, 1);
	refused(raw);
}

Test(bhs, r2t)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x31);
	t_set(raw, T_DATA_SN, 0x61626364);
	t_set(raw, T_OFFSET, 0x71727374);
	t_set(raw, T_DESIRED, 0x01020304);
	b = decoded(raw);
	cr_expect_eq(b.ttt, 0x21222324);
	cr_expect_eq(b.r2t.r2t_sn, 0x61626364);
	cr_expect_eq(b.r2t.offset, 0x71727374);
	cr_expect_eq(b.r2t.len, 0x01020304);
	cr_expect_arr_eq(b.lun, "\0\1\2\3\4\5\6\7", 8);
	cr_expect_eq(bhs_stat_use(&b), STAT_NEXT);
	t_set(raw, T_DESIRED, 0);
	refused(raw);
	t_set(raw, T_DESIRED, 1);
	t_set(raw, T_DATA_LEN, 1);
	refused(raw);
	t_set(raw, T_DATA_LEN, 0);
	t_set(raw, T_TTT, T_NO_TAG);
	refused(raw);
}

Test(bhs, login_response)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x23);
	t_set(raw, T_CSG, 1);
	t_set(raw, T_NSG, 3);
	t_set(raw, T_ISID, 0x800102030405);
	t_set(raw, T_TSIH, 0x0908);
	t_set(raw, T_VERSION_MIN, 7);
	b = decoded(raw);
	cr_expect(b.final && !b.login.more);
	cr_expect_eq(b.login.csg, 1);
	cr_expect_eq(b.login.nsg, 3);
	cr_expect_arr_eq(b.login.isid, "\x80\1\2\3\4\5", 6);
	cr_expect_eq(b.login.tsih, 0x0908);
	cr_expect_eq(b.login.version_min, 7);
	t_set(raw, T_NSG, 2);
	refused(raw); /* no such stage */
	t_set(raw, T_NSG, 1);
	refused(raw); /* no way forward */
	t_set(raw, T_FINAL, 0);
	cr_expect_eq(decoded(raw).login.nsg, 0, "holds with T");
	t_set(raw, T_CSG, 2);
	refused(raw);
	t_set(raw, T_STATUS_CLASS, 2);
	t_set(raw, T_STATUS_DETAIL, 0x0a);
	b = decoded(raw); /* of a refusal only the status counts */
	cr_expect_eq(b.login.status_class, 2);
	cr_expect_eq(b.login.status_detail, 0x0a);
}

Test(bhs, login_response_both_t_and_c)
{
	uint8_t raw[48];

	response(raw, 0x23);
	t_set(raw, T_NSG, 1);
	decoded(raw);
	t_set(raw, T_CONTINUE, 1);
	refused(raw);
}

Test(bhs, small_responses)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x22);
	t_set(raw, T_RESPONSE, 255);
	cr_expect_eq(decoded(raw).tmf_rsp.response, 255);
	response(raw, 0x24);
	cr_expect_eq(decoded(raw).ttt, 0x21222324);
	t_set(raw, T_CONTINUE, 1);
	refused(raw); /* F and C */
	t_set(raw, T_FINAL, 0);
	cr_expect(decoded(raw).text.more);
	response(raw, 0x26);
	t_set(raw, T_RESPONSE, 3);
	t_set(raw, T_TIME2WAIT, 0x0102);
	t_set(raw, T_TIME2RETAIN, 0x0304);
	b = decoded(raw);
	cr_expect_eq(b.logout_rsp.response, 3);
	cr_expect_eq(b.logout_rsp.time2wait, 0x0102);
	cr_expect_eq(b.logout_rsp.time2retain, 0x0304);
	response(raw, 0x3f);
	t_set(raw, T_RESPONSE, 9);
	t_set(raw, T_DATA_SN, 77);
	b = decoded(raw);
	cr_expect_eq(b.reject.reason, 9);
	cr_expect_eq(b.reject.data_sn, 77);
}

Test(bhs, async)
{
	uint8_t raw[48];
	struct bhs b;

	response(raw, 0x32);
	t_set(raw, T_EVENT, 2);
	t_set(raw, T_VCODE, 9);
	t_set(raw, T_PARAM1, 0x0102);
	t_set(raw, T_PARAM2, 0x0304);
	t_set(raw, T_PARAM3, 0x0506);
	b = decoded(raw);
	cr_expect_eq(b.async.event, 2);
	cr_expect_eq(b.async.vcode, 9);
	cr_expect_eq(b.async.param1, 0x0102);
	cr_expect_eq(b.async.param2, 0x0304);
	cr_expect_eq(b.async.param3, 0x0506);
	cr_expect_arr_eq(b.lun, "\0\1\2\3\4\5\6\7", 8);
	cr_expect_eq(bhs_stat_use(&b), STAT_TAKES);
}

Test(bhs, nop_in_and_stat_sn)
{
	uint8_t raw[48];
	const char *why;
	struct bhs b;

	response(raw, 0x20);
	b = decoded(raw);
	cr_expect_eq(b.ttt, 0x21222324);
	cr_expect_eq(bhs_stat_use(&b), STAT_TAKES);
	t_set(raw, T_ITT, T_NO_TAG);
	cr_assert_eq(bhs_decode(&b, raw, &why), 0);
	cr_expect_eq(bhs_stat_use(&b), STAT_NEXT);
}

Test(bhs, every_opcode_is_decoded_or_refused)
{
	static const uint8_t known[] = {
		0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f};
	uint8_t raw[48];
	unsigned op;

	for (op = 0; op < 64; op++) {
		response(raw, (uint8_t)op);
		t_set(raw, T_NSG, 1); /* a legal step of a login */
		t_set(raw, T_DESIRED, 1);
		t_set(raw, T_STATUS_CLASS, op == 0x23 ? 0 : 1);
		if (op == 0x25)
			t_set(raw, T_FLAGS, 0x80);
		if (op == 0x21)
			t_set(raw, T_FLAGS, 0x80);
		if (memchr(known, (int)op, sizeof known))
			decoded(raw);
		else
			refused(raw);
	}
}

Test(bhs, fixed_bit_and_missing_tag)
{
	static const uint8_t fixed[] = {
		0x20, 0x21, 0x22, 0x26, 0x31, 0x32, 0x3f};
	static const uint8_t answers[] = {0x21, 0x22, 0x24, 0x25, 0x26, 0x31};
	uint8_t raw[48];
	size_t i;

	for (i = 0; i < sizeof fixed; i++) {
		response(raw, fixed[i]);
		t_set(raw, T_DESIRED, 1);
		decoded(raw);
		t_set(raw, T_FINAL, 0);
		refused(raw);
	}
	for (i = 0; i < sizeof answers; i++) {
		response(raw, answers[i]);
		t_set(raw, T_DESIRED, 1);
		decoded(raw);
		t_set(raw, T_ITT, T_NO_TAG);
		refused(raw);
	}
}

Test(sn, wraps)
{
	cr_expect(sn_lt(0xffffffff, 0) && !sn_lt(0, 0xffffffff));
	cr_expect(sn_lte(7, 7) && !sn_lt(7, 7));
	cr_expect(sn_gt(2, 0xfffffffe) && sn_gte(3, 3));
	cr_expect_eq(sn_max(0xfffffff0, 5), 5);
	cr_expect_eq(sn_max(5, 0xfffffff0), 5);
	cr_expect(sn_lt(1, 0x80000000) && sn_lt(0x80000001, 0));
}
