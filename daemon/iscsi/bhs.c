/* SPDX-License-Identifier: BSD-2-Clause */
#include "bhs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <umpio/base/bytes.h>

/* Offsets that most PDUs share (RFC 7143 11.2). */
enum {
	AT_FLAGS = 1,
	AT_RESPONSE = 2,
	AT_STATUS = 3,
	AT_AHS = 4,
	AT_DATA_LEN = 5,
	AT_LUN = 8,
	AT_ITT = 16,
	AT_TTT = 20,
	AT_CMD_SN = 24, /* requests */
	AT_EXP_STAT_SN = 28,
	AT_STAT_SN = 24, /* responses */
	AT_EXP_CMD_SN = 28,
	AT_MAX_CMD_SN = 32,
	AT_36 = 36,
	AT_40 = 40,
	AT_44 = 44,
};

enum {
	IMMEDIATE = 0x40,
	OPCODE = 0x3f,
	FINAL = 0x80,
	MORE = 0x40, /* C of Login and Text */
	READ = 0x40,
	WRITE = 0x20,
	OVERFLOW = 0x04,
	UNDERFLOW = 0x02,
	DATA_IN_ACK = 0x40,
	DATA_IN_STATUS = 0x01,
	CHECK_CONDITION = 0x02,
};

typedef void encode_fn(const struct bhs *b, uint8_t *out);
typedef const char *decode_fn(struct bhs *b, const uint8_t *in);

static void encode_nop_out(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] = FINAL;
	put_be32(out + AT_TTT, b->ttt);
}

static void encode_scsi_cmd(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] |= (uint8_t)((b->scsi_cmd.read ? READ : 0) |
				   (b->scsi_cmd.write ? WRITE : 0) |
				   (b->scsi_cmd.attr & 7));
	put_be32(out + AT_TTT, b->scsi_cmd.edtl);
	memcpy(out + 32, b->scsi_cmd.cdb, sizeof b->scsi_cmd.cdb);
}

static void encode_tmf(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] = FINAL | b->tmf.function;
	put_be32(out + AT_TTT, b->tmf.rtt);
	put_be32(out + 32, b->tmf.ref_cmd_sn);
	put_be32(out + AT_36, b->tmf.exp_data_sn);
}

static void encode_login(const struct bhs *b, uint8_t *out)
{
	out[0] |= IMMEDIATE;
	out[AT_FLAGS] |=
		(uint8_t)((b->login.more ? MORE : 0) | (b->login.csg & 3) << 2 |
			  (b->login.nsg & 3));
	out[2] = b->login.version_max;
	out[3] = b->login.version_min;
	memcpy(out + AT_LUN, b->login.isid, sizeof b->login.isid);
	put_be16(out + 14, b->login.tsih);
	put_be16(out + AT_TTT, b->login.cid);
}

static void encode_text(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] |= b->text.more ? MORE : 0;
	put_be32(out + AT_TTT, b->ttt);
}

static void encode_data_out(const struct bhs *b, uint8_t *out)
{
	put_be32(out + AT_TTT, b->ttt);
	put_be32(out + AT_CMD_SN, 0);
	put_be32(out + AT_36, b->data_out.data_sn);
	put_be32(out + AT_40, b->data_out.offset);
}

static void encode_logout(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] = FINAL | b->logout.reason;
	put_be16(out + AT_TTT, b->logout.cid);
}

static void encode_snack(const struct bhs *b, uint8_t *out)
{
	out[AT_FLAGS] = FINAL | (b->snack.type & 0x0f);
	put_be32(out + AT_TTT, b->ttt);
	put_be32(out + AT_CMD_SN, 0);
	put_be32(out + AT_40, b->snack.beg_run);
	put_be32(out + AT_44, b->snack.run_length);
}

static enum residual residual_kind(uint8_t flags)
{
	if (flags & OVERFLOW)
		return RESIDUAL_OVERFLOW;
	return flags & UNDERFLOW ? RESIDUAL_UNDERFLOW : RESIDUAL_NONE;
}

static bool residual_contradicts(uint8_t flags)
{
	return (flags & (OVERFLOW | UNDERFLOW)) == (OVERFLOW | UNDERFLOW);
}

static const char *decode_nop_in(struct bhs *b, const uint8_t *in)
{
	b->ttt = get_be32(in + AT_TTT);
	return NULL;
}

