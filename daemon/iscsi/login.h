/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The login phase of a connection (RFC 7143 6.3, 11.12, 11.13), without I/O:
 * it gives Login Requests and is fed Login Responses, until it is done, sent
 * elsewhere or has failed.
 */
#ifndef UMPIO_ISCSI_LOGIN_H
#define UMPIO_ISCSI_LOGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/iscsi.h>

#include "bhs.h"
#include "chap.h"
#include "keys.h"
#include "text.h"

#define LOGIN_OUT_MAX 16384 /* bytes of keys that one request may hold */
#define LOGIN_WHY_MAX 120

/* What the connection is to be; all of it is the caller's and outlives the
 * login. */
struct login_setup {
	const struct iscsi_config *config;
	bool discovery; /* SessionType */
	bool no_sha256; /* CHAP algorithm 7 is not offered */
	bool again;     /* this target has let us in before */
	uint16_t cid;
	uint16_t tsih;        /* of the session that is joined; 0: a new one */
	uint32_t exp_stat_sn; /* of a connection that is reinstated */
	uint32_t level_max;   /* the most ErrorRecoveryLevel to offer */
	uint32_t itt, cmd_sn;
	struct chap_list_head *chaps; /* exchanges under way */
	uint8_t random[1 + CHAP_CHALLENGE_LEN];
};

enum login_step {
	LOGIN_SEND,     /* send login_request() */
	LOGIN_DONE,     /* full feature phase; results hold */
	LOGIN_REDIRECT, /* go to `redirect` and log in there */
	LOGIN_WEAKER,   /* log in once more with no_sha256: the target chose
			 * algorithm 7 and then refused the answer */
	LOGIN_FAILED,   /* cure and why hold */
};

#define LOGIN_STATES(X)                                                        \
	X(METHOD)      /* AuthMethod is asked */                               \
	X(ALGORITHM)   /* CHAP_A is asked */                                   \
	X(RESPONSE)    /* CHAP_N and CHAP_R are sent */                        \
	X(SECURED)     /* nothing left to say in SecurityNegotiation */        \
	X(OPERATIONAL) /* LoginOperationalNegotiation */                       \
	X(OVER)

enum login_state {
#define X(name) LOGIN_ST_##name,
	LOGIN_STATES(X)
#undef X
};

struct login {
	struct login_setup setup;
	enum login_state state;
	uint8_t csg, nsg;
	bool chap_begun; /* CHAP is what we log in with */
	bool transit;    /* T is to be set once all keys are out */
	bool answered;   /* a response has come */
	bool asked_t;    /* the request under way has T */
	unsigned rounds;
	uint32_t exp_stat_sn;
	struct keys keys;
	struct chap chap;
	struct text_in in;
	struct text_out out;
	size_t out_at; /* bytes of `out` that were sent */
	char out_data[LOGIN_OUT_MAX];

	/* LOGIN_DONE */
	uint16_t tsih;
	uint32_t exp_cmd_sn, max_cmd_sn;
	struct session_params session;
	struct conn_params conn;
	/* LOGIN_REDIRECT */
	struct iscsi_portal redirect;
	bool permanent;
	/* LOGIN_FAILED */
	uint16_t
		status; /* Status-Class and Status-Detail; 0: it was not that */
	enum path_cure cure;
	char why[LOGIN_WHY_MAX];
};

/* Begins a login. LOGIN_SEND; or LOGIN_FAILED (credentials that cannot work).
 * Needs login_fini() either way. */
enum login_step login_init(struct login *l, const struct login_setup *setup);
void login_fini(struct login *l); /* wipes; twice is allowed */

/* The request to send now, its data in *data and *len: the login's, unchanged
 * until the next response is fed. Once for every LOGIN_SEND. */
void login_request(
	struct login *l, struct bhs *b, const void **data, uint32_t *len);

/* What came. Any PDU: one that is no Login Response is a failure. */
enum login_step login_response(
	struct login *l, const struct bhs *b, const void *data, uint32_t len);

/* The stages' machine, in login_fsm.c: what a whole response means. Values are
 * NULL where the key did not come. */
struct login_auth {
	const char *method, *a, *i, *c, *n, *r;
};
enum login_event {
	LOGIN_EV_STAY,        /* T = 0 */
	LOGIN_EV_OPERATIONAL, /* T = 1, NSG = LoginOperationalNegotiation */
	LOGIN_EV_FULL,        /* T = 1, NSG = FullFeaturePhase */
};
void login_begin(struct login *l);
enum login_step login_advance(
	struct login *l, enum login_event event, const struct login_auth *auth);

/* Ends the login; returns LOGIN_FAILED. */
enum login_step login_fail(struct login *l, enum path_cure cure,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Status-Class and Status-Detail (RFC 7143 11.13.5) in words, and what helps:
 * `fresh` for a target that has never let us in, `again` for one that has. An
 * unknown detail is what its class is. */
struct login_status {
	uint8_t class, detail;
	enum path_cure fresh, again;
	const char *text;
};
const struct login_status *login_status_find(uint8_t class, uint8_t detail);

#endif
