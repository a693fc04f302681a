/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The iSCSI initiator (RFC 7143) as the rest of the daemon uses it: sessions
 * that are paths, and discovery. All calls and callbacks are on the given loop.
 */
#ifndef UMPIO_ISCSI_H
#define UMPIO_ISCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/addr.h>
#include <umpio/path.h>

struct loop;

#define ISCSI_NAME_MAX    223 /* bytes, RFC 7143 4.2.7.1 */
#define ISCSI_PORT        3260
#define ISCSI_SECRET_MIN  12 /* bytes, RFC 7143 12.1.3: 96 bits */
#define ISCSI_ISID_LEN    6
#define ISCSI_PORTALS_MAX 8

struct iscsi_chap {
	const char *user;   /* NULL: none wanted */
	const char *secret; /* not logged, not shown */
	size_t secret_len;
	const char *mutual_user;   /* NULL: any name, if mutual_secret is set */
	const char *mutual_secret; /* NULL: the target is not asked */
	size_t mutual_secret_len;
};

/* A digest key's offer. */
enum iscsi_digest {
	ISCSI_DIGEST_PREFER, /* CRC32C,None */
	ISCSI_DIGEST_CRC32C, /* required */
	ISCSI_DIGEST_NONE,
};

/* What we offer at login; the keys bear the RFC's names (RFC 7143 13). */
struct iscsi_offer {
	enum iscsi_digest header_digest, data_digest;
	bool initial_r2t, immediate_data;
	uint32_t first_burst_length, max_burst_length;
	uint32_t max_recv_data_segment_length;
	uint32_t max_outstanding_r2t, max_connections;
	uint32_t error_recovery_level;
	uint32_t default_time2wait, default_time2retain; /* seconds */
};

/* Which connection of a session takes the next command. */
enum iscsi_spread { ISCSI_SPREAD_ROUND_ROBIN, ISCSI_SPREAD_LEAST_QUEUE };

struct iscsi_timeouts { /* ns */
	uint64_t connect, login;
	/* A session by itself: NOP-Out after so long a silence, and so long for
	 * the answer; 0: the path's owner judges (path_probe()). */
	uint64_t ping_interval, ping;
	/* Of several connections, one that carries commands and is silent while
	 * another is not: after how long it is asked, and given up; 0: never.
	 */
	uint64_t suspect, stalled;
	uint64_t abort, lun_reset, logout;
};

struct iscsi_config {
	const char *initiator_name;
	const char *target_name;
	struct endpoint portals[ISCSI_PORTALS_MAX]; /* of one portal group */
	unsigned nportals;
	const char *interface; /* source address or device; NULL: any */
	uint8_t isid[ISCSI_ISID_LEN];
	uint8_t lun[8]; /* SAM-5 4.7 */
	struct iscsi_chap chap;
	struct iscsi_offer offer;
	enum iscsi_spread spread;
	uint32_t first_cmd_sn; /* of a session; anything goes (4.2.2.1) */
	struct iscsi_timeouts timeouts;
};

/* Fills in the defaults; those of the offer are tbl/settings.h's. */
void iscsi_config_init(struct iscsi_config *config);

/* True for iqn., eui. and naa. names that may stand on the wire. */
bool iscsi_name_valid(const char *name);

/* A path to one LUN through a session of its own; `config` is copied, strings
 * and secrets too. It is down. NULL without memory. */
struct path *iscsi_path_new(
	struct loop *loop, const struct iscsi_config *config);

/* One more portal of the same portal group: the connections of a path that has
 * several spread over it as well. 0; -EEXIST: it has it; -ENOSPC. */
int iscsi_path_add_portal(struct path *path, const struct endpoint *at);

/* Another MaxRecvDataSegmentLength (RFC 7143 13.12): declared at once on the
 * connections that are up, where the target negotiates in full feature phase,
 * and at every later login. 512 to 16777215. */
void iscsi_path_set_max_recv(struct path *path, uint32_t bytes);

/* Other times `suspect` and `stalled` (struct iscsi_timeouts), from now on,
 * also for a silence that has begun. */
void iscsi_path_set_patience(
	struct path *path, uint64_t suspect, uint64_t stalled);

/* New credentials for the next login of a path made here. 0 or -ENOMEM. */
int iscsi_path_set_chap(struct path *path, const struct iscsi_chap *chap);

/*
 * Discovery (RFC 7143 4.3): a session of type Discovery and SendTargets.
 */
struct iscsi_portal {
	struct endpoint at;
	unsigned tpgt;
};

struct iscsi_target {
	char name[ISCSI_NAME_MAX + 1];
	struct iscsi_portal *portals;
	unsigned nportals;
};

struct iscsi_targets {
	struct iscsi_target *targets;
	unsigned ntargets;
};

/* `done` once: 0 and the targets (valid during the call only), or -errno and a
 * line that says why. `config` is read as for a path, without target and LUN;
 * portals[0] is asked. */
typedef void iscsi_discover_fn(void *arg, int err,
	const struct iscsi_targets *targets, const char *reason);
struct iscsi_discover;
struct iscsi_discover *iscsi_discover(struct loop *loop,
	const struct iscsi_config *config, iscsi_discover_fn *done, void *arg);

/* Gives it up; `done` is not called. NULL is allowed. */
void iscsi_discover_cancel(struct iscsi_discover *discover);

#endif
