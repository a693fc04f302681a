/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define X(id, name, what) name,
	INVARIANTS(X)
#undef X
};

static char failure[512];

void check_fail(enum invariant which, const char *fmt, ...)
{
	va_list args;
	int n;

	if (failure[0])
		return;
	n = snprintf(failure, sizeof failure, "%s: ", names[which]);
	va_start(args, fmt);
	vsnprintf(failure + n, sizeof failure - (size_t)n, fmt, args);
	va_end(args);
	trace_text(TRACE_BROKEN, 0, failure);
}

const char *check_failure(void)
{
	return failure[0] ? failure : NULL;
}

void check_reset(void)
{
	failure[0] = '\0';
}
