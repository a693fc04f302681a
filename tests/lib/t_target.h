/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model iSCSI target for tests. It serves one logical unit over any stream,
 * behaves as RFC 7143 wants, and keeps a record of what the initiator did that
 * RFC 7143 forbids. A test steers it: hooks see each PDU in both directions and
 * may change, drop or hold it, send others, or end the connection.
 *
 * Everything is on one loop. Sessions live until logout, reinstatement or
 * t_target_free(): a connection that is lost leaves its session behind, whose
 * tasks are then gone.
 */
#ifndef TESTS_LIB_T_TARGET_H
#define TESTS_LIB_T_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/outq.h>

#include "t_bhs.h"
#include "t_lun.h"

struct addr;
struct loop;
struct stream;
struct stream_listener;
struct t_conn;

#define T_PORTALS_MAX 8

/* Which connection of which portal group; `address` is what SendTargets says.
 */
struct t_portal {
	const char *address;
	uint16_t tpgt;
};

struct t_target_options {
	const char *name; /* iSCSI name */
	struct t_portal portals[T_PORTALS_MAX];
	unsigned nportals;
	/* Our side of the negotiation, RFC 7143 13 */
	bool initial_r2t, immediate_data;
	bool header_digest, data_digest; /* CRC32C is taken when offered */
	uint32_t first_burst_length, max_burst_length;
	uint32_t max_recv_data_segment_length;
	uint32_t max_outstanding_r2t, max_connections;
	uint32_t error_recovery_level;
	uint32_t default_time2wait, default_time2retain;
	/* CHAP; NULL: none is asked for, or not proved */
	const char *chap_user, *chap_secret;
	const char *mutual_user, *mutual_secret;
	unsigned chap_alg; /* 0: the first one offered */
	/* Manners */
	uint64_t lun;    /* the 8 bytes of the unit's LUN */
	uint32_t window; /* commands */
	uint32_t first_stat_sn;
	uint32_t text_chunk; /* bytes of one Text Response; 0: all */
	bool collapse;       /* GOOD comes with the last Data-In */
	bool attention;      /* a new session begins with 29/00 */
	/* Rare manners, all within the rules */
	unsigned login_stay;  /* requests with T answered without, per stage */
	uint32_t login_chunk; /* bytes of one Login Response; 0: all */
	const char *login_text; /* pairs that the operational reply has more, */
	size_t login_text_len;  /* with their NULs */
	const char *targets_text; /* in place of the answer to SendTargets */
	size_t targets_text_len;
	uint32_t r2t_length;   /* bytes asked for at once; 0: MaxBurstLength */
	bool early_r2t;        /* does not wait for unsolicited data */
	unsigned chap_id;      /* 0: 33 */
	const char *chap_text; /* CHAP_C as it is sent; NULL: hex of our own */
	const uint8_t *chap_challenge; /* what it means */
	size_t chap_challenge_len;
};

/* A PDU on its way to the initiator. */
struct t_pdu {
	uint8_t bhs[T_BHS_LEN];
	uint8_t *data; /* of `len` bytes, owned */
	uint32_t len;
	bool break_header, break_data; /* a wrong digest goes out */
	struct outq_item item;
	struct t_conn *conn;
	TAILQ_ENTRY(t_pdu) link;
};

enum t_verdict {
	T_PASS,
	T_DROP, /* it never was */
	T_HOLD, /* rx: not for commands; until t_conn_release() */
};

struct t_hooks {
	/* The initiator's PDU, before the target sees it: may be changed. The
	 * target's checks see it as it is then. T_PASS or T_DROP. */
	enum t_verdict (*rx)(void *arg, struct t_conn *c, uint8_t *bhs,
		uint8_t *data, uint32_t len);
	/* A PDU that the target is about to send, with its numbers: may be
	 * changed. Numbers stay used when it is dropped. */
	enum t_verdict (*tx)(void *arg, struct t_conn *c, struct t_pdu *pdu);
	/* A read command's answer, before it is sent: data in `cmd->in`, of
	 * which `cmd->in_len` bytes are there; status, moved and residual may
	 * be changed. */
	void (*answer)(void *arg, struct t_lun_cmd *cmd);
	/* A connection has reached full feature phase, or has ended. */
	void (*up)(void *arg, struct t_conn *c);
	void (*down)(void *arg, struct t_conn *c);
};

/* A sequence of Data-Out that was asked for. */
struct t_r2t {
	uint32_t ttt, offset, len, got, data_sn;
	bool open;
};

#define T_R2TS_MAX 16

struct t_task {
	struct t_conn *conn; /* its allegiance */
	uint8_t bhs[T_BHS_LEN];
	uint32_t itt, cmd_sn, edtl;
	bool read, write;
	uint8_t *data;            /* of edtl bytes */
	uint32_t unsolicited;     /* bytes still to come without R2T */
	uint32_t offset, data_sn; /* of them */
	uint32_t asked, got; /* bytes asked for by R2T or otherwise; come */
	uint32_t r2t_sn;
	bool complete; /* held back by t_target.hold */
	struct t_r2t r2ts[T_R2TS_MAX];
	TAILQ_ENTRY(t_task) link;
};

