/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/base/pump.h>

#include "lean_wire.h"

struct lean_link *lean_link_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine)
{
	return (struct lean_link *)pump_new(loop, s, ops, engine);
}

void lean_link_tx(struct lean_link *link)
{
	pump_tx((struct pump *)link);
}

void lean_link_free(struct lean_link *link)
{
	pump_free((struct pump *)link, true);
}
