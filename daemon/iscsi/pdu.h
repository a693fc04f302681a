/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PDUs on the wire (RFC 7143 11.1): the framer that cuts received bytes into
 * PDUs, and the one function that makes a PDU ready to be sent.
 */
#ifndef UMPIO_ISCSI_PDU_H
#define UMPIO_ISCSI_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/intake.h>

#include "bhs.h"

struct iovec;
struct outq_item;

#define PDU_STAGE          65536 /* bytes that are read ahead of parsing */
#define PDU_LOGIN_DATA_MAX 8192  /* most data of a login PDU, 7143 6.1 */

/* place() returns it for a payload that is to be thrown away. */
extern uint8_t pdu_discard[1];

struct pdu_rx_ops {
	/* Where the `len` bytes of a Data-In go (len > 0, no other PDU asks):
	 * into the task's own buffer, which must live until pdu() comes or
	 * pdu_rx_forget() is called; pdu_discard; or NULL: pdu() gets them from
	 * the framer's buffer. The owner checks offset and length here; it may
	 * call pdu_rx_stop(). */
	void *(*place)(void *arg, const struct bhs *b, uint32_t len);
	/* A whole PDU. `data` is where place() said, or the framer's and then
	 * valid during the call only; NULL when `len` is 0 or the payload was
	 * thrown away. `data_ok` is false when the data digest is wrong: the
	 * header is right, the data is not. May call pdu_rx_set() and
	 * pdu_rx_stop(), but must not free the framer. */
	void (*pdu)(void *arg, const struct bhs *b, const uint8_t *data,
		uint32_t len, bool data_ok);
};

/* Digests that are to go wrong once, for tests of what then happens: bits, each
 * cleared when it has struck. Without the digest nothing strikes. */
#define PDU_SPOIL_HEADER 1u
#define PDU_SPOIL_DATA   2u

struct pdu_rx {
	struct intake in;
	const struct pdu_rx_ops *ops;
	void *arg;
	const char *why; /* static; why commit failed, or NULL */
	uint32_t max_data;
	bool header_digest, data_digest;
	uint8_t *spoil;  /* PDU_SPOIL_ bits, the owner's; NULL: none */
	uint8_t state;   /* of pdu_rx.c */
	uint8_t trailer; /* bytes of pad and digest that are still to come */
	int stopped;     /* -errno, or 0 */
	struct bhs bhs;  /* the PDU whose data is under way */
	uint8_t *into;   /* its data; NULL: thrown away */
	uint8_t *own;    /* owned; payloads that have no other place */
	uint32_t own_cap;
};

/* A framer without digests and with the login's data limit. 0 or -ENOMEM. */
int pdu_rx_init(struct pdu_rx *rx, const struct pdu_rx_ops *ops, void *arg);
void pdu_rx_fini(struct pdu_rx *rx);

/* What holds from the next PDU on: digests, and the most data of a PDU (the
 * MaxRecvDataSegmentLength that we declared, or PDU_LOGIN_DATA_MAX). */
void pdu_rx_set(struct pdu_rx *rx, bool header_digest, bool data_digest,
	uint32_t max_data);

/* The pair of struct engine_ops. commit gives 0; -EPROTO (malformed, too long),
 * -EBADMSG (header digest), -ENOMEM, with a line in rx->why; or what
 * pdu_rx_stop() was given. After a failure the framer takes nothing more. */
int pdu_rx_iov(struct pdu_rx *rx, struct iovec *iov);
int pdu_rx_commit(struct pdu_rx *rx, size_t n);

/* From within place() or pdu(): no further PDU is delivered, and the commit
 * under way returns `err` (-errno). The first call counts. */
void pdu_rx_stop(struct pdu_rx *rx, int err);

/* The buffer of task `itt` goes away: a payload that is just on its way into it
 * is thrown away from here on; its pdu() still comes, with data NULL. */
void pdu_rx_forget(struct pdu_rx *rx, uint32_t itt);

/*
 * Makes `item` the PDU of `b` and `len` bytes at `data`, which are not copied
 * and must not change until the item is done: header, padding and digests (the
 * data digest is computed here). `b->data_len` is not read, `item->done` not
 * touched. `len` is at most BHS_DATA_MAX.
 */
struct pdu_digests {
	bool header, data;
	uint8_t *spoil; /* PDU_SPOIL_ bits, the owner's; NULL: none */
};
void pdu_tx(struct outq_item *item, const struct bhs *b, const void *data,
	uint32_t len, struct pdu_digests digests);

#endif
