/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target's half of CHAP (RFC 7143 12.1.3, RFC 1994). */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t_target_login.h"

static void reply_hex(
	struct t_login *l, const char *key, const uint8_t *data, unsigned len)
{
	char text[2 + 2 * 64 + 1] = "0x";
	unsigned i;

	for (i = 0; i < len && i < 64; i++)
		sprintf(text + 2 + 2 * i, "%02x", data[i]);
	t_login_reply(l, key, text);
}

/* A deterministic challenge: no two logins share it. Its length. */
static size_t challenge_make(const struct t_login *l, uint8_t out[1024])
{
	const struct t_target_options *o = &l->conn->target->options;
	unsigned i;

	if (o->chap_text) {
		memcpy(out, o->chap_challenge, o->chap_challenge_len);
		return o->chap_challenge_len;
	}
	for (i = 0; i < 16; i++)
		out[i] = (uint8_t)(17 * i + 3 * l->conn->target->logins +
				   (uint8_t)l->conn->cid + l->isid[5]);
	return 16;
}

static unsigned chap_id(const struct t_login *l)
{
	unsigned id = l->conn->target->options.chap_id;

	return id ? id : 33;
}

static unsigned chap_digest(unsigned alg, uint8_t id, const char *secret,
	const uint8_t *challenge, size_t len, uint8_t out[64])
{
	static const char *const names[] = {
		[5] = "MD5", [6] = "SHA1", [7] = "SHA256", [8] = "SHA3-256"};
	uint8_t message[1 + 256 + 1024];
	size_t secret_len = strlen(secret);
	unsigned n = 0;

	if (secret_len > 256 || len > 1024)
		return 0;
	message[0] = id;
	memcpy(message + 1, secret, secret_len);
	memcpy(message + 1 + secret_len, challenge, len);
	EVP_Digest(message, 1 + secret_len + len, out, &n,
		EVP_get_digestbyname(names[alg]), NULL);
	return n;
}

static size_t unhex(const char *text, uint8_t *out, size_t cap)
{
	size_t n = 0;
	unsigned byte;

	if (strncmp(text, "0x", 2) != 0)
		return 0;
	for (text += 2; n < cap && sscanf(text, "%2x", &byte) == 1; text += 2) {
		out[n++] = (uint8_t)byte;
		if (text[1] == '\0')
			break;
		if (text[2] == '\0')
			break;
	}
	return n;
}

void t_chap_method(struct t_login *l, const char *methods)
{
	if (l->conn->target->options.chap_user) {
		if (!t_list_has(methods, "CHAP")) {
			l->status = 0x0201;
			return;
		}
		t_login_reply(l, "AuthMethod", "CHAP");
		l->chap = CHAP_METHOD;
	} else if (t_list_has(methods, "None")) {
		t_login_reply(l, "AuthMethod", "None");
		l->chap = CHAP_DONE;
	} else {
		l->status = 0x0201;
	}
}

void t_chap_algorithm(struct t_login *l, const char *list)
{
	const struct t_target_options *o = &l->conn->target->options;
	unsigned want = o->chap_alg, i;
	uint8_t challenge[1024];
	char text[4];

	l->alg = (unsigned)atoi(list);
	for (i = 5; i <= 8; i++) {
		snprintf(text, sizeof text, "%u", i);
		if (i == want && t_list_has(list, text))
			l->alg = i;
	}
	if (l->alg < 5 || l->alg > 8) {
		l->status = 0x0201;
		return;
	}
	challenge_make(l, challenge);
	t_login_reply_number(l, "CHAP_A", l->alg);
	t_login_reply_number(l, "CHAP_I", chap_id(l));
	if (o->chap_text)
		t_login_reply(l, "CHAP_C", o->chap_text);
	else
		reply_hex(l, "CHAP_C", challenge, 16);
	l->chap = CHAP_CHALLENGE;
}

static void chap_mutual(struct t_login *l)
{
	const struct t_target_options *o = &l->conn->target->options;
	const char *id = t_login_value(l, "CHAP_I");
	const char *text = t_login_value(l, "CHAP_C");
	uint8_t challenge[1024], hash[64];
	size_t len;
	unsigned n;

	if (!id || !text || !o->mutual_secret)
		return;
	len = unhex(text, challenge, sizeof challenge);
	if (len < 16)
		t_violation(l->conn->target, "CHAP_C of %zu bytes", len);
	if ((unsigned)atoi(id) == chap_id(l))
		t_violation(l->conn->target, "CHAP_I is the target's");
	n = chap_digest(l->alg, (uint8_t)atoi(id), o->mutual_secret, challenge,
		len, hash);
	t_login_reply(l, "CHAP_N", o->mutual_user);
	reply_hex(l, "CHAP_R", hash, n);
}

void t_chap_response(struct t_login *l, const char *response)
{
	const struct t_target_options *o = &l->conn->target->options;
	const char *name = t_login_value(l, "CHAP_N");
	uint8_t challenge[1024], want[64], got[64];
	size_t len = challenge_make(l, challenge);
	unsigned n = chap_digest(l->alg, (uint8_t)chap_id(l), o->chap_secret,
		challenge, len, want);

	if (!name || strcmp(name, o->chap_user) != 0 ||
		unhex(response, got, sizeof got) != n ||
		memcmp(want, got, n) != 0) {
		l->status = 0x0201;
		return;
	}
	l->chap = CHAP_DONE;
	chap_mutual(l);
}
