/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>

struct unit {
	const char *name;
	uint64_t scale;
};

/* Largest first. */
static const struct unit durations[] = {
	{"h", 3600 * NS_PER_S},
	{"m", 60 * NS_PER_S},
	{"s", NS_PER_S},
	{"ms", NS_PER_MS},
	{"us", NS_PER_US},
	{"ns", 1},
	{NULL, 0},
};

static const struct unit sizes[] = {
	{"TiB", 1ull << 40},
	{"GiB", 1ull << 30},
	{"MiB", 1ull << 20},
	{"KiB", 1ull << 10},
	{"", 1},
	{NULL, 0},
};

/* The digits at the start; `rest` is what follows them. */
static int read_digits(const char *text, uint64_t *value, const char **rest)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	if (p == text)
		return -EINVAL;
	*value = v;
	*rest = p;
	return 0;
}

static int read_scaled(
	const char *text, const struct unit *units, uint64_t *out)
{
	const char *rest;
	uint64_t v;
	int err = read_digits(text, &v, &rest);

	if (err < 0)
		return err;
	for (; units->name; units++) {
		if (strcmp(rest, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(v, units->scale, &v))
			return -ERANGE;
		*out = v;
		return 0;
	}
	return -EINVAL;
}

/* The largest unit that leaves no rest. */
static const char *write_scaled(
	uint64_t value, const struct unit *units, char *text, size_t size)
{
	while (value % units->scale != 0)
		units++;
	snprintf(
		text, size, "%" PRIu64 "%s", value / units->scale, units->name);
	return text;
}

int units_u64(const char *text, uint64_t *value)
{
	const char *rest;
	uint64_t v;
	int err = read_digits(text, &v, &rest);

	if (err < 0)
		return err;
	if (*rest != '\0')
		return -EINVAL;
	*value = v;
	return 0;
}

int units_duration(const char *text, uint64_t *ns)
{
	if (strcmp(text, "0") == 0) {
		*ns = 0;
		return 0;
	}
	return read_scaled(text, durations, ns);
}

int units_size(const char *text, uint64_t *bytes)
{
	return read_scaled(text, sizes, bytes);
}

int units_bool(const char *text, bool *value)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {
		{"yes", true},
		{"no", false},
		{"Yes", true},
		{"No", false},
		{"true", true},
		{"false", false},
		{"on", true},
		{"off", false},
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(text, words[i].text) != 0)
			continue;
		*value = words[i].value;
		return 0;
	}
	return -EINVAL;
}

const char *units_duration_text(uint64_t ns, char *text, size_t size)
{
	if (ns > 0)
		return write_scaled(ns, durations, text, size);
	snprintf(text, size, "0");
	return text;
}

const char *units_size_text(uint64_t bytes, char *text, size_t size)
{
	if (bytes > 0)
		return write_scaled(bytes, sizes, text, size);
	snprintf(text, size, "0");
	return text;
}
