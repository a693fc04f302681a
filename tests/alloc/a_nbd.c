/* SPDX-License-Identifier: BSD-2-Clause */
/* An NBD client: it chooses an export, writes, flushes, reads, asks for the
 * block status and leaves. A write that is answered well is in the device. */
#include <string.h>
#include <sys/uio.h>
#include <umpio/base/buf.h>
#include <umpio/base/bytes.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "frontends/nbd/nbd_proto.h"
#include "frontends/nbd/nbds_server.h"
#include "tests/alloc/alloc.h"
#include "tests/lib/t_blkdev.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

#define DISK (1u << 20)
#define LEN  8192u

static struct loop *loop;
static struct stream *client;
static uint8_t in[65536]; /* replies that have come */
static size_t came;
static unsigned removed;

static void on_removed(void *arg)
{
	(void)arg;
	removed++;
}

static void hear(void)
{
	struct iovec iov;
	ssize_t n;

	for (unsigned i = 0; i < 50; i++) {
		t_loop_run_for(loop, NS_PER_MS);
		iov = (struct iovec){in + came, sizeof in - came};
		n = stream_readv(client, &iov, 1);
		if (n > 0)
			came += (size_t)n;
	}
}

static void say(const void *data, size_t len)
{
	struct iovec iov = {(void *)data, len};

	came = 0;
	(void)stream_writev(client, &iov, 1);
	hear();
}

static void option(uint32_t number, const void *data, uint32_t len)
{
	uint8_t words[128];

	memcpy(words, "IHAVEOPT", 8);
	put_be32(words + 8, number);
	put_be32(words + 12, len);
	memcpy(words + 16, data, len);
	say(words, 16 + len);
}

/* The error in the one simple reply; -1: there is none. */
static int64_t ask(unsigned type, uint32_t len)
{
	static uint8_t words[28 + LEN];

	put_be32(words, NBD_REQUEST_MAGIC);
	put_be16(words + 4, 0);
	put_be16(words + 6, (uint16_t)type);
	put_be64(words + 8, 7);
	put_be64(words + 16, 4096);
	put_be32(words + 24, len);
	memset(words + 28, 'w', LEN);
	say(words, 28 + (type == NBD_CMD_WRITE ? len : 0));
	if (came < 16 || get_be32(in) != NBD_SIMPLE_REPLY_MAGIC)
		return -1;
	ALLOC_CHECK(get_be64(in + 8) == 7);
	return get_be32(in + 4);
}

static void talk(const uint8_t *disk)
{
	bool there;

	say("\0\0\0\3", 4);
	option(NBD_OPT_LIST, "", 0);
	option(NBD_OPT_SET_META_CONTEXT,
		"\0\0\0\4disk\0\0\0\1\0\0\0\017base:allocation", 31);
	option(NBD_OPT_GO, "\0\0\0\4disk\0\1\0\3", 12);
	there = ask(NBD_CMD_WRITE, LEN) == 0;
	for (unsigned i = 0; there && i < LEN; i++)
		ALLOC_CHECK(disk[4096 + i] == 'w');
	ask(NBD_CMD_FLUSH, 0);
	if (ask(NBD_CMD_READ, LEN) == 0) {
		ALLOC_CHECK(came == 16 + LEN);
		ALLOC_CHECK(memcmp(in + 16, disk + 4096, LEN) == 0);
	}
	ask(NBD_CMD_TRIM, LEN);
	ask(NBD_CMD_WRITE_ZEROES, LEN);
	say("\x25\x60\x95\x13\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		28);
}

static void serve(struct nbds_server *server, struct t_blkdev *ram)
{
	struct addr at = t_addr("10.0.0.1:10809");
	struct stream *s[2];

	if (nbds_export_add(server, "disk", t_blkdev_dev(ram), NULL) < 0)
		return;
	t_stream_pair(loop, loop, &at, s);
	client = s[0];
	nbds_server_accept(server, s[1]);
	talk(t_blkdev_data(ram));
	stream_abort(client);
	t_loop_run_for(loop, NS_PER_S);
	removed = 0;
	nbds_export_remove(server, "disk", true, on_removed, NULL);
	t_loop_run_for(loop, NS_PER_S);
	ALLOC_CHECK(removed == 1);
	ALLOC_CHECK(t_blkdev_counts(ram)->inflight == 0);
}

void story_nbd(void)
{
	const struct t_blkdev_options disk = {.size = DISK};
	const struct nbds_options options = {0};
	struct addr at = t_addr("10.0.0.1:10809");
	struct nbds_server *server;
	struct t_blkdev *ram;
	int err = 0;

	log_setup(LOG_LEVEL_ERROR, false);
	loop = loop_new();
	ram = t_blkdev_new(loop, &disk);
	ALLOC_CHECK(ram);
	alloc_set(true);
	server = nbds_server_new(loop, &at, -1, &options, &err);
	ALLOC_CHECK(server || err < 0);
	if (server)
		serve(server, ram);
	nbds_server_free(server);
	alloc_set(false);
	ALLOC_CHECK(buf_pool_used(loop_pool(loop)) == 0);
	t_blkdev_free(ram);
	loop_free(loop);
}
