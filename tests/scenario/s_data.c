/* SPDX-License-Identifier: BSD-2-Clause */
/* Data in both directions, and what a target may not do with it. */
#include <errno.h>

#include "tests/scenario/s_rig.h"

static const uint32_t sizes[] = {
	512, 1024, 65536, 66048, 262144, 524800, S_DATA};
#define NSIZES (sizeof sizes / sizeof sizes[0])

static void round_trip(void)
{
	for (unsigned i = 0; i < NSIZES; i++) {
		for (unsigned n = 0; n < 4; n++)
			s_write(n, sizes[i], (uint8_t)(n + i));
		s_wait_done();
		for (unsigned n = 0; n < 4; n++) {
			s_expect_good(&W.commands[n]);
			s_read(n, sizes[i]);
		}
		s_wait_done();
		for (unsigned n = 0; n < 4; n++) {
			s_expect_good(&W.commands[n]);
			cr_assert(s_pattern_is(
				&W.commands[n], sizes[i], (uint8_t)(n + i)));
		}
	}
}

/* RFC 7143 13.10, 13.11: the model target complains of each wrong byte. */
Test(data, unsolicited_and_immediate_in_all_combinations)
{
	for (unsigned i = 0; i < 16; i++) {
		s_init();
		W.options.initial_r2t = i & 1;
		W.options.immediate_data = i & 2;
		W.options.collapse = i & 4;
		W.options.header_digest = W.options.data_digest = i & 8;
		s_up();
		round_trip();
		s_end();
	}
}

Test(data, several_r2ts_and_small_pdus)
{
	s_init();
	W.options.initial_r2t = true;
	W.options.max_outstanding_r2t = 4;
	W.options.max_burst_length = 65536;
	W.options.max_recv_data_segment_length = 512;
	W.config.offer.max_recv_data_segment_length = 512;
	s_up();
	round_trip();
	s_end();
}

Test(data, bytes_come_in_any_pieces)
{
	s_init();
	s_start();
	W.wire->way[T_IN].chunk = 1500;
	W.wire->way[T_IN].random_chunk = true;
	W.wire->way[T_OUT].capacity = 1000;
	cr_assert(s_try());
	round_trip();
	s_end();
}

Test(data, the_window_holds_commands_back)
{
	s_init();
	W.options.window = 2;
	s_up();
	for (unsigned n = 0; n < S_COMMANDS; n++)
		s_write(n, 4096, (uint8_t)n);
	s_wait_done();
	for (unsigned n = 0; n < S_COMMANDS; n++)
		s_expect_good(&W.commands[n]);
	s_end();
}

/* A hook that changes one PDU of an opcode, the n-th. */
static struct {
	uint8_t opcode;
	unsigned nth;
	enum t_field field;
	uint64_t value;
	enum t_verdict verdict;
	bool break_data;
} change;

static enum t_verdict on_tx(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)arg;
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) != change.opcode || change.nth-- != 0)
		return T_PASS;
	if (change.field != T_FIELD_COUNT)
		t_set(pdu->bhs, change.field, change.value);
	pdu->break_data = change.break_data;
	return change.verdict;
}

/* The connection must end, and the command as unknown. */
static void breach(struct s_command *c, const char *reason)
{
	s_wait_down();
	s_expect(c, PATH_UNKNOWN, -ECONNRESET);
	s_expect_reason(reason);
	cr_assert(W.down.was_up);
	cr_assert_eq(W.down.cure, PATH_RETRY);
	s_end_with_breach();
}

static void set_change(
	uint8_t opcode, unsigned nth, enum t_field field, uint64_t value)
{
	s_init();
	change.opcode = opcode;
	change.nth = nth;
	change.field = field;
	change.value = value;
	change.verdict = T_PASS;
	change.break_data = false;
	s_up();
	W.hooks.tx = on_tx;
}

Test(data, data_in_beyond_the_end)
{
	set_change(0x25, 0, T_OFFSET, 4096);
	breach(s_read(0, 4096), "Data-In out of order (BufferOffset)");
}

Test(data, data_in_skips_a_number)
{
	set_change(0x25, 1, T_DATA_SN, 5);
	breach(s_read(0, S_DATA), "Data-In out of order (DataSN)");
}

Test(data, data_in_for_an_unknown_task)
{
	set_change(0x25, 0, T_ITT, 0x12345);
	breach(s_read(0, 4096), "Data-In for an unknown task");
}

Test(data, response_for_an_unknown_task)
{
	set_change(0x21, 0, T_ITT, 99);
	breach(s_write(0, 4096, 1), "SCSI Response for an unknown task");
}

Test(data, r2t_beyond_the_end)
{
	set_change(0x31, 0, T_DESIRED, 262144);
	breach(s_write(0, 65536 + 4096, 1), "R2T beyond the expected length");
}

