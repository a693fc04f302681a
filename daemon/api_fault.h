/* SPDX-License-Identifier: BSD-2-Clause */
/* `umpio fault`: faults injected into a path. */
#ifndef UMPIOD_API_FAULT_H
#define UMPIOD_API_FAULT_H

struct control_call;
struct json_object;

/* The command: kind, value, in, out, device, path. */
void api_fault(
	void *arg, struct control_call *call, struct json_object *request);

#endif
