/* SPDX-License-Identifier: BSD-2-Clause */
/* The iSNS client's own parts: a request at a time over one link (isns.c), and
 * what the server says over links that it opens (isns_listen.c). */
#ifndef UMPIO_ISCSI_ISNS_CLIENT_H
#define UMPIO_ISCSI_ISNS_CLIENT_H

#include <umpio/isns.h>
#include <umpio/loop.h>

struct addr;
struct isns_listen;

/* Listens at `local`'s address for ESI and SCN messages, and answers them as
 * `name`. `changed` for each SCN. NULL without memory or port. */
struct isns_listen *isns_listen_new(struct loop *loop, const struct addr *local,
	const char *name, loop_fn *changed, void *arg);
void isns_listen_free(struct isns_listen *l); /* NULL is allowed */

/* Where it listens. */
const struct addr *isns_listen_addr(const struct isns_listen *l);

#endif