Test(data, r2t_longer_than_a_burst)
{
	set_change(0x31, 0, T_DESIRED, 262145);
	breach(s_write(0, S_DATA, 1), "R2T of a length that was not agreed");
}

Test(data, r2t_out_of_order)
{
	set_change(0x31, 1, T_DATA_SN, 0);
	breach(s_write(0, S_DATA, 1), "R2T out of order (R2TSN)");
}

Test(data, a_lost_status_ends_the_connection)
{
	set_change(0x21, 0, T_FIELD_COUNT, 0);
	change.verdict = T_DROP;
	s_write(0, 4096, 1);
	s_pass(10);
	cr_assert_eq(W.open, 1);
	breach(s_write(1, 4096, 1), "a status was lost");
}

Test(data, a_status_that_comes_again_is_ignored)
{
	struct s_command *c;

	set_change(0x21, 1, T_STAT_SN, 0xfffffffe);
	s_write(0, 4096, 1);
	s_wait_done();
	c = s_write(1, 4096, 1);
	s_pass(50);
	cr_assert_eq(c->done, 0);
	path_stop(W.path, true);
	s_wait_down();
	s_expect(c, PATH_UNKNOWN, -ECONNRESET);
	s_end_with_breach();
}

/* RFC 7143 11.4.5: GOOD, and less than all of it. */
Test(data, short_data_is_no_success)
{
	struct s_command *c;

	set_change(0x25, 1, T_FIELD_COUNT, 0);
	change.verdict = T_DROP;
	c = s_read(0, 4096 + 262144);
	s_wait_done();
	cr_assert_neq(c->cmd.result.outcome, PATH_DONE);
	s_end_with_breach();
}

Test(data, a_residual_that_does_not_add_up)
{
	struct s_command *c;

	set_change(0x21, 0, T_FLAGS, 0x82); /* U, of 0 bytes: all moved */
	change.field = T_RESIDUAL;
	change.value = 512;
	c = s_read(0, 4096);
	s_wait_done();
	s_expect_good(c); /* RESIDUAL without U is not looked at */
	change.nth = 0;
	change.field = T_FLAGS;
	change.value = 0x84; /* O and nothing else: all moved, more was there */
	c = s_read(0, 4096);
	s_wait_done();
	s_expect(c, PATH_DONE, 0);
	cr_assert(c->cmd.result.overflow);
	s_end_with_breach();
}

Test(data, target_failure_is_unknown)
{
	struct s_command *c;

	set_change(0x21, 0, T_RESPONSE, 1);
	c = s_write(0, 4096, 1);
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EREMOTEIO);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

Test(data, a_data_digest_error)
{
	struct path_counters counters;

	set_change(0x25, 0, T_FIELD_COUNT, 0);
	change.break_data = true;
	s_read(0, 4096);
	s_wait_down();
	path_counters(W.path, &counters);
	cr_assert_eq(counters.digest_errors, 1);
	breach(&W.commands[0], "data digest error in a");
}

Test(data, sense_comes_whole)
{
	struct s_command *c;

	s_init();
	W.options.attention = true;
	s_up();
	c = s_ready(0);
	s_wait_done();
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 2);
	cr_assert_eq(c->cmd.result.sense_len, 18);
	cr_assert_eq(c->cmd.result.sense[12], 0x29);
	s_ready(0);
	s_wait_done();
	s_expect_good(c);
	s_end();
}

/* A write that the target answers while one of its Data-Outs is half out. */
static struct s_command *answered_early(void)
{
	struct s_command *c;
	struct t_task *task;
	uint8_t bhs[T_BHS_LEN];

	s_init();
	W.options.initial_r2t = true;
	W.options.immediate_data = false;
	s_up();
	W.wire->way[T_OUT].capacity = 10000;
	W.wire->way[T_OUT].rate = 1000000;
	c = s_write(0, 262144, 1);
	s_pass(20);
	task = TAILQ_FIRST(&LIST_FIRST(&W.target->sessions)->tasks);
	t_make(bhs, 0x21);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_STATUS, 8); /* BUSY */
	t_set(bhs, T_ITT, task->itt);
	t_conn_stamp(s_conn(), bhs, true);
	t_conn_send(s_conn(), bhs, NULL, 0);
	s_pass(1);
	cr_assert_eq(c->done, 0, "its data is still being sent");
	return c;
}

Test(data, an_early_answer_waits_for_the_begun_pdu)
{
	struct s_command *c = answered_early();

	s_pass(200);
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 8);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

Test(data, an_early_answer_survives_the_connection)
{
	struct s_command *c = answered_early();

	path_stop(W.path, true);
	s_wait_down();
	s_expect(c, PATH_DONE, 0);
	cr_assert_eq(c->cmd.result.status, 8);
	s_end_with_breach();
}
