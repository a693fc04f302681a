/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 37 to 46: CHAP in both directions (RFC 7143 9.2.1, 12.1.3). */
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

/* Responses of such a login: 0 AuthMethod, 1 the challenge, 2 the target's own
 * proof, 3 operational keys */
#define CHALLENGE 1
#define PROOF     2

static void begin(const char *secret, const char *mutual)
{
	s_init();
	W.options.chap_user = "host1";
	W.options.chap_secret = "secretsecret1";
	W.options.mutual_user = "array";
	W.options.mutual_secret = "arrayarray12";
	W.config.chap.user = "host1";
	W.config.chap.secret = secret;
	W.config.chap.secret_len = strlen(secret);
	W.config.chap.mutual_secret = mutual;
	W.config.chap.mutual_secret_len = mutual ? strlen(mutual) : 0;
}

static void one_way(void)
{
	begin("secretsecret1", NULL);
}

static void both_ways(void)
{
	begin("secretsecret1", "arrayarray12");
}

/* Nobody is let in, and no secret is in the line for people. */
static void tries(const char *text)
{
	s_start();
	cr_assert(!s_try(), "it came up, not: %s", text);
	s_expect_reason(text);
	cr_assert(!strstr(W.down.reason, "secretsecret1"));
	cr_assert_eq(W.target->logins, 0);
}

static void fails(const char *text)
{
	tries(text);
	s_end_with_breach();
}

static void fails_with(const char *key, const char *value)
{
	one_way();
	s_key_in(CHALLENGE, key, value);
	fails("CHAP: ");
	cr_assert_eq(W.down.cure, PATH_RETRY_SLOW);
}

Test(scenario, s037_every_algorithm)
{
	for (unsigned alg = 5; alg <= 8; alg++) {
		one_way();
		W.options.chap_alg = alg;
		s_up();
		s_end();
	}
	fails_with("CHAP_A", "9");
	fails_with("CHAP_A", "x");
	fails_with("CHAP_A", "0");
	fails_with("CHAP_A", "4294967301");
}

/* Some targets compute SHA-1 for algorithm 7: it is left out once, and after
 * that 6 is none of our offer. */
Test(scenario, s037_algorithm_that_is_not_offered)
{
	struct s_edit *e;

	one_way();
	W.options.chap_alg = 7;
	e = s_edit_field(0x23, PROOF, T_STATUS_CLASS, 2);
	s_set(e, T_STATUS_DETAIL, 1);
	s_key_in(PROOF + 2, "CHAP_A", "7"); /* of the second login */
	fails("CHAP_A that we did not offer");
	one_way();
	W.options.chap_alg = 7;
	e = s_edit_field(0x23, PROOF, T_STATUS_CLASS, 2);
	s_set(e, T_STATUS_DETAIL, 1);
	s_start();
	cr_assert(s_try(), "%s", W.down.reason);
	cr_assert_eq(s_said("CHAP_A=8,6,5"), 1);
	s_end_with_breach();
}

Test(scenario, s038_challenge_that_is_not_whole)
{
	fails_with("CHAP_A", NULL);
	fails_with("CHAP_I", NULL);
	fails_with("CHAP_C", NULL);
	/* CHAP_I and CHAP_C before CHAP_A */
	one_way();
	s_key_in(0, "CHAP_I", "1");
	s_key_in(0, "CHAP_C", "0x00112233445566778899aabbccddeeff");
	s_key_in(CHALLENGE, "CHAP_I", NULL);
	s_key_in(CHALLENGE, "CHAP_C", NULL);
	fails("CHAP: ");
}

Test(scenario, s039_identifiers)
{
	static const unsigned good[] = {1, 34, 255};

	for (unsigned i = 0; i < 3; i++) {
		both_ways();
		W.options.chap_id = good[i];
		s_up();
		s_end();
	}
	fails_with("CHAP_I", "256");
	fails_with("CHAP_I", "abc");
	fails_with("CHAP_I", "0x1ff");
	fails_with("CHAP_I", "-1");
	fails_with("CHAP_I", "");
}

static void challenge(const char *text, const uint8_t *means, size_t len)
{
	both_ways();
	W.options.chap_text = text;
	W.options.chap_challenge = means;
	W.options.chap_challenge_len = len;
	s_up();
	s_end();
}

Test(scenario, s040_challenges)
{
	uint8_t bytes[1025];
	char text[3000] = "0x";

	memset(bytes, 0x5a, sizeof bytes);
	for (unsigned i = 0; i < sizeof bytes; i++)
		strcat(text, "5a");
	fails_with("CHAP_C", text);
	text[2 + 2 * 1024] = '\0';
	challenge(text, bytes, 1024);
	challenge("0x5a", bytes, 1);
	challenge("0X5A", bytes, 1);
	challenge("0x55a", (const uint8_t *)"\x05\x5a", 2);
	challenge("0bWg==", bytes, 1);
	challenge("0bWlpa", bytes, 3);
	strcpy(text, "0b");
	for (unsigned i = 0; i < 341; i++)
		strcat(text, "Wlpa");
	strcat(text, "Wg==");
	challenge(text, bytes, 1024);
	text[strlen(text) - 4] = '\0';
	strcat(text, "Wlpa");
	fails_with("CHAP_C", text);
	fails_with("CHAP_C", "0b");
	fails_with("CHAP_C", "0x");
	fails_with("CHAP_C", "0bW");
	fails_with("CHAP_C", "0bW*==");
	fails_with("CHAP_C", "0x5g");
	fails_with("CHAP_C", "5a5a");
}

