/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model iSCSI target for tests. It serves one logical unit over any stream,
 * behaves as RFC 7143 wants, and keeps a record of what the initiator did that
 * RFC 7143 forbids. A test steers it: hooks see each PDU in both directions and
 * may change, drop or hold it, send others, or end the connection.
 *
 * Everything is on one loop. Sessions live until logout, reinstatement or
 * t_target_free(): a connection that is lost leaves its session behind, whose
 * tasks are then gone. At ErrorRecoveryLevel 2 they are parked instead, and
 * with them the session, until Time2Wait and Time2Retain have passed.
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

/* Whose ways the target has. Like LIO: TASK REASSIGN's success arrives as 255,
 * "no such task" as 0, "still allegiant" as 2, and it needs an equal
 * MaxRecvDataSegmentLength; a Data SNACK whose RunLength reaches the last
 * DataSN is rejected 09, R-Data 04; a DataACK not above the last one ends the
 * connection; A also comes with the last Data-In; a lost connection is noticed
 * after 2 s, and then announced. Like tgt: a SNACK or an old CmdSN ends the
 * connection, nothing is parked, TASK REASSIGN gets 5, Logout for recovery
 * closes nothing and says 0. */
enum t_manner { T_STANDARD, T_LIKE_LIO, T_LIKE_TGT };

/* TaskReporting, RFC 7143 13.23 */
enum t_reporting { T_RFC3720, T_RESPONSE_FENCE, T_FAST_ABORT };

#define T_AS_IT_IS (-1) /* for the responses that may be ordered */

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
	/* Error recovery, several connections */
	enum t_manner manner;
	uint32_t protocol_level;    /* iSCSIProtocolLevel; 0: not understood */
	bool task_reporting;        /* the key is understood, */
	enum t_reporting reporting; /* and this is the most we do */
	bool announce_loss;         /* Async event 2 about a lost connection */
	uint64_t loss_delay_ns; /* until a lost connection is noticed; it counts
				 * for MaxConnections that long */
	int logout_response;    /* to reason 2, or T_AS_IT_IS */
	int reassign_response;  /* to TASK REASSIGN, or T_AS_IT_IS */
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

/*
 * A fault that befalls PDUs as they pass: after the rx hook (which sees what
 * the initiator sent) and after the tx hook. What is lost or spoilt on its way
 * in counts as never received; the initiator is not blamed for it.
 */
enum t_dir { T_FROM_INITIATOR, T_TO_INITIATOR };

enum t_effect {
	T_LOSE,         /* it never was; its numbers stay used */
	T_SPOIL_DATA,   /* its data digest is wrong (in: as if it were) */
	T_SPOIL_HEADER, /* likewise */
	T_KILL,         /* its connection is reset in its stead */
	T_STALL,        /* in: it is taken, then no more is read */
	T_KEEP_BACK,    /* out: until t_conn_release() */
	T_REJECT,       /* in: Reject with `reason`, and nothing else */
	T_SWALLOW,      /* in: it came, and is never answered */
};

#define T_ANY (-1)

struct t_fault {
	enum t_dir dir;
	int opcode, cid; /* or T_ANY */
	uint8_t flags;   /* these bits of byte 1 must be set */
	unsigned nth;    /* the first of them it befalls; 0 and 1: the next */
	unsigned count;  /* so many from there on; 0 and 1: one */
	enum t_effect effect;
	uint8_t reason;
};

#define T_FAULTS_MAX 32

struct t_hooks {
	/* The initiator's PDU, before the target sees it: may be changed. The
	 * target's checks see it as it is then. T_PASS or T_DROP, which is a
	 * loss on the way as T_LOSE is. */
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
	uint32_t ttt, offset, len, got, data_sn, r2t_sn;
	bool open, recovery;
	bool lost; /* it has not reached the initiator */
};

#define T_R2TS_MAX 64

struct t_task {
	struct t_conn *conn; /* its allegiance */
	uint8_t bhs[T_BHS_LEN];
	uint32_t itt, cmd_sn, edtl;
	bool read, write;
	bool repeated;            /* what comes unasked has come before */
	uint8_t *data;            /* of edtl bytes */
	uint32_t unsolicited;     /* bytes still to come without R2T */
	uint32_t offset, data_sn; /* of them */
	uint32_t asked, got; /* bytes asked for by R2T or otherwise; come */
	uint32_t r2t_sn;
	bool complete; /* held back by t_target.hold */
	struct t_r2t r2ts[T_R2TS_MAX];
	/* Once executed, as long as the status is not acknowledged (level 1) */
	bool done, collapsed;
	struct t_lun_cmd result;
	uint32_t stat_sn, snack_tag;
	uint32_t sent_sn, acked_sn, acked_at; /* DataSNs; bytes acknowledged */
	uint32_t ack_ttt;                     /* of Data-In with A */
	uint32_t segment; /* MaxRecvDataSegmentLength of the Data-In */
	uint8_t *lost;    /* by DataSN: has not reached the initiator */
	TAILQ_ENTRY(t_task) link;
};

