/* SPDX-License-Identifier: BSD-2-Clause */
#include "depth.h"

void depth_full(struct depth *depth, uint64_t sent, uint64_t now)
{
	uint32_t had = depth->open + 1;

	if (depth->limit && sent <= depth->shrunk)
		return;
	if (depth->limit && had > depth->limit)
		had = depth->limit;
	depth->limit = had > 1 ? had / 2 : 1;
	depth->good = 0;
	depth->shrunk = now;
}

void depth_grow(struct depth *depth)
{
	if (++depth->good < depth->limit)
		return;
	depth->good = 0;
	if (++depth->limit >= DEPTH_FREE)
		depth->limit = 0;
}
