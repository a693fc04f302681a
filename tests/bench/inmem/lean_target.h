/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that costs next to nothing, for measuring the other side: reads are
 * answered from one constant pattern whose digest is known, writes are thrown
 * away unseen. It negotiates what it is told to and checks nothing; what the
 * initiator does right or wrong is for t_target.h to say. Everything that is
 * not a read or a write goes to a model LUN.
 */
#ifndef TESTS_BENCH_LEAN_TARGET_H
#define TESTS_BENCH_LEAN_TARGET_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct loop;
struct lean_target;

struct lean_options {
	bool shifted;         /* large Data-In have an AHS of 4 bytes */
	bool digests;         /* header and data: CRC32C */
	uint8_t level;        /* ErrorRecoveryLevel */
	unsigned connections; /* of a session, 1 to 9; 0: 1 */
};

/* Listens at `at`. NULL without memory. */
struct lean_target *lean_target_new(struct loop *loop, const struct addr *at,
	const struct lean_options *options);

/* Ends what connections are left. NULL is allowed. */
void lean_target_free(struct lean_target *target);

#endif
