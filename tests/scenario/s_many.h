/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of several connections at level 2, on the rig of s_rig.h. */
#ifndef TESTS_SCENARIO_S_MANY_H
#define TESTS_SCENARIO_S_MANY_H

#include "tests/scenario/s_rig.h"

/* s_init() for `n` connections and level 2; with s_up() and all of them there.
 */
void s_many(unsigned n);
void s_up_many(unsigned n);

unsigned s_connections(void); /* that are up */
void s_wait_connections(unsigned n);
struct path_counters s_counters(void);

/* The first `n` commands: writes of 128 KiB and, every other, reads of 64 KiB.
 */
void s_submit(unsigned n, uint8_t seed);
void s_expect_all_good(unsigned n);
/* What was written is there. */
void s_verify(unsigned n, uint8_t seed);

/* s_end(), and the session has not ended: a connection was recovered. */
void s_end_recovered(void);

#endif
