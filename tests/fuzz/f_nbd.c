/* SPDX-License-Identifier: BSD-2-Clause */
/* An NBD client. With an even first byte all it says is the input's, from the
 * client flags on; with an odd one it has chosen an export, and the input is
 * requests of which the magic is put right. */
#include "frontends/nbd/nbd_proto.h"
#include "frontends/nbd/nbds_server.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/t_blkdev.h"

#define DISK (1u << 20)

static unsigned removed;

static void on_removed(void *arg)
{
	(void)arg;
	removed++;
}

static void drink(struct stream *s)
{
	static uint8_t sink[65536];
	struct iovec iov = {sink, sizeof sink};

	while (stream_readv(s, &iov, 1) > 0)
		;
}

static void say(
	struct loop *loop, struct stream *s, const void *data, size_t len)
{
	fuzz_send(loop, s, data, len);
	drink(s);
}

/* Client flags, STRUCTURED_REPLY, SET_META_CONTEXT base:allocation, GO. */
static void choose(struct loop *loop, struct stream *s)
{
	static const uint8_t words[] = {0, 0, 0, 3,
		/* */ 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 8, 0, 0,
		0, 0,
		/* */ 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 10, 0, 0,
		0, 31, 0, 0, 0, 4, 'd', 'i', 's', 'k', 0, 0, 0, 1, 0, 0, 0, 15,
		'b', 'a', 's', 'e', ':', 'a', 'l', 'l', 'o', 'c', 'a', 't', 'i',
		'o', 'n',
		/* */ 'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T', 0, 0, 0, 7, 0, 0,
		0, 10, 0, 0, 0, 4, 'd', 'i', 's', 'k', 0, 0};

	say(loop, s, words, sizeof words);
	t_loop_run_for(loop, 2 * NS_PER_MS);
}

/* Flags and type, cookie, offset, length as they are; a WRITE's payload is what
 * follows. */
static void requests(struct loop *loop, struct stream *s, struct cursor *c)
{
	for (unsigned i = 0; i < 64 && c->left >= 24; i++) {
		uint8_t head[28];
		size_t len;

		put_be32(head, NBD_REQUEST_MAGIC);
		memcpy(head + 4, cursor_take(c, 24), 24);
		say(loop, s, head, sizeof head);
		if (get_be16(head + 6) != NBD_CMD_WRITE)
			continue;
		len = get_be32(head + 24) < c->left ? get_be32(head + 24)
						    : c->left;
		say(loop, s, cursor_take(c, len), len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct t_blkdev_options disk = {.size = DISK};
	const struct nbds_options options = {0};
	struct cursor c = cursor_over(data, size);
	struct addr at = t_addr("10.0.0.1:10809");
	struct loop *loop = loop_new();
	struct nbds_server *server;
	struct t_blkdev *ram;
	struct stream *s[2];
	int err = 0;

	log_setup(LOG_LEVEL_ERROR, false);
	removed = 0;
	ram = t_blkdev_new(loop, &disk);
	server = nbds_server_new(loop, &at, -1, &options, &err);
	FUZZ_CHECK(ram && server);
	FUZZ_CHECK(
		nbds_export_add(server, "disk", t_blkdev_dev(ram), NULL) == 0);
	t_stream_pair(loop, loop, &at, s);
	nbds_server_accept(server, s[1]);
	t_loop_run_for(loop, NS_PER_MS);
	drink(s[0]);
	if (cursor_u8(&c) & 1) {
		choose(loop, s[0]);
		requests(loop, s[0], &c);
	} else {
		for (unsigned i = 0; i < 64 && c.left > 0; i++) {
			size_t len = c.left < 512 ? c.left : 512;

			say(loop, s[0], cursor_take(&c, len), len);
		}
	}
	t_loop_run_for(loop, 10 * NS_PER_MS);
	stream_abort(s[0]);
	t_loop_run_for(loop, NS_PER_S);
	nbds_export_remove(server, "disk", true, on_removed, NULL);
	t_loop_run_for(loop, NS_PER_S);
	FUZZ_CHECK(removed == 1);
	FUZZ_CHECK(t_blkdev_counts(ram)->inflight == 0);
	nbds_server_free(server);
	t_blkdev_free(ram);
	loop_free(loop);
	return 0;
}
