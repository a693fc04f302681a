/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fakes take of the code under test; they have memory. In them these
 * names stand in place of loop_timer_new() and pump_new(). */
#include <umpio/base/pump.h>
#include <umpio/loop.h>

#include "tests/alloc/alloc.h"

struct loop_timer *kept_timer_new(struct loop *loop, loop_fn *fn, void *arg);
struct pump *kept_pump_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine);

struct loop_timer *kept_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	bool was = alloc_set(false);
	struct loop_timer *t = loop_timer_new(loop, fn, arg);

	alloc_set(was);
	return t;
}

struct pump *kept_pump_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine)
{
	bool was = alloc_set(false);
	struct pump *p = pump_new(loop, s, ops, engine);

	alloc_set(was);
	return p;
}
