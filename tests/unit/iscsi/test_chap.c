/* SPDX-License-Identifier: BSD-2-Clause */
/* CHAP: the maths against known answers, and what must be refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "daemon/iscsi/chap.h"

#define SECRET "abcdefghijkl"
#define MUTUAL "zyxwvutsrqpo"

static const uint8_t random_bytes[1 + CHAP_CHALLENGE_LEN] = {9, 1, 2, 3, 4};

static struct iscsi_chap config = {
	.user = "host1",
	.secret = SECRET,
	.secret_len = 12,
};

static struct iscsi_chap mutual = {
	.user = "host1",
	.secret = SECRET,
	.secret_len = 12,
	.mutual_user = "array1",
	.mutual_secret = MUTUAL,
	.mutual_secret_len = 12,
};

static const char *why;

/* Up to the point at which the target's challenge is in. */
static int begin(struct chap *c, const struct iscsi_chap *cfg, const char *alg,
	const char *id, const char *challenge)
{
	char list[CHAP_LIST_MAX];

	why = NULL;
	cr_assert_eq(chap_init(c, cfg, NULL, false, &why), 0);
	cr_assert_not_null(chap_list(c, list));
	if (chap_choose(c, alg, &why) < 0)
		return -1;
	return chap_challenge(c, id, challenge, &why);
}

static const char *pair_value(const struct text_out *out, const char *key)
{
	size_t at = 0, len = strlen(key);

	for (; at < out->len; at += strlen(out->data + at) + 1)
		if (strncmp(out->data + at, key, len) == 0 &&
			out->data[at + len] == '=')
			return out->data + at + len + 1;
	return NULL;
}

static void respond(struct chap *c, struct text_out *out)
{
	cr_assert_eq(chap_respond(c, random_bytes, out, &why), 0, "%s", why);
	cr_assert(!out->full);
}

/* CHAP_R of a target that uses `secret` for the challenge in `out`. */
static const char *target_response(
	const struct chap *c, const char *secret, char *text)
{
	uint8_t hash[CHAP_HASH_MAX];
	int len = chap_hash(c->alg, c->my_id, secret, strlen(secret), c->mine,
		sizeof c->mine, hash);
	int i, at = sprintf(text, "0x");

	cr_assert_gt(len, 0);
	for (i = 0; i < len; i++)
		at += sprintf(text + at, "%02x", hash[i]);
	return text;
}

/* Computed with another implementation: printf '\1abcdefghijkl\x11\x22\x33' |
 * openssl dgst */
Test(chap, known_answers)
{
	static const struct {
		const char *alg, *response;
	} cases[] = {
		{"5", "0x16388c37167d4f11e471e38aa4bd8489"},
		{"6", "0x4b19b65f212ee65d9fa3c6b27fd7fcfa2784f845"},
		{"7", "0xd93b9999e799136b5182614d7733bab935dc195bb422fd95105d21"
		      "ff07dee26b"},
		{"8", "0x0c13d1f7c2dfd29b32f6f5a69ca282b52fb0f0d6da198644de8943"
		      "206305d5b6"},
	};
	char data[4096];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text_out out = {.data = data, .cap = sizeof data};
		struct chap c;

		cr_assert_eq(
			begin(&c, &config, cases[i].alg, "1", "0x112233"), 0);
		respond(&c, &out);
		cr_expect_str_eq(pair_value(&out, "CHAP_N"), "host1");
		cr_expect_str_eq(pair_value(&out, "CHAP_R"), cases[i].response);
		cr_expect_null(pair_value(&out, "CHAP_C"));
		cr_expect_eq(chap_verify(&c, NULL, NULL, &why), 0);
		chap_fini(&c);
	}
}

Test(chap, offer)
{
	char list[CHAP_LIST_MAX];
	struct chap c;

	cr_assert_eq(chap_init(&c, &config, NULL, false, &why), 0);
	cr_expect_str_eq(chap_list(&c, list), "8,7,6,5");
	chap_fini(&c);
	cr_assert_eq(chap_init(&c, &config, NULL, true, &why), 0);
	cr_expect_str_eq(chap_list(&c, list), "8,6,5");
	cr_expect_eq(chap_choose(&c, "7", &why), -EPROTO);
	chap_fini(&c);
}

Test(chap, algorithms_that_were_not_offered)
{
	static const char *const bad[] = {
		"9", "x", "", "0", "5,6", "263", NULL};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct chap c;

		cr_expect_lt(begin(&c, &config, bad[i], "1", "0x11"), 0);
		cr_expect_not_null(why);
		chap_fini(&c);
	}
}

Test(chap, identifiers)
{
	static const char *const good[] = {"0", "255", "0xff"};
	static const char *const bad[] = {
		"256", "abc", "0x1ff", "", "-1", NULL};
	struct chap c;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		cr_expect_eq(begin(&c, &config, "5", good[i], "0x11"), 0);
		chap_fini(&c);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_expect_lt(begin(&c, &config, "5", bad[i], "0x11"), 0);
		cr_expect_not_null(why);
		chap_fini(&c);
	}
}

