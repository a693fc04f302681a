/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is refused: malloc(), calloc() and realloc() of whatever runs on
 * the daemon's loop. What the tests' own world needs it gets. */
#ifndef TESTS_SIM_STARVE_H
#define TESTS_SIM_STARVE_H

#include "rng.h"

struct loop;

/* From now on `percent` of 100 allocations on `loop` fail; 0: none. `dice` must
 * live as long. */
void starve(struct loop *loop, struct rng *dice, unsigned percent);

/* How many were refused since the process began. */
unsigned starve_count(void);

#endif
