/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device may say: the history of every cell, kept beside the device.
 *
 * A cell is the smallest unit that a client writes (a sector, or a part of
 * one). Each write fills its cells with its own number, so that what a read
 * finds, or the medium holds, tells where it comes from. Time is a count of
 * what happened.
 *
 * Overlapping changes take effect in the order in which they were submitted. So
 * a value is over, for somebody who looks at time t, when an operation that was
 * submitted after the value's own took effect before t: because it was
 * acknowledged, or because it was seen. What is over must neither be read nor
 * be executed again. A change that failed may have had its effect or not; what
 * a later read sees decides it.
 */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oracle;

enum oracle_op {
	ORACLE_READ,
	ORACLE_WRITE,
	ORACLE_ZERO,
	ORACLE_TRIM, /* zeroes, or anything that was there */
	ORACLE_FLUSH,
};

/* `stable`: what is acknowledged is durable. `fua`: the medium knows FUA, which
 * is otherwise a write and a flush. */
struct oracle *oracle_new(
	uint32_t cells, uint32_t grain, bool stable, bool fua);
void oracle_free(struct oracle *o); /* NULL is allowed */

/* An operation begins; its number, from 1 on. */
uint32_t oracle_begin(
	struct oracle *o, enum oracle_op op, uint32_t first, uint32_t count);
/* The bytes that it writes. */
void oracle_fill(const struct oracle *o, uint32_t number, void *data);
/* It ends: acknowledged or failed; `fua`: durable with it. */
void oracle_end(struct oracle *o, uint32_t number, bool ok, bool fua);
/* What a read that is about to end well has found. */
void oracle_saw(struct oracle *o, uint32_t number, const void *data);

/* The medium has executed a change of these cells, which hold `data` now. The
 * number of the operation that the first of them is from. */
uint32_t oracle_executed(
	struct oracle *o, uint32_t first, uint32_t count, const void *data);

/* The power has failed, and `data` is what the whole medium holds. `forgive`:
 * acknowledged writes that were not flushed may be gone. */
void oracle_power_cut(struct oracle *o, const void *data, bool forgive);

/* The device has said that what was not flushed may be gone. */
void oracle_forgive(struct oracle *o);

#endif
