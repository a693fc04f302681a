/* SPDX-License-Identifier: BSD-2-Clause */
/* What a target says in CHAP: five values, each ended by a NUL. */
#include "daemon/iscsi/chap.h"
#include "daemon/iscsi/text.h"
#include "tests/fuzz/fuzz.h"

static const char *value(struct cursor *c)
{
	const char *text = (const char *)c->at;
	size_t len = strnlen(text, c->left);

	cursor_skip(c, len < c->left ? len + 1 : len);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct iscsi_chap config = {
		.user = "host1",
		.secret = "secretsecret1",
		.secret_len = 13,
		.mutual_secret = "othersecret12",
		.mutual_secret_len = 13,
	};
	const uint8_t random[1 + CHAP_CHALLENGE_LEN] = {7, 1, 2, 3};
	char *copy = fuzz_text(data, size), list[CHAP_LIST_MAX], answer[4096];
	struct text_out out = {.data = answer, .cap = sizeof answer};
	struct cursor c = cursor_over(copy, size);
	const char *a = value(&c), *i = value(&c), *challenge = value(&c),
		   *n = value(&c), *r = value(&c), *why = NULL;
	struct chap chap;

	FUZZ_CHECK(chap_init(&chap, &config, NULL, false, &why) == 0);
	FUZZ_CHECK(chap_list(&chap, list));
	if (chap_choose(&chap, a, &why) == 0 &&
		chap_challenge(&chap, i, challenge, &why) == 0 &&
		chap_respond(&chap, random, &out, &why) == 0)
		/* Nobody here knows the secret. */
		FUZZ_CHECK(chap_verify(&chap, n, r, &why) < 0);
	FUZZ_CHECK(out.len <= out.cap);
	chap_fini(&chap);
	free(copy);
	return 0;
}