Test(chap, challenge_lengths)
{
	char text[2 + 2 * 1025 + 1] = "0x";
	struct chap c;

	memset(text + 2, 'a', 2 * 1025);
	cr_expect_lt(begin(&c, &config, "5", "1", text), 0);
	chap_fini(&c);
	text[2 + 2 * 1024] = '\0';
	cr_expect_eq(begin(&c, &config, "5", "1", text), 0);
	cr_expect_eq(c.challenge_len, 1024);
	chap_fini(&c);
	cr_expect_eq(begin(&c, &config, "5", "1", "0x5"), 0);
	cr_expect_eq(c.challenge_len, 1);
	chap_fini(&c);
	cr_expect_eq(begin(&c, &config, "5", "1", "0bAQI="), 0);
	chap_fini(&c);
	cr_expect_lt(begin(&c, &config, "5", "1", "0bAQI"), 0);
	chap_fini(&c);
	cr_expect_lt(begin(&c, &config, "5", "1", "0x"), 0);
	chap_fini(&c);
	cr_expect_lt(begin(&c, &config, "5", "1", NULL), 0);
	chap_fini(&c);
}

Test(chap, order_of_steps)
{
	char data[4096];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;

	cr_assert_eq(chap_init(&c, &mutual, NULL, false, &why), 0);
	cr_expect_eq(chap_challenge(&c, "1", "0x11", &why), -EPROTO);
	cr_expect_eq(chap_choose(&c, "5", &why), -EPROTO);
	cr_expect_eq(chap_respond(&c, random_bytes, &out, &why), -EPROTO);
	cr_expect_eq(chap_verify(&c, "array1", "0x11", &why), -EPROTO);
	chap_fini(&c);
	chap_fini(&c);
}

Test(chap, mutual)
{
	char data[4096], text[128];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;

	cr_assert_eq(begin(&c, &mutual, "8", "9", "0x11"), 0);
	respond(&c, &out);
	cr_expect_eq(c.my_id, 10, "differs from the target's 9");
	cr_expect_str_eq(pair_value(&out, "CHAP_I"), "10");
	cr_expect_eq(strlen(pair_value(&out, "CHAP_C")), 2 + 64);
	cr_expect_eq(chap_verify(&c, "array1",
			     target_response(&c, MUTUAL, text), &why),
		0, "%s", why);
	cr_expect_eq(chap_verify(&c, "array1", text, &why), -EPROTO, "once");
	chap_fini(&c);
}

static int mutual_with(const struct iscsi_chap *cfg, const char *name,
	const char *secret, const char *response)
{
	char data[4096], text[128];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;
	int err;

	cr_assert_eq(begin(&c, cfg, "5", "1", "0x11"), 0);
	respond(&c, &out);
	if (secret)
		response = target_response(&c, secret, text);
	why = NULL;
	err = chap_verify(&c, name, response, &why);
	chap_fini(&c);
	return err;
}

Test(chap, mutual_failures)
{
	struct iscsi_chap any = mutual;
	char name[257];

	any.mutual_user = NULL;
	memset(name, 'n', sizeof name);
	name[256] = '\0';
	cr_expect_eq(mutual_with(&any, name, MUTUAL, NULL), -EACCES);
	name[255] = '\0';
	cr_expect_eq(mutual_with(&any, name, MUTUAL, NULL), 0);
	cr_expect_eq(mutual_with(&mutual, "other", MUTUAL, NULL), -EACCES);
	cr_expect_eq(mutual_with(&mutual, "array", MUTUAL, NULL), -EACCES);
	cr_expect_eq(mutual_with(&mutual, NULL, MUTUAL, NULL), -EACCES);
	cr_expect_eq(
		mutual_with(&mutual, "array1", "wrongwrong12", NULL), -EACCES);
	cr_expect_eq(mutual_with(&mutual, "array1", NULL, NULL), -EACCES);
	cr_expect_eq(mutual_with(&mutual, "array1", NULL, "0x11"), -EACCES);
	cr_expect_eq(mutual_with(&mutual, "array1", NULL, "junk"), -EACCES);
	cr_expect_eq(mutual_with(&mutual, "array1", SECRET, NULL), -EACCES);
	cr_expect(strstr(why, "same") != NULL, "%s", why);
}

Test(chap, reflection)
{
	struct chap_list_head all = TAILQ_HEAD_INITIALIZER(all);
	char data[4096], list[CHAP_LIST_MAX];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap first, second;

	cr_assert_eq(chap_init(&first, &mutual, &all, false, &why), 0);
	cr_assert_eq(chap_init(&second, &mutual, &all, false, &why), 0);
	chap_list(&first, list);
	cr_assert_eq(chap_choose(&first, "5", &why), 0);
	cr_assert_eq(chap_challenge(&first, "1", "0x11", &why), 0);
	respond(&first, &out);
	chap_list(&second, list);
	cr_assert_eq(chap_choose(&second, "5", &why), 0);
	cr_expect_eq(
		chap_challenge(&second, "10", pair_value(&out, "CHAP_C"), &why),
		-EPROTO);
	cr_expect(strstr(why, "reflected") != NULL, "%s", why);
	chap_fini(&first);
	chap_fini(&second);
	cr_expect(TAILQ_EMPTY(&all));
}

