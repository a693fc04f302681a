/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CHAP (RFC 7143 12.1.3, RFC 1994) from the initiator's side, without I/O: the
 * login machine brings the values of the keys, this computes and checks. Steps
 * in order: chap_list, chap_choose, chap_challenge, chap_respond, and for
 * mutual authentication chap_verify. A step out of order is -EPROTO.
 *
 * All failures come with a static line in `why`; none of them holds a secret.
 */
#ifndef UMPIO_ISCSI_CHAP_H
#define UMPIO_ISCSI_CHAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/iscsi.h>

#include "text.h"

#define CHAP_HASH_MAX      32
#define CHAP_CHALLENGE_LEN 32 /* of ours; 16 to 1024 are legal */
#define CHAP_LIST_MAX      16 /* bytes of chap_list()'s text */

enum chap_alg { /* values of CHAP_A */
	CHAP_MD5 = 5,
	CHAP_SHA1 = 6,
	CHAP_SHA256 = 7,
	CHAP_SHA3_256 = 8,
};

/* The exchanges of ours that are under way, so that a challenge which comes
 * back to us on another connection is known for what it is. Holds no memory of
 * its own: TAILQ_INIT and be done. */
struct chap;
TAILQ_HEAD(chap_list_head, chap);

struct chap {
	const struct iscsi_chap *config; /* the caller's, outlives this */
	struct chap_list_head *others;   /* NULL: none are known */
	TAILQ_ENTRY(chap) link;
	uint8_t step;   /* of chap.c */
	bool no_sha256; /* algorithm 7 is not offered */
	uint8_t alg;    /* chosen by the target */
	uint8_t their_id, my_id;
	uint16_t challenge_len;
	uint8_t challenge[TEXT_BINARY_MAX]; /* theirs */
	uint8_t mine[CHAP_CHALLENGE_LEN];   /* ours, valid once sent */
};

/* `no_sha256`: leave 7 out of the offer, for a target that takes it and then
 * computes something else. `others` may be NULL. 0; -EINVAL for a secret
 * shorter than ISCSI_SECRET_MIN, no user, or the same secret in both
 * directions. */
int chap_init(struct chap *c, const struct iscsi_chap *config,
	struct chap_list_head *others, bool no_sha256, const char **why);

/* Wipes it. Also after a chap_init() that failed, and twice. */
void chap_fini(struct chap *c);

/* The value of CHAP_A that we offer, strongest first, without algorithms that
 * the crypto library refuses (MD5 under FIPS). Returns `text`, or NULL when
 * none is left. */
const char *chap_list(struct chap *c, char text[CHAP_LIST_MAX]);

/* CHAP_A, CHAP_I and CHAP_C of the target. 0, or -EPROTO: not one of ours,
 * out of range, or a challenge of our own that was sent back. */
int chap_choose(struct chap *c, const char *a, const char **why);
int chap_challenge(
	struct chap *c, const char *i, const char *challenge, const char **why);

/* Writes CHAP_N and CHAP_R, and with a mutual secret CHAP_I and CHAP_C made of
 * `random` (1 + CHAP_CHALLENGE_LEN fresh random bytes). 0, -EPROTO or -EIO (the
 * crypto library failed). */
int chap_respond(struct chap *c, const uint8_t random[1 + CHAP_CHALLENGE_LEN],
	struct text_out *out, const char **why);

/* CHAP_N and CHAP_R of the target; NULL when it did not send them. 0; or
 * -EACCES: it did not prove that it knows the mutual secret. Without a mutual
 * secret: 0, whatever it sent. */
int chap_verify(struct chap *c, const char *name, const char *response,
	const char **why);

/* The response H(id, secret, challenge) into `out`; its length, or -EIO or
 * -ENOTSUP (the crypto library does not give the algorithm). */
int chap_hash(enum chap_alg alg, uint8_t id, const void *secret,
	size_t secret_len, const uint8_t *challenge, size_t challenge_len,
	uint8_t out[CHAP_HASH_MAX]);

#endif
