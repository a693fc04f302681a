/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the control socket: what each of them does to the daemon. */
#ifndef UMPIOD_API_H
#define UMPIOD_API_H

#include <umpio/control.h>

struct daemon;
struct device;
struct json_object;
struct plan_path;

/* The device that a request names; NULL, and the call has been failed. */
struct device *call_device(struct daemon *d, struct control_call *call,
	struct json_object *request);

/* The path of `dev` that `text` names (HOST:PORT, or its id); NULL, and the
 * call has been failed. */
struct plan_path *call_path(struct device *dev, struct control_call *call,
	const char *text, int *queue);

/* Ends with a NULL name; `arg` of each is the daemon. */
extern const struct control_command api_commands[];

#endif
