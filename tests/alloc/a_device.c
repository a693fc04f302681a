/* SPDX-License-Identifier: BSD-2-Clause */
/* A device over two paths: it comes up, writes, flushes and reads, loses a path
 * under writes, recovers, is drained. Whatever failed, each request is answered
 * once, what was acknowledged is there, and in the end the device works. */
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/iscsi.h>
#include <umpio/mpio.h>
#include <umpio/path.h>

#include "tests/alloc/alloc.h"
#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"
#include "tests/lib/t_target.h"

#define PATHS  2
#define WRITES 8
#define LEN    65536u
#define MINUTE (60 * NS_PER_S)

struct request {
	struct blk_req blk;
	unsigned done;
	int err;
};

static struct loop *loop;
static struct mpdev *dev;
static struct t_target *target;
static struct addr at[PATHS];
static unsigned connections, ready, drained;

static void on_ready(void *arg)
{
	(void)arg;
	ready++;
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	(void)arg;
	(void)path;
	ALLOC_CHECK(event && reason);
}

static void on_hopeless(void *arg, const char *reason)
{
	(void)arg;
	ALLOC_CHECK(reason);
}

static void on_drained(void *arg, int err)
{
	(void)arg;
	(void)err;
	drained++;
}

static const struct mpdev_events events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

/* True when the device has the path. */
static bool add_path(unsigned n)
{
	struct iscsi_config config;
	struct path *path;

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:alloc";
	config.target_name = target->options.name;
	config.nportals = 1;
	snprintf(config.portals[0].host, sizeof config.portals[0].host,
		"127.0.0.%u", n + 1);
	config.portals[0].port = 3260;
	config.lun[1] = 1;
	config.isid[0] = 0x80;
	config.isid[5] = (uint8_t)(n + 1);
	if (connections > 1) {
		config.offer.max_connections = connections;
		config.offer.error_recovery_level = 2;
	}
	path = iscsi_path_new(loop, &config);
	if (path && mpdev_add_path(dev, path, NULL) < 0) {
		path_free(path);
		path = NULL;
	}
	return path != NULL;
}

static void on_done(struct blk_req *blk, int err)
{
	struct request *r = blk->arg;

	r->err = err;
	ALLOC_CHECK(++r->done == 1);
}

static void submit(struct request *r, enum blk_op op, unsigned n, int fill)
{
	bool was = alloc_set(false);

	*r = (struct request){.blk = {.op = (uint8_t)op,
				      .offset = (uint64_t)n * LEN,
				      .len = op == BLK_FLUSH ? 0 : LEN,
				      .done = on_done}};
	r->blk.arg = r;
	if (op == BLK_READ)
		r->blk.buf = buf_get_bare(loop_pool(loop), LEN);
	else if (op == BLK_WRITE)
		r->blk.buf = buf_get(loop_pool(loop), LEN);
	ALLOC_CHECK(r->blk.buf || op == BLK_FLUSH);
	if (op == BLK_WRITE)
		memset(blk_data(&r->blk), fill, LEN);
	alloc_set(was);
	blkdev_submit(mpdev_blkdev(dev), &r->blk);
}

static bool is_done(void *arg)
{
	return ((struct request *)arg)->done > 0;
}

static int wait_for(struct request *r)
{
	ALLOC_CHECK(t_loop_run_until(loop, is_done, r, 5 * MINUTE));
	return r->err;
}

/* Reads what was acknowledged. True when it could be read. */
static bool expect(unsigned n, int fill)
{
	struct request r;
	bool good;

	submit(&r, BLK_READ, n, 0);
	good = wait_for(&r) == 0;
	for (unsigned i = 0; good && i < LEN; i++)
		ALLOC_CHECK(((const uint8_t *)r.blk.buf->data)[i] == fill);
	buf_put(r.blk.buf);
	return good;
}

static void work(void)
{
	struct request w[WRITES], flush;
	bool there[WRITES];

	for (unsigned n = 0; n < WRITES; n++)
		submit(&w[n], BLK_WRITE, n, 'a' + (int)n);
	for (unsigned n = 0; n < WRITES; n++)
		there[n] = wait_for(&w[n]) == 0;
	submit(&flush, BLK_FLUSH, 0, 0);
	wait_for(&flush);
	for (unsigned n = 0; n < WRITES; n++)
		if (there[n])
			expect(n, 'a' + (int)n);
	target->hold = true;
	for (unsigned n = 0; n < WRITES; n++)
		submit(&w[n], BLK_WRITE, n, 'A' + (int)n);
	t_loop_run_for(loop, 10 * NS_PER_MS);
	t_wire_reset(&at[0]);
	target->hold = false;
	for (unsigned n = 0; n < WRITES; n++)
		there[n] = wait_for(&w[n]) == 0;
	t_loop_run_for(loop, MINUTE);
	alloc_set(false);
	for (unsigned n = 0; n < WRITES; n++)
		if (there[n])
			ALLOC_CHECK(expect(n, 'A' + (int)n));
	alloc_set(true);
}

static bool is_up(void *arg)
{
	(void)arg;
	return ready > 0;
}

static bool is_drained(void *arg)
{
	(void)arg;
	return drained > 0;
}

/* With memory at last, no path is left behind. */
static bool all_up(void *arg)
{
	struct mpdev_snapshot now;

	mpdev_snapshot(dev, &now);
	return now.up == *(const unsigned *)arg;
}

static void live(void)
{
	unsigned paths = 0;

	for (unsigned n = 0; n < PATHS; n++)
		paths += add_path(n);
	if (paths > 0) {
		ALLOC_CHECK(t_loop_run_until(loop, is_up, NULL, 5 * MINUTE));
		work();
		ALLOC_CHECK(t_loop_run_until(loop, all_up, &paths, 5 * MINUTE));
		mpdev_drain(dev, false);
		ALLOC_CHECK(
			t_loop_run_until(loop, is_drained, NULL, 5 * MINUTE));
	}
	mpdev_free(dev);
	t_loop_run_for(loop, NS_PER_S);
	ALLOC_CHECK(!t_target_conn(target, 0));
}

static void tell(void)
{
	struct t_lun_options disk = {.blocks = 65536, .naa = {0x60}};
	struct t_target_options options;
	struct mpdev_options how;
	struct t_lun *lun;

	log_setup(LOG_LEVEL_ERROR, false);
	t_target_options_init(&options);
	options.lun = 1ull << 48;
	if (connections > 1) {
		options.max_connections = connections;
		options.error_recovery_level = 2;
	}
	options.nportals = PATHS;
	options.portals[0] = (struct t_portal){"127.0.0.1:3260", 1};
	options.portals[1] = (struct t_portal){"127.0.0.2:3260", 2};
	loop = loop_new();
	lun = t_lun_new(&disk);
	target = t_target_new(loop, lun, &options);
	ALLOC_CHECK(lun && target);
	for (unsigned n = 0; n < PATHS; n++) {
		at[n] = t_addr(options.portals[n].address);
		ALLOC_CHECK(t_target_listen(target, n, &at[n]) == 0);
	}
	mpdev_options_init(&how);
	alloc_set(true);
	dev = mpdev_new(loop, "d0", &how, &events, NULL);
	if (dev)
		live();
	alloc_set(false);
	ALLOC_CHECK(buf_pool_used(loop_pool(loop)) == 0);
	ALLOC_CHECK(target->violations == 0);
	t_target_free(target);
	t_lun_free(lun);
	loop_free(loop);
}

void story_device(void)
{
	connections = 1;
	tell();
}

void story_legs(void)
{
	connections = 2;
	tell();
}
