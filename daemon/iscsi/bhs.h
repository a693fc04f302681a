/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Basic header segments (RFC 7143 11) in host order: one tagged struct for all
 * PDUs, an encoder for what an initiator sends and a decoder for what it
 * receives. What most PDUs have stands in front, what belongs to one opcode in
 * a union member that bears the opcode's name.
 */
#ifndef UMPIO_ISCSI_BHS_H
#define UMPIO_ISCSI_BHS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BHS_LEN      48
#define BHS_DATA_MAX 0xffffffu   /* DataSegmentLength has 24 bits */
#define BHS_AHS_MAX  (255u * 4)  /* TotalAHSLength has 8 bits, in words */
#define BHS_TAG_NONE 0xffffffffu /* reserved value of all tags */

enum bhs_op {
	OP_NOP_OUT = 0x00,
	OP_SCSI_CMD = 0x01,
	OP_TMF_REQ = 0x02,
	OP_LOGIN_REQ = 0x03,
	OP_TEXT_REQ = 0x04,
	OP_DATA_OUT = 0x05,
	OP_LOGOUT_REQ = 0x06,
	OP_SNACK = 0x10,
	OP_NOP_IN = 0x20,
	OP_SCSI_RSP = 0x21,
	OP_TMF_RSP = 0x22,
	OP_LOGIN_RSP = 0x23,
	OP_TEXT_RSP = 0x24,
	OP_DATA_IN = 0x25,
	OP_LOGOUT_RSP = 0x26,
	OP_R2T = 0x31,
	OP_ASYNC = 0x32,
	OP_REJECT = 0x3f,
};

enum bhs_attr { /* task attributes, 11.3.1 */
	ATTR_UNTAGGED = 0,
	ATTR_SIMPLE = 1,
	ATTR_ORDERED = 2,
	ATTR_HEAD_OF_QUEUE = 3,
	ATTR_ACA = 4,
};

enum bhs_scsi_response { /* 11.4.3 */
	SCSI_RSP_COMPLETED = 0x00,
	SCSI_RSP_TARGET_FAILURE = 0x01,
};

enum tmf_function { /* 11.5.1, RFC 7144 for the last four */
	TMF_ABORT_TASK = 1,
	TMF_ABORT_TASK_SET = 2,
	TMF_CLEAR_ACA = 3,
	TMF_CLEAR_TASK_SET = 4,
	TMF_LUN_RESET = 5,
	TMF_TARGET_WARM_RESET = 6,
	TMF_TARGET_COLD_RESET = 7,
	TMF_TASK_REASSIGN = 8,
	TMF_QUERY_TASK = 9,
	TMF_QUERY_TASK_SET = 10,
	TMF_NEXUS_RESET = 11,
	TMF_QUERY_ASYNC_EVENT = 12,
};

enum tmf_response { /* 11.6.1 */
	TMF_RSP_COMPLETE = 0,
	TMF_RSP_NO_TASK = 1,
	TMF_RSP_NO_LUN = 2,
	TMF_RSP_ALLEGIANT = 3,
	TMF_RSP_NO_REASSIGN = 4,
	TMF_RSP_NOT_SUPPORTED = 5,
	TMF_RSP_NOT_AUTHORIZED = 6,
	TMF_RSP_SUCCEEDED = 7, /* RFC 7144 */
	TMF_RSP_REJECTED = 255,
};

enum login_stage { /* CSG and NSG, 11.12.3 */
	STAGE_SECURITY = 0,
	STAGE_OPERATIONAL = 1,
	STAGE_FULL_FEATURE = 3,
};

enum logout_reason { /* 11.14.1 */
	LOGOUT_SESSION = 0,
	LOGOUT_CONNECTION = 1,
	LOGOUT_RECOVERY = 2,
};

enum logout_response { /* 11.15.1 */
	LOGOUT_RSP_CLOSED = 0,
	LOGOUT_RSP_NO_CID = 1,
	LOGOUT_RSP_NO_RECOVERY = 2,
	LOGOUT_RSP_FAILED = 3,
};

enum snack_type { /* 11.16.1 */
	SNACK_DATA_R2T = 0,
	SNACK_STATUS = 1,
	SNACK_DATA_ACK = 2,
	SNACK_R_DATA = 3,
};

enum async_event { /* 11.9.1 */
	ASYNC_SCSI = 0,
	ASYNC_LOGOUT = 1,
	ASYNC_DROP_CONNECTION = 2,
	ASYNC_DROP_ALL = 3,
	ASYNC_NEGOTIATE = 4,
	ASYNC_TASKS_TERMINATED = 5,
	ASYNC_VENDOR = 255,
};

enum reject_reason { /* 11.17.1 */
	REJECT_DATA_DIGEST = 0x02,
	REJECT_SNACK = 0x03,
	REJECT_PROTOCOL = 0x04,
	REJECT_NOT_SUPPORTED = 0x05,
	REJECT_TOO_MANY_IMMEDIATE = 0x06,
	REJECT_TASK_IN_PROGRESS = 0x07,
	REJECT_INVALID_DATA_ACK = 0x08,
	REJECT_INVALID_FIELD = 0x09,
	REJECT_LONG_OPERATION = 0x0a,
	REJECT_NEGOTIATION_RESET = 0x0b,
	REJECT_WAITING_FOR_LOGOUT = 0x0c,
};

