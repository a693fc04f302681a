/* SPDX-License-Identifier: BSD-2-Clause */
/* `umpio attach`: a device made from a request. */
#ifndef UMPIOD_API_ATTACH_H
#define UMPIOD_API_ATTACH_H

struct control_call;
struct json_object;

/* The command: name, urls, nbd, fuse, policy, options. Answers when the device
 * serves, or when it could not come up within 10 s and is gone again. */
void api_attach(
	void *arg, struct control_call *call, struct json_object *request);

#endif
