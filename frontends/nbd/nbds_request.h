/* SPDX-License-Identifier: BSD-2-Clause */
/* One request of a client, from its header until its reply has left. */
#ifndef UMPIO_NBDS_REQUEST_H
#define UMPIO_NBDS_REQUEST_H

#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/outq.h>
#include <umpio/blkdev.h>

struct nbds_client;

struct nbds_request {
	struct nbds_client *client;
	struct outq_item item; /* the reply */
	struct blk_req blk;    /* its buf is owned, but while the device has a
				* write */
	uint64_t cookie;       /* the client's; opaque, need not be unique */
	uint64_t offset;
	uint32_t len;
	uint32_t charged; /* bytes counted against the client's limit */
	uint32_t held;    /* and against the device's, until it is done */
	uint16_t flags;   /* NBD_CMD_FLAG_* */
	uint16_t type;    /* enum nbd_cmd, or anything */
	int err;          /* -errno found before the device was asked */
	const char *why;  /* static text of it, or NULL */
	SLIST_ENTRY(nbds_request) spare;
};

/* Extents in one answer to BLOCK_STATUS. */
#define NBDS_EXTENTS_MAX 1024u

/* Gives up a request, its buffer and what it was charged. */
void nbds_request_release(struct nbds_request *req);

/* The payload under way is whole: on to the device, or to the error reply. */
void nbds_request_received(struct nbds_client *c);

/* Frees the spare requests of a client that has none in flight. */
void nbds_request_fini(struct nbds_client *c);

/* Queues the reply: 0, or the -errno that is put into the protocol's terms. The
 * request is released when it has left. */
void nbds_reply(struct nbds_request *req, int err);

#endif