TAILQ_HEAD(t_task_list, t_task);

/* What a connection left behind at level 2. */
struct t_parked {
	struct t_session *session;
	uint16_t cid;
	bool noticed, logged_out;
	uint64_t lost_at;         /* ns */
	uint64_t not_before;      /* ns: Time2Wait */
	uint32_t stat_sn;         /* next of the old connection */
	uint32_t max_send_data;   /* of the old connection */
	struct loop_timer *timer; /* notice, then Time2Retain */
	struct t_task_list tasks;
	LIST_ENTRY(t_parked) link;
};

/* What was seen of a command, to know a retry by. */
struct t_seen {
	bool valid, has_data; /* its data are known, too */
	uint32_t cmd_sn, crc, data_crc;
	uint16_t cid;
};

#define T_SEEN_MAX     1024

#define T_REJECTED_MAX 16

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
	uint32_t protocol_level;
	enum t_reporting reporting;
	struct t_nexus nexus;
	bool has_nexus;
	struct t_task_list tasks;
	struct t_task_list done; /* status not acknowledged yet */
	LIST_HEAD(, t_parked) parked;
	TAILQ_HEAD(, t_waiting) waiting; /* commands that came too early */
	unsigned discards; /* commands that a fault or a loss took */
	uint32_t rejected[T_REJECTED_MAX]; /* tags of the newest such commands;
					    * the Reject may get lost */
	unsigned rejections;
	struct t_fence *fence; /* a TMF response that waits */
	struct t_seen seen[T_SEEN_MAX];
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
	bool closing;           /* logged out: nothing more may come, */
	bool swept;        /* but what was under way: another one said so */
	uint32_t ping_ttt; /* of our NOP-In that waits; T_NO_TAG: none */
	uint32_t older_ping_ttt; /* of the one before it, that waits too */
	struct t_login *login;
	uint8_t *rx; /* gathered bytes */
	size_t rx_len, rx_cap;
	struct outq out;
	char *text; /* rest of a Text Response */
	size_t text_len, text_at;
	uint32_t text_itt, text_ttt;
	TAILQ_HEAD(, t_pdu) held;
	bool stalled; /* nothing is read */
	/* Stalled once, or cut off from the initiator, it cannot know when it
	 * was given up: Time2Wait may have begun long before its end. */
	bool was_stalled;
	bool numbered; /* `last_cmd_sn` holds: the last new command's */
	uint32_t last_cmd_sn;
	uint32_t fence_sn;  /* to be acknowledged before the fence opens */
	uint32_t fence_ttt; /* FastAbort: transfer tags to here are over, */
	bool told;          /* and the initiator knows */
	TAILQ_HEAD(, t_kept) statuses; /* sent, not acknowledged (level 1) */
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
	bool noisy;  /* the wire flips bits: a wrong digest is no breach */
	/* The end of a connection may come so much later than what was sent
	 * after it on another: Time2Wait has then begun before. */
	uint64_t late_ns;
	bool refuse; /* login is answered 0301, service unavailable */
	uint16_t next_tsih;
	/* What the initiator did wrong: their number, and the first of them. */
	unsigned violations;
	char violation[256];
	unsigned logins, logouts, commands, reinstatements, pings;
	unsigned snacks[4]; /* by type */
	unsigned retries;   /* commands that came again */
	unsigned reassigns; /* that succeeded */
	unsigned conn_reinstatements;
	unsigned discarded; /* parked tasks that nobody wanted in time */
	struct t_fault faults[T_FAULTS_MAX];
	unsigned nfaults, struck; /* waiting; PDUs that were struck */
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

/* Ends all connections by RST and forgets all sessions, as a controller that
 * starts anew; it listens on. */
void t_target_restart(struct t_target *t);

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

/* A fault that waits for its PDU; several are asked in the order they came, and
 * one PDU meets one of them. Aborts beyond T_FAULTS_MAX. */
void t_target_fault(struct t_target *t, const struct t_fault *fault);
/* The common ones: the next PDU with `opcode` on any connection. */
void t_target_lose(struct t_target *t, enum t_dir dir, int opcode);
void t_target_spoil(struct t_target *t, enum t_dir dir, int opcode);

/* No bytes are read from it until it is no longer stalled. */
void t_conn_stall(struct t_conn *c, bool stalled);

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

/* Event 0: sense data, key << 16 | asc << 8 | ascq. */
void t_conn_async_sense(struct t_conn *c, uint32_t sense);

/* The living connection of any session with this CID, the newest; or NULL. */
struct t_conn *t_target_cid(struct t_target *t, uint16_t cid);

/* The n-th connection that is alive, oldest first; NULL when there are fewer.
 */
struct t_conn *t_target_conn(struct t_target *t, unsigned n);

/* Records a breach. */
void t_violation(struct t_target *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
