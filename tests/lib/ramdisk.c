/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ramdisk [OPTIONS]: serves memory through the frontends, for system tests.
 * Prints `ready` when it serves; ends on SIGTERM and when its mount is taken
 * away. SIGUSR1 prints the device's counters, SIGUSR2 grows the device
 * and gives up the memory that it hogs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/addr.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>
#include <umpio/frontend.h>
#include <umpio/loop.h>

#include "t_blkdev.h"

#define NBD_MAX  4
#define HOG_PART (1u << 20)

struct ramdisk {
	struct loop *loop;
	struct t_blkdev *ram;
	struct t_blkdev_options ram_options;
	uint64_t grow; /* bytes; 0: never */
	uint64_t hog;  /* bytes of the loop's pool to keep from others */
	struct buf *hogged;

	const char *fuse_file; /* NULL: none */
	struct fblk_options fuse_options;
	struct fblk_mount *mount;
	struct fblk *fblk;

	struct addr nbd_at[NBD_MAX];
	struct nbds_server *nbd[NBD_MAX];
	unsigned nnbd;
	uint64_t nbd_stall; /* ns; 0: the server's default */
	struct nbds_tls_options tls_options;
	struct nbds_tls *tls; /* NULL: none */
	char *allow[NBD_MAX + 1];
	unsigned nallow;
	unsigned ending; /* frontends that still have requests */

	struct loop_signal *signals[3];
};

static const struct option options[] = {
	{"size", required_argument, NULL, 's'},
	{"hog", required_argument, NULL, 'h'},
	{"grow", required_argument, NULL, 'g'},
	{"delay", required_argument, NULL, 'd'},
	{"reverse", no_argument, NULL, 'v'},
	{"block-size", required_argument, NULL, 'b'},
	{"nbd", required_argument, NULL, 'n'},
	{"nbd-stall", required_argument, NULL, 't'},
	{"fuse", required_argument, NULL, 'f'},
	{"fuse-cache", no_argument, NULL, 'c'},
	{"allow-other", no_argument, NULL, 'o'},
	{"read-only", no_argument, NULL, 'r'},
	{"tls-certificates", required_argument, NULL, 'C'},
	{"tls-psk", required_argument, NULL, 'P'},
	{"tls-verify-peer", no_argument, NULL, 'V'},
	{"tls-allow", required_argument, NULL, 'A'},
	{"lie", required_argument, NULL, 'l'},
	{0},
};

/* unix:PATH or tcp:HOST:PORT, HOST numeric. 0 or -errno. */
static int nbd_take(struct ramdisk *r, const char *value)
{
	struct addr *at = &r->nbd_at[r->nnbd];
	struct endpoint ep;
	int err;

	if (r->nnbd == NBD_MAX)
		return -EINVAL;
	if (strncmp(value, "unix:", 5) == 0) {
		err = addr_from_unix(at, value + 5);
	} else if (strncmp(value, "tcp:", 4) == 0) {
		err = endpoint_parse(&ep, value + 4, strlen(value + 4), 10809);
		if (!err)
			err = addr_from_endpoint(at, &ep);
	} else {
		err = -EINVAL;
	}
	if (!err)
		r->nnbd++;
	return err;
}

/* 0 or -EINVAL. */
static int option_take(struct ramdisk *r, int option, const char *value)
{
	uint64_t block_size;

	switch (option) {
	case 's': return units_size(value, &r->ram_options.size);
	case 'h': return units_size(value, &r->hog);
	case 'g': return units_size(value, &r->grow);
	case 'd': return units_duration(value, &r->ram_options.delay);
	case 'b':
		if (units_size(value, &block_size) || block_size > 65536)
			return -EINVAL;
		r->ram_options.block_size = (uint32_t)block_size;
		return 0;
	case 'n': return nbd_take(r, value);
	case 't': return units_duration(value, &r->nbd_stall);
	case 'f': r->fuse_file = value; return 0;
	case 'c': r->fuse_options.cache = true; return 0;
	case 'o': r->fuse_options.allow_other = true; return 0;
	case 'C': r->tls_options.certificates = value; return 0;
	case 'P': r->tls_options.psk_text = value; return 0;
	case 'V': r->tls_options.verify_peer = true; return 0;
	case 'A':
		if (r->nallow == NBD_MAX)
			return -EINVAL;
		r->allow[r->nallow++] = (char *)value;
		return 0;
	case 'v': r->ram_options.reverse = true; return 0;
	case 'l': return t_lie_parse(&r->ram_options.lie, value);
	case 'r':
		r->fuse_options.read_only = true;
		r->ram_options.read_only = true;
		return 0;
	default: return -EINVAL;
	}
}

