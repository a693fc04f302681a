/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the model target. */
#ifndef TESTS_LIB_T_TARGET_PRIVATE_H
#define TESTS_LIB_T_TARGET_PRIVATE_H

#include "t_target.h"

/* A command that came ahead of its turn. */
struct t_early {
	uint8_t bhs[T_BHS_LEN];
	uint8_t *data;
	uint32_t len;
	STAILQ_ENTRY(t_early) link;
};

/* `early`: unsolicited Data-Out that came behind it. */
struct t_waiting {
	STAILQ_HEAD(, t_early) early;
	struct t_conn *conn;
	uint8_t bhs[T_BHS_LEN];
	uint8_t *data;
	uint32_t len;
	bool skip; /* only its number counts */
	TAILQ_ENTRY(t_waiting) link;
};

static inline bool t_sn_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* A response that was sent and is not acknowledged. */
struct t_kept {
	uint8_t bhs[T_BHS_LEN];
	uint8_t *data;
	uint32_t len;
	bool lost; /* it has not reached the initiator */
	TAILQ_ENTRY(t_kept) link;
};

/* A TMF response that waits until others are acknowledged. */
struct t_fence {
	struct t_conn *conn;
	uint8_t bhs[T_BHS_LEN]; /* the request */
	unsigned result;
};

/* t_target.c */
void t_conn_dead(struct t_conn *c);

/* t_target_wire.c: onto the wire, past hook and faults, and not kept. False
 * when it does not arrive whole. The connection may be dead afterwards. */
bool t_conn_put(
	struct t_conn *c, const uint8_t *bhs, const void *data, uint32_t len);

/* t_target_steer.c: the fault that befalls this PDU */
bool t_fault_take(struct t_conn *c, enum t_dir dir, const uint8_t *bhs,
	struct t_fault *taken);

/* t_target_login.c */
void t_login_request(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
void t_login_free(struct t_login *login);

/* t_target_session.c */
struct t_session *t_session_find(struct t_target *t, const char *initiator,
	const uint8_t *isid, uint16_t tpgt);
struct t_session *t_session_new(struct t_target *t, uint16_t tpgt);
void t_session_free(struct t_session *s);
/* Connections that count: living ones, and those whose loss is not noticed. */
unsigned t_session_connections(const struct t_session *s);
/* The tasks of a connection (NULL: all) are gone, and its early commands. */
void t_session_drop_tasks(struct t_session *s, const struct t_conn *c);

/* t_target_order.c: a request in full feature phase, in whatever order */
void t_session_request(struct t_conn *c, const uint8_t *bhs,
	const uint8_t *data, uint32_t len);
/* Remembers a command and checks that a retry is one (RFC 7143 7.2.1). `data`
 * NULL: unknown. */
void t_seen(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
/* `sn` counts as received, its command will not be executed. */
void t_order_fill(struct t_session *s, uint32_t sn);
/* Data-Out of a command that waits for its turn: kept for it. False: none. */
bool t_order_data(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
/* The command that waits with this ITT, if any, is not executed in its turn. */
void t_order_lose(struct t_conn *c, uint32_t itt);
/* Early commands before `sn` are not executed when their turn comes. */
void t_order_skip(struct t_session *s, uint32_t sn);
/* Early commands of a connection (NULL: of all) are gone. */
void t_order_drop(struct t_session *s, const struct t_conn *c);

/* t_target_request.c: requests whose turn it is */
void t_request(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
/* A response with the request's tag. */
void t_response(
	struct t_conn *c, uint8_t *out, uint8_t op, const uint8_t *request);

/* t_target_tmf.c */
void t_task_management(struct t_conn *c, const uint8_t *bhs);
/* The response that waited goes out when nothing hinders it. */
void t_fence_check(struct t_session *s);

/* t_target_data.c */
void t_scsi_command(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
/* `data` NULL: it did not arrive, and is asked for again. */
void t_data_out(struct t_conn *c, const uint8_t *bhs, const uint8_t *data,
	uint32_t len);
/* All that is missing is asked for again, on the task's connection. */
void t_task_restart(struct t_task *task);
struct t_task *t_task_find(struct t_session *s, uint32_t itt);
void t_task_free(struct t_session *s, struct t_task *task);
void t_task_destroy(struct t_task *task);
void t_r2t_send(struct t_task *task, struct t_r2t *r);

/* t_target_read.c: execution, Data-In and responses */
void t_task_execute(struct t_task *task);
/* A response without execution. */
void t_task_answer(struct t_task *task);
/* Sends the Data-In from DataSN `from` on, so many. False when the connection
 * died, and perhaps the task with it. */
bool t_task_send_data(struct t_task *task, uint32_t from, uint32_t count);
/* The status as a SCSI Response, with its number or the next one. */
void t_task_send_status(struct t_task *task, bool fresh);
/* Data-In before `sn` are acknowledged. */
void t_task_ack(struct t_task *task, uint32_t sn);
/* The rest is cut anew, for the connection's limit. */
void t_task_resegment(struct t_task *task);

/* t_target_keep.c: what is kept until it is acknowledged */
void t_keep(struct t_conn *c, const uint8_t *bhs, const void *data,
	uint32_t len, bool lost);
void t_kept_free(struct t_conn *c);
void t_kept_drop(struct t_conn *c, uint32_t stat_sn);
/* ExpStatSN moved. */
void t_conn_acked(struct t_conn *c);
struct t_task *t_done_find(struct t_session *s, uint32_t itt);

/* t_target_snack.c */
void t_snack(struct t_conn *c, const uint8_t *bhs);

/* t_target_recover.c: level 2 */
void t_park(struct t_conn *c);
struct t_parked *t_parked_find(struct t_session *s, uint16_t cid);
void t_parked_free(struct t_parked *p);
/* Logout for recovery, explicit (on `c`) or by a login with the same CID (`c`
 * NULL): the response; Time2Wait and Time2Retain in seconds. */
unsigned t_recover(struct t_session *s, const struct t_conn *c, uint16_t cid,
	uint16_t times[2]);
/* A task whose connection died while it was in no list. */
void t_task_orphan(struct t_target *t, struct t_session *s, uint16_t cid,
	struct t_task *task);
/* The response to TASK REASSIGN; with 0 the task, which is the connection's
 * then, and t_reassigned() goes on with it after the response. */
unsigned t_reassign(struct t_conn *c, const uint8_t *bhs, struct t_task **task);
void t_reassigned(struct t_task *task, const uint8_t *bhs);

#endif
