/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <umpio/base/units.h>

struct row {
	const char *text;
	int err;
	uint64_t value;
};

typedef int read_fn(const char *text, uint64_t *value);

static void check(read_fn *read, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 77;
		int err = read(rows[i].text, &value);

		cr_assert_eq(err, rows[i].err, "'%s': %d", rows[i].text, err);
		cr_assert_eq(
			value, err ? 77 : rows[i].value, "'%s'", rows[i].text);
	}
}

#define CHECK(fn, rows) check(fn, rows, sizeof rows / sizeof rows[0])

Test(units, numbers)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1.5", -EINVAL, 0},
	};

	CHECK(units_u64, rows);
}

Test(units, durations)
{
	static const struct row rows[] = {
		{"0", 0, 0},
		{"0s", 0, 0},
		{"500ms", 0, 500000000},
		{"5s", 0, 5000000000},
		{"2m", 0, 120000000000},
		{"1h", 0, 3600000000000},
		{"5", -EINVAL, 0},
		{"00", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
		{"5sec", -EINVAL, 0},
		{"1m30s", -EINVAL, 0},
		{"18446744073s", 0, 18446744073000000000u},
		{"18446744074s", -ERANGE, 0},
	};

	CHECK(units_duration, rows);
}

Test(units, sizes)
{
	static const struct row rows[] = {
		{"4096", 0, 4096},
		{"64KiB", 0, 65536},
		{"1MiB", 0, 1048576},
		{"2GiB", 0, 2147483648},
		{"64K", -EINVAL, 0},
		{"64kib", -EINVAL, 0},
		{"KiB", -EINVAL, 0},
		{"17592186044416MiB", -ERANGE, 0},
		{"17592186044415MiB", 0, 18446744073708503040u},
	};

	CHECK(units_size, rows);
}

Test(units, booleans)
{
	static const char *const yes[] = {"yes", "Yes", "true", "on"};
	static const char *const no[] = {"no", "No", "false", "off"};
	static const char *const bad[] = {"", "YES", "1", "y", "yes "};
	bool value;

	for (int i = 0; i < 4; i++) {
		cr_assert_eq(units_bool(yes[i], &value), 0);
		cr_assert(value);
		cr_assert_eq(units_bool(no[i], &value), 0);
		cr_assert_not(value);
	}
	for (int i = 0; i < 5; i++)
		cr_assert_eq(units_bool(bad[i], &value), -EINVAL);
}

Test(units, text)
{
	char text[32];

#define SAYS(call, want) cr_assert_str_eq(call, want)
	SAYS(units_duration_text(0, text, sizeof text), "0");
	SAYS(units_duration_text(1500000000, text, sizeof text), "1500ms");
	SAYS(units_duration_text(120 * NS_PER_S, text, sizeof text), "2m");
	SAYS(units_duration_text(90 * NS_PER_S, text, sizeof text), "90s");
	SAYS(units_duration_text(7200 * NS_PER_S, text, sizeof text), "2h");
	SAYS(units_duration_text(1001, text, sizeof text), "1001ns");
	SAYS(units_size_text(0, text, sizeof text), "0");
	SAYS(units_size_text(65536, text, sizeof text), "64KiB");
	SAYS(units_size_text(65537, text, sizeof text), "65537");
	SAYS(units_size_text(3ull << 30, text, sizeof text), "3GiB");
	SAYS(units_size_text(UINT64_MAX, text, sizeof text),
		"18446744073709551615");
}
