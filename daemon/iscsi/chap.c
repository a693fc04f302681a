/* SPDX-License-Identifier: BSD-2-Clause */
#include "chap.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum step { IDLE, LISTED, CHOSEN, CHALLENGED, RESPONDED, VERIFIED };

static const struct {
	uint8_t alg;
	const char *digest; /* OpenSSL's name */
} algs[] = {
	/* strongest first: the order of the offer */
	{CHAP_SHA3_256, "SHA3-256"},
	{CHAP_SHA256, "SHA2-256"},
	{CHAP_SHA1, "SHA1"},
	{CHAP_MD5, "MD5"},
};

#define NALGS (sizeof algs / sizeof *algs)

static EVP_MD *alg_fetch(unsigned alg)
{
	size_t i;

	for (i = 0; i < NALGS; i++)
		if (algs[i].alg == alg)
			return EVP_MD_fetch(NULL, algs[i].digest, NULL);
	return NULL;
}

int chap_hash(enum chap_alg alg, uint8_t id, const void *secret,
	size_t secret_len, const uint8_t *challenge, size_t challenge_len,
	uint8_t out[CHAP_HASH_MAX])
{
	EVP_MD *md = alg_fetch(alg);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	int err = 0;

	if (!md)
		err = -ENOTSUP;
	else if (!ctx || EVP_MD_get_size(md) > CHAP_HASH_MAX ||
		 !EVP_DigestInit_ex2(ctx, md, NULL) ||
		 !EVP_DigestUpdate(ctx, &id, 1) ||
		 !EVP_DigestUpdate(ctx, secret, secret_len) ||
		 !EVP_DigestUpdate(ctx, challenge, challenge_len) ||
		 !EVP_DigestFinal_ex(ctx, out, &len))
		err = -EIO;
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return err ? err : (int)len;
}

static int fail(const char **why, int err, const char *text)
{
	*why = text;
	return err;
}

static bool same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}

int chap_init(struct chap *c, const struct iscsi_chap *config,
	struct chap_list_head *others, bool no_sha256, const char **why)
{
	*c = (struct chap){0};
	if (!config->user || !*config->user || !config->secret)
		return fail(why, -EINVAL, "CHAP needs a user and a secret");
	if (strlen(config->user) > TEXT_VALUE_MAX)
		return fail(why, -EINVAL, "CHAP user longer than 255 bytes");
	if (config->secret_len < ISCSI_SECRET_MIN)
		return fail(why, -EINVAL, "CHAP secret below 12 bytes");
	if (config->mutual_secret &&
		config->mutual_secret_len < ISCSI_SECRET_MIN)
		return fail(why, -EINVAL, "mutual CHAP secret below 12 bytes");
	if (config->mutual_secret &&
		same_bytes(config->secret, config->secret_len,
			config->mutual_secret, config->mutual_secret_len))
		return fail(why, -EINVAL,
			"CHAP secrets of both directions are the same");
	c->config = config;
	c->others = others;
	c->no_sha256 = no_sha256;
	if (others)
		TAILQ_INSERT_TAIL(others, c, link);
	return 0;
}

void chap_fini(struct chap *c)
{
	if (c->others)
		TAILQ_REMOVE(c->others, c, link);
	OPENSSL_cleanse(c, sizeof *c);
}

/* The algorithms that we can do and want to; the list's length. */
static size_t chap_algs(const struct chap *c, uint8_t out[NALGS])
{
	size_t i, n = 0;
	EVP_MD *md;

	for (i = 0; i < NALGS; i++) {
		if (c->no_sha256 && algs[i].alg == CHAP_SHA256)
			continue;
		md = alg_fetch(algs[i].alg);
		if (md)
			out[n++] = algs[i].alg;
		EVP_MD_free(md);
	}
	return n;
}

const char *chap_list(struct chap *c, char text[CHAP_LIST_MAX])
{
	uint8_t list[NALGS];
	size_t n = chap_algs(c, list), i;
	char *at = text;

	*at = '\0';
	for (i = 0; i < n; i++)
		at += sprintf(at, i ? ",%u" : "%u", list[i] & 15u);
	c->step = LISTED;
	return n ? text : NULL;
}

int chap_choose(struct chap *c, const char *a, const char **why)
{
	uint8_t list[NALGS];
	uint64_t number;
	size_t n, i;

	if (c->step != LISTED)
		return fail(why, -EPROTO, "CHAP_A out of order");
	if (!a || text_number(a, &number) < 0)
		return fail(why, -EPROTO, "CHAP_A is missing or no number");
	n = chap_algs(c, list);
	for (i = 0; i < n; i++)
		if (list[i] == number)
			break;
	if (i == n)
		return fail(why, -EPROTO, "CHAP_A that we did not offer");
	c->alg = (uint8_t)number;
	c->step = CHOSEN;
	return 0;
}

/* The target must not have us answer a challenge that we gave (RFC 7143
 * 9.2.1): not this one's, nor another connection's. */
static bool challenge_is_ours(const struct chap *c)
{
	const struct chap *other;

	if (!c->others)
		return false;
	TAILQ_FOREACH (other, c->others, link)
		if (other->step >= RESPONDED && other->config->mutual_secret &&
			same_bytes(c->challenge, c->challenge_len, other->mine,
				sizeof other->mine))
			return true;
	return false;
}

