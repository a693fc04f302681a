/* SPDX-License-Identifier: BSD-2-Clause */
/* PERSISTENT RESERVE IN parameter data (SPC-5 6.16). The CDBs are in cdb.h. */
#ifndef UMPIO_SCSI_PR_H
#define UMPIO_SCSI_PR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/cursor.h>

#define PR_KEYS_MAX 128 /* that are taken; what is beyond is cut off */

struct pr_keys {
	uint32_t generation;
	unsigned count;
	bool cut; /* the target has more */
	uint64_t keys[PR_KEYS_MAX];
};

/* READ KEYS (6.16.2). 0 or -EPROTO. */
int pr_keys_decode(struct pr_keys *keys, const void *data, size_t len);

bool pr_keys_have(const struct pr_keys *keys, uint64_t key);

struct pr_reservation {
	uint32_t generation;
	bool held;
	uint64_t key; /* 0 for the types of all registrants */
	uint8_t scope, type;
};

/* READ RESERVATION (6.16.3). 0 or -EPROTO. */
int pr_reservation_decode(
	struct pr_reservation *reservation, const void *data, size_t len);

#define PR_NAME_MAX 256

/* A registration as READ FULL STATUS has it (6.16.5). */
struct pr_registrant {
	uint64_t key;
	bool all_ports, holder;
	uint8_t scope, type;    /* when holder */
	uint16_t port;          /* relative target port, unless all_ports */
	char name[PR_NAME_MAX]; /* of an iSCSI TransportID; printable; else ""
				 */
};

struct pr_full {
	uint32_t generation;
	struct cursor rest;
};

/* Begins to read READ FULL STATUS. 0 or -EPROTO. */
int pr_full_open(struct pr_full *full, const void *data, size_t len);

/* The next one. False at the end, or at a descriptor that is cut off or longer
 * than what there is. */
bool pr_full_next(struct pr_full *full, struct pr_registrant *registrant);

#endif
