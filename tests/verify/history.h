/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each sector may hold: the writes whose data a read may return, now and
 * while reads are under way. All functions may be called by any thread.
 *
 * Time is a counter. A write lives from begin to end; where its outcome is not
 * known, its data are one more possibility until a later read or an
 * acknowledged later write tells. A read that began after the end of write A
 * must not return what ended before A began; and once a read has returned one
 * value, none returns another that had ended before that read began.
 */
#ifndef VERIFY_HISTORY_H
#define VERIFY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "stamp.h"

struct history;
struct value;

enum outcome { OUTCOME_ACKED, OUTCOME_UNKNOWN };

enum fault_kind {
	FOUND_LOST,      /* acknowledged, and the older data are there */
	FOUND_STALE,     /* had been read, and the older data came back */
	FOUND_TORN,      /* a part of a write, of a sector or of several */
	FOUND_MISPLACED, /* written for another address */
	FOUND_FALSE_ACK, /* lost after a flush or with FUA */
	FOUND_ALIEN,     /* nothing that was ever written there */
	FOUND_HUNG,      /* a request without an end */
	FOUND_KINDS
};
const char *found_name(enum fault_kind kind);

struct finding {
	enum fault_kind kind;
	uint64_t sector, count; /* neighbours with the same */
	uint64_t want, have;    /* sequence numbers; 0: none */
	uint64_t writer;        /* of what is there */
};
typedef void found_fn(void *arg, const struct finding *f);

/* `sectors` of unknown content. NULL without memory. */
struct history *history_new(uint64_t sectors, uint64_t run);
void history_free(struct history *h);

/* What is written: stamps, or zeroes. */
struct value *history_write(
	struct history *h, uint64_t sector, uint64_t count, bool zero);
uint64_t value_seq(const struct value *v);
/* Ends it, and the caller's hold on it. `durable`: FUA. */
void history_written(
	struct history *h, struct value *v, enum outcome outcome, bool durable);

/* A read under way. */
struct reading {
	uint64_t begun;
	struct reading *next, **prev;
};
void history_read(struct history *h, struct reading *r);
/* Judges what it returned; data NULL: nothing. Each finding is told once: the
 * sectors may hold anything until they are written again. */
void history_was_read(struct history *h, struct reading *r, uint64_t sector,
	uint64_t count, const uint8_t *data, found_fn *found, void *arg);

/* Returns when; writes that ended before are durable once it succeeded. */
uint64_t history_flush(struct history *h);
void history_flushed(struct history *h, uint64_t when);

/* Torn sectors that were excused, since a write to them was under way. */
uint64_t history_races(const struct history *h);

#endif
