/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_world.h"

static struct {
	uint64_t hash;
	unsigned level;
} trace;

static const struct {
	uint8_t level;
	const char *fmt;
} kinds[] = {
#define X(id, level, fmt) {level, fmt},
	TRACES(X)
#undef X
};

static void add(uint64_t word)
{
	trace.hash = (trace.hash ^ word) * 0x9fb21c651e98df25ull;
	trace.hash ^= trace.hash >> 29;
}

void trace_begin(unsigned level)
{
	trace.hash = 0x6a09e667f3bcc908ull;
	trace.level = level;
}

uint64_t trace_hash(void)
{
	return trace.hash;
}

static bool begins(enum trace_kind kind)
{
	uint64_t at = t_world_now() - T_EPOCH;

	add(at);
	add(kind);
	if (trace.level < kinds[kind].level)
		return false;
	printf("%4llu.%06llu  ", (unsigned long long)at / 1000000000,
		(unsigned long long)at / 1000 % 1000000);
	return true;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* from the table */
void trace_note(
	enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	bool print = begins(kind);

	add(a);
	add(b);
	add(c);
	add(d);
	if (!print)
		return;
	printf(kinds[kind].fmt, (unsigned long long)a, (unsigned long long)b,
		(unsigned long long)c, (unsigned long long)d);
	putchar('\n');
}

void trace_text(enum trace_kind kind, int64_t n, const char *text)
{
	bool print = begins(kind);

	add((uint64_t)n);
	for (const char *p = text; *p; p++)
		add((uint8_t)*p);
	if (!print)
		return;
	printf(kinds[kind].fmt, (long long)n, text);
	putchar('\n');
	fflush(stdout);
}
#pragma GCC diagnostic pop
