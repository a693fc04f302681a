/* SPDX-License-Identifier: BSD-2-Clause */
/* What t_stream.c (wires) and t_net.c (connecting, listening) share. */
#ifndef TESTS_T_NET_H
#define TESTS_T_NET_H

#include "t_world.h"

#include <umpio/base/addr.h>

/* The struct of `type` whose `member` is at `p`. */
#define T_OWNER(p, type, member)                                               \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

bool t_addr_equal(const struct addr *a, const struct addr *b);
void t_wires_forget(void);

#endif
