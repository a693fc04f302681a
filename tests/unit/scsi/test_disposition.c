/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/sense.h>

#define F(id)      DISPOSITION_##id
#define REVALIDATE (F(REREAD_IDENTITY) | F(REREAD_CAPACITY) | F(REREAD_MODE))

enum {
	OK = DISPOSITION_OK,
	HERE = DISPOSITION_RETRY_HERE,
	ELSEWHERE = DISPOSITION_RETRY_ELSEWHERE,
	WAIT = DISPOSITION_WAIT,
	BAD = DISPOSITION_PATH_BAD,
	FAIL = DISPOSITION_FAIL
};

static const struct {
	uint8_t status;
	uint32_t sense; /* 0xKKAAQQ */
	int action, error;
	unsigned flags;
} cases[] = {
	{0x00, 0, OK, 0, 0},
	{0x04, 0, OK, 0, 0},
	{0x08, 0, WAIT, -EIO, F(QUEUE_FULL)},
	{0x18, 0, FAIL, -EBADE, F(RESERVATION)},
	{0x28, 0, WAIT, -EIO, F(QUEUE_FULL)},
	{0x30, 0, ELSEWHERE, -EIO, 0},
	{0x40, 0, HERE, -EIO, 0},
	{0x77, 0, ELSEWHERE, -EIO, 0},
	{0xff, 0, ELSEWHERE, -EIO, 0},
	/* sense counts with CHECK CONDITION alone */
	{0x00, 0x031100, OK, 0, 0},
	{0x08, 0x031100, WAIT, -EIO, F(QUEUE_FULL)},

	{2, 0x000000, HERE, -EIO, 0},
	{2, 0x010b01, OK, 0, F(RECOVERED)},
	{2, 0x020400, WAIT, -EIO, 0},
	{2, 0x020401, WAIT, -EIO, 0},
	{2, 0x020402, WAIT, -EIO, F(START_UNIT)},
	{2, 0x020403, FAIL, -EIO, 0},
	{2, 0x020404, WAIT, -EIO, 0},
	{2, 0x020409, WAIT, -EIO, 0},
	{2, 0x02040a, ELSEWHERE, -EIO, F(REREAD_ALUA)},
	{2, 0x02040b, ELSEWHERE, -EIO, F(REREAD_ALUA)},
	{2, 0x02040c, ELSEWHERE, -EIO, F(REREAD_ALUA)},
	{2, 0x020412, ELSEWHERE, -EIO, F(REREAD_ALUA)},
	{2, 0x02041b, WAIT, -EIO, 0},
	{2, 0x020500, BAD, -EIO, 0},
	{2, 0x023a00, FAIL, -EIO, 0},
	{2, 0x025500, WAIT, -EIO, 0},
	{2, 0x031100, FAIL, -EIO, 0},
	{2, 0x030c00, FAIL, -EIO, 0},
	{2, 0x033100, FAIL, -EIO, 0},
	{2, 0x044400, ELSEWHERE, -EIO, 0},
	{2, 0x043e01, ELSEWHERE, -EIO, 0},
	{2, 0x051a00, FAIL, -EIO, 0},
	{2, 0x052000, FAIL, -ENOTSUP, F(UNSUPPORTED)},
	{2, 0x052100, FAIL, -EIO, F(REREAD_CAPACITY)},
	{2, 0x052400, FAIL, -ENOTSUP, F(UNSUPPORTED)},
	{2, 0x052500, BAD, -EIO, F(REREAD_IDENTITY)},
	{2, 0x052600, FAIL, -ENOTSUP, F(UNSUPPORTED)},
	{2, 0x055503, FAIL, -EIO, 0},
	{2, 0x062800, HERE, -EIO, REVALIDATE},
	{2, 0x062900, HERE, -EIO,
		REVALIDATE | F(CACHE_SUSPECT) | F(RESERVATION)},
	{2, 0x062901, HERE, -EIO,
		REVALIDATE | F(CACHE_SUSPECT) | F(RESERVATION)},
	{2, 0x062903, HERE, -EIO,
		REVALIDATE | F(CACHE_SUSPECT) | F(RESERVATION)},
	{2, 0x062904, HERE, -EIO,
		REVALIDATE | F(CACHE_SUSPECT) | F(RESERVATION)},
	{2, 0x062905, HERE, -EIO, REVALIDATE},
	{2, 0x062907, HERE, -EIO, REVALIDATE},
	{2, 0x062a01, HERE, -EIO, F(REREAD_MODE)},
	{2, 0x062a02, HERE, -EIO, 0},
	{2, 0x062a03, HERE, -EIO, F(RESERVATION)},
	{2, 0x062a05, HERE, -EIO, F(RESERVATION)},
	{2, 0x062a06, HERE, -EIO, F(REREAD_ALUA)},
	{2, 0x062a07, HERE, -EIO, F(REREAD_ALUA)},
	{2, 0x062a09, HERE, -EIO, F(REREAD_CAPACITY)},
	{2, 0x062a10, HERE, -EIO, 0},
	{2, 0x062f00, HERE, -EIO, 0},
	{2, 0x062f01, HERE, -EIO, F(CACHE_SUSPECT)},
	{2, 0x063807, HERE, -EIO, F(THIN_WARNING)},
	{2, 0x063f01, HERE, -EIO, F(REREAD_IDENTITY) | F(REREAD_MODE)},
	{2, 0x063f03, HERE, -EIO, F(REREAD_IDENTITY) | F(REREAD_MODE)},
	{2, 0x063f0e, HERE, -EIO, F(REREAD_IDENTITY) | F(REREAD_MODE)},
	{2, 0x065d00, HERE, -EIO, 0},
	{2, 0x072700, FAIL, -EPERM, F(REREAD_MODE)},
	{2, 0x072702, FAIL, -EPERM, F(REREAD_MODE)},
	{2, 0x072707, FAIL, -ENOSPC, 0},
	{2, 0x080000, FAIL, -EIO, 0},
	{2, 0x098000, ELSEWHERE, -EIO, 0},
	{2, 0x0a0d00, FAIL, -EIO, 0},
	{2, 0x0b0000, ELSEWHERE, -EIO, 0},
	{2, 0x0b0c0d, ELSEWHERE, -EIO, 0},
	{2, 0x0b4705, ELSEWHERE, -EIO, 0},
	{2, 0x0c0000, HERE, -EIO, 0},
	{2, 0x0d0000, FAIL, -ENOSPC, 0},
	{2, 0x0e1d00, FAIL, -EILSEQ, 0},
	{2, 0x0f0000, HERE, -EIO, 0},
};

