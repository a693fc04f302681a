/* SPDX-License-Identifier: BSD-2-Clause */
/* A target that logs everybody in and otherwise only notes the tags of what it
 * is sent: what it says then comes from the input. */
#ifndef TESTS_FUZZ_FUZZ_TARGET_H
#define TESTS_FUZZ_FUZZ_TARGET_H

#include <umpio/iscsi.h>

#include "tests/fuzz/fuzz.h"

#define FUZZ_PORTAL "10.0.0.1:3260"
#define FUZZ_TAGS   16

struct fuzz_target {
	struct loop *loop;
	struct stream_listener *listener;
	struct stream *stream; /* the newest connection; NULL: none */
	uint8_t in[262144];    /* what it has sent and is not looked at yet */
	size_t len;
	uint32_t stat_sn;
	bool logged_in;
	uint32_t tags[FUZZ_TAGS]; /* of the last requests */
	unsigned requests;
	struct cursor *script; /* of logins, in place of our own words */
};

void fuzz_target_init(struct fuzz_target *t, struct loop *loop);
void fuzz_target_fini(struct fuzz_target *t);

/* Lets time pass, and answers logins meanwhile. */
void fuzz_target_run(struct fuzz_target *t, unsigned ms);

/* What an initiator needs to find it; the strings are static. */
void fuzz_target_config(struct iscsi_config *config);

/* Takes a PDU out of `c` and sends it: a byte that says which fields are put
 * right (1 tag, 2 StatSN, 4 length, 8 command window), 48 of header, two of
 * length, the data. False at the end of the input. */
bool fuzz_target_send(struct fuzz_target *t, struct cursor *c);

/* A PDU with that header and data, padded. */
void fuzz_target_pdu(
	struct fuzz_target *t, uint8_t bhs[48], const void *data, size_t len);

#endif
