/* SPDX-License-Identifier: BSD-2-Clause */
/* A bare initiator of several connections, made of raw header segments: it
 * sends what a test says and keeps what comes. Only ExpStatSN, CmdSN and the
 * framing are its own. */
#ifndef TESTS_UNIT_ISCSI_RAW_H
#define TESTS_UNIT_ISCSI_RAW_H

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define RAW_CONNS 4
#define RAW_GOT   128
#define RAW_DATA  (64u << 10)

struct raw_pdu {
	uint8_t bhs[T_BHS_LEN];
	uint32_t len;
	bool bad; /* its data digest is wrong */
	char text[512];
};

struct raw {
	struct pump *pump;
	uint16_t cid;
	uint32_t exp_stat_sn;
	bool digests;
	uint8_t rx[1 << 18], tx[1 << 18];
	size_t rx_len, tx_len, tx_at;
	uint64_t sent;               /* bytes of the connection so far */
	struct raw_pdu got[RAW_GOT]; /* since the last raw_send() */
	unsigned count;
	uint8_t data[RAW_DATA]; /* what Data-In brought, by offset */
	bool closed;
	unsigned status; /* of the login: class << 8 | detail */
};

extern struct loop *loop;
extern struct t_lun *lun;
extern struct t_target *target;
extern struct t_target_options options; /* to be set before raw_begin() */
extern struct raw raw[RAW_CONNS];
extern uint32_t cmd_sn;
extern uint16_t tsih;
extern uint8_t pattern[RAW_DATA];
extern const char *keys; /* more of the leading login, `;` between them */

void raw_init(void); /* defaults: level 2, 4 connections, bursts of 8 KiB */
void raw_begin(void);
void raw_end(void); /* checks that there was no violation */

/* Connects and logs in; ISID and names are always the same. */
struct raw *raw_login(unsigned n, uint16_t cid, uint16_t with_tsih);
void raw_leave(struct raw *r); /* by RST */

/* Sends with the current ExpStatSN; what came before is forgotten, and what
 * follows within 100 ms happens. */
void raw_send(struct raw *r, uint8_t *bhs, const void *data, uint32_t len);
/* With CmdSN, which a request that is not immediate takes. */
void raw_request(struct raw *r, uint8_t *bhs, const void *data, uint32_t len);
void raw_wait(uint64_t ms);
void raw_ack(struct raw *r); /* a NOP-Out that only carries ExpStatSN */

/* Requests. */
void make_rw(uint8_t *bhs, bool write, uint32_t itt, uint32_t bytes);
void make_snack(uint8_t *bhs, unsigned type, uint32_t itt, uint32_t begin,
	uint32_t count);
void make_tmf(uint8_t *bhs, unsigned function, uint32_t rtt, uint32_t ref_sn);
void make_logout(uint8_t *bhs, unsigned reason, uint16_t cid);
/* All that the R2T asks for, in PDUs of `most` bytes. */
void answer_r2t(struct raw *r, const uint8_t *r2t, uint32_t most);

/* The n-th PDU with this opcode among those that came; fails without. */
const uint8_t *got(const struct raw *r, unsigned opcode, unsigned n);
unsigned got_count(const struct raw *r, unsigned opcode);
/* One violation, and it contains `text`; forgotten then. */
void expect_violation(const char *text);

#endif
