/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/retry.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <umpio/base/units.h>
#include <umpio/path.h>
#include <umpio/scsi/disposition.h>
#include <umpio/scsi/opcode.h>
#include <umpio/scsi/sense.h>

static struct path_result answer(uint8_t status, uint32_t sense)
{
	struct path_result r = {.outcome = PATH_DONE, .status = status};
	struct sense s = {.valid = true,
		.key = (uint8_t)(sense >> 16),
		.asc = (uint8_t)(sense >> 8),
		.ascq = (uint8_t)sense};

	if (sense)
		r.sense_len =
			(uint16_t)sense_build(&s, r.sense, sizeof r.sense);
	return r;
}

static struct retry_verdict first(enum io_kind kind, struct path_result r)
{
	struct retry_history h = {0};

	return retry_judge(kind, &r, &h, NS_PER_S);
}

Test(retry, good_and_short)
{
	struct path_result r = answer(SCSI_STATUS_GOOD, 0);
	struct retry_history h = {0};

	cr_assert_eq(first(IO_READ, r).action, RETRY_COMPLETE);
	r.residual = 512;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(retry_judge(IO_READ, &r, &h, 1).action,
			RETRY_ELSEWHERE);
	cr_assert_eq(retry_judge(IO_READ, &r, &h, 1).action, RETRY_FAIL);
	cr_assert_eq(first(IO_UNMAP, r).action, RETRY_COMPLETE);
}

Test(retry, unit_attention_here_up_to_a_limit)
{
	struct path_result r = answer(SCSI_STATUS_CHECK_CONDITION, 0x062900);
	struct retry_history h = {0};
	int n = 0;

	while (retry_judge(IO_WRITE, &r, &h, 1).action == RETRY_HERE)
		n++;
	cr_assert_eq(n, 8);
}

Test(retry, busy_backs_off_and_stays_below_a_second)
{
	struct path_result r = answer(SCSI_STATUS_BUSY, 0);
	struct retry_history h = {0};
	uint64_t last = 0;

	for (int i = 0; i < 12; i++) {
		struct retry_verdict v = retry_judge(IO_READ, &r, &h, 1);

		cr_assert_eq(v.action, RETRY_LATER);
		cr_assert_geq(v.delay, last);
		cr_assert_geq(v.delay, 10 * NS_PER_MS);
		cr_assert_leq(v.delay, NS_PER_S);
		last = v.delay;
	}
	cr_assert_eq(last, NS_PER_S);
}

Test(retry, what_does_not_travel)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
		int err;
	} rows[] = {
		{SCSI_STATUS_CHECK_CONDITION, 0x031100, -EIO},
		{SCSI_STATUS_RESERVATION_CONFLICT, 0, -EPERM},
		{SCSI_STATUS_CHECK_CONDITION, 0x072700, -EPERM},
		{SCSI_STATUS_CHECK_CONDITION, 0x072707, -ENOSPC},
		{SCSI_STATUS_CHECK_CONDITION, 0x052100, -EIO},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct retry_verdict v =
			first(IO_WRITE, answer(rows[i].status, rows[i].sense));

		cr_assert_eq(v.action, RETRY_FAIL, "row %zu", i);
		cr_assert_eq(v.error, rows[i].err, "row %zu: %d", i, v.error);
		cr_assert_not(v.path_bad);
	}
}

Test(retry, transport)
{
	struct path_result r = {.outcome = PATH_NOT_SENT, .error = -ENOTCONN};
	struct retry_history h = {0};
	struct retry_verdict v = first(IO_WRITE, r);

	cr_assert(v.action == RETRY_ELSEWHERE && !v.unknown && v.path_dying);
	r.outcome = PATH_UNKNOWN;
	v = first(IO_WRITE, r);
	cr_assert(v.action == RETRY_ELSEWHERE && v.unknown && v.path_dying);
	r.error = -ETIMEDOUT;
	for (int i = 0; i < 3; i++) {
		v = retry_judge(IO_WRITE, &r, &h, 1);
		cr_assert(v.action == RETRY_ELSEWHERE && !v.path_bad);
	}
	cr_assert_eq(retry_judge(IO_WRITE, &r, &h, 1).action, RETRY_FAIL);
}

/* A target that finds ever new excuses does not keep a command for ever. */
Test(retry, changing_causes_come_to_an_end)
{
	struct path_result a = answer(SCSI_STATUS_CHECK_CONDITION, 0x062900);
	struct path_result b = answer(SCSI_STATUS_CHECK_CONDITION, 0x0b4700);
	struct retry_history h = {0};
	int n = 0;

	while (retry_judge(IO_READ, n % 2 ? &a : &b, &h, 1).action !=
		RETRY_FAIL)
		cr_assert_lt(++n, 100);
}
