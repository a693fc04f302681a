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

/* A full target is asked again for 10 s before another path is; one that is
 * not ready may be so over this path only. */
Test(retry, where_a_later_try_goes)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
		bool at_once;
	} rows[] = {
		{SCSI_STATUS_BUSY, 0, false},
		{SCSI_STATUS_TASK_SET_FULL, 0, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x020401, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct path_result r = answer(rows[i].status, rows[i].sense);
		struct retry_history h = {0};
		struct retry_verdict v =
			retry_judge(IO_WRITE, &r, &h, NS_PER_S);

		cr_assert_eq(v.action, RETRY_LATER, "row %zu", i);
		cr_assert_eq(v.other, rows[i].at_once, "row %zu", i);
		cr_assert_not(v.path_bad);
		v = retry_judge(IO_WRITE, &r, &h, 11 * NS_PER_S);
		cr_assert(v.other, "row %zu", i);
	}
}

/* What each answer to a write is met with. */
Test(retry, the_table)
{
	static const struct {
		uint8_t status;
		uint32_t sense;
		enum retry_action action;
		unsigned times; /* before it fails, all at one instant; 0: * */
		unsigned flags;
		bool path_bad;
	} rows[] = {
		{SCSI_STATUS_TASK_ABORTED, 0, RETRY_HERE, 5, 0, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x0b0000, RETRY_ELSEWHERE, 5, 0,
			false},
		{SCSI_STATUS_CHECK_CONDITION, 0x0b4703, RETRY_ELSEWHERE, 5, 0,
			false},
		{SCSI_STATUS_CHECK_CONDITION, 0x044400, RETRY_ELSEWHERE, 2, 0,
			false},
		{SCSI_STATUS_CHECK_CONDITION, 0x062900, RETRY_HERE, 8,
			DISPOSITION_CACHE_SUSPECT, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x062904, RETRY_HERE, 8,
			DISPOSITION_CACHE_SUSPECT, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x062a06, RETRY_HERE, 8,
			DISPOSITION_REREAD_ALUA, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x062a09, RETRY_HERE, 8,
			DISPOSITION_REREAD_CAPACITY, false},
		{SCSI_STATUS_CHECK_CONDITION, 0x052500, RETRY_ELSEWHERE, 0,
			DISPOSITION_REREAD_IDENTITY, true},
		{SCSI_STATUS_BUSY, 0, RETRY_LATER, 0, DISPOSITION_QUEUE_FULL,
			false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct path_result r = answer(rows[i].status, rows[i].sense);
		struct retry_history h = {0};
		unsigned n = 0;

		for (;; n++) {
			struct retry_verdict v =
				retry_judge(IO_WRITE, &r, &h, 1);

			if (v.action == RETRY_FAIL || n > 100)
				break;
			cr_assert_eq(v.action, rows[i].action, "row %zu", i);
			cr_assert_eq(
				v.path_bad, rows[i].path_bad, "row %zu", i);
			cr_assert_eq(v.flags & rows[i].flags, rows[i].flags,
				"row %zu", i);
			cr_assert_not(v.unknown);
		}
		if (rows[i].times)
			cr_assert_eq(n, rows[i].times, "row %zu: %u", i, n);
	}
	/* The loss of a nexus is no loss of the cache. */
	cr_assert_not(
		first(IO_WRITE, answer(SCSI_STATUS_CHECK_CONDITION, 0x062907))
			.flags &
		DISPOSITION_CACHE_SUSPECT);
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
