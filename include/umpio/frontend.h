/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frontends serve a block device to clients: an NBD export, a FUSE block file.
 * They see the device's seam only. All calls are on the device's loop unless
 * the function says otherwise.
 */
#ifndef UMPIO_FRONTEND_H
#define UMPIO_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct addr;
struct blkdev;
struct loop;

/*
 * The NBD server: one per listening address, with any number of exports.
 */
struct nbds_server;

/* TLS of a listener: clients must use it, all of them. */
struct nbds_tls;

struct nbds_tls_options {
	/* A directory with server-cert.pem, server-key.pem and, for
	 * verify_peer, ca-cert.pem. NULL: no certificates. */
	const char *certificates;
	bool verify_peer;     /* clients must show a certificate of that CA */
	const char *psk_text; /* lines of NAME:HEXKEY. NULL: no PSKs */
};

/* NULL, and one line for people in `why`. Reads files. */
struct nbds_tls *nbds_tls_new(
	const struct nbds_tls_options *options, char *why, size_t why_size);
void nbds_tls_free(struct nbds_tls *tls); /* NULL is allowed */

struct nbds_options {
	unsigned max_clients;       /* nbd-max-clients; 0: 100 */
	uint64_t handshake_timeout; /* ns; 0: 10 s */
	uint64_t stall_timeout;     /* ns without a byte of what is under way,
				     * either way; 0: 60 s */
	mode_t socket_mode;         /* of a unix socket; 0: 0600 */
	struct nbds_tls *tls;       /* the caller's, for as long as the server
				     * lives; NULL: no TLS */
};

/* Listens at `at` (with options copied), or on the bound socket `fd` when it is
 * not -1. Clients wait in the handshake until an export is there. NULL with
 * -errno in `err`. */
struct nbds_server *nbds_server_new(struct loop *loop, const struct addr *at,
	int fd, const struct nbds_options *options, int *err);

/* A server on another loop for clients of the same socket: `other`, which
 * listens, gives each client to that of the servers beside each other which has
 * the fewest, and its max_clients holds for all of them together. From the
 * thread of `loop`; `other` must not be freed meanwhile, afterwards it may, and
 * then nobody connects any more. */
struct nbds_server *nbds_server_beside(struct loop *loop,
	const struct nbds_server *other, const struct nbds_options *options,
	int *err);

/* The address bound, with the kernel's choice of port. */
const struct addr *nbds_server_addr(const struct nbds_server *server);

/* Serves `dev` under `name` (both stay the caller's and must live until the
 * export is removed, and so must `allow`). The first export is also found under
 * the empty name while it is the only one. `allow`, NULL at the end: only
 * clients of these names, of their certificate or PSK; NULL: all. 0, -EEXIST or
 * -ENOMEM. */
int nbds_export_add(struct nbds_server *server, const char *name,
	struct blkdev *dev, char *const *allow);

/* Takes an export away: new requests of its clients get ESHUTDOWN, those in
 * flight finish and are answered, then the clients are closed and `done` is
 * called, never from within this call. `now`: clients are cut off; `done` still
 * waits for the device to give back its requests. A removal under way may be
 * asked for again with `now`; the last `done` is the one that is called. */
void nbds_export_remove(struct nbds_server *server, const char *name, bool now,
	void (*done)(void *arg), void *arg);

/* Frees a server without exports. NULL is allowed. */
void nbds_server_free(struct nbds_server *server);

/* Clients of this server, and of them those that use the export `name`: 0 when
 * there is none. */
unsigned nbds_server_clients(const struct nbds_server *server);
unsigned nbds_export_clients(
	const struct nbds_server *server, const char *name);

/*
 * The FUSE block file: a regular file of the device's size. Mounting and
 * unmounting block, so they are calls of their own, for a thread that may
 * block; serving is on the device's loop.
 */
struct fblk_mount;
struct fblk;

struct fblk_options {
	bool cache;       /* fuse-cache: page cache on */
	bool allow_other; /* other users may open it */
	bool read_only;
};

/*
 * Mounts a block file over `file`, which is made (mode 0600) when missing, must
 * be an empty regular file otherwise, and may be a stale mount of our own,
 * which is then taken away first. Blocks; from any thread but that of a loop
 * that serves I/O. NULL, and one line for people in `why`.
 */
struct fblk_mount *fblk_mount(const char *file, const char *device_name,
	const struct fblk_options *options, char *why, size_t why_size);

/* Takes the mount away (lazily when it is busy), removes the file when it was
 * made by us, frees. Blocks. Only when no fblk serves it. NULL is allowed. */
void fblk_unmount(struct fblk_mount *mount);

/* Serves `dev` through the mount. `ended` is called once, later, when the
 * kernel ends the mount (umount, abort). NULL without memory. */
struct fblk *fblk_new(struct loop *loop, struct fblk_mount *mount,
	struct blkdev *dev, void (*ended)(void *arg), void *arg);

/* New requests get ESHUTDOWN, those in flight finish, then `done`. */
void fblk_drain(struct fblk *fblk, void (*done)(void *arg), void *arg);

/* Frees after drain. NULL is allowed. */
void fblk_free(struct fblk *fblk);

#endif
