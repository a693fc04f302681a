/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/verify/history.h"

#define RUN     77u
#define SECTORS 8u

static struct history *h;
static enum fault_kind kind;
static unsigned nfound;

static void found(void *arg, const struct finding *f)
{
	(void)arg;
	kind = f->kind;
	nfound++;
}

static void begin(void)
{
	h = history_new(SECTORS, RUN);
	nfound = 0;
}

static void end(void)
{
	history_free(h);
}

TestSuite(history, .init = begin, .fini = end);

static struct value *start(uint64_t sector, uint64_t n)
{
	return history_write(h, sector, n, false);
}

static void acked(struct value *v)
{
	history_written(h, v, OUTCOME_ACKED, false);
}

static void unknown(struct value *v)
{
	history_written(h, v, OUTCOME_UNKNOWN, false);
}

static uint64_t written(uint64_t sector, uint64_t n)
{
	struct value *v = start(sector, n);
	uint64_t seq = value_seq(v);

	acked(v);
	return seq;
}

/* A read that is under way returns sector 0 with that write's data. */
static void returns(struct reading *r, uint64_t seq)
{
	uint8_t data[SECTOR] = {0};
	struct stamp st = {.run = RUN, .address = 0, .seq = seq};

	if (seq)
		stamp_put(data, &st);
	history_was_read(h, r, 0, 1, data, found, NULL);
}

static void read_gives(uint64_t seq)
{
	struct reading r;

	history_read(h, &r);
	returns(&r, seq);
}

static void right(uint64_t seq)
{
	read_gives(seq);
	cr_assert_eq(nfound, 0);
}

static void wrong(uint64_t seq, enum fault_kind want)
{
	read_gives(seq);
	cr_assert_eq(nfound, 1);
	cr_assert_eq(kind, want, "%s", found_name(kind));
}

Test(history, what_was_there_before_us_may_be_anything)
{
	right(12345);
	right(0);
}

Test(history, the_last_acknowledged_write_is_what_is_read)
{
	written(0, 1);
	right(written(0, 1));
}

Test(history, the_older_one_is_lost_or_stale)
{
	uint64_t old = written(0, 1);

	written(0, 1);
	wrong(old, FOUND_LOST);
}

Test(history, the_older_one_is_stale_once_the_newer_was_read)
{
	uint64_t old = written(0, 1);

	right(written(0, 1));
	wrong(old, FOUND_STALE);
}

Test(history, lost_after_a_flush_is_a_false_ack)
{
	uint64_t old = written(0, 1);

	written(0, 1);
	history_flushed(h, history_flush(h));
	wrong(old, FOUND_FALSE_ACK);
}

Test(history, a_flush_that_began_before_the_ack_promises_nothing)
{
	uint64_t old = written(0, 1), flush = history_flush(h);

	written(0, 1);
	history_flushed(h, flush);
	wrong(old, FOUND_LOST);
}

Test(history, a_write_under_way_may_be_read_or_not)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);

	right(old);
	right(value_seq(v));
	acked(v);
}

Test(history, once_read_it_does_not_go_back)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);

	right(value_seq(v));
	wrong(old, FOUND_STALE);
	acked(v);
}

Test(history, a_read_from_before_the_ack_may_return_the_older)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);
	struct reading r;

	history_read(h, &r);
	acked(v);
	returns(&r, old);
	cr_assert_eq(nfound, 0);
	wrong(old, FOUND_LOST);
}

Test(history, an_unknown_outcome_is_either)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);

	unknown(v);
	right(old);
	right(old);
}

Test(history, an_unknown_outcome_sticks_once_not_seen)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);
	uint64_t seq = value_seq(v);

	unknown(v);
	right(old);
	read_gives(seq);
	cr_assert_eq(nfound, 1);
}

Test(history, an_unknown_outcome_sticks_once_seen)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);
	uint64_t seq = value_seq(v);

	unknown(v);
	right(seq);
	wrong(old, FOUND_STALE);
}

Test(history, an_unknown_write_may_not_land_over_a_newer_acked_one)
{
	struct value *v = start(0, 1);
	uint64_t seq = value_seq(v);

	unknown(v);
	written(0, 1);
	wrong(seq, FOUND_LOST);
}

Test(history, while_it_may_still_land_it_may)
{
	struct value *v = start(0, 1);

	written(0, 1);
	right(value_seq(v));
	unknown(v);
}

Test(history, data_of_another_address_are_misplaced)
{
	uint8_t data[SECTOR];
	struct stamp st = {.run = RUN, .address = 3};
	struct reading r;

	written(0, 1);
	st.seq = written(3, 1);
	stamp_put(data, &st);
	history_read(h, &r);
	history_was_read(h, &r, 0, 1, data, found, NULL);
	cr_assert_eq(nfound, 1);
	cr_assert_eq(kind, FOUND_MISPLACED);
}

Test(history, half_a_write_is_torn)
{
	uint64_t old = written(0, 2), new = written(0, 2);
	uint8_t data[2 * SECTOR];
	struct stamp st = {.run = RUN, .address = 0, .seq = new};
	struct reading r;

	stamp_put(data, &st);
	st = (struct stamp){.run = RUN, .address = 1, .seq = old};
	stamp_put(data + SECTOR, &st);
	history_read(h, &r);
	history_was_read(h, &r, 0, 2, data, found, NULL);
	cr_assert_eq(nfound, 1);
	cr_assert_eq(kind, FOUND_TORN);
}

static void read_torn(uint64_t seq)
{
	uint8_t data[SECTOR];
	struct stamp st = {.run = RUN, .seq = seq};
	struct reading r;

	stamp_put(data, &st);
	data[300] ^= 1;
	history_read(h, &r);
	history_was_read(h, &r, 0, 1, data, found, NULL);
}

Test(history, a_torn_sector_is_excused_only_while_it_is_written)
{
	uint64_t old = written(0, 1);
	struct value *v = start(0, 1);

	read_torn(value_seq(v));
	cr_assert_eq(nfound, 0);
	cr_assert_eq(history_races(h), 1);
	acked(v);
	read_torn(old);
	cr_assert_eq(nfound, 1);
	cr_assert_eq(kind, FOUND_TORN);
}

Test(history, zeroes_are_what_they_are)
{
	written(0, 1);
	history_written(h, history_write(h, 0, 1, true), OUTCOME_ACKED, false);
	right(0);
	written(0, 1);
	wrong(0, FOUND_LOST);
}

static struct value *trimming(void)
{
	return history_write(h, 0, 1, true);
}

/* What the late read shows rules out one trim; the zeroes are the other's. */
Test(history, zeroes_of_two_trims_are_not_told_apart)
{
	struct value *v = start(0, 1), *last = trimming(), *first = trimming();
	uint64_t seq = value_seq(v);
	struct reading late;

	unknown(first);
	history_read(h, &late);
	unknown(last);
	acked(v);
	right(0);
	returns(&late, seq);
	right(0);
}

Test(history, each_fault_is_told_once)
{
	uint64_t old = written(0, 1);

	written(0, 1);
	wrong(old, FOUND_LOST);
	read_gives(old);
	cr_assert_eq(nfound, 1);
	written(0, 1);
	read_gives(old);
	cr_assert_eq(nfound, 2);
}

Test(history, a_read_that_failed_says_nothing)
{
	struct reading r;

	written(0, 1);
	history_read(h, &r);
	history_was_read(h, &r, 0, 1, NULL, found, NULL);
	cr_assert_eq(nfound, 0);
}
