/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a task lacks at error recovery level 1 and above (RFC 7143 7.8, 7.9):
 * Data-In or R2Ts that were lost or spoilt on their way, while later ones have
 * come. It is made when the first one is missing and goes with the last: a task
 * that lacks nothing has none.
 *
 * Later PDUs are kept; of those that come again, what is held already is
 * dropped. So it is always enough to ask for everything from the first missing
 * one on, which is what all targets understand.
 */
#ifndef UMPIO_ISCSI_REPAIR_H
#define UMPIO_ISCSI_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "task.h"

#define REPAIR_AHEAD 64 /* PDUs that are kept behind a missing one */

struct repair {
	uint64_t have; /* bit i: number task->data_sn + i has come */
	struct {
		uint32_t offset, end;
	} ahead[REPAIR_AHEAD]; /* of Data-In, by DataSN modulo their number */
	uint32_t known;        /* one after the last number known to be sent */
	uint32_t asked;        /* `known` when it was asked for */
	uint64_t due;          /* loop_now() to ask again; 0: not asked yet */
	unsigned tries;
	unsigned spoilt;   /* answers that were spoilt in their turn */
	bool ended;        /* the status has come, the data has not: */
	struct ending end; /* what it said */
	bool holds;        /* a StatSN that is not acknowledged yet: */
	uint32_t stat_sn;
	/* R-Data (11.16.1): our limit for a PDU is another one than it was, so
	 * that the data comes again, cut and numbered anew */
	uint32_t tag; /* of the SNACK, which the status then bears; 0: none */
	bool fresh;   /* the first of it has come */
	bool ack;     /* DataACK was asked for meanwhile */
	uint32_t ack_ttt;
	uint8_t ack_lun[8];
};

/* Number `sn` of the task has come before. */
bool repair_has(const struct task *t, uint32_t sn);
/* It is of the time before an R-Data SNACK, whose first answer has the number
 * that is the next. */
bool repair_is_stale(const struct task *t, uint32_t sn);
/* A SCSI Response counts: it does not once an R-Data SNACK is out, but for the
 * one with its tag. The StatSN of one that does not count is held back: the
 * other one has the same. */
bool repair_answers(struct conn *c, struct task *t, const struct bhs *b);
/* It is too far ahead to be kept. */
bool repair_is_far(const struct task *t, uint32_t sn);

/* The task's repair, made where there is none; NULL, and the connection has
 * failed for want of memory. */
struct repair *repair_of(struct conn *c, struct task *t);

/* A Data-In that fits, when one is missing or this is not the next. */
void repair_data(
	struct conn *c, struct task *t, const struct bhs *b, uint32_t len);

/* An R2T likewise. */
void repair_r2t(struct conn *c, struct task *t, uint32_t sn);

/* The status has come, but of the data before `exp_data_sn` some has not. The
 * result's sense is filled in. */
void repair_status(struct conn *c, struct task *t, const struct ending *e,
	uint32_t stat_sn, uint32_t exp_data_sn);

/* Number `sn` is known to be missing, being spoilt. */
void repair_spoilt(struct conn *c, struct task *t, uint32_t sn);

/* Frees it; what it held back of the connection is released. */
void repair_drop(struct task *t);

/* Timers of one task. */
void repair_tick(struct conn *c, struct task *t, uint64_t now);

#endif
