/* SPDX-License-Identifier: BSD-2-Clause */
/* Text keys of a login: pairs, negotiation, values. */
#include <errno.h>

#include "daemon/iscsi/keys.h"
#include "daemon/iscsi/name.h"
#include "daemon/iscsi/text.h"
#include "tests/fuzz/fuzz.h"

static void values(const char *value)
{
	uint8_t binary[64];
	struct iscsi_portal portal;
	uint64_t number;
	char word[16];
	bool yes;

	(void)text_number(value, &number);
	(void)text_bool(value, &yes);
	(void)text_binary(value, binary, sizeof binary);
	(void)text_list_choose(value, "CRC32C,None", word, sizeof word);
	(void)iscsi_address_parse(value, &portal, NULL);
	(void)iscsi_name_valid(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct iscsi_offer offer = {
		.first_burst_length = 65536,
		.max_burst_length = 65536,
		.max_recv_data_segment_length = 65536,
		.max_outstanding_r2t = 1,
		.max_connections = 1,
	};
	struct cursor c = cursor_over(data, size);
	char answers[8192], why[80];
	struct text_out out = {.data = answers, .cap = sizeof answers};
	struct text_in in = {0};
	struct session_params session;
	struct conn_params conn;
	struct text_pair pair;
	struct keys keys;
	const char *cause;
	const uint8_t *rest;
	size_t len, at = 0;
	uint8_t how = cursor_u8(&c);
	int err = 0;

	keys_init(&keys, (enum keys_phase)(how & 3), &offer);
	if (how & 4)
		keys_offer(&keys, &out);
	out.len = 0;
	rest = fuzz_rest(&c, &len);
	if (len > 0 && text_in_add(&in, rest, len / 2) == 0)
		(void)text_in_add(&in, rest + len / 2, len - len / 2);
	while (err >= 0 && text_in_next(&in, &at, &pair, &cause) == 1) {
		values(pair.value);
		err = keys_take(
			&keys, pair.key, pair.value, &out, why, sizeof why);
	}
	text_in_clear(&in);
	FUZZ_CHECK(out.len <= out.cap);
	session_params_init(&session);
	conn_params_init(&conn);
	if (err < 0 || keys_finish(&keys, &session, &conn, why, sizeof why))
		return 0;
	FUZZ_CHECK(session.first_burst_length <= session.max_burst_length);
	FUZZ_CHECK(session.max_burst_length >= 512);
	FUZZ_CHECK(conn.max_send_data >= 512);
	return 0;
}
