/* SPDX-License-Identifier: BSD-2-Clause */
/* The LUNs of one target: REPORT LUNS over a path to LUN 0 through the first
 * portal that takes us, then a path to each LUN and what it is. */
#ifndef UMPIO_CLI_SCAN_H
#define UMPIO_CLI_SCAN_H

#include <umpio/iscsi.h>

struct json_object;
struct loop;
struct scan;

/* `done` once, later: an array of objects {"lun","size","block_size","wwid",…}
 * or
 * {"lun","error"}, which is the callee's; `error` (NULL: none) says why there
 * are none or not all. The callee frees the scan, there or later. */
typedef void scan_fn(void *arg, struct json_object *luns, const char *error);

/* `like` has initiator name, credentials and offer, and `target` is copied.
 * NULL without memory. */
struct scan *scan_new(struct loop *loop, const struct iscsi_config *like,
	const struct iscsi_target *target, scan_fn *done, void *arg);
void scan_start(struct scan *scan);

/* Before the start or after `done`. NULL is allowed. */
void scan_free(struct scan *scan);

/* A random ISID of type 10b (RFC 7143 11.12.5): such a session neither
 * reinstates nor is reinstated. */
void scan_isid(struct loop *loop, uint8_t isid[ISCSI_ISID_LEN]);

#endif