/* The bidirectional read residual is not read: we send no such commands. */
static const char *decode_scsi_rsp(struct bhs *b, const uint8_t *in)
{
	b->scsi_rsp.response = in[AT_RESPONSE];
	b->scsi_rsp.status = in[AT_STATUS];
	b->scsi_rsp.residual_kind = residual_kind(in[AT_FLAGS]);
	if (b->scsi_rsp.residual_kind != RESIDUAL_NONE)
		b->scsi_rsp.residual = get_be32(in + AT_44);
	b->scsi_rsp.snack_tag = get_be32(in + AT_TTT);
	b->scsi_rsp.exp_data_sn = get_be32(in + AT_36);
	if (residual_contradicts(in[AT_FLAGS]))
		return "SCSI Response with both overflow and underflow";
	return NULL;
}

static const char *decode_tmf_rsp(struct bhs *b, const uint8_t *in)
{
	b->tmf_rsp.response = in[AT_RESPONSE];
	return NULL;
}

/* Of a refused login only the status has a meaning (11.13.5). */
static const char *decode_login_rsp(struct bhs *b, const uint8_t *in)
{
	b->login.more = in[AT_FLAGS] & MORE;
	b->login.csg = in[AT_FLAGS] >> 2 & 3;
	b->login.nsg = b->final ? in[AT_FLAGS] & 3 : 0;
	b->login.version_max = in[2];
	b->login.version_min = in[3];
	memcpy(b->login.isid, in + AT_LUN, sizeof b->login.isid);
	b->login.tsih = get_be16(in + 14);
	b->login.status_class = in[36];
	b->login.status_detail = in[37];
	if (b->login.status_class != 0)
		return NULL;
	if (b->login.csg == 2 || b->login.csg == STAGE_FULL_FEATURE)
		return "Login Response in a stage that does not exist";
	if (b->final && b->login.more)
		return "Login Response with both T and C";
	if (b->final && (b->login.nsg == 2 || b->login.nsg <= b->login.csg))
		return "Login Response to a stage that does not follow";
	return NULL;
}

static const char *decode_text_rsp(struct bhs *b, const uint8_t *in)
{
	b->text.more = in[AT_FLAGS] & MORE;
	b->ttt = get_be32(in + AT_TTT);
	return b->final && b->text.more ? "Text Response with both F and C"
					: NULL;
}

static const char *decode_data_in(struct bhs *b, const uint8_t *in)
{
	b->data_in.ack = in[AT_FLAGS] & DATA_IN_ACK;
	b->ttt = get_be32(in + AT_TTT);
	b->data_in.data_sn = get_be32(in + AT_36);
	b->data_in.offset = get_be32(in + AT_40);
	b->data_in.has_status = in[AT_FLAGS] & DATA_IN_STATUS;
	if (!b->data_in.has_status) {
		b->stat_sn = 0;
		return NULL;
	}
	b->data_in.status = in[AT_STATUS];
	b->data_in.residual_kind = residual_kind(in[AT_FLAGS]);
	if (b->data_in.residual_kind != RESIDUAL_NONE)
		b->data_in.residual = get_be32(in + AT_44);
	if (!b->final)
		return "Data-In with status that is not the final one";
	if (residual_contradicts(in[AT_FLAGS]))
		return "Data-In with both overflow and underflow";
	if (b->data_in.status == CHECK_CONDITION)
		return "Data-In with CHECK CONDITION, which needs sense";
	return NULL;
}

static const char *decode_logout_rsp(struct bhs *b, const uint8_t *in)
{
	b->logout_rsp.response = in[AT_RESPONSE];
	b->logout_rsp.time2wait = get_be16(in + 40);
	b->logout_rsp.time2retain = get_be16(in + 42);
	return NULL;
}

static const char *decode_r2t(struct bhs *b, const uint8_t *in)
{
	b->ttt = get_be32(in + AT_TTT);
	b->r2t.r2t_sn = get_be32(in + AT_36);
	b->r2t.offset = get_be32(in + AT_40);
	b->r2t.len = get_be32(in + AT_44);
	if (b->ttt == BHS_TAG_NONE)
		return "R2T without a Target Transfer Tag";
	if (b->r2t.len == 0)
		return "R2T for no data";
	if (b->data_len > 0)
		return "R2T with a data segment";
	return NULL;
}

static const char *decode_async(struct bhs *b, const uint8_t *in)
{
	b->async.event = in[36];
	b->async.vcode = in[37];
	b->async.param1 = get_be16(in + 38);
	b->async.param2 = get_be16(in + 40);
	b->async.param3 = get_be16(in + 42);
	return NULL;
}

static const char *decode_reject(struct bhs *b, const uint8_t *in)
{
	b->reject.reason = in[AT_RESPONSE];
	b->reject.data_sn = get_be32(in + AT_36);
	return NULL;
}

