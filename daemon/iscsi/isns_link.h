/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection that speaks iSNS: whole messages in, whole messages out. */
#ifndef UMPIO_ISCSI_ISNS_LINK_H
#define UMPIO_ISCSI_ISNS_LINK_H

#include "isns_pdu.h"

struct loop;
struct stream;

#define ISNS_MESSAGE_MAX (4u << 20) /* bytes of a message, over its PDUs */
#define ISNS_SEND_MAX    4096u      /* bytes that may wait to be sent */

struct isns_link_events {
	/* A message came. 0, or -errno, which ends the link. The link must not
	 * be freed from here. */
	int (*message)(void *arg, const struct isns_header *h,
		const uint8_t *payload, size_t len);
	/* It has ended, 0 for the peer's orderly end; to be freed, there or
	 * later. */
	void (*closed)(void *arg, int err);
};

struct isns_link;

/* Over `s`, which it takes. NULL without memory. */
struct isns_link *isns_link_new(struct loop *loop, struct stream *s,
	const struct isns_link_events *events, void *arg);

/* Sends a message of one PDU; nothing comes of it when too much is waiting, or
 * the payload was too large for its buffer. 0, or -ENOBUFS. */
int isns_link_send(struct isns_link *l, uint16_t function, uint16_t transaction,
	uint16_t flags, const struct isns_out *payload);

/* Writes what waits, as far as that goes at once, and closes. */
void isns_link_close(struct isns_link *l);
void isns_link_free(struct isns_link *l); /* aborts; NULL is allowed */

struct stream *isns_link_stream(struct isns_link *l);

#endif