struct t_session {
	struct t_target *target;
	char initiator[224];
	uint8_t isid[6];
	uint16_t tsih, tpgt;
	bool discovery;
	uint32_t exp_cmd_sn, max_cmd_sn;
	uint32_t next_ttt;
	/* negotiated */
	bool initial_r2t, immediate_data;
	uint32_t first_burst_length, max_burst_length, max_outstanding_r2t;
	uint32_t max_connections, error_recovery_level;
	uint32_t default_time2wait, default_time2retain;
	struct t_nexus nexus;
	bool has_nexus;
	TAILQ_HEAD(, t_task) tasks;
	TAILQ_HEAD(, t_waiting) waiting; /* commands that came too early */
	LIST_ENTRY(t_session) link;
};

enum t_conn_state { T_LOGIN, T_FULL_FEATURE, T_DEAD };

struct t_login; /* of t_target_login.c */

struct t_conn {
	struct t_target *target;
	struct t_session *session; /* NULL before the end of login */
	struct pump *pump;
	enum t_conn_state state;
	uint16_t tpgt, cid;
	uint32_t stat_sn; /* next */
	uint32_t acked;   /* highest ExpStatSN that came */
	bool heard;       /* `acked` holds */
	bool header_digest, data_digest;
	uint32_t max_send_data; /* the initiator's limit */
	bool silent;            /* takes bytes, does nothing with them */
	bool closing;           /* logged out: nothing more may come */
	uint32_t ping_ttt;      /* of our NOP-In that waits; T_NO_TAG: none */
	struct t_login *login;
	uint8_t *rx; /* gathered bytes */
	size_t rx_len, rx_cap;
	struct outq out;
	char *text; /* rest of a Text Response */
	size_t text_len, text_at;
	uint32_t text_itt, text_ttt;
	TAILQ_HEAD(, t_pdu) held;
	TAILQ_ENTRY(t_conn) link;
};

/* What an accepted stream is told by. */
struct t_door {
	struct t_target *target;
	struct stream_listener *listener; /* NULL: none */
	uint16_t tpgt;
};

struct t_target {
	struct loop *loop;
	struct t_lun *lun;
	struct t_target_options options;
	const struct t_hooks *hooks; /* NULL: none */
	void *hooks_arg;
	bool hold;   /* complete commands wait for t_target_release() */
	bool frozen; /* MaxCmdSN stands still */
	bool refuse; /* login is answered 0301, service unavailable */
	uint16_t next_tsih;
	/* What the initiator did wrong: their number, and the first of them. */
	unsigned violations;
	char violation[256];
	unsigned logins, logouts, commands, reinstatements, pings;
	struct t_door doors[T_PORTALS_MAX];
	LIST_HEAD(, t_session) sessions;
	TAILQ_HEAD(, t_conn) conns; /* dead ones too */
};

/* The defaults of a common target: digests taken when offered, no CHAP, a
 * window of 64, bursts of 64 KiB and 256 KiB. */
void t_target_options_init(struct t_target_options *options);

/* `lun` stays the caller's and must live longer. NULL without memory. */
struct t_target *t_target_new(struct loop *loop, struct t_lun *lun,
	const struct t_target_options *options);
/* Aborts what is connected. NULL is allowed. */
void t_target_free(struct t_target *t);

/* Serves a stream, which becomes the target's, as a connection to portal group
 * `tpgt`. The connection lives until t_target_free(), dead or not. */
struct t_conn *t_target_accept(
	struct t_target *t, struct stream *s, uint16_t tpgt);

/* Listens at `at`, as portal `n` of the options: what is accepted there is
 * served. Ends with the target. 0 or -errno. The address bound, with the port
 * that was chosen, is t_target_addr(). */
int t_target_listen(struct t_target *t, unsigned n, const struct addr *at);
const struct addr *t_target_addr(const struct t_target *t, unsigned n);
/* Stops listening there; connections stay. */
void t_target_unlisten(struct t_target *t, unsigned n);

/* Ends a connection: by RST, or in order. */
void t_conn_end(struct t_conn *c, bool abort);

/* Executes what `hold` kept, and holds no more. */
void t_target_release(struct t_target *t);

/* Sends a PDU as it is; `data` is copied. It passes the tx hook. */
void t_conn_send(
	struct t_conn *c, const uint8_t *bhs, const void *data, uint32_t len);
/* Sends bytes as they are: no hook, no length, no digest. */
void t_conn_send_raw(struct t_conn *c, const void *data, uint32_t len);
/* Sets ExpCmdSN, MaxCmdSN and StatSN, which it consumes when `takes`. */
void t_conn_stamp(struct t_conn *c, uint8_t *bhs, bool takes);
/* What was held goes out, in order. */
void t_conn_release(struct t_conn *c);

/* Common unasked PDUs: a ping, an Asynchronous Message, a Reject of `bhs`. */
void t_conn_ping(struct t_conn *c);
void t_conn_async(struct t_conn *c, uint8_t event, uint16_t param1,
	uint16_t param2, uint16_t param3);
void t_conn_reject(struct t_conn *c, uint8_t reason, const uint8_t *bhs);

/* The n-th connection that is alive, oldest first; NULL when there are fewer.
 */
struct t_conn *t_target_conn(struct t_target *t, unsigned n);

/* Records a breach. */
void t_violation(struct t_target *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