/* What an opcode has: of a response whether byte 1 begins with a fixed 1, and
 * whether it answers a task and so needs its tag. */
struct form {
	const char *name;
	encode_fn *encode;
	decode_fn *decode;
	bool fixed_one, answers, lun;
};

static const struct form forms[64] = {
	[OP_NOP_OUT] = {"NOP-Out", .encode = encode_nop_out, .lun = true},
	[OP_SCSI_CMD] = {"SCSI Command", .encode = encode_scsi_cmd,
		.lun = true},
	[OP_TMF_REQ] = {"Task Management Request", .encode = encode_tmf,
		.lun = true},
	[OP_LOGIN_REQ] = {"Login Request", .encode = encode_login},
	[OP_TEXT_REQ] = {"Text Request", .encode = encode_text, .lun = true},
	[OP_DATA_OUT] = {"Data-Out", .encode = encode_data_out, .lun = true},
	[OP_LOGOUT_REQ] = {"Logout Request", .encode = encode_logout},
	[OP_SNACK] = {"SNACK Request", .encode = encode_snack, .lun = true},
	[OP_NOP_IN] = {"NOP-In", .decode = decode_nop_in, .fixed_one = true,
		.lun = true},
	[OP_SCSI_RSP] = {"SCSI Response", .decode = decode_scsi_rsp,
		.fixed_one = true, .answers = true},
	[OP_TMF_RSP] = {"Task Management Response", .decode = decode_tmf_rsp,
		.fixed_one = true, .answers = true},
	[OP_LOGIN_RSP] = {"Login Response", .decode = decode_login_rsp},
	[OP_TEXT_RSP] = {"Text Response", .decode = decode_text_rsp,
		.answers = true, .lun = true},
	[OP_DATA_IN] = {"Data-In", .decode = decode_data_in, .answers = true,
		.lun = true},
	[OP_LOGOUT_RSP] = {"Logout Response", .decode = decode_logout_rsp,
		.fixed_one = true, .answers = true},
	[OP_R2T] = {"R2T", .decode = decode_r2t, .fixed_one = true,
		.answers = true, .lun = true},
	[OP_ASYNC] = {"Asynchronous Message", .decode = decode_async,
		.fixed_one = true, .lun = true},
	[OP_REJECT] = {"Reject", .decode = decode_reject, .fixed_one = true},
};

void bhs_encode(const struct bhs *b, uint8_t out[BHS_LEN])
{
	const struct form *form = &forms[b->op & OPCODE];

	memset(out, 0, BHS_LEN);
	out[0] = (uint8_t)(b->op | (b->immediate ? IMMEDIATE : 0));
	out[AT_FLAGS] = b->final ? FINAL : 0;
	put_be32(out + AT_AHS, b->data_len); /* and TotalAHSLength, 0 */
	if (form->lun)
		memcpy(out + AT_LUN, b->lun, sizeof b->lun);
	put_be32(out + AT_ITT, b->itt);
	put_be32(out + AT_CMD_SN, b->cmd_sn);
	put_be32(out + AT_EXP_STAT_SN, b->exp_stat_sn);
	form->encode(b, out);
}

int bhs_decode(struct bhs *b, const uint8_t in[BHS_LEN], const char **why)
{
	const struct form *form = &forms[in[0] & OPCODE];

	bhs_init(b, in[0] & OPCODE);
	if (!form->decode) {
		*why = form->name ? "a request, from the target"
				  : "a PDU with an unknown opcode";
		return -EPROTO;
	}
	b->final = in[AT_FLAGS] & FINAL;
	b->ahs_words = in[AT_AHS];
	b->data_len = get_be24(in + AT_DATA_LEN);
	if (form->lun)
		memcpy(b->lun, in + AT_LUN, sizeof b->lun);
	b->itt = get_be32(in + AT_ITT);
	b->stat_sn = get_be32(in + AT_STAT_SN);
	b->exp_cmd_sn = get_be32(in + AT_EXP_CMD_SN);
	b->max_cmd_sn = get_be32(in + AT_MAX_CMD_SN);
	*why = form->decode(b, in);
	if (!*why && form->fixed_one && !b->final)
		*why = "a PDU whose first flag, always 1, is 0";
	if (!*why && form->answers && b->itt == BHS_TAG_NONE)
		*why = "an answer without an Initiator Task Tag";
	return *why ? -EPROTO : 0;
}

const char *bhs_op_name(uint8_t op)
{
	const char *name = forms[op & OPCODE].name;

	return name ? name : "unknown PDU";
}
