/* SPDX-License-Identifier: BSD-2-Clause */
/* `umpio wait`: a call that is answered when enough paths are active. */
#ifndef UMPIOD_API_WAIT_H
#define UMPIOD_API_WAIT_H

struct control_call;
struct daemon;
struct json_object;

/* The command: device, paths (default 1), timeout in seconds (0: none). */
void api_wait(
	void *arg, struct control_call *call, struct json_object *request);

/* A device has changed or is gone: all who wait look again. */
void api_wait_changed(struct daemon *daemon);

/* Ends all who wait; the daemon is ending. */
void api_wait_stop(struct daemon *daemon);

#endif