/* The random bytes of a login, learned from one and used against the next. */
static void learn(char *challenge_text, char *id)
{
	t_world_seed(7);
	both_ways();
	s_up();
	strcpy(challenge_text, s_value("CHAP_C"));
	strcpy(id, s_value("CHAP_I"));
	s_end();
}

Test(scenario, s041_our_own_challenge_reflected)
{
	char text[128], id[8];

	learn(text, id);
	t_world_seed(7);
	both_ways();
	s_key_in(CHALLENGE, "CHAP_C", text);
	fails("CHAP: CHAP_C equals the challenge that we would send");
}

Test(scenario, s042_our_own_identifier)
{
	char text[128], id[8];

	learn(text, id);
	t_world_seed(7);
	both_ways();
	W.options.chap_id = (unsigned)atoi(id);
	s_up();
	cr_assert_str_neq(s_value("CHAP_I"), id);
	s_end();
	t_world_seed(7);
	both_ways();
	s_key_in(CHALLENGE, "CHAP_I", id);
	s_key_in(CHALLENGE, "CHAP_C", text);
	fails("CHAP: CHAP_C equals the challenge that we would send");
}

Test(scenario, s043_target_that_proves_itself)
{
	char name[257];

	memset(name, 'n', sizeof name);
	name[255] = '\0';
	both_ways();
	W.options.mutual_user = name;
	s_up();
	s_end();
	name[255] = 'n';
	name[256] = '\0';
	both_ways();
	W.options.mutual_user = name;
	fails("CHAP_N is missing or too long");
	both_ways();
	W.config.chap.mutual_user = "array";
	s_up();
	s_end();
	both_ways();
	W.config.chap.mutual_user = "another";
	fails("CHAP_N is not the mutual CHAP user");
}

Test(scenario, s043_target_that_does_not)
{
	static const char *const proofs[] = {"0x00", "0b", "zz",
		"0x0000000000000000000000000000000000000000000000000000"
		"000000000000",
		"0x00000000000000000000000000000000000000000000000000000"
		"00000000000000",
		NULL};

	for (unsigned i = 0; i < 6; i++) {
		both_ways();
		s_key_in(PROOF, "CHAP_R", proofs[i]);
		fails("CHAP_R is ");
	}
	both_ways();
	s_key_in(PROOF, "CHAP_N", NULL);
	fails("CHAP_N is missing");
	both_ways();
	W.options.mutual_secret = "arrayarray13";
	fails("does not know the mutual secret");
	both_ways();
	W.options.mutual_secret = NULL;
	fails("CHAP: ");
}

Test(scenario, s044_same_secret_in_both_directions)
{
	begin("secretsecret1", "secretsecret1");
	tries("the same");
	cr_assert_eq(W.down.cure, PATH_FATAL);
	cr_assert_eq(s_count(0x03), 0);
	s_end();
	both_ways();
	W.options.mutual_secret = "secretsecret1";
	fails("the same CHAP secret in both directions");
}

Test(scenario, s045_target_that_would_do_without)
{
	struct s_edit *e;

	one_way();
	s_key_in(0, "AuthMethod", "None");
	fails("it answers None to AuthMethod CHAP");
	one_way();
	s_edit_field(0x23, 0, T_FLAGS, 0x81);
	fails("leaves the stage unasked");
	one_way();
	e = s_edit_field(0x23, 0, T_FLAGS, 0x87);
	s_set(e, T_TSIH, 1);
	fails("stage");
	one_way();
	s_key_in(0, "AuthMethod", NULL);
	fails("it answers nothing to AuthMethod CHAP");
	one_way();
	s_edit_field(0x23, CHALLENGE, T_FLAGS, 0x81);
	fails("leaves the stage unasked");
}

Test(scenario, s046_short_secrets)
{
	begin("elevenbytes", NULL);
	fails("below 12 bytes");
	cr_assert_eq(W.down.cure, PATH_FATAL);
	begin("secretsecret1", "elevenbytes");
	tries("below 12 bytes");
	cr_assert_eq(s_count(0x03), 0);
	s_end();
}

Test(chap, wrong_secret_and_new_credentials)
{
	const struct iscsi_chap good = {
		.user = "host1", .secret = "secretsecret1", .secret_len = 13};

	begin("wrongwrongwrong", NULL);
	s_start();
	cr_assert(!s_try());
	s_expect_reason("authentication failed");
	cr_assert_eq(W.down.cure, PATH_RETRY_SLOW);
	cr_assert_eq(iscsi_path_set_chap(W.path, &good), 0);
	cr_assert(s_try());
	s_end();
}
