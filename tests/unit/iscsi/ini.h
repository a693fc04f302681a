/* SPDX-License-Identifier: BSD-2-Clause */
/* A bare initiator made of the daemon's codec, framer and keys, and the model
 * target that it talks to, in a world of their own. */
#ifndef TESTS_UNIT_ISCSI_INI_H
#define TESTS_UNIT_ISCSI_INI_H

#include <umpio/base/outq.h>

#include "daemon/iscsi/keys.h"
#include "daemon/iscsi/pdu.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define SECOND   1000000000ull
#define INI_DATA (192u << 10)

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

extern struct loop *loop;
extern struct t_lun *lun;
extern struct t_target *target;
extern struct t_target_options options; /* to be set before begin() */
extern struct ini ini;
extern struct session_params session; /* what login() agreed */
extern struct conn_params conn;
extern uint8_t out_data[INI_DATA], in_data[INI_DATA];
extern struct text_out text; /* of the next Login Request */
extern char why[160];

/* The world, with a connected initiator in it. */
void begin(void);
void end(void);

/* Another connection of the initiator, after it left the one it had. */
void ini_connect(void);
void ini_begin(struct stream *stream);
void ini_leave(void);

/* Sends, and lets all that follows from it happen. */
void send_pdu(struct bhs *b, const void *data, uint32_t len);
void send_command(struct bhs *b, const void *data, uint32_t len);

/* Login in steps, or as a whole. */
void login_name(const char *type);
void login_send(unsigned csg, unsigned nsg, bool last);
const char *got_value(const char *key);
void login_negotiate(enum keys_phase phase, bool first);
void login(void);

void no_violations(void);

#endif
