/* SPDX-License-Identifier: BSD-2-Clause */
/* iSNS messages (RFC 4171 5 and 6): headers and attributes, decoded with bounds
 * and encoded into a buffer of fixed size. */
#ifndef UMPIO_ISCSI_ISNS_PDU_H
#define UMPIO_ISCSI_ISNS_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/addr.h>
#include <umpio/base/cursor.h>

#define ISNS_HEADER_LEN 12
#define ISNS_VERSION    1
#define ISNS_RESPONSE   0x8000u /* in the function of an answer */

enum isns_function { /* RFC 4171 4.1.3 */
	ISNS_DEV_ATTR_REG = 0x1,
	ISNS_DEV_ATTR_QRY = 0x2,
	ISNS_DEV_DEREG = 0x4,
	ISNS_SCN_REG = 0x5,
	ISNS_SCN = 0x8,
	ISNS_ESI = 0xd,
};

enum isns_flags { /* RFC 4171 5.1.4 */
	ISNS_CLIENT = 0x8000,
	ISNS_SERVER = 0x4000,
	ISNS_REPLACE = 0x1000,
	ISNS_LAST = 0x0800,
	ISNS_FIRST = 0x0400,
};

enum isns_tag { /* RFC 4171 6.1 */
	ISNS_DELIMITER = 0,
	ISNS_ENTITY_ID = 1,
	ISNS_ENTITY_PROTOCOL = 2,
	ISNS_REGISTRATION_PERIOD = 6, /* seconds */
	ISNS_PORTAL_IP = 16,
	ISNS_PORTAL_PORT = 17,
	ISNS_ESI_INTERVAL = 19, /* seconds */
	ISNS_ESI_PORT = 20,
	ISNS_SCN_PORT = 23,
	ISNS_NAME = 32,
	ISNS_NODE_TYPE = 33,
	ISNS_SCN_BITMAP = 35,
	ISNS_PG_NAME = 48,
	ISNS_PG_IP = 49,
	ISNS_PG_PORT = 50,
	ISNS_PG_TAG = 51,
};

#define ISNS_PROTOCOL_ISCSI 2u
#define ISNS_NODE_TARGET    1u
#define ISNS_NODE_INITIATOR 2u
#define ISNS_PORT_UDP       0x10000u /* in a port attribute */

/* Changes that we ask to hear of (RFC 4171 6.4.4): of our own node and of the
 * targets that share a discovery domain with it. */
#define ISNS_SCN_WANTED     0x5cu /* updated, added, removed; targets and self */

enum isns_status { /* RFC 4171 5.4 */
	ISNS_OK = 0,
	ISNS_SOURCE_UNKNOWN = 6,
	ISNS_SOURCE_ABSENT = 7,
	ISNS_SOURCE_UNAUTHORIZED = 8,
	ISNS_NO_SUCH_ENTRY = 9,
};

/* The standard's word for a status; never NULL. */
const char *isns_status_name(uint32_t status);

struct isns_header {
	uint16_t version, function, length, flags, transaction, sequence;
};

void isns_header_decode(
	struct isns_header *h, const uint8_t data[ISNS_HEADER_LEN]);
void isns_header_encode(
	const struct isns_header *h, uint8_t data[ISNS_HEADER_LEN]);

/* One attribute; the value stays where it is. */
struct isns_attr {
	uint32_t tag, len;
	const uint8_t *value;
};

/* The attribute at the cursor. 1; 0 at the end; -EPROTO when it is cut off or
 * its length is not of whole words (RFC 4171 5.1.5). */
int isns_attr_next(struct cursor *c, struct isns_attr *a);

/* Its value, when it has that form: a text that ends within it, in `text` of
 * `size` bytes; a number; an address (RFC 4171 6.3.1: IPv4 mapped into IPv6,
 * also in the older, compatible form). 0, or -EPROTO. */
int isns_attr_text(const struct isns_attr *a, char *text, size_t size);
int isns_attr_u32(const struct isns_attr *a, uint32_t *number);
int isns_attr_host(const struct isns_attr *a, struct endpoint *at);

/* A payload that is being made; `full` when something did not fit. */
struct isns_out {
	uint8_t *data;
	size_t len, cap;
	bool full;
};

void isns_put(struct isns_out *o, uint32_t tag, const void *value, size_t len);
void isns_put_empty(struct isns_out *o, uint32_t tag);
void isns_put_u32(struct isns_out *o, uint32_t tag, uint32_t number);
void isns_put_text(struct isns_out *o, uint32_t tag, const char *text);

/* The address of a TCP socket of ours, as IP attribute `tag`; `port` gets its
 * port. 0, or -EAFNOSUPPORT. */
int isns_put_addr(struct isns_out *o, uint32_t tag, const struct addr *addr,
	uint16_t *port);

/* A bare word, as the status at the head of an answer. */
void isns_put_status(struct isns_out *o, uint32_t status);

#endif
