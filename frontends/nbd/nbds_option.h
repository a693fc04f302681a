/* SPDX-License-Identifier: BSD-2-Clause */
/* The handshake's messages. All of them return 0, or -errno when the
 * connection must end. */
#ifndef UMPIO_NBDS_OPTION_H
#define UMPIO_NBDS_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blk_info;
struct cursor;
struct nbds_client;
struct nbds_export;

/* A name as it came: any bytes, not terminated. */
struct nbds_name {
	const uint8_t *at;
	uint32_t len;
};

/* The server's greeting: fixed newstyle, no zeroes. */
int nbds_handshake_greet(struct nbds_client *c);

/* Queues `len` bytes, copied, without a header. */
int nbds_handshake_send(struct nbds_client *c, const void *data, size_t len);

/* A reply of type `type` to `option`, with data that is copied. */
int nbds_option_reply(struct nbds_client *c, uint32_t option, uint32_t type,
	const void *data, size_t len);

/* An error reply with a text for people, cut at 256 bytes. */
int nbds_option_refuse(struct nbds_client *c, uint32_t option, uint32_t error,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The transmission flags of an export for this client. */
uint16_t nbds_info_flags(
	const struct nbds_client *c, const struct blk_info *info);

/* The three sizes of NBD_INFO_BLOCK_SIZE; the first is a promise of clients
 * that asked for it, and 1 for all others. */
struct nbds_block_sizes {
	uint32_t min, preferred, max;
};
void nbds_info_block_sizes(struct nbds_block_sizes *sizes,
	const struct blk_info *info, bool asked);

/* Handles INFO and GO. */
int nbds_info_option(
	struct nbds_client *c, uint32_t option, struct cursor *data);

/* The client has chosen, by this name: from here on it is in transmission. */
int nbds_info_choose(struct nbds_client *c, struct nbds_export *export,
	const struct blk_info *info, const struct nbds_name *name);

/* A text for people about an export, into `text`; returns it. */
const char *nbds_info_description(
	const struct nbds_export *export, char *text, size_t size);

/* The export of that name, for any option but EXPORT_NAME: NULL, and the client
 * has its answer; `err` says whether that has worked. */
struct nbds_export *nbds_info_export(struct nbds_client *c, uint32_t option,
	const struct nbds_name *name, int *err);

/* Whether the client is one of those that the export is for. */
bool nbds_info_may_use(
	const struct nbds_client *c, const struct nbds_export *export);

/* Handles LIST_META_CONTEXT and SET_META_CONTEXT. */
int nbds_context_option(
	struct nbds_client *c, uint32_t option, struct cursor *data);

/* No context is selected any more, unless it is for `keep` (NULL: for none). */
void nbds_context_drop(struct nbds_client *c, const struct nbds_name *keep);

#endif
