/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: one JSON object a line, request and reply. The server
 * knows framing, limits and a table of commands; what a command does belongs to
 * the composition root. Everything is on the loop of the control thread.
 *
 * A request is {"command":"status", …}; a reply is the command's object, or
 * {"error":"…","code":N} with N the exit status of umpio(8) (1 failed, 2
 * usage). Replies come in the order of the requests of a client.
 */
#ifndef UMPIO_CONTROL_H
#define UMPIO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;
struct loop;

enum control_code { CONTROL_FAILED = 1, CONTROL_USAGE = 2 };

/* A request that waits for its reply: exactly one of the two ends it. A reply
 * that is not whole (control_whole()) is sent as an error. */
struct control_call;
void control_reply(struct control_call *call, struct json_object *reply);
void control_fail(struct control_call *call, enum control_code code,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* True when the client has gone: a reply would be dropped. */
bool control_call_is_orphan(const struct control_call *call);

/* A command may answer at once or later. `request` is the server's and lives
 * until the reply. A client that goes away meanwhile is no matter: the call
 * stays valid, its reply is dropped. */
struct control_command {
	const char *name;
	void (*run)(void *arg, struct control_call *call,
		struct json_object *request);
};

struct control_server;

/* Listens at the unix socket `path` (mode 0600, its directory is made 0700 when
 * missing). `commands` ends with a NULL name. NULL, and a line in `why`; a
 * living daemon there is -EADDRINUSE in `err`. */
struct control_server *control_server_new(struct loop *loop, const char *path,
	const struct control_command *commands, void *arg, int *err, char *why,
	size_t why_size);

/* Closes clients and socket; calls still open stay valid, replies are dropped.
 * NULL is allowed. */
void control_server_free(struct control_server *server);

/* Where the socket is when nobody says: /run/umpio/control.sock for root, else
 * $XDG_RUNTIME_DIR/umpio/control.sock. Into `path` of `size` bytes. 0, or
 * -ENOENT when there is no place for it. */
int control_default_path(char *path, size_t size);

/* The client's side, blocking: sends one request, waits at most `timeout_ms`
 * (0: for ever) for its reply, which the caller puts. NULL, and a line in
 * `why`. */
struct json_object *control_ask(const char *path, struct json_object *request,
	unsigned timeout_ms, char *why, size_t why_size);

/* Strict readers of request members; `missing` in text gives NULL. */
const char *control_text(struct json_object *request, const char *member);
int64_t control_number(
	struct json_object *request, const char *member, int64_t missing);

/* Builders, which take `value` over and return it, or NULL when it is gone,
 * since memory was missing: then `to`, `value`, or both are NULL, or it could
 * not be added. That leaves a mark at `to`, so that nobody has to look at each:
 * control_reply() answers that memory is short when there is one anywhere in
 * the reply, and control_ask() sends no such request. */
struct json_object *control_add(
	struct json_object *to, const char *member, struct json_object *value);
void control_add_null(struct json_object *to, const char *member);
struct json_object *control_append(
	struct json_object *to, struct json_object *value);
/* False: `o`, or something in it, is missing for want of memory. */
bool control_whole(struct json_object *o);
/* The text of `o`, `*len` bytes without a newline, which the caller frees. NULL
 * when memory is short, or `o` is not whole. */
char *control_line(struct json_object *o, size_t *len);

#endif
