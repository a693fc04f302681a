/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks of a session (RFC 7143 4.2.2.3): whatever has an Initiator Task Tag.
 * A task belongs to the session; `conn` is the connection that it has its
 * allegiance to (RFC 7143 4.2.5).
 *
 * A tag is the task's place in the table and, in its high bits, a generation
 * that changes with every use: a late answer to an earlier use finds nothing.
 */
#ifndef UMPIO_ISCSI_TASK_H
#define UMPIO_ISCSI_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <umpio/base/outq.h>
#include <umpio/path.h>

#include "bhs.h"

struct conn;
struct session;

#define TASK_R2T_MAX 8 /* R2Ts of one task that we keep; MaxOutstandingR2T */

enum task_kind {
	TASK_SCSI,
	TASK_NOP,
	TASK_TMF,
	TASK_TEXT,
	TASK_LOGOUT,
	TASK_LOGIN, /* of a further connection */
};

/* How the target says that a command has ended (RFC 7143 11.4, 11.7.4). */
struct ending {
	uint8_t response, status;
	enum residual kind;
	uint32_t residual;
};

/* Data that is to be sent: what an R2T asked for, or unsolicited data. */
struct burst {
	uint32_t ttt;         /* BHS_TAG_NONE: unsolicited */
	uint32_t offset, end; /* in the command's data; offset moves */
	uint32_t data_sn;
	uint8_t lun[8];
};

/* One Data-Out PDU in the send queue. */
struct dataout {
	struct outq_item item;
	struct task *task;
	struct conn *conn;
	LIST_ENTRY(dataout) link; /* of the task, or of those that are free */
};
LIST_HEAD(dataout_list, dataout);

struct task {
	uint32_t itt;
	uint8_t kind; /* enum task_kind */
	bool taken;
	/* What all that is done for a command looks at stands together. From
	 * here to `link`, a fresh task has zeroes: */
	bool sent;    /* the last byte of the command PDU has left */
	bool held;    /* its tag stays taken until a TMF is answered */
	bool ending;  /* answered; waits until a begun Data-Out is out */
	bool sending; /* in conn->senders */
	bool aborted; /* the owner has given it up, or its deadline has passed
		       */
	bool abort_queued; /* in session->tmf.waiting */
	bool rebase;       /* its next R2TSN is what the target says */
	bool moving;       /* in session->moving */
	bool hushed;       /* the target takes no more data for it */
	uint8_t retries;   /* of its command PDU */
	uint8_t reassigns; /* TASK REASSIGNs sent for it */
	uint8_t burst_at, bursts_left;
	uint8_t r2ts; /* of them, solicited ones */
	uint32_t cmd_sn;
	uint32_t received; /* bytes of Data-In, all before them too; of a
			    * write, bytes that were offered or asked for */
	uint32_t data_sn;  /* next DataSN of Data-In, next R2TSN */
	struct conn *conn;
	struct path_cmd *cmd; /* TASK_SCSI; NULL once it is done */
	struct dataout_list dataouts;
	struct repair *repair; /* what it lacks; NULL: nothing */
	uint64_t proof;        /* limit to be heard of after TASK REASSIGN, or
				* 0; reassign.c */

	TAILQ_ENTRY(task) link; /* free, or the session's active SCSI tasks */
	struct outq_item item;  /* the command PDU */

	/* Error recovery level 1 and above */
	uint64_t since;   /* loop_now() of the last that it did; 0: not known */
	uint32_t segment; /* MaxRecvDataSegmentLength of ours by which its
			   * Data-In are cut */
	uint32_t acked_sn, acked_at; /* Data-In acknowledged: DataSN, bytes */
	uint8_t verdict;   /* of reassign.c, when `proof` has passed */
	uint16_t cid;      /* without `conn`: of the one it was lost with */
	uint32_t max_send; /* without `conn`: what that one could send */

	int abort_err;                         /* -ETIMEDOUT, -ECANCELED */
	struct burst bursts[TASK_R2T_MAX + 1]; /* a ring, oldest first */
	TAILQ_ENTRY(task) send_link;           /* conn->senders */
	TAILQ_ENTRY(task) abort_link; /* the session's tasks to be aborted */
	TAILQ_ENTRY(task) move_link;  /* those to be reassigned */
};
TAILQ_HEAD(task_list, task);

#define TASK_BLOCK      64 /* tasks that are allocated at once */
#define TASK_BLOCKS_MAX 9
#define TASK_CONTROL    16 /* of them never used for commands */
#define TASK_MAX        (TASK_BLOCK * TASK_BLOCKS_MAX - TASK_CONTROL)

struct task_table {
	struct task *blocks[TASK_BLOCKS_MAX];
	unsigned nblocks;
	unsigned limit;    /* blocks that it may have */
	unsigned used;     /* tasks that have been taken ever: the memory of
			    * others has not been touched */
	unsigned commands; /* tasks taken for commands */
	struct task_list free;
};

/* An empty table; grow it before use. */
void task_table_init(struct task_table *table);
void task_table_fini(struct task_table *table);

/* Room for `commands` commands, at most TASK_MAX, and for control tasks; the
 * memory for it is had when they are there. Never shrinks. 0 or -ENOMEM. */
int task_table_grow(struct task_table *table, unsigned commands);

/* Commands that there is room for. */
unsigned task_table_room(const struct task_table *table);

/* A fresh task with its tag; NULL when all are taken (commands leave
 * TASK_CONTROL to the others), or without memory for more. */
struct task *task_get(struct task_table *table, enum task_kind kind);
void task_put(struct task_table *table, struct task *task);

/* The task that has the tag now; NULL for an unknown or old one. */
struct task *task_find(struct task_table *table, uint32_t itt);

/*
 * Data-In and SCSI Response (task_in.c; RFC 7143 11.4, 11.7). A breach fails
 * the connection.
 */
/* Data-In up to here is acknowledged: never asked for again. */
void task_in_acked(struct task *t);

/* Where `len` bytes of a Data-In go: into the command's data, or NULL and the
 * connection has failed. */
void *task_in_place(struct conn *c, const struct bhs *b, uint32_t len);
void task_in_data(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);
void task_in_response(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* All that was to come is here: ends the task as the target says. */
void task_in_finish(struct conn *c, struct task *t, const struct ending *e);

/* The target has sent something for a task that was reassigned. */
void reassign_proved(struct task *t);

/* A Data-In whose data digest is wrong, at level 1 (RFC 7143 7.8). */
void task_in_spoilt(struct conn *c, const struct bhs *b);

/*
 * Data-Out (task_out.c; RFC 7143 11.7, 11.8).
 */
/* What of a write goes along with its command: returns the bytes of immediate
 * data, prepares the unsolicited rest and sets `b->final`. */
uint32_t task_out_begin(struct task *t, struct bhs *b);
void task_out_r2t(
	struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len);

/* Makes Data-Outs until the send queue is well filled. */
void task_out_fill(struct conn *c);

/* Takes all that still waits of a task out of the send queue. True; or false
 * while a begun PDU is still there, and session_task_ended() follows. */
bool task_out_cancel(struct task *t);

#endif
