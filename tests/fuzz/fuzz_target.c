/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz_target.h"

#include <errno.h>

#define LOGIN_REQ 0x03
#define LOGIN_RSP 0x23

void fuzz_target_pdu(
	struct fuzz_target *t, uint8_t bhs[48], const void *data, size_t len)
{
	static const uint8_t zero[4];

	if (!t->stream)
		return;
	fuzz_send(t->loop, t->stream, bhs, 48);
	if (t->stream && len > 0)
		fuzz_send(t->loop, t->stream, data, len);
	if (t->stream && len % 4)
		fuzz_send(t->loop, t->stream, zero, 4 - len % 4);
}

/* RFC 7143 11.13, with a stage and words out of the script, if there is one. */
static void answer_login(struct fuzz_target *t, const uint8_t *request)
{
	static const char security[] = "AuthMethod=None";
	static const char operational[] =
		"HeaderDigest=None\0DataDigest=None\0TargetPortalGroupTag=1";
	uint8_t bhs[48] = {LOGIN_RSP, request[1] & 0xcf};
	unsigned stage = request[1] >> 2 & 3;
	const void *text = stage ? operational : security;
	size_t len = stage ? sizeof operational : sizeof security;

	memcpy(bhs + 8, request + 8, 6);   /* ISID */
	memcpy(bhs + 16, request + 16, 4); /* tag */
	if ((request[1] & 0x83) == 0x83)
		put_be16(bhs + 14, 1); /* TSIH */
	if (t->script) {
		bhs[1] = (uint8_t)(bhs[1] ^ cursor_u8(t->script));
		bhs[36] = cursor_u8(t->script);
		bhs[37] = cursor_u8(t->script);
		len = cursor_be16(t->script) & 0x3fff;
		len = len < t->script->left ? len : t->script->left;
		text = cursor_take(t->script, len);
	}
	put_be24(bhs + 5, (uint32_t)len);
	put_be32(bhs + 24, t->stat_sn++);
	put_be32(bhs + 28, get_be32(request + 24)); /* ExpCmdSN */
	put_be32(bhs + 32, get_be32(request + 24) + 64);
	t->logged_in = (bhs[1] & 0x83) == 0x83;
	fuzz_target_pdu(t, bhs, text, len);
}

static void take(struct fuzz_target *t, const uint8_t *bhs)
{
	t->tags[t->requests++ % FUZZ_TAGS] = get_be32(bhs + 16);
}

static void on_readable(void *arg)
{
	struct fuzz_target *t = arg;
	struct iovec iov = {t->in + t->len, sizeof t->in - t->len};
	ssize_t n = stream_readv(t->stream, &iov, 1);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		stream_abort(t->stream);
		t->stream = NULL;
		return;
	}
	t->len += (size_t)n;
	if (t->len == sizeof t->in)
		t->len = 0; /* larger than anything that we ask for */
}

/* Looks at what has come: outside of callbacks, since answers let time pass. */
static void look(struct fuzz_target *t)
{
	while (t->len >= 48) {
		size_t len =
			48u + t->in[4] * 4u + ((get_be24(t->in + 5) + 3) & ~3u);
		uint8_t bhs[48];

		if (t->len < len)
			return;
		memcpy(bhs, t->in, 48);
		t->len -= len;
		memmove(t->in, t->in + len, t->len);
		if ((bhs[0] & 0x3f) == LOGIN_REQ)
			answer_login(t, bhs);
		else
			take(t, bhs);
	}
}

static const struct stream_events events = {.readable = on_readable};

static void on_accepted(void *arg, struct stream *s)
{
	struct fuzz_target *t = arg;

	if (t->stream)
		stream_abort(t->stream);
	t->stream = s;
	t->len = 0;
	t->logged_in = false;
	stream_own(s, &events, t);
	stream_want(s, true, false);
}

void fuzz_target_init(struct fuzz_target *t, struct loop *loop)
{
	struct addr at = t_addr(FUZZ_PORTAL);
	int err;

	*t = (struct fuzz_target){.loop = loop, .stat_sn = 1};
	t->listener = stream_listen(loop, &at, 0, on_accepted, t, &err);
	FUZZ_CHECK(t->listener);
}

void fuzz_target_run(struct fuzz_target *t, unsigned ms)
{
	while (ms-- > 0) {
		t_loop_run_for(t->loop, NS_PER_MS);
		look(t);
	}
}

void fuzz_target_fini(struct fuzz_target *t)
{
	if (t->stream)
		stream_abort(t->stream);
	stream_listener_free(t->listener);
}

void fuzz_target_config(struct iscsi_config *config)
{
	iscsi_config_init(config);
	config->initiator_name = "iqn.2026-01.org.example:host";
	config->target_name = "iqn.2026-01.org.example:array";
	config->portals[0] =
		(struct endpoint){.host = "10.0.0.1", .port = 3260};
	config->nportals = 1;
	config->isid[0] = 0x80;
}

bool fuzz_target_send(struct fuzz_target *t, struct cursor *c)
{
	uint8_t right = cursor_u8(c), bhs[48];
	const uint8_t *header = cursor_take(c, 48), *data;
	size_t len = cursor_be16(c) & 0x3fff;

	if (!header || !t->stream)
		return false;
	memcpy(bhs, header, 48);
	len = len < c->left ? len : c->left;
	data = cursor_take(c, len);
	if (right & 1)
		put_be32(bhs + 16, t->tags[(right >> 4) % FUZZ_TAGS]);
	if (right & 2)
		put_be32(bhs + 24, t->stat_sn++);
	if (right & 4) {
		bhs[4] = 0;
		put_be24(bhs + 5, (uint32_t)len);
	}
	if (right & 8) {
		put_be32(bhs + 28, 1);
		put_be32(bhs + 32, 100);
	}
	fuzz_target_pdu(t, bhs, data, len);
	return true;
}
