/* SPDX-License-Identifier: BSD-2-Clause */
/* A request on its way to a reply. It outlives its client. */
#ifndef UMPIO_CONTROL_CALL_H
#define UMPIO_CONTROL_CALL_H

#include <umpio/control.h>

/* Who takes the reply, which becomes its own; called once, with the call. */
typedef void call_reply_fn(void *owner, struct json_object *reply);

/* Owns `request`. NULL without memory, and then the request is put. */
struct control_call *call_new(
	struct json_object *request, call_reply_fn *reply, void *owner);

/* The client has gone: the reply will be dropped. */
void call_orphan(struct control_call *call);

#endif
