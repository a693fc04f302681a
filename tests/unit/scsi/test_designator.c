/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/scsi/designator.h>

#define N6                                                                     \
	"01030010"                                                             \
	"600140512345678900aabbccddeeff01"
#define N5                                                                     \
	"01030008"                                                             \
	"5000c50012345678"
#define N2                                                                     \
	"01030008"                                                             \
	"2000000000000001"
#define EUI                                                                    \
	"01020008"                                                             \
	"0011223344556677"
#define NAME                                                                   \
	"03080010"                                                             \
	"69716e2e323030302d30312e783a6100" /* iqn.2000-01.x:a */
#define T10                                                                    \
	"0201000c"                                                             \
	"49455420202020206a6b6c6d" /* IET, jklm */
#define N3                                                                     \
	"01030008"                                                             \
	"3000000000000abc"

#define W6    "naa.600140512345678900aabbccddeeff01"
#define W5    "naa.5000c50012345678"
#define W2    "naa.2000000000000001"
#define WEUI  "eui.0011223344556677"
#define WNAME "name.iqn.2000-01.x:a"
#define WT10  "t10.IET_jklm"
#define W3    "naa.3000000000000abc"

/* In the order of the choice. */
static const struct {
	const char *hex, *wwid;
} ranks[] = {{N6, W6}, {N5, W5}, {N2, W2}, {EUI, WEUI}, {NAME, WNAME},
	{T10, WT10}, {N3, W3}};

/* The body of a page, and the WWID; NULL: none. */
static const struct {
	const char *hex, *wwid;
} cases[] = {
	{"", NULL},
	/* of a port, of a device, reserved */
	{"01130010"
	 "600140512345678900aabbccddeeff01",
		NULL},
	{"01230010"
	 "600140512345678900aabbccddeeff01",
		NULL},
	{"01330010"
	 "600140512345678900aabbccddeeff01",
		NULL},
	{"01130010"
	 "600140512345678900aabbccddeeff01" N3,
		W3},
	/* protocol identifier and PIV change nothing */
	{"51830010"
	 "600140512345678900aabbccddeeff01",
		W6},
	/* lengths that do not fit the NAA */
	{"0103000f"
	 "600140512345678900aabbccddeeff",
		NULL},
	{"01030008"
	 "6001405123456789",
		NULL},
	{"01030010"
	 "500140512345678900aabbccddeeff01",
		NULL},
	{"01030010"
	 "200140512345678900aabbccddeeff01",
		NULL},
	{"01030010"
	 "300140512345678900aabbccddeeff01",
		NULL},
	{"01030007"
	 "5000c500123456",
		NULL},
	{"01030009"
	 "5000c5001234567800",
		NULL},
	{"01030000", NULL},
	{"01030001"
	 "60",
		NULL},
	/* an NAA that is none */
	{"01030008"
	 "1000000000000001",
		NULL},
	{"01030008"
	 "4000000000000001",
		NULL},
	{"01030008"
	 "f000000000000001",
		NULL},
	{"01030010"
	 "00000000000000000000000000000000",
		NULL},
	/* text where binary must be */
	{"02030008"
	 "5000c50012345678",
		NULL},
	{"03030008"
	 "5000c50012345678",
		NULL},
	{"00030008"
	 "5000c50012345678",
		NULL},
	{"02020008"
	 "0011223344556677",
		NULL},
	/* EUI-64 in its three lengths, and others */
	{"0102000c"
	 "00112233445566778899aabb",
		"eui.00112233445566778899aabb"},
	{"01020010"
	 "00112233445566778899aabbccddeeff",
		"eui.00112233445566778899aabbccddeeff"},
	{"01020007"
	 "00112233445566",
		NULL},
	{"01020009"
	 "001122334455667788",
		NULL},
	{"01020000", NULL},
	{"01020008"
	 "0000000000000000",
		NULL},
	{"01020008"
	 "0000000000000000" N3,
		W3},
	/* names */
	{"03080000", NULL},
	{"03080004"
	 "00000000",
		NULL},
	{"03080004"
	 "20202020",
		NULL},
	{"02080004"
	 "61626364",
		NULL}, /* not UTF-8 by its code set */
	{"03080004"
	 "61620000",
		"name.ab"},
	{"03080004"
	 "61622020",
		"name.ab"},
	{"03080004"
	 "20206162",
		"name.ab"},
	{"03080005"
	 "6120202062",
		"name.a_b"},
	{"03080003"
	 "610062",
		"name.a%00b"},
	{"03080003"
	 "611b62",
		"name.a%1bb"},
	{"03080003"
	 "610a62",
		"name.a%0ab"},
	{"03080003"
	 "612f62",
		"name.a%2fb"},
	{"03080003"
	 "612562",
		"name.a%25b"},
	{"03080005"
	 "2e2e2f2e2e",
		"name...%2f.."},
	{"03080002"
	 "c3a9",
		"name.%c3%a9"},
	{"03080001"
	 "7f",
		"name.%7f"},
	{"03080001"
	 "5f",
		"name._"},
	/* T10: code sets, a vendor alone */
	{"03010009"
	 "4142434445464748"
	 "58",
		"t10.ABCDEFGHX"},
	{"02010009"
	 "4142434445464748"
	 "58",
		"t10.ABCDEFGHX"},
	{"01010009"
	 "4142434445464748"
	 "58",
		"t10.414243444546474858"},
	{"02010008"
	 "4142434445464748",
		NULL},
	{"02010007"
	 "41424344454647",
		NULL},
	{"02010000", NULL},
	{"0201000c"
	 "4142434445464748"
	 "00000000",
		NULL},
	{"0201000d"
	 "4142204445462048"
	 "2020202058",
		"t10.AB_DEF_H_X"},
	{"0201000a"
	 "4142202020202020"
	 "0158",
		"t10.AB_%01X"},
	/* types that do not name a unit */
	{"02000004"
	 "61626364",
		NULL},
	{"01040004"
	 "00000001",
		NULL},
	{"01050004"
	 "00000001",
		NULL},
	{"01060004"
	 "00000001",
		NULL},
	{"01070010"
	 "600140512345678900aabbccddeeff01",
		NULL},
	{"01090004"
	 "00000001",
		NULL},
	{"010a0012"
	 "1000600140512345678900aabbccddeeff01",
		NULL},
	{"010f0008"
	 "5000c50012345678",
		NULL},
	/* the first of equals */
	{N5 "01030008"
	    "5000c500ffffffff",
		W5},
	{"01030008"
	 "5000c500ffffffff" N5,
		"naa.5000c500ffffffff"},
	/* empty ones between */
	{"01030000"
	 "01030000" N5,
		W5},
	{"00000000"
	 "00000000"
	 "00000000" N6,
		W6},
	/* cut off: what came before holds */
	{N5 "01030010"
	    "6001",
		W5},
	{N5 "010300", W5},
	{N5 "01", W5},
	{N5 "010300ff", W5},
	{"010300ff"
	 "5000c50012345678",
		NULL},
	{"0103000c"
	 "5000c50012345678",
		NULL},
};

