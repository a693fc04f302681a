/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of an I/O through NBD server, mpio and iSCSI, between a client and a
 * target that cost next to nothing, over streams in memory: no system calls.
 * What is left of the bench itself is a copy of each byte each way, in place of
 * the kernel's, and its two ends; `instructions` counts that apart, and the
 * time printed here contains it.
 *
 *   inmem              lists the rows: name, bytes, paths, devices
 *   inmem ROW COUNT    does COUNT I/Os after a few to warm up, and prints
 *                      their number and the time that they took, in ns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tests/lib/t_loop.h>
#include <tests/lib/t_stream.h>
#include <time.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/frontend.h>
#include <umpio/iscsi.h>
#include <umpio/mpio.h>

#include "lean_client.h"
#include "lean_target.h"

#define WARM_UP 4 /* times the depth */

static const struct row {
	const char *name;
	struct lean_job job;
	unsigned paths;
	struct lean_options target;
	const char *policy; /* NULL: the default */
	unsigned devices;   /* each with client and paths of its own */
} rows[] = {
#define KIB  (1u << 10)
#define SPAN (16u << 20)
#define SMALL_R                                                                \
	{                                                                      \
		false, 4 * KIB, 32, SPAN                                       \
	}
#define SMALL_W                                                                \
	{                                                                      \
		true, 4 * KIB, 32, SPAN                                        \
	}
#define LARGE_R                                                                \
	{                                                                      \
		false, 1024 * KIB, 8, SPAN                                     \
	}
#define LARGE_W                                                                \
	{                                                                      \
		true, 1024 * KIB, 8, SPAN                                      \
	}
	{"read-4k", SMALL_R, 1, {0}, NULL, 1},
	{"read-4k-qd1", {false, 4 * KIB, 1, SPAN}, 1, {0}, NULL, 1},
	{"read-4k-2-paths", SMALL_R, 2, {0}, NULL, 1},
	{"read-4k-64-paths", SMALL_R, 64, {0}, NULL, 1},
	{"read-4k-64-devices", SMALL_R, 1, {0}, NULL, 64},
	{"read-4k-2-failover", SMALL_R, 2, {0}, "failover", 1},
	{"read-4k-2-queue-length", SMALL_R, 2, {0}, "queue-length", 1},
	{"read-4k-2-service-time", SMALL_R, 2, {0}, "service-time", 1},
	{"read-4k-2-latency", SMALL_R, 2, {0}, "latency", 1},
	{"read-4k-2-weighted", SMALL_R, 2, {0}, "weighted", 1},
	{"read-4k-64-failover", SMALL_R, 64, {0}, "failover", 1},
	{"read-4k-64-queue-length", SMALL_R, 64, {0}, "queue-length", 1},
	{"read-4k-64-service-time", SMALL_R, 64, {0}, "service-time", 1},
	{"read-4k-64-latency", SMALL_R, 64, {0}, "latency", 1},
	{"read-4k-64-weighted", SMALL_R, 64, {0}, "weighted", 1},
	{"read-4k-level-1", SMALL_R, 1, {.level = 1}, NULL, 1},
	{"read-4k-level-2", SMALL_R, 1, {.level = 2}, NULL, 1},
	{"read-4k-4-connections", SMALL_R, 1, {.level = 2, .connections = 4},
		NULL, 1},
	{"read-4k-digests", SMALL_R, 1, {.digests = true}, NULL, 1},
	{"write-4k", SMALL_W, 1, {0}, NULL, 1},
	{"write-4k-2-paths", SMALL_W, 2, {0}, NULL, 1},
	{"write-4k-64-paths", SMALL_W, 64, {0}, NULL, 1},
	{"write-4k-64-devices", SMALL_W, 1, {0}, NULL, 64},
	{"write-4k-level-1", SMALL_W, 1, {.level = 1}, NULL, 1},
	{"write-4k-level-2", SMALL_W, 1, {.level = 2}, NULL, 1},
	{"write-4k-4-connections", SMALL_W, 1, {.level = 2, .connections = 4},
		NULL, 1},
	{"read-1m", LARGE_R, 1, {0}, NULL, 1},
	{"read-1m-shifted", LARGE_R, 1, {.shifted = true}, NULL, 1},
	{"read-1m-digests", LARGE_R, 1, {.digests = true}, NULL, 1},
	{"write-1m", LARGE_W, 1, {0}, NULL, 1},
	{"write-1m-digests", LARGE_W, 1, {.digests = true}, NULL, 1},
};

#define DEVICES 64

static struct {
	struct loop *loop;
	struct lean_target *target;
	unsigned connections, devices;
	struct device {
		struct path *path; /* the last one */
		struct mpdev *dev;
		struct nbds_server *server;
		struct lean_client *client;
	} d[DEVICES];
	unsigned removed, drained;
} B;

static void die(const char *what)
{
	fprintf(stderr, "inmem: %s\n", what);
	exit(1);
}

static void on_ready(void *arg)
{
	(void)arg;
}

static void on_event(void *arg, int path, const char *event, const char *reason)
{
	(void)arg;
	if (strcmp(event, "path-failed") == 0)
		fprintf(stderr, "inmem: path %d: %s\n", path, reason);
}

static void on_hopeless(void *arg, const char *reason)
{
	(void)arg;
	die(reason);
}