enum residual { RESIDUAL_NONE, RESIDUAL_UNDERFLOW, RESIDUAL_OVERFLOW };

struct bhs {
	enum bhs_op op;
	bool immediate;    /* I; requests only */
	bool final;        /* F; T of a login PDU; set by the encoder where the
			    * bit is fixed */
	uint8_t ahs_words; /* TotalAHSLength; what we send has none */
	uint32_t data_len; /* DataSegmentLength */
	uint8_t lun[8];    /* zero where the PDU has none */
	uint32_t itt;      /* Initiator Task Tag */
	uint32_t ttt;      /* Target Transfer Tag: NOP, Text, Data-Out, Data-In,
			    * R2T, SNACK; BHS_TAG_NONE where the PDU has none */
	uint32_t cmd_sn;   /* requests; not Data-Out, SNACK */
	uint32_t exp_stat_sn; /* all requests */
	uint32_t stat_sn;     /* responses; of a Data-In only with has_status */
	uint32_t exp_cmd_sn, max_cmd_sn; /* all responses */
	union {
		struct {
			bool read, write;
			uint8_t attr;  /* enum bhs_attr */
			uint32_t edtl; /* ExpectedDataTransferLength */
			uint8_t cdb[16];
		} scsi_cmd;
		struct {
			uint8_t response; /* enum bhs_scsi_response, others */
			uint8_t status;   /* SAM-5 5.3.1 */
			enum residual residual_kind;
			uint32_t residual; /* bytes, 0 when the kind is none */
			uint32_t snack_tag;
			uint32_t exp_data_sn;
		} scsi_rsp;
		struct {
			uint8_t function; /* enum tmf_function */
			uint32_t rtt;     /* Referenced Task Tag */
			uint32_t ref_cmd_sn;
			uint32_t exp_data_sn;
		} tmf;
		struct {
			uint8_t response; /* enum tmf_response, others */
		} tmf_rsp;
		struct {
			uint32_t data_sn;
			uint32_t offset; /* BufferOffset */
		} data_out;
		struct {
			bool ack;        /* A: wants a DataACK */
			bool has_status; /* S: status, stat_sn, residual hold */
			uint8_t status;
			enum residual residual_kind;
			uint32_t residual;
			uint32_t data_sn;
			uint32_t offset;
		} data_in;
		struct {
			uint32_t r2t_sn;
			uint32_t offset;
			uint32_t len; /* DesiredDataTransferLength, not 0 */
		} r2t;
		struct {
			uint8_t event; /* enum async_event, others */
			uint8_t vcode;
			uint16_t param1, param2, param3;
		} async;
		struct {           /* request and response; T is `final` */
			bool more; /* C */
			uint8_t csg,
				nsg; /* enum login_stage; nsg 0 without T */
			uint8_t version_max;
			uint8_t version_min; /* response: VersionActive */
			uint8_t isid[6];
			uint16_t tsih;
			uint16_t cid;          /* request */
			uint8_t status_class;  /* response */
			uint8_t status_detail; /* response */
		} login;
		struct {
			bool more; /* C */
		} text;
		struct {
			uint8_t reason; /* enum logout_reason */
			uint16_t cid;
		} logout;
		struct {
			uint8_t response; /* enum logout_response, others */
			uint16_t time2wait, time2retain; /* seconds */
		} logout_rsp;
		struct {
			uint8_t type; /* enum snack_type */
			uint32_t beg_run, run_length;
		} snack;
		struct {
			uint8_t reason; /* enum reject_reason, others */
			uint32_t data_sn;
		} reject;
	};
};

/* A PDU's relation to StatSN (RFC 7143 4.2.2.2). */
enum stat_use {
	STAT_NONE,  /* carries none: Data-In without status */
	STAT_NEXT,  /* shows the next one: R2T, NOP-In that is no answer */
	STAT_TAKES, /* consumes it: all others */
};

/* All zero but for the tags, which are BHS_TAG_NONE, and `final`, which is set.
 */
static inline void bhs_init(struct bhs *b, enum bhs_op op)
{
	memset(b, 0, sizeof *b);
	b->op = op;
	b->final = true;
	b->itt = b->ttt = BHS_TAG_NONE;
}

static inline struct bhs bhs_make(enum bhs_op op)
{
	struct bhs b;

	bhs_init(&b, op);
	return b;
}

/* A request (initiator to target) into its 48 bytes. */
void bhs_encode(const struct bhs *b, uint8_t out[BHS_LEN]);

/* The 48 bytes of a response (target to initiator). 0; or -EPROTO with a
 * static line in `why` for an unknown opcode, a fixed bit or reserved value
 * that is wrong, or fields that contradict each other. Reserved fields are
 * ignored. Whether tags and numbers fit the state is the receiver's to say. */
int bhs_decode(struct bhs *b, const uint8_t in[BHS_LEN], const char **why);

/* How a decoded response relates to StatSN. */
static inline enum stat_use bhs_stat_use(const struct bhs *b)
{
	if (b->op == OP_DATA_IN && !b->data_in.has_status)
		return STAT_NONE;
	if (b->op == OP_R2T || (b->op == OP_NOP_IN && b->itt == BHS_TAG_NONE))
		return STAT_NEXT;
	return STAT_TAKES;
}

/* The field's name of an opcode, for messages: "SCSI Response". */
const char *bhs_op_name(uint8_t op);

#endif
