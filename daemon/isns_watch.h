/* SPDX-License-Identifier: BSD-2-Clause */
/* iSNS servers that devices follow: one client for each server and initiator
 * name, however many devices use it. */
#ifndef UMPIOD_ISNS_WATCH_H
#define UMPIOD_ISNS_WATCH_H

#include <umpio/isns.h>

struct daemon;
struct isns_watch;

/* Follows `server` as the initiator of `like`; device_listed() comes for each
 * answer of the server, to every device that has joined. NULL without memory.
 */
struct isns_watch *isns_watch_join(struct daemon *daemon,
	const struct endpoint *server, const struct iscsi_config *like);
/* Has the server asked again soon. NULL is allowed. */
void isns_watch_again(struct isns_watch *watch);
void isns_watch_leave(struct isns_watch *watch); /* NULL is allowed */

#endif
