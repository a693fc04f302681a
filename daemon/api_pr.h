/* SPDX-License-Identifier: BSD-2-Clause */
/* `umpio pr`: persistent reservations. */
#ifndef UMPIOD_API_PR_H
#define UMPIOD_API_PR_H

struct control_call;
struct json_object;

/* The command: verb, device, key (text), type, abort. */
void api_pr(void *arg, struct control_call *call, struct json_object *request);

#endif
