/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "daemon/iscsi/name.h"
#include "daemon/iscsi/text.h"

static struct text_in text_of(const char *data, size_t len)
{
	struct text_in in = {0};

	cr_assert_eq(text_in_add(&in, data, len), 0);
	return in;
}

Test(text, pairs_over_several_pdus)
{
	struct text_in in = {0};
	struct text_pair pair;
	const char *why = NULL;
	size_t at = 0;

	cr_assert_eq(text_in_add(&in, "Max", 3), 0);
	cr_assert_eq(text_in_add(&in, "Burst=1\0Em", 10), 0);
	cr_assert_eq(text_in_add(&in, "pty=\0a=b=c\0\0\0", 14), 0);
	cr_assert_eq(text_in_next(&in, &at, &pair, &why), 1);
	cr_expect_str_eq(pair.key, "MaxBurst");
	cr_expect_str_eq(pair.value, "1");
	cr_assert_eq(text_in_next(&in, &at, &pair, &why), 1);
	cr_expect_str_eq(pair.key, "Empty");
	cr_expect_str_eq(pair.value, "");
	cr_assert_eq(text_in_next(&in, &at, &pair, &why), 1);
	cr_expect_str_eq(pair.value, "b=c");
	cr_expect_eq(text_in_next(&in, &at, &pair, &why), 0);
	text_in_clear(&in);
}

Test(text, malformed)
{
	static const struct {
		const char *data;
		size_t len;
	} bad[] = {
		{"a=b", 3},      /* no NUL */
		{"ab\0", 3},     /* no = */
		{"=b\0", 3},     /* no key */
		{"a b=c\0", 6},  /* a space */
		{"\x01=c\0", 4}, /* a control character */
	};
	char key[66 + 2];
	struct text_pair pair;
	const char *why;
	size_t i, at;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct text_in in = text_of(bad[i].data, bad[i].len);

		why = NULL;
		at = 0;
		cr_expect_eq(text_in_next(&in, &at, &pair, &why), -EPROTO,
			"case %zu", i);
		cr_expect_not_null(why);
		text_in_clear(&in);
	}
	for (i = 63; i <= 64; i++) {
		struct text_in in;

		memset(key, 'k', sizeof key);
		memcpy(key + i, "=\0", 2);
		in = text_of(key, i + 2);
		at = 0;
		cr_expect_eq(text_in_next(&in, &at, &pair, &why),
			i == 63 ? 1 : -EPROTO);
		text_in_clear(&in);
	}
}

Test(text, total_is_bounded)
{
	static char chunk[8192];
	struct text_in in = {0};
	int i;

	memset(chunk, 'x', sizeof chunk);
	for (i = 0; i < 8; i++)
		cr_expect_eq(text_in_add(&in, chunk, sizeof chunk), 0);
	cr_expect_eq(text_in_add(&in, chunk, 1), -EMSGSIZE);
	cr_expect_eq(in.len, TEXT_TOTAL_MAX);
	text_in_clear(&in);
	cr_expect_eq(text_in_add(&in, chunk, SIZE_MAX), -EMSGSIZE);
}

Test(text, builder)
{
	char data[20];
	struct text_out out = {.data = data, .cap = sizeof data};

	text_put_bool(&out, "A", true);
	text_put_number(&out, "Bb", 18446744073709551615ull);
	cr_expect(out.full);
	cr_expect_eq(out.len, 6);
	out.full = false;
	text_put_binary(&out, "C", (const uint8_t *)"\x0f\xa0", 2);
	text_put_bool(&out, "D", false);
	cr_expect(out.full == false && out.len == 20);
	cr_expect_arr_eq(data, "A=Yes\0C=0x0fa0\0D=No\0", 20);
}

Test(text, numbers)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"65536", 0, 65536},
		{"0x40000", 0, 262144},
		{"0XfF", 0, 255},
		{"18446744073709551615", 0, UINT64_MAX},
		{"0xffffffffffffffff", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"0x10000000000000000", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"01", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1f", -EINVAL, 0},
		{"abc", -EINVAL, 0},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t value = 0;

		cr_expect_eq(text_number(cases[i].text, &value), cases[i].err,
			"%s", cases[i].text);
		cr_expect_eq(value, cases[i].value, "%s", cases[i].text);
	}
}

