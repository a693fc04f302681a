/* SPDX-License-Identifier: BSD-2-Clause */
#include "call.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"

struct control_call {
	struct json_object *request;
	call_reply_fn *reply;
	void *owner; /* NULL: gone */
};

struct control_call *call_new(
	struct json_object *request, call_reply_fn *reply, void *owner)
{
	struct control_call *call = malloc(sizeof *call);
	if (!call) {
		json_object_put(request);
		return NULL;
	}
	*call = (struct control_call){request, reply, owner};
	return call;
}

void call_orphan(struct control_call *call)
{
	call->owner = NULL;
}

bool control_call_is_orphan(const struct control_call *call)
{
	return call->owner == NULL;
}

void control_reply(struct control_call *call, struct json_object *reply)
{
	if (call->owner)
		call->reply(call->owner, reply);
	else
		json_object_put(reply);
	json_object_put(call->request);
	free(call);
}

void control_fail(
	struct control_call *call, enum control_code code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	control_reply(call, json_error(code, text));
}