static void on_drained(void *arg, int err)
{
	(void)arg;
	(void)err;
	B.drained++;
}

static const struct mpdev_events events = {
	on_ready, on_event, on_hopeless, on_drained};

static void on_removed(void *arg)
{
	(void)arg;
	B.removed++;
}

static bool is_up(void *arg)
{
	const struct device *d = arg;
	struct mpdev_snapshot s;
	struct path_facts f;

	mpdev_snapshot(d->dev, &s);
	path_facts(d->path, &f);
	return s.state == MPDEV_UP && f.connections >= B.connections;
}

static bool is_idle(void *arg)
{
	return lean_client_idle(((struct device *)arg)->client);
}

static bool is_removed(void *arg)
{
	(void)arg;
	return B.removed == B.devices;
}

static bool is_drained(void *arg)
{
	(void)arg;
	return B.drained == B.devices;
}

static void wait_until(t_predicate *is_so, void *arg, const char *what)
{
	if (!t_loop_run_until(B.loop, is_so, arg, 3600 * NS_PER_S))
		die(what);
}

static void add_path(const struct row *row, struct device *d, unsigned n)
{
	struct iscsi_config config;

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:bench";
	config.target_name = "iqn.2026-01.org.example:lean";
	config.nportals = 1;
	snprintf(config.portals[0].host, sizeof config.portals[0].host,
		"127.0.0.1");
	config.portals[0].port = 3260;
	config.isid[0] = 0x80;
	config.isid[4] = (uint8_t)(d - B.d);
	config.isid[5] = (uint8_t)(n + 1);
	config.offer.error_recovery_level = row->target.level;
	if (row->target.connections > 1)
		config.offer.max_connections = row->target.connections;
	d->path = iscsi_path_new(B.loop, &config);
	if (!d->path || mpdev_add_path(d->dev, d->path, NULL) < 0)
		die("no path");
}

/* The I/Os of all devices at once, in equal parts. */
static void do_ios(uint64_t count)
{
	for (unsigned i = 0; i < B.devices; i++)
		lean_client_run(B.d[i].client, count / B.devices);
	for (unsigned i = 0; i < B.devices; i++)
		wait_until(is_idle, &B.d[i], "no answer");
}

static void add_device(const struct row *row, struct device *d)
{
	char place[24];
	struct addr at;
	const struct nbds_options nbd_options = {0};
	struct mpdev_options options;
	int err = 0;

	snprintf(place, sizeof place, "127.0.0.1:%u",
		10809 + (unsigned)(d - B.d));
	at = t_addr(place);
	mpdev_options_init(&options);
	if (row->policy)
		options.policy = row->policy;
	d->dev = mpdev_new(B.loop, "d0", &options, &events, NULL);
	d->server = nbds_server_new(B.loop, &at, -1, &nbd_options, &err);
	if (!d->dev || !d->server)
		die("no memory");
	for (unsigned n = 0; n < row->paths; n++)
		add_path(row, d, n);
	wait_until(is_up, d, "the paths do not come up");
	nbds_export_add(d->server, "d0", mpdev_blkdev(d->dev), NULL);
	d->client = lean_client_new(B.loop, &at, &row->job);
	if (!d->client)
		die("no memory");
}

static void set_up(const struct row *row)
{
	struct addr portal = t_addr("127.0.0.1:3260");

	B.loop = loop_new();
	B.connections = row->target.connections;
	B.target = lean_target_new(B.loop, &portal, &row->target);
	if (!B.target)
		die("no memory");
	for (; B.devices < row->devices; B.devices++)
		add_device(row, &B.d[B.devices]);
	do_ios(WARM_UP * row->job.depth * B.devices);
}

static void tear_down(void)
{
	for (unsigned i = 0; i < B.devices; i++) {
		lean_client_free(B.d[i].client);
		nbds_export_remove(B.d[i].server, "d0", true, on_removed, NULL);
	}
	wait_until(is_removed, NULL, "the export does not go away");
	for (unsigned i = 0; i < B.devices; i++)
		mpdev_drain(B.d[i].dev, true);
	wait_until(is_drained, NULL, "the paths do not go away");
	for (unsigned i = 0; i < B.devices; i++) {
		mpdev_free(B.d[i].dev);
		nbds_server_free(B.d[i].server);
	}
	lean_target_free(B.target);
	loop_free(B.loop);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void run(const struct row *row, uint64_t count)
{
	uint64_t before;

	log_setup(LOG_LEVEL_ERROR, false);
	set_up(row);
	before = clock_ns();
	do_ios(count);
	printf("%llu %llu\n", (unsigned long long)count,
		(unsigned long long)(clock_ns() - before));
	tear_down();
}

int main(int argc, char **argv)
{
	const unsigned n = sizeof rows / sizeof rows[0];

	for (unsigned i = 0; i < n; i++)
		if (argc < 2)
			printf("%s %u %u %u\n", rows[i].name, rows[i].job.len,
				rows[i].paths, rows[i].devices);
		else if (argc == 3 && strcmp(rows[i].name, argv[1]) == 0) {
			run(&rows[i], strtoull(argv[2], NULL, 10));
			return 0;
		}
	if (argc < 2)
		return 0;
	fprintf(stderr, "usage: inmem [ROW COUNT]; see the head of inmem.c\n");
	return 2;
}
