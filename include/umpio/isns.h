/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of an iSNS server (RFC 4171): which targets it lists for us, over
 * which portals and in which portal groups. All calls and callbacks are on the
 * given loop.
 */
#ifndef UMPIO_ISNS_H
#define UMPIO_ISNS_H

#include <stdbool.h>
#include <umpio/iscsi.h>

#define ISNS_PORT 3205 /* RFC 4171 2.9 */

struct isns;

struct isns_config {
	struct endpoint server;
	const char *initiator_name; /* as whom we ask; copied */
	const char *interface;      /* source address or device; NULL: any */
	/* Asked once, it registers only if the server does not know us, and
	 * takes that back. With `watch` it stays registered, answers the
	 * server's entity status inquiries, and asks again whenever the server
	 * notifies it of a change. */
	bool watch;
};

/*
 * 0 and what the server lists (valid during the call only), or -errno and a
 * line that says why. Asked once: this is the last call. With `watch` it comes
 * for each answer, changed or not, and after an error it tries again by itself.
 * isns_free() may be called from it.
 */
typedef void isns_fn(void *arg, int err, const struct iscsi_targets *targets,
	const char *reason);

/* Begins. NULL without memory. */
struct isns *isns_new(struct loop *loop, const struct isns_config *config,
	isns_fn *told, void *arg);

/* With `watch`: asks again soon, so that told() comes also to a newcomer. */
void isns_again(struct isns *isns);

/* Ends it; what stands registered is taken back as far as that needs no
 * waiting. NULL is allowed. */
void isns_free(struct isns *isns);

#endif
