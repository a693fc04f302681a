/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tree under test promises; a fault that only a promise of these
 * survives is left out where it is not made. */
#ifndef TESTS_SIM_FEATURES_H
#define TESTS_SIM_FEATURES_H

#include <stdbool.h>

/* X(ID, made, what) */
#define FEATURES(X)                                                            \
	X(FENCE, true,                                                         \
		"a retried write is fenced: bytes of an aborted connection "   \
		"may be delivered late")                                       \
	X(RETAIN, true,                                                        \
		"acknowledged writes that were not flushed survive a power "   \
		"cut, or the next flush fails")                                \
	X(OVERTAKEN, true,                                                     \
		"a unit attention counts before what other connections of "    \
		"its session brought meanwhile")

enum feature {
#define X(id, made, what) FEATURE_##id,
	FEATURES(X)
#undef X
};

static inline bool feature(enum feature which)
{
	static const bool made[] = {
#define X(id, made, what) made,
		FEATURES(X)
#undef X
	};
	return made[which];
}

#endif
