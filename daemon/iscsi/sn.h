/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial numbers: 32 bits that wrap (RFC 7143 4.2.2.1, RFC 1982). For CmdSN,
 * ExpCmdSN, MaxCmdSN, StatSN and ExpStatSN. */
#ifndef UMPIO_ISCSI_SN_H
#define UMPIO_ISCSI_SN_H

#include <stdbool.h>
#include <stdint.h>

/* `a` comes before `b`. Numbers 2^31 apart do not compare: then both orders
 * give the same answer, true. */
static inline bool sn_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool sn_lte(uint32_t a, uint32_t b)
{
	return a == b || sn_lt(a, b);
}

static inline bool sn_gt(uint32_t a, uint32_t b)
{
	return sn_lt(b, a);
}

static inline bool sn_gte(uint32_t a, uint32_t b)
{
	return sn_lte(b, a);
}

/* The one that comes later. */
static inline uint32_t sn_max(uint32_t a, uint32_t b)
{
	return sn_lt(a, b) ? b : a;
}

#endif
