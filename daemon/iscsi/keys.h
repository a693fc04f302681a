/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Negotiation of operational parameters (RFC 7143 6.2, 13): one engine over
 * the table of keys. It knows each key's offer (mine), what the target said
 * (his), and what holds (active). It does no I/O: keys_offer() writes into a
 * text_out, keys_take() is given each pair that came.
 *
 * AuthMethod and the CHAP_ keys are not its business.
 */
#ifndef UMPIO_ISCSI_KEYS_H
#define UMPIO_ISCSI_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <umpio/iscsi.h>

#include "text.h"

enum key_id {
#define X(ID, ...) KEY_##ID,
#include <umpio/tbl/iscsi_keys.h>
#undef X
	KEY_COUNT
};

enum task_reporting { /* 13.23 */
	TASK_REPORTING_RFC3720,
	TASK_REPORTING_RESPONSE_FENCE,
	TASK_REPORTING_FAST_ABORT,
};

/* What holds for a session; the leading connection's login settles it. */
struct session_params {
	bool initial_r2t, immediate_data;
	bool data_pdu_in_order, data_sequence_in_order;
	uint32_t first_burst_length, max_burst_length; /* bytes */
	uint32_t max_outstanding_r2t, max_connections;
	uint32_t error_recovery_level;
	uint32_t default_time2wait, default_time2retain; /* seconds */
	uint32_t protocol_level;                         /* RFC 7144 */
	enum task_reporting task_reporting;
};

/* What holds for a connection. */
struct conn_params {
	bool header_digest, data_digest;
	uint32_t max_recv_data; /* most data of a PDU to us: we declared it */
	uint32_t max_send_data; /* most data of a PDU from us: target's word */
};

enum keys_phase {
	KEYS_LEADING,    /* login of a session's first connection */
	KEYS_JOINING,    /* login of a further one: no session-wide keys */
	KEYS_DISCOVERY,  /* login of a discovery session */
	KEYS_RENEGOTIATE /* text exchange in full feature phase */
};

struct key_state {
	uint64_t mine;          /* number or boolean */
	uint64_t active;        /* likewise; of lists the index, see keys.c */
	bool offered, answered; /* by us; by the target */
	bool theirs;            /* the target proposed or declared it */
};

struct keys {
	enum keys_phase phase;
	struct iscsi_offer offer;
	struct key_state key[KEY_COUNT];
	/* Declared by the target; empty and false when it did not. */
	bool has_tpgt;
	uint16_t tpgt; /* TargetPortalGroupTag */
	char target_alias[TEXT_VALUE_MAX + 1];
	char target_address[TEXT_VALUE_MAX + 1]; /* of a redirection */
};

/* A negotiation that starts: every key has its default (RFC 7143 13). */
void keys_init(
	struct keys *k, enum keys_phase phase, const struct iscsi_offer *offer);

/* Writes those of our keys that the phase allows, each once: a second call
 * writes nothing, nor does it write keys that the target has settled meanwhile
 * by proposing them. For the operational stage. */
void keys_offer(struct keys *k, struct text_out *out);

/* A pair that the target sent: concludes our offer, or is a proposal or
 * declaration, whose answer (if it needs one) goes to `out`. 0; KEYS_SECURITY
 * for AuthMethod and CHAP_ keys, untouched; -EPROTO for a breach of 6.2,
 * -ENOTSUP when it refuses what the configuration requires; with a line in
 * `why` (`size` bytes). An unknown key is answered NotUnderstood. */
#define KEYS_SECURITY 1
int keys_take(struct keys *k, const char *name, const char *value,
	struct text_out *out, char *why, size_t size);

/* True when all that we offered has its answer. */
bool keys_settled(const struct keys *k);

/* The end: a missing answer leaves the default, or what a boolean's function
 * already decides. 0 and the results; or -EPROTO (values that contradict each
 * other), -ENOTSUP (a required digest was not agreed). `session` may be NULL:
 * it is written in phase KEYS_LEADING and KEYS_DISCOVERY only. In
 * KEYS_RENEGOTIATE only conn->max_send_data is, if it was declared anew. */
int keys_finish(const struct keys *k, struct session_params *session,
	struct conn_params *conn, char *why, size_t size);

/* The defaults of RFC 7143 13, as they hold before and without negotiation. */
void session_params_init(struct session_params *session);
void conn_params_init(struct conn_params *conn);

#endif
