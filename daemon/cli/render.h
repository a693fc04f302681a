/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies of the daemon for people to read. */
#ifndef UMPIO_CLI_RENDER_H
#define UMPIO_CLI_RENDER_H

struct json_object;

/* {"devices":[…]} of `status`, on stdout. */
void render_status(struct json_object *reply);

/* {"devices":[…]} of `stats`. */
void render_stats(struct json_object *reply);

/* {"targets":[…]} of `discover`. */
void render_targets(struct json_object *reply);

#endif
