/* SPDX-License-Identifier: BSD-2-Clause */
/* From portals to a connected stream: names are resolved, every address of
 * every portal is tried in turn, each with its own time limit. */
#ifndef UMPIO_ISCSI_DIAL_H
#define UMPIO_ISCSI_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/iscsi.h>

#include "gate.h"

struct loop;
struct stream;

#define DIAL_WHY_MAX (ENDPOINT_TEXT_MAX + 80)

struct dial_plan {
	struct endpoint portals[ISCSI_PORTALS_MAX];
	unsigned nportals;
	unsigned first;        /* where to begin; the others follow */
	const char *interface; /* as struct stream_options has it; not copied */
	uint64_t timeout;      /* ns for each address */
	bool blackhole;        /* a fault: no attempt is answered */
	/* With a stream it is inside the portal's gate until its owner takes it
	 * out. NULL: no gate is looked at. */
	struct gate_pass *pass;
};

/* Once, later: the stream, which is the callee's, and the index of its portal;
 * or NULL and a line for people about the last attempt. The dial is gone by
 * then. */
typedef void dial_fn(
	void *arg, struct stream *s, unsigned portal, const char *why);

struct dial;

/* NULL without memory. */
struct dial *dial_new(struct loop *loop, const struct dial_plan *plan,
	dial_fn *done, void *arg);

/* Changes plan.blackhole under way: an attempt that was swallowed is made now,
 * as TCP sends its SYN again. NULL is allowed. */
void dial_set_blackhole(struct dial *dial, bool blackhole);

/* Gives up; `done` is not called. NULL is allowed. */
void dial_cancel(struct dial *dial);

#endif
