/* SPDX-License-Identifier: BSD-2-Clause */
/* An iSNS server: its answers are the input's, with the header that fits; with
 * an odd first byte its bytes are, header and all. */
#include <umpio/isns.h>

#include "tests/fuzz/fuzz.h"

#define HEADER 12

static struct {
	struct stream *stream;
	uint8_t in[8192];
	size_t len;
} server;
static unsigned told;

static void on_told(void *arg, int err, const struct iscsi_targets *targets,
	const char *reason)
{
	(void)arg;
	told++;
	FUZZ_CHECK((err < 0) == (reason != NULL));
	for (unsigned i = 0; targets && i < targets->ntargets; i++)
		FUZZ_CHECK(iscsi_name_valid(targets->targets[i].name));
}

static void on_readable(void *arg)
{
	struct iovec iov = {
		server.in + server.len, sizeof server.in - server.len};
	ssize_t n = stream_readv(server.stream, &iov, 1);

	(void)arg;
	if (n > 0)
		server.len += (size_t)n;
	if (n == -EAGAIN || n > 0)
		return;
	stream_abort(server.stream);
	server.stream = NULL;
}

static const struct stream_events events = {.readable = on_readable};

static void on_accepted(void *arg, struct stream *s)
{
	(void)arg;
	if (server.stream)
		stream_abort(server.stream);
	server.stream = s;
	server.len = 0;
	stream_own(s, &events, NULL);
	stream_want(s, true, false);
}

/* The request that has come, answered out of the input. False: none. */
static bool answer(struct loop *loop, struct cursor *c)
{
	size_t len = cursor_be16(c) & 0xffc, whole;
	uint8_t header[HEADER];

	if (server.len < HEADER)
		return false;
	whole = HEADER + get_be16(server.in + 4);
	memcpy(header, server.in, HEADER);
	server.len -= whole < server.len ? whole : server.len;
	memmove(server.in, server.in + whole, server.len);
	len = len < c->left ? len : c->left & ~(size_t)3;
	header[2] |= 0x80;
	put_be16(header + 4, (uint16_t)len);
	fuzz_send(loop, server.stream, header, HEADER);
	if (server.stream)
		fuzz_send(loop, server.stream, cursor_take(c, len), len);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_over(data, size);
	uint8_t how = cursor_u8(&c);
	const struct isns_config config = {
		.server = {.host = "10.9.0.1", .port = 3205},
		.initiator_name = "iqn.2026-01.org.example:host",
		.watch = how & 2,
	};
	struct loop *loop = loop_new();
	struct addr at = t_addr("10.9.0.1:3205");
	struct stream_listener *listener;
	struct isns *isns;
	int err;

	log_setup(LOG_LEVEL_ERROR, false);
	told = 0;
	listener = stream_listen(loop, &at, 0, on_accepted, NULL, &err);
	isns = isns_new(loop, &config, on_told, NULL);
	FUZZ_CHECK(listener && isns);
	t_loop_run_for(loop, 2 * NS_PER_MS);
	if ((how & 1) && server.stream)
		fuzz_send(loop, server.stream, c.at, c.left);
	else
		while (server.stream && c.left > 0 && answer(loop, &c))
			t_loop_run_for(loop, 2 * NS_PER_MS);
	if (server.stream)
		stream_abort(server.stream);
	server.stream = NULL;
	t_loop_run_for(loop, 60 * NS_PER_S);
	FUZZ_CHECK(told >= 1 && (config.watch || told == 1));
	isns_free(isns);
	t_loop_run_for(loop, NS_PER_S);
	if (server.stream)
		stream_abort(server.stream);
	server.stream = NULL;
	stream_listener_free(listener);
	loop_free(loop);
	return 0;
}