static int options_take(struct ramdisk *r, int argc, char **argv)
{
	int option;

	r->ram_options.size = 64u << 20;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option_take(r, option, optarg)) {
			fprintf(stderr, "ramdisk: bad option: %s\n",
				argv[optind - 1]);
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static void one_ended(struct ramdisk *r)
{
	if (--r->ending == 0)
		loop_stop(r->loop);
}

static void on_drained(void *arg)
{
	struct ramdisk *r = arg;

	fblk_free(r->fblk);
	r->fblk = NULL;
	one_ended(r);
}

static void on_removed(void *arg)
{
	one_ended(arg);
}

/* All frontends let go of the device, then the loop ends. */
static void on_end(void *arg)
{
	struct ramdisk *r = arg;

	if (r->ending)
		return;
	r->ending = 1;
	for (unsigned i = 0; i < r->nnbd; i++) {
		r->ending++;
		nbds_export_remove(r->nbd[i], "ram", false, on_removed, r);
	}
	if (r->fblk) {
		r->ending++;
		fblk_drain(r->fblk, on_drained, r);
	}
	one_ended(r);
}

static void on_show(void *arg)
{
	const struct ramdisk *r = arg;
	const struct t_blkdev_counts *c = t_blkdev_counts(r->ram);

	printf("reads=%ju writes=%ju flushes=%ju trims=%ju zeroes=%ju fua=%ju "
	       "no_hole=%ju inflight_max=%u\n",
		(uintmax_t)c->ops[BLK_READ], (uintmax_t)c->ops[BLK_WRITE],
		(uintmax_t)c->ops[BLK_FLUSH], (uintmax_t)c->ops[BLK_TRIM],
		(uintmax_t)c->ops[BLK_ZERO], (uintmax_t)c->fua,
		(uintmax_t)c->no_hole, c->inflight_max);
	fflush(stdout);
}

/* The hogged buffers make a list through their own data. */
static void hog_take(struct ramdisk *r)
{
	struct buf *b;

	for (uint64_t n = r->hog; n; n -= n < HOG_PART ? n : HOG_PART) {
		b = buf_get(loop_pool(r->loop), n < HOG_PART ? n : HOG_PART);
		if (!b)
			return;
		memcpy(b->data, &r->hogged, sizeof(r->hogged));
		r->hogged = b;
	}
}

static void hog_drop(struct ramdisk *r)
{
	struct buf *b;

	while ((b = r->hogged)) {
		memcpy(&r->hogged, b->data, sizeof(r->hogged));
		buf_put(b);
	}
}

static void on_grow(void *arg)
{
	struct ramdisk *r = arg;

	hog_drop(r);
	if (r->grow)
		t_blkdev_resize(r->ram, r->grow);
}

/* 0 or -errno. */
static int nbd_start(struct ramdisk *r)
{
	struct nbds_options nbd_options = {.stall_timeout = r->nbd_stall};
	char why[256];
	int err = 0;

	if (r->tls_options.certificates || r->tls_options.psk_text) {
		r->tls = nbds_tls_new(&r->tls_options, why, sizeof why);
		if (!r->tls) {
			fprintf(stderr, "ramdisk: tls: %s\n", why);
			return -EINVAL;
		}
	}
	nbd_options.tls = r->tls;

	for (unsigned i = 0; i < r->nnbd && !err; i++) {
		r->nbd[i] = nbds_server_new(
			r->loop, &r->nbd_at[i], -1, &nbd_options, &err);
		if (r->nbd[i])
			err = nbds_export_add(r->nbd[i], "ram",
				t_blkdev_dev(r->ram),
				r->nallow ? r->allow : NULL);
	}
	if (err)
		fprintf(stderr, "ramdisk: nbd: %s\n", strerror(-err));
	return err;
}

static int ramdisk_start(struct ramdisk *r)
{
	uint64_t size = r->ram_options.size;
	char why[512] = "no memory";

	r->loop = loop_new();
	if (r->grow > size)
		r->ram_options.size = r->grow;
	r->ram = r->loop ? t_blkdev_new(r->loop, &r->ram_options) : NULL;
	if (!r->ram) {
		fprintf(stderr, "ramdisk: %s\n", why);
		return -ENOMEM;
	}
	t_blkdev_resize(r->ram, size);
	r->signals[0] = loop_signal_new(r->loop, SIGTERM, on_end, r);
	r->signals[1] = loop_signal_new(r->loop, SIGUSR1, on_show, r);
	r->signals[2] = loop_signal_new(r->loop, SIGUSR2, on_grow, r);
	hog_take(r);
	if (nbd_start(r))
		return -EIO;
	if (!r->fuse_file)
		return 0;

	r->mount = fblk_mount(
		r->fuse_file, "ram", &r->fuse_options, why, sizeof(why));
	if (r->mount)
		r->fblk = fblk_new(
			r->loop, r->mount, t_blkdev_dev(r->ram), on_end, r);
	if (!r->fblk) {
		fprintf(stderr, "ramdisk: %s\n", why);
		return -EIO;
	}
	return 0;
}

static void ramdisk_stop(struct ramdisk *r)
{
	fblk_unmount(r->mount);
	for (unsigned i = 0; i < r->nnbd; i++)
		nbds_server_free(r->nbd[i]);
	nbds_tls_free(r->tls);
	for (size_t i = 0; i < 3; i++)
		loop_signal_free(r->signals[i]);
	hog_drop(r);
	t_blkdev_free(r->ram);
	loop_free(r->loop);
}

int main(int argc, char **argv)
{
	struct ramdisk r = {0};
	int err = options_take(&r, argc, argv);

	if (err)
		return 2;
	err = ramdisk_start(&r);
	if (!err) {
		puts("ready");
		fflush(stdout);
		loop_run(r.loop);
	}
	ramdisk_stop(&r);
	return err ? 1 : 0;
}