/* `c` in the list, up to the answer to `challenge`. */
static int begin_beside(struct chap *c, struct chap_list_head *all,
	const struct iscsi_chap *cfg, const char *challenge)
{
	char list[CHAP_LIST_MAX];

	why = NULL;
	cr_assert_eq(chap_init(c, cfg, all, false, &why), 0);
	cr_assert_not_null(chap_list(c, list));
	cr_assert_eq(chap_choose(c, "5", &why), 0);
	return chap_challenge(c, "1", challenge, &why);
}

/* What one connection was asked may not be asked of another: the answers are
 * as good as one that is overheard. */
Test(chap, challenge_of_another_connection)
{
	struct chap_list_head all = TAILQ_HEAD_INITIALIZER(all);
	char data[4096];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap idle, first, second, third;

	cr_assert_eq(chap_init(&idle, &mutual, &all, false, &why), 0);
	cr_assert_eq(begin_beside(&first, &all, &config, "0x1122"), 0);
	respond(&first, &out); /* one way: no challenge of ours */
	cr_expect_eq(begin_beside(&second, &all, &mutual, "0x1122"), -EPROTO);
	cr_expect(strstr(why, "of another connection") != NULL, "%s", why);
	cr_expect_eq(chap_respond(&second, random_bytes, &out, &why), -EPROTO,
		"it is not answered");
	cr_expect_eq(begin_beside(&third, &all, &mutual, "0x1123"), 0);
	chap_fini(&second);
	chap_fini(&third);
	chap_fini(&first);
	cr_expect_eq(begin_beside(&first, &all, &mutual, "0x1122"), 0,
		"those asked are forgotten");
	chap_fini(&first);
	chap_fini(&idle);
	cr_expect(TAILQ_EMPTY(&all));
}

/* Nothing that the library has is approved, as under FIPS without a provider
 * for it. */
static void without_digests(void)
{
	cr_assert_eq(EVP_set_default_properties(NULL, "fips=yes"), 1);
}

Test(chap, no_digest_to_offer)
{
	char list[CHAP_LIST_MAX];
	struct chap c;

	without_digests();
	cr_assert_eq(chap_init(&c, &config, NULL, false, &why), 0);
	cr_expect_null(chap_list(&c, list));
	cr_expect_eq(chap_choose(&c, "5", &why), -EPROTO);
	chap_fini(&c);
}

Test(chap, digest_gone_before_the_response)
{
	char data[4096];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;

	cr_assert_eq(begin(&c, &mutual, "5", "1", "0x11"), 0);
	without_digests();
	cr_expect_eq(chap_respond(&c, random_bytes, &out, &why), -EIO);
	cr_expect_eq(out.len, 0, "nothing is sent");
	chap_fini(&c);
}

Test(chap, digest_gone_before_the_check)
{
	char data[4096], text[128];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;

	cr_assert_eq(begin(&c, &mutual, "5", "1", "0x11"), 0);
	respond(&c, &out);
	target_response(&c, MUTUAL, text);
	without_digests();
	cr_expect_eq(chap_verify(&c, "array1", text, &why), -EACCES,
		"not even the right one");
	cr_expect(strstr(why, "crypto library") != NULL, "%s", why);
	chap_fini(&c);
}

Test(chap, unknown_digest)
{
	const uint8_t challenge = 0x11;
	uint8_t hash[CHAP_HASH_MAX];

	cr_expect_eq(
		chap_hash((enum chap_alg)9, 1, SECRET, 12, &challenge, 1, hash),
		-ENOTSUP);
}

Test(chap, our_challenge_equals_theirs)
{
	char text[2 + 2 * CHAP_CHALLENGE_LEN + 1] = "0x", data[4096];
	struct text_out out = {.data = data, .cap = sizeof data};
	struct chap c;
	int i;

	for (i = 0; i < CHAP_CHALLENGE_LEN; i++)
		sprintf(text + 2 + 2 * i, "%02x", random_bytes[1 + i]);
	cr_assert_eq(begin(&c, &mutual, "5", "1", text), 0);
	cr_expect_eq(chap_respond(&c, random_bytes, &out, &why), -EPROTO);
	chap_fini(&c);
}

Test(chap, secrets)
{
	struct iscsi_chap cfg = mutual;
	struct chap c;

	cfg.secret_len = 11;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	chap_fini(&c);
	cfg = mutual;
	cfg.mutual_secret_len = 11;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	cfg = mutual;
	cfg.mutual_secret = SECRET;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	cfg = mutual;
	cfg.user = NULL;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	cfg.user = "";
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	cfg = mutual;
	cfg.secret = NULL;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
}

Test(chap, users)
{
	struct iscsi_chap cfg = config;
	char name[257];
	struct chap c;

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	cfg.user = name;
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), -EINVAL);
	cr_expect(strstr(why, "255") != NULL, "%s", why);
	name[255] = '\0';
	cr_expect_eq(chap_init(&c, &cfg, NULL, false, &why), 0);
	chap_fini(&c);
}
