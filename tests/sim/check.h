/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold in every run, by name, and the first thing that did not. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include <stdbool.h>

/* X(ID, "name", what it says) */
#define INVARIANTS(X)                                                          \
	X(HISTORY, "history",                                                  \
		"a read returns what was last acknowledged, or what was "      \
		"under way")                                                   \
	X(DURABLE, "durable", "flushed and FUA data survive a power cut")      \
	X(ONCE, "once", "each request completes exactly once")                 \
	X(STALE, "stale",                                                      \
		"nothing old is executed after a newer write was "             \
		"acknowledged")                                                \
	X(RULES, "rules", "the target sees nothing that RFC 7143 forbids")     \
	X(MEMORY, "memory", "what is held in memory has a bound")              \
	X(LIVENESS, "liveness",                                                \
		"once faults stop, everything completes and all paths come "   \
		"back")                                                        \
	X(ERRORS, "errors", "a request fails only when it may")                \
	X(END, "end", "the device drains, and nothing is left of it")

enum invariant {
#define X(id, name, what) INVARIANT_##id,
	INVARIANTS(X)
#undef X
};

/* Records that `which` does not hold; only the first time counts. The run is
 * to be ended soon. */
void check_fail(enum invariant which, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first failure as `name: text`, NULL when there is none. */
const char *check_failure(void);
void check_reset(void);

#endif