static struct disposition ask(uint8_t status, uint32_t code, bool deferred)
{
	struct sense s = {.valid = true, .deferred = deferred};
	uint8_t d[18];

	s.key = (uint8_t)(code >> 16);
	s.asc = (uint8_t)(code >> 8);
	s.ascq = (uint8_t)code;
	sense_build(&s, d, sizeof d);
	return disposition_of(status, d, sizeof d);
}

Test(disposition, table)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct disposition d =
			ask(cases[i].status, cases[i].sense, false);

		cr_expect_eq((int)d.action, cases[i].action, "%02x %06x: %s",
			cases[i].status, cases[i].sense, d.what);
		cr_expect_eq(d.error, cases[i].error, "%02x %06x: %s",
			cases[i].status, cases[i].sense, d.what);
		cr_expect_eq(d.flags & ~F(NOT_DONE), cases[i].flags,
			"%02x %06x: %s", cases[i].status, cases[i].sense,
			d.what);
	}
}

/* Whatever a target says: there is a name, an error unless it is a success, and
 * an end to every retry; and only what is meant as success is one. */
Test(disposition, whole_space)
{
	static const uint8_t statuses[] = {
		0, 2, 4, 8, 0x18, 0x28, 0x30, 0x40, 0x01, 0x80, 0xff};

	for (size_t i = 0; i < sizeof statuses; i++)
		for (uint32_t code = 0; code < 0x100000; code += 7) {
			struct disposition d;

			if (statuses[i] != 2 && code & 0x00f0)
				continue;
			d = ask(statuses[i], code, code & 1 << 7);
			cr_assert_not_null(d.what);
			cr_assert_eq(d.action == DISPOSITION_OK, d.error == 0);
			if (d.action == DISPOSITION_WAIT)
				cr_assert(d.delay && d.patience);
			if (d.action == DISPOSITION_RETRY_HERE ||
				d.action == DISPOSITION_RETRY_ELSEWHERE)
				cr_assert(d.limit);
			if (d.action == DISPOSITION_OK && statuses[i] == 2)
				cr_assert(code >> 16 == 1 && !(code & 1 << 7));
		}
}

Test(disposition, deferred)
{
	struct disposition d = ask(2, 0x030c00, true);

	cr_expect_eq(d.action, DISPOSITION_RETRY_HERE);
	cr_expect_eq(d.flags, F(WRITE_ERROR) | F(NOT_DONE));
	d = ask(2, 0x010000, true);
	cr_expect_eq(d.action, DISPOSITION_RETRY_HERE);
	d = ask(2, 0x062900, true);
	cr_expect(d.flags & F(CACHE_SUSPECT));
}

Test(disposition, no_sense_data)
{
	cr_expect_eq(disposition_of(2, NULL, 0).action, DISPOSITION_RETRY_HERE);
	cr_expect_eq(disposition_of(2, "x", 0).action, DISPOSITION_RETRY_HERE);
	cr_expect_eq(disposition_of(2, "\x7f\1\1\1", 4).error, -EIO);
	cr_expect_str_eq(
		disposition_action_name(DISPOSITION_PATH_BAD), "path bad");
}
