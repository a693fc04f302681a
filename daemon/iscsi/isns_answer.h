/* SPDX-License-Identifier: BSD-2-Clause */
/* What the answers of an iSNS server say. `c` is over what follows the status;
 * all give 0; or -EPROTO, -ENOMEM, or -ENOSPC when there are too many. */
#ifndef UMPIO_ISCSI_ISNS_ANSWER_H
#define UMPIO_ISCSI_ISNS_ANSWER_H

#include "isns_pdu.h"
#include "targets.h"

/* Nodes, and portal groups that bind them to portals (RFC 4171 3.4): those that
 * are not there yet are added. A null tag binds nothing. */
int isns_answer_targets(struct cursor c, struct targets *all);

/* Portals of `target`, one of `all`, whose server knows no portal groups:
 * tag 1. */
int isns_answer_portals(
	struct cursor c, struct targets *all, struct iscsi_target *target);

/* The registration period in seconds; 0 when none is given. */
int isns_answer_period(struct cursor c, uint32_t *seconds);

#endif
