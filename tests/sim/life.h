/* SPDX-License-Identifier: BSD-2-Clause */
/* One run from its first login to its last logout. */
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

struct life_options {
	uint64_t storm;   /* ns until faults stop */
	const char *only; /* numbers of the faults that are kept; NULL: all */
	unsigned level;   /* of the trace */
};

struct life {
	bool ok;
	char failure[512];
	uint64_t hash;
	uint64_t requests, failures, virtual_ns, longest_ns;
	uint64_t peak; /* bytes of buffers */
	unsigned faults;
};

void life_run(
	struct life *life, uint64_t seed, const struct life_options *options);

#endif