/* Another exchange under way was asked the same. */
static bool challenge_is_asked_twice(const struct chap *c)
{
	const struct chap *other;

	if (!c->others)
		return false;
	TAILQ_FOREACH (other, c->others, link)
		if (other != c && other->challenge_len > 0 &&
			same_bytes(other->challenge, other->challenge_len,
				c->challenge, c->challenge_len))
			return true;
	return false;
}

int chap_challenge(
	struct chap *c, const char *i, const char *challenge, const char **why)
{
	uint64_t id;
	int len;

	if (c->step != CHOSEN)
		return fail(why, -EPROTO, "CHAP_C out of order");
	if (!i || text_number(i, &id) < 0 || id > UINT8_MAX)
		return fail(why, -EPROTO, "CHAP_I is missing or no byte");
	len = challenge ? text_binary(
				  challenge, c->challenge, sizeof c->challenge)
			: -EINVAL;
	if (len <= 0)
		return fail(why, -EPROTO,
			"CHAP_C is missing, malformed or above 1024 bytes");
	c->their_id = (uint8_t)id;
	c->challenge_len = (uint16_t)len;
	if (challenge_is_ours(c))
		return fail(why, -EPROTO,
			"CHAP_C is a challenge of our own, reflected");
	if (challenge_is_asked_twice(c))
		return fail(why, -EPROTO,
			"CHAP_C is the challenge of another connection");
	c->step = CHALLENGED;
	return 0;
}

/* Ours differs from the target's in number and content. */
static int chap_ask(struct chap *c, const uint8_t *random, const char **why)
{
	c->my_id = random[0];
	if (c->my_id == c->their_id)
		c->my_id++;
	memcpy(c->mine, random + 1, sizeof c->mine);
	if (same_bytes(c->mine, sizeof c->mine, c->challenge, c->challenge_len))
		return fail(why, -EPROTO,
			"CHAP_C equals the challenge that we would send");
	return 0;
}

int chap_respond(struct chap *c, const uint8_t random[1 + CHAP_CHALLENGE_LEN],
	struct text_out *out, const char **why)
{
	uint8_t response[CHAP_HASH_MAX];
	int len;

	if (c->step != CHALLENGED)
		return fail(why, -EPROTO, "CHAP response out of order");
	if (c->config->mutual_secret && chap_ask(c, random, why) < 0)
		return -EPROTO;
	len = chap_hash(c->alg, c->their_id, c->config->secret,
		c->config->secret_len, c->challenge, c->challenge_len,
		response);
	if (len < 0)
		return fail(why, -EIO, "the crypto library failed");
	text_put(out, "CHAP_N", c->config->user);
	text_put_binary(out, "CHAP_R", response, (size_t)len);
	OPENSSL_cleanse(response, sizeof response);
	c->step = VERIFIED;
	if (c->config->mutual_secret) {
		text_put_number(out, "CHAP_I", c->my_id);
		text_put_binary(out, "CHAP_C", c->mine, sizeof c->mine);
		c->step = RESPONDED;
	}
	return 0;
}

/* Whether `response` is what `secret` makes of our challenge. 1, 0, -EIO. */
static int chap_matches(const struct chap *c, const char *secret,
	size_t secret_len, const uint8_t *response, size_t len)
{
	uint8_t expected[CHAP_HASH_MAX];
	int want = chap_hash(c->alg, c->my_id, secret, secret_len, c->mine,
		sizeof c->mine, expected);
	bool same =
		want > 0 && same_bytes(expected, (size_t)want, response, len);

	OPENSSL_cleanse(expected, sizeof expected);
	return want < 0 ? -EIO : same;
}

static int chap_check_name(
	const struct chap *c, const char *name, const char **why)
{
	const char *want = c->config->mutual_user;

	if (!name || !*name || strlen(name) > TEXT_VALUE_MAX)
		return fail(why, -EACCES,
			"target's CHAP_N is missing or too "
			"long");
	if (want && !same_bytes(want, strlen(want), name, strlen(name)))
		return fail(why, -EACCES,
			"target's CHAP_N is not the mutual CHAP user");
	return 0;
}

int chap_verify(struct chap *c, const char *name, const char *response,
	const char **why)
{
	const struct iscsi_chap *config = c->config;
	uint8_t got[TEXT_BINARY_MAX];
	int len, match;

	if (!config->mutual_secret && c->step == VERIFIED)
		return 0;
	if (c->step != RESPONDED)
		return fail(why, -EPROTO, "target's CHAP_R out of order");
	if (chap_check_name(c, name, why) < 0)
		return -EACCES;
	len = response ? text_binary(response, got, sizeof got) : -EINVAL;
	if (len <= 0)
		return fail(why, -EACCES,
			"target's CHAP_R is missing or malformed");
	if (chap_matches(c, config->secret, config->secret_len, got,
		    (size_t)len) == 1)
		return fail(why, -EACCES,
			"target uses the same CHAP secret in both directions");
	match = chap_matches(c, config->mutual_secret,
		config->mutual_secret_len, got, (size_t)len);
	if (match < 0)
		return fail(why, -EACCES, "the crypto library failed");
	if (!match)
		return fail(why, -EACCES,
			"target's CHAP_R is wrong: it does not know the mutual "
			"secret");
	c->step = VERIFIED;
	return 0;
}
