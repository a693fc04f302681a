/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sector written by verify looks like: who wrote it, when and where,
 * under a checksum, and filled to its end with what follows from these.
 */
#ifndef VERIFY_STAMP_H
#define VERIFY_STAMP_H

#include <stdint.h>

#define SECTOR 512u

struct stamp {
	uint64_t run;     /* of the process that wrote it */
	uint64_t address; /* the sector's number */
	uint64_t seq;     /* of the write; 1 is the first */
	uint64_t writer;  /* number of the connection */
};

enum stamp_kind {
	STAMP_GOOD,
	STAMP_ZERO, /* nothing but zeroes */
	STAMP_TORN, /* begins as a stamp, and does not go on as it */
	STAMP_ALIEN,
};

/* Fills the sector. */
void stamp_put(void *sector, const struct stamp *s);

/* `out` is set where the sector is good, and as far as it goes where torn. */
enum stamp_kind stamp_get(const void *sector, struct stamp *out);

/* A generator of random numbers: the next one of `state` (SplitMix64). */
uint64_t stamp_random(uint64_t *state);

#endif
