/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plan: what the settings of one device come to, resolved and checked, so
 * that starting it can fail only for reasons of the world. Two plans can be
 * compared, which is how a reload finds what changed.
 */
#ifndef UMPIOD_PLAN_H
#define UMPIOD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <umpio/frontend.h>
#include <umpio/iscsi.h>
#include <umpio/mpio.h>
#include <umpio/settings.h>

/* One path: the strings and the secret are its own. */
struct plan_path {
	struct iscsi_config config;
	struct mpath_options options;
	const char *instance; /* the context's, for the ISIDs */
	int id; /* in the device; below 0 it is not there: -1 not yet, -ENOMEM
		 * to be added again, -ESHUTDOWN */
	unsigned joined; /* of its portals, the last ones: not in the settings,
			  * and no part of what it is compared by */
	bool discovered; /* not from the settings */
	bool elsewhere;  /* found through a path whose portal group it is not in
			  */
	bool isns;       /* from the iSNS server */
	char *strings[8];
	unsigned nstrings;
};

struct plan_nbd {
	char *text; /* as configured: unix:PATH or tcp:HOST:PORT */
	struct nbd_address address;
	struct addr at; /* len 0: a name, and no numeric address */
	int fd;         /* of the service manager, and it stays so; -1: none */
};

/* TLS of a device's NBD addresses; equal on devices that share one. */
struct plan_tls {
	bool required, verify_peer;
	char *certificates, *psk_file; /* NULL: none */
};

struct plan {
	char *name;
	char *policy;
	struct mpdev_options device;
	struct plan_path **paths;
	unsigned npaths;
	unsigned queues;
	bool discover;
	struct endpoint isns; /* the server; port 0: none */
	struct plan_nbd *nbd;
	unsigned nnbd;
	unsigned nbd_max_clients;
	struct plan_tls tls;
	char **tls_allow; /* NULL at the end */
	char **fuse;
	unsigned nfuse;
	struct fblk_options fblk;
};

/* What a plan needs beside the settings. */
struct plan_context {
	const char *instance; /* the control socket's path, for the ISIDs */
	unsigned workers;     /* how many queues there can be */
};

/* The plan of `device`. NULL, and one line in `why`. */
struct plan *plan_new(const struct settings *settings,
	const struct section *device, const struct plan_context *context,
	char *why, size_t why_size);
void plan_free(struct plan *plan); /* clears secrets; NULL is allowed */

/* A copy of `path` that goes to another portal, for discovery. NULL without
 * memory. */
struct plan_path *plan_path_at(const struct plan_path *path, const char *device,
	const struct endpoint *portal, const struct plan_context *context);
struct plan_path *plan_path_copy(const struct plan_path *path);
void plan_path_free(struct plan_path *path);

/* True when both lead to the same LUN of the same target over the same portal
 * as the same initiator, with the same parameters. */
bool plan_path_equal(const struct plan_path *a, const struct plan_path *b);

/* The same but for what can change in a living path: the credentials,
 * MaxRecvDataSegmentLength, and the times. */
bool plan_path_alike(const struct plan_path *a, const struct plan_path *b);

/* True when it goes to `portal`, perhaps among others. */
bool plan_path_has_portal(
	const struct plan_path *path, const struct endpoint *portal);

/* True when both have the same target and LUN, and all of b's portals are a's.
 */
bool plan_path_same_way(const struct plan_path *a, const struct plan_path *b);

/* True when a path of `plan` goes the same way as `path`. */
bool plan_has_way(const struct plan *plan, const struct plan_path *path);

/* Puts `path` at the end, and takes it out again without freeing it. 0 or
 * -ENOMEM. */
int plan_add_path(struct plan *plan, struct plan_path *path);
void plan_take_path(struct plan *plan, struct plan_path *path);

/* True when all that cannot change in a live device agrees: its frontends, and
 * what its clients and writes rely on. */
bool plan_same_fixed(const struct plan *a, const struct plan *b);

/* True when `a` and `b` have the same ways, in whatever order; paths that were
 * discovered do not count. */
bool plan_same_ways(const struct plan *a, const struct plan *b);

#endif