Test(text, binaries)
{
	static const struct {
		const char *text;
		int len;
		const char *bytes;
	} cases[] = {
		{"0x0102fF", 3, "\1\2\xff"},
		{"0X123", 2, "\x01\x23"},
		{"0bAQL/", 3, "\1\2\xff"},
		{"0BAQI=", 2, "\1\2"},
		{"0bAQ==", 1, "\1"},
		{"0x", -EINVAL, ""},
		{"0b", -EINVAL, ""},
		{"0xzz", -EINVAL, ""},
		{"0bAQ=", -EINVAL, ""},
		{"0bA===", -EINVAL, ""},
		{"0bAR==", -EINVAL, ""},
		{"0b=QIA", -EINVAL, ""},
		{"0bAQI-", -EINVAL, ""},
		{"0102", -EINVAL, ""},
		{"", -EINVAL, ""},
		{"0x0102030405", -EMSGSIZE, ""},
		{"0bAQIDBAU=", -EMSGSIZE, ""},
	};
	uint8_t out[4];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		int len = text_binary(cases[i].text, out, sizeof out);

		cr_expect_eq(len, cases[i].len, "%s: %d", cases[i].text, len);
		if (len > 0)
			cr_expect_arr_eq(out, cases[i].bytes, (size_t)len);
	}
}

Test(text, lists)
{
	char word[8];

	cr_expect(text_list_has("CRC32C,None", "None"));
	cr_expect(!text_list_has("CRC32C,None", "Non"));
	cr_expect(!text_list_has("", "None"));
	cr_expect(text_list_choose(
		"foo,CRC32C,None", "None,CRC32C", word, sizeof word));
	cr_expect_str_eq(word, "CRC32C", "the proposer's order counts");
	cr_expect(!text_list_choose(
		"foo,,bar", "None,CRC32C", word, sizeof word));
	cr_expect(!text_list_choose("", "None", word, sizeof word));
	cr_expect(!text_list_choose(
		"toolongaword", "toolongaword", word, sizeof word));
}

Test(name, validity)
{
	static const char *const good[] = {"iqn.2003-01.org.example:array1",
		"iqn.1991-05.com.microsoft:host", "IQN.2001-04.com.Example",
		"eui.02004567A425678D", "naa.52004567BA64678D",
		"naa.62004567BA64678D0123456789ABCDEF"};
	static const char *const bad[] = {"", "iqn.", "iqn.2003-01.", "array1",
		"iqn.2003-1.org.example", "iqn.2003-01.org example",
		"iqn.2003-01.a/../b", "iqn.2003-01.a\nb", "eui.0200",
		"eui.02004567A425678G", "naa.52004567BA64678D0"};
	char longest[ISCSI_NAME_MAX + 2] = "iqn.2003-01.org.example:";
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++)
		cr_expect(iscsi_name_valid(good[i]), "%s", good[i]);
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect(!iscsi_name_valid(bad[i]), "%s", bad[i]);
	for (i = strlen(longest); i < ISCSI_NAME_MAX; i++)
		longest[i] = 'x';
	cr_expect(iscsi_name_valid(longest));
	longest[ISCSI_NAME_MAX] = 'x';
	cr_expect(!iscsi_name_valid(longest));
	cr_expect_eq(iscsi_name_compare("iqn.2003-01.A", "IQN.2003-01.a"), 0);
	cr_expect_lt(iscsi_name_compare("iqn.2003-01.a", "iqn.2003-01.AB"), 0);
	cr_expect_gt(iscsi_name_compare("iqn.2003-01.B", "iqn.2003-01.a"), 0);
}

Test(name, target_address)
{
	static const struct {
		const char *text, *host;
		unsigned port, tpgt;
		bool tagged;
	} good[] = {
		{"10.0.0.1", "10.0.0.1", 3260, 0, false},
		{"10.0.0.1:3261,2", "10.0.0.1", 3261, 2, true},
		{"[2001:db8::1]:3261", "2001:db8::1", 3261, 0, false},
		{"[2001:db8::1],65535", "2001:db8::1", 3260, 65535, true},
		{"array.example.org,1", "array.example.org", 3260, 1, true},
	};
	static const char *const bad[] = {"", ":3260", "10.0.0.1:0",
		"10.0.0.1:65536", "10.0.0.1,65536", "10.0.0.1,", "10.0.0.1,1,x",
		"[2001:db8::1", "a b", "a\nb", "../etc"};
	struct iscsi_portal portal;
	bool tagged;
	size_t i;

	for (i = 0; i < sizeof good / sizeof *good; i++) {
		cr_assert_eq(
			iscsi_address_parse(good[i].text, &portal, &tagged), 0,
			"%s", good[i].text);
		cr_expect_str_eq(portal.at.host, good[i].host);
		cr_expect_eq(portal.at.port, good[i].port);
		cr_expect_eq(portal.tpgt, good[i].tpgt);
		cr_expect_eq(tagged, good[i].tagged);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(iscsi_address_parse(bad[i], &portal, NULL),
			-EINVAL, "%s", bad[i]);
}

Test(name, isid)
{
	char text[ISID_TEXT_MAX];

	cr_expect_str_eq(isid_text((const uint8_t *)"\x80\1\2\3\4\xff", text),
		"0x8001020304ff");
}
