/* SPDX-License-Identifier: BSD-2-Clause */
/* The command window of a session (RFC 7143 4.2.2.1): CmdSN, and what the
 * target says of it on any connection. */
#ifndef UMPIO_ISCSI_WINDOW_H
#define UMPIO_ISCSI_WINDOW_H

#include "sn.h"

struct window {
	uint32_t cmd_sn; /* the next command's */
	uint32_t exp_cmd_sn, max_cmd_sn;
};

/* Takes ExpCmdSN and MaxCmdSN of a PDU; contradicting ones are ignored, both
 * never go back (RFC 7143 4.2.2.1). */
static inline void window_update(
	struct window *w, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
	if (sn_lt(max_cmd_sn, exp_cmd_sn - 1))
		return;
	w->exp_cmd_sn = sn_max(w->exp_cmd_sn, exp_cmd_sn);
	w->max_cmd_sn = sn_max(w->max_cmd_sn, max_cmd_sn);
}

/* A command that is not immediate may be sent. */
static inline bool window_is_open(const struct window *w)
{
	return sn_lte(w->cmd_sn, w->max_cmd_sn);
}

/* Commands that the target would take when it had none. */
static inline uint32_t window_size(const struct window *w)
{
	return w->max_cmd_sn - w->exp_cmd_sn + 1;
}

#endif