static size_t unhex(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", out + i), 1);
	return n;
}

/* A page 83h around a body, in memory of just its size. */
static uint8_t *page_of(const char *hex, size_t *len)
{
	uint8_t *page = malloc(4 + strlen(hex) / 2 + 1);
	size_t n = unhex(page + 4, hex);

	page[0] = 0;
	page[1] = 0x83;
	put_be16(page + 2, (uint16_t)n);
	*len = 4 + n;
	return page;
}

static void expect_wwid(const char *hex, const char *wwid)
{
	char found[WWID_MAX];
	size_t len;
	uint8_t *page = page_of(hex, &len);
	int err = designator_wwid(found, page, len);

	cr_expect_eq(err, wwid ? 0 : -ENOENT, "%s: %d", hex, err);
	cr_expect_str_eq(found, wwid ? wwid : "", "%s: %s", hex, found);
	free(page);
}

Test(designator, wwid)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_wwid(cases[i].hex, cases[i].wwid);
}

/* Every two kinds, in both orders. */
Test(designator, wwid_rank)
{
	size_t n = sizeof ranks / sizeof *ranks;
	char both[256];

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			snprintf(both, sizeof both, "%s%s", ranks[i].hex,
				ranks[j].hex);
			expect_wwid(both, ranks[i < j ? i : j].wwid);
		}
}

/* Every length of every type and code set, alone and then a lie: no more than
 * what is there is read, and a WWID is never longer than its place. */
Test(designator, every_type_and_length)
{
	for (unsigned type = 0; type < 16; type++)
		for (unsigned len = 0; len < 256; len++)
			for (unsigned there = 0; there <= len; there += 17) {
				uint8_t *page = malloc(8 + there);
				char wwid[WWID_MAX];

				memset(page, 0xe9, 8 + there);
				page[1] = 0x83;
				put_be16(page + 2, (uint16_t)(4 + len));
				page[4] = type == DESIGNATOR_NAME ? 3 : 1;
				page[5] = (uint8_t)type;
				page[7] = (uint8_t)len;
				if (designator_wwid(wwid, page, 8 + there))
					cr_assert_str_empty(wwid);
				else
					cr_assert(there == len && *wwid);
				free(page);
			}
}

