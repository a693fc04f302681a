/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines at the control socket. */
#include <json-c/json.h>

#include "daemon/control/peer.h"
#include "tests/fuzz/fuzz.h"

static void echo(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct json_object *reply = json_object_new_object();
	const char *text = control_text(request, "device");

	(void)arg;
	json_object_object_add(
		reply, "device", text ? json_object_new_string(text) : NULL);
	json_object_object_add(reply, "paths",
		json_object_new_int64(control_number(request, "paths", 1)));
	control_reply(call, reply);
}

static void refuse(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	(void)request;
	control_fail(call, CONTROL_USAGE, "no");
}

static struct control_call *held;

/* Is answered when the client has gone. */
static void hold(
	void *arg, struct control_call *call, struct json_object *request)
{
	(void)arg;
	(void)request;
	held = call;
}

static const struct control_command commands[] = {
	{.name = "status", .run = echo},
	{.name = "detach", .run = refuse},
	{.name = "wait", .run = hold},
	{0},
};

static struct peer *peer;

static void on_closed(void *owner, struct peer *p)
{
	(void)owner;
	peer_free(p);
	peer = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct peer_owner owner = {
		.commands = commands, .closed = on_closed};
	struct loop *loop = loop_new();
	struct addr at = t_addr("10.0.0.2:1");
	struct stream *s[2];
	uint8_t sink[4096];
	struct iovec iov = {sink, sizeof sink};

	log_setup(LOG_LEVEL_ERROR, false);
	t_stream_pair(loop, loop, &at, s);
	peer = peer_new(loop, s[1], &owner);
	FUZZ_CHECK(peer);
	for (size_t i = 0; i < size; i += 1024) {
		fuzz_send(loop, s[0], data + i,
			size - i < 1024 ? size - i : 1024);
		while (stream_readv(s[0], &iov, 1) > 0)
			;
	}
	t_loop_run_for(loop, 10 * NS_PER_MS);
	stream_abort(s[0]);
	t_loop_run_for(loop, 10 * NS_PER_MS);
	if (held) {
		FUZZ_CHECK(control_call_is_orphan(held));
		control_fail(held, CONTROL_FAILED, "too late");
		held = NULL;
	}
	peer_free(peer);
	loop_free(loop);
	return 0;
}
