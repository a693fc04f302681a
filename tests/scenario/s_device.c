/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scenario/s_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>

#define MINUTE (60 * NS_PER_S)

struct d_device D;

static void on_ready(void *arg)
{
	(void)arg;
	D.ready++;
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	size_t len = strlen(D.events);

	(void)arg;
	cr_assert(reason && *reason, "event %s without a reason", event);
	snprintf(D.events + len, sizeof D.events - len, "%s/%d ", event, path);
}

static void on_hopeless(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
}

static void on_drained(void *arg, int err)
{
	(void)arg;
	(void)err;
	D.drained++;
}

static const struct mpdev_events events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.drained = on_drained,
};

static void on_resized(struct blkdev_watch *watch, uint64_t size)
{
	(void)watch;
	D.resized = size;
}

void d_init(void)
{
	memset(&D, 0, sizeof D);
	D.disk.blocks = 65536;
	D.disk.naa[0] = 0x60;
	D.disk.naa[15] = 1;
	t_target_options_init(&D.options);
	D.options.lun = 1ull << 48;
	D.options.nportals = D_PATHS;
	D.options.portals[0] = (struct t_portal){"127.0.0.1:3260", 1};
	D.options.portals[1] = (struct t_portal){"127.0.0.2:3260", 2};
}

static void add_path(unsigned n)
{
	struct iscsi_config config;
	struct path *path;

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:scenario";
	config.target_name = D.options.name;
	config.nportals = 1;
	snprintf(config.portals[0].host, sizeof config.portals[0].host,
		"127.0.0.%u", n + 1);
	config.portals[0].port = 3260;
	config.lun[1] = 1;
	config.isid[0] = 0x80;
	config.isid[5] = (uint8_t)(n + 1);
	path = iscsi_path_new(D.loop, &config);
	cr_assert(path);
	cr_assert_eq(mpdev_add_path(D.dev, path, NULL), (int)n);
}

void d_up(unsigned paths)
{
	struct mpdev_options options;

	mpdev_options_init(&options);
	options.policy = "failover";
	D.loop = loop_new();
	D.lun = t_lun_new(&D.disk);
	D.target = t_target_new(D.loop, D.lun, &D.options);
	D.dev = mpdev_new(D.loop, "d0", &options, &events, NULL);
	cr_assert(D.lun && D.target && D.dev);
	D.blk = mpdev_blkdev(D.dev);
	D.watch.resized = on_resized;
	blkdev_watch(D.blk, &D.watch);
	for (unsigned n = 0; n < paths; n++) {
		D.at[n] = t_addr(D.options.portals[n].address);
		D.wire[n] = t_wire_at(&D.at[n]);
		cr_assert_eq(t_target_listen(D.target, n, &D.at[n]), 0);
		add_path(n);
	}
	d_wait_up();
}

static bool is_up(void *arg)
{
	struct mpdev_snapshot s;

	(void)arg;
	mpdev_snapshot(D.dev, &s);
	return s.state == MPDEV_UP;
}

void d_wait_up(void)
{
	cr_assert(
		t_loop_run_until(D.loop, is_up, NULL, MINUTE), "%s", D.events);
}

void d_pass(uint64_t ms)
{
	t_loop_run_for(D.loop, ms * NS_PER_MS);
}

static bool is_drained(void *arg)
{
	(void)arg;
	return D.drained > 0;
}

void d_end_with_breach(void)
{
	mpdev_drain(D.dev, false);
	cr_assert(t_loop_run_until(D.loop, is_drained, NULL, 4 * MINUTE));
	blkdev_unwatch(D.blk, &D.watch);
	mpdev_free(D.dev);
	cr_assert_eq(buf_pool_used(loop_pool(D.loop)), 0);
	t_target_free(D.target);
	t_lun_free(D.lun);
	loop_free(D.loop);
}

void d_end(void)
{
	cr_assert_eq(D.target->violations, 0, "%s", D.target->violation);
	d_end_with_breach();
}

static void on_done(struct blk_req *blk, int err)
{
	struct d_request *r = blk->arg;

	r->done++;
	r->err = err;
	cr_assert_eq(r->done, 1);
}

static void prepare(
	struct d_request *r, enum blk_op op, uint64_t offset, uint32_t len)
{
	memset(r, 0, sizeof *r);
	r->blk.op = (uint8_t)op;
	r->blk.offset = offset;
	r->blk.len = len;
	r->blk.done = on_done;
	r->blk.arg = r;
	r->blk.buf = buf_get(loop_pool(D.loop), len);
	r->blk.data = r->blk.buf->data;
}

void d_write(struct d_request *r, uint64_t offset, uint32_t len, int fill)
{
	prepare(r, BLK_WRITE, offset, len);
	memset(r->blk.data, fill, len);
	blkdev_submit(D.blk, &r->blk);
}

void d_read(struct d_request *r, uint64_t offset, uint32_t len)
{
	prepare(r, BLK_READ, offset, len);
	r->buf = r->blk.buf;
	blkdev_submit(D.blk, &r->blk);
}

static bool is_done(void *arg)
{
	return ((struct d_request *)arg)->done > 0;
}

int d_wait(struct d_request *r)
{
	cr_assert(t_loop_run_until(D.loop, is_done, r, 2 * MINUTE));
	return r->err;
}

void d_expect_read(uint64_t offset, uint32_t len, int fill)
{
	struct d_request r;
	const uint8_t *data;

	d_read(&r, offset, len);
	cr_assert_eq(d_wait(&r), 0);
	data = r.blk.data;
	for (uint32_t i = 0; i < len; i++)
		cr_assert_eq(data[i], (uint8_t)fill, "byte %u", i);
	buf_put(r.buf);
}

struct mpath_info d_path(unsigned n)
{
	struct mpath_info info;

	cr_assert(mpdev_path_info(D.dev, n, &info));
	return info;
}

bool d_heard(const char *event)
{
	return strstr(D.events, event) != NULL;
}

struct t_nexus *d_nexus(unsigned n)
{
	struct t_session *s;

	LIST_FOREACH (s, &D.target->sessions, link)
		if (s->tpgt == D.options.portals[n].tpgt)
			return &s->nexus;
	cr_assert_fail("no session over path %u", n);
	return NULL;
}
