/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/scsi/sense.h>

#define BYTES(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

static const struct {
	uint8_t data[40];
	size_t len;
	struct sense sense;
	const char *text;
} cases[] = {
	{BYTES(0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0, 0, 0, 0, 0),
		{true, false, 6, 0x29, 0, false, 0},
		"UNIT ATTENTION, power on, reset, or bus device reset occurred "
		"(6/29/00)"},
	{BYTES(0xf0, 0, 3, 0, 0, 0x12, 0x67, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0,
		 0),
		{true, false, 3, 0x11, 0, true, 4711},
		"MEDIUM ERROR, unrecovered read error (3/11/00), at 4711"},
	{BYTES(0x71, 0, 0xe3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0c, 2),
		{true, true, 3, 0x0c, 2, false, 0},
		"deferred MEDIUM ERROR, write error (3/0c/02)"},
	/* additional length: a lie upwards, and one that hides the ASC */
	{BYTES(0x70, 0, 5, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0x24, 0),
		{true, false, 5, 0x24, 0, false, 0},
		"ILLEGAL REQUEST, invalid field in CDB (5/24/00)"},
	{BYTES(0x70, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x24, 0),
		{true, false, 5, 0, 0, false, 0},
		"ILLEGAL REQUEST, no additional sense information (5/00/00)"},
	{BYTES(0x70, 0, 5), {true, false, 5, 0, 0, false, 0},
		"ILLEGAL REQUEST, no additional sense information (5/00/00)"},
	{BYTES(0x70, 0), {false, false, 0, 0, 0, false, 0},
		"no usable sense data"},
	{BYTES(0x72, 0x0b, 0x47, 5, 0, 0, 0, 0),
		{true, false, 0xb, 0x47, 5, false, 0},
		"ABORTED COMMAND, parity or CRC error (b/47/05)"},
	{BYTES(0x72, 3, 0x11, 0, 0, 0, 0, 12, 0, 10, 0x80, 0, 0, 0, 0, 1, 0, 0,
		 0, 2),
		{true, false, 3, 0x11, 0, true, 0x100000002},
		"MEDIUM ERROR, unrecovered read error (3/11/00), at "
		"4294967298"},
	/* another descriptor before it; its VALID is not set */
	{BYTES(0x73, 4, 0x44, 0, 0, 0, 0, 255, 2, 2, 9, 9, 0, 10, 0, 0, 0, 0, 0,
		 0, 0, 0, 0, 1),
		{true, true, 4, 0x44, 0, false, 0},
		"deferred HARDWARE ERROR, internal target failure (4/44/00)"},
	/* a descriptor of length 0, and one past the end */
	{BYTES(0x72, 3, 0x11, 0, 0, 0, 0, 6, 0, 0, 0, 255, 1, 1),
		{true, false, 3, 0x11, 0, false, 0},
		"MEDIUM ERROR, unrecovered read error (3/11/00)"},
	{BYTES(0x72), {false, false, 0, 0, 0, false, 0},
		"no usable sense data"},
	{BYTES(0x7f, 3, 3, 3, 3), {false, false, 0, 0, 0, false, 0},
		"no usable sense data"},
	{BYTES(0x00, 0, 0), {false, false, 0, 0, 0, false, 0},
		"no usable sense data"},
};

static void same(const struct sense *a, const struct sense *b, size_t n)
{
	cr_expect_eq(a->valid, b->valid, "case %zu", n);
	cr_expect_eq(a->deferred, b->deferred, "case %zu", n);
	cr_expect_eq(a->key, b->key, "case %zu", n);
	cr_expect_eq(a->asc, b->asc, "case %zu", n);
	cr_expect_eq(a->ascq, b->ascq, "case %zu", n);
	cr_expect_eq(a->info_valid, b->info_valid, "case %zu", n);
	cr_expect_eq(a->info, b->info, "case %zu", n);
}

Test(sense, decode)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[SENSE_TEXT_MAX];
		struct sense s = sense_decode(cases[i].data, cases[i].len);

		same(&s, &cases[i].sense, i);
		cr_expect_str_eq(
			sense_text(&s, text, sizeof text), cases[i].text);
	}
}

Test(sense, every_length)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t n = 0; n <= cases[i].len; n++) {
			uint8_t *copy = malloc(n ? n : 1);
			struct sense s;

			memcpy(copy, cases[i].data, n);
			s = sense_decode(copy, n);
			cr_expect(s.key == 0 || s.key == cases[i].sense.key);
			cr_expect(s.asc == 0 || s.asc == cases[i].sense.asc);
			free(copy);
		}
}

Test(sense, build)
{
	struct sense s = {true, true, 3, 0x11, 7, true, 4711}, back;
	uint8_t d[18];
	char tiny[8];

	cr_expect_eq(sense_build(&s, d, sizeof d), 18);
	back = sense_decode(d, sizeof d);
	same(&back, &s, 0);
	s.info = (uint64_t)UINT32_MAX + 1;
	sense_build(&s, d, sizeof d);
	cr_expect_not(sense_decode(d, sizeof d).info_valid);
	cr_expect_eq(sense_build(&s, d, 5), 5);
	cr_expect_str_eq(sense_text(&s, tiny, sizeof tiny), "deferre");
}