Test(designator, long_names)
{
	char hex[8 + 2 * 255 + 1] = "030800ff", wwid[WWID_MAX], *name;
	size_t len;
	uint8_t *page;

	for (int i = 0; i < 255; i++)
		strcat(hex, "61");
	page = page_of(hex, &len);
	cr_expect_eq(designator_wwid(wwid, page, len), 0);
	cr_expect_eq(strlen(wwid), 5 + 255);
	free(page);
	/* one that would have to be cut is none */
	for (name = hex + 8; *name; name += 2)
		memcpy(name, "01", 2);
	page = page_of(hex, &len);
	cr_expect_eq(designator_wwid(wwid, page, len), -ENOENT);
	free(page);
}

Test(designator, truncated_page)
{
	const char *hex = T10 N3 NAME EUI N2 N5 N6;
	const char *const seen[] = {WT10, WT10, WNAME, WEUI, W2, W5, W6};
	static const size_t ends[] = {20, 32, 52, 64, 76, 88, 108};
	size_t len;
	uint8_t *page = page_of(hex, &len);

	for (size_t n = 0; n <= len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		const char *expected = "";
		char wwid[WWID_MAX];

		for (size_t i = 0; i < 7; i++)
			if (n >= ends[i])
				expected = seen[i];
		memcpy(copy, page, n);
		cr_expect_eq(designator_wwid(wwid, copy, n), n < 4 ? -EPROTO
							     : *expected
								     ? 0
								     : -ENOENT);
		cr_expect_str_eq(wwid, expected, "%zu", n);
		free(copy);
	}
	/* the page's own length is believed when it is the smaller */
	put_be16(page + 2, 16);
	len = 109;
	{
		char wwid[WWID_MAX];

		designator_wwid(wwid, page, len - 1);
		cr_expect_str_eq(wwid, WT10);
		page[1] = 0x80;
		cr_expect_eq(designator_wwid(wwid, page, len - 1), -EPROTO);
	}
	free(page);
}

Test(designator, ports)
{
	static const struct {
		const char *hex;
		int err;
		uint16_t number;
	} groups[] = {
		{"01150004"
		 "00000102",
			0, 0x102},
		{N6 "01140004"
		    "00000007"
		    "51950004"
		    "00000003",
			0, 3},
		{"01050004"
		 "00000102",
			-ENOENT, 0},
		{"01150003"
		 "000001",
			-ENOENT, 0},
		{"01150005"
		 "0000010200",
			-ENOENT, 0},
		{"02150004"
		 "00000102",
			-ENOENT, 0},
		{"01150004"
		 "0000",
			-ENOENT, 0},
		{"", -ENOENT, 0},
	};
	uint16_t number;
	uint8_t *page;
	size_t len;

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		page = page_of(groups[i].hex, &len);
		cr_expect_eq(designator_target_group(&number, page, len),
			groups[i].err, "%zu", i);
		cr_expect_eq(number, groups[i].number, "%zu", i);
		free(page);
	}
	page = page_of("01140004"
		       "0000ffff",
		&len);
	cr_expect_eq(designator_relative_port(&number, page, len), 0);
	cr_expect_eq(number, 0xffff);
	cr_expect_eq(designator_relative_port(&number, page, 3), -EPROTO);
	free(page);
}

Test(designator, from_serial)
{
	struct inquiry inq = {.vendor = "IET", .product = "VIRTUAL  DISK"};
	char wwid[WWID_MAX], serial[256];

	cr_expect_eq(wwid_from_serial(wwid, &inq, "beaf/1"), 0);
	cr_expect_str_eq(wwid, "serial.IET_VIRTUAL_DISK_beaf%2f1");
	cr_expect_eq(wwid_from_serial(wwid, &inq, ""), -ENOENT);
	memset(serial, 'x', 255);
	serial[255] = '\0'; /* does not fit, and is not cut */
	cr_expect_eq(wwid_from_serial(wwid, &inq, serial), -ENOENT);
	cr_expect_str_empty(wwid);
	serial[200] = '\0';
	cr_expect_eq(wwid_from_serial(wwid, &inq, serial), 0);
	cr_expect_eq(strlen(wwid), 7 + 3 + 1 + 12 + 1 + 200);
}
