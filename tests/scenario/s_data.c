/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 58 to 64: data in both directions and how it is asked for (RFC 7143
 * 11.3.4, 11.7, 11.8). */
#include <errno.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

#define SCSI_CMD 0x01
#define DATA_OUT 0x05
#define DATA_IN  0x25
#define R2T      0x31

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
Test(scenario, s058_unsolicited_and_immediate_in_all_combinations)
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

/* The R2T comes with half of the unsolicited data still here. */
Test(scenario, s059_r2t_ahead_of_the_unsolicited_end)
{
	s_init();
	W.options.early_r2t = true;
	W.options.immediate_data = false;
	W.options.max_recv_data_segment_length = 8192;
	s_start();
	W.wire->way[T_OUT].capacity = 10000;
	W.wire->way[T_OUT].rate = 1000000;
	cr_assert(s_try());
	s_write(0, 262144, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(t_get(s_sent(DATA_OUT, i)->bhs, T_TTT), T_NO_TAG);
	cr_assert(t_get(s_sent(DATA_OUT, 7)->bhs, T_FINAL));
	cr_assert_neq(t_get(s_sent(DATA_OUT, 8)->bhs, T_TTT), T_NO_TAG);
	cr_assert_eq(t_get(s_sent(DATA_OUT, 8)->bhs, T_DATA_SN), 0);
	s_read(0, 262144);
	s_wait_done();
	cr_assert(s_pattern_is(&W.commands[0], 262144, 1));
	s_end();
}

Test(scenario, s060_four_r2ts_at_once)
{
	uint32_t offset = 0;

	s_init();
	W.options.initial_r2t = true;
	W.options.immediate_data = false;
	W.options.max_outstanding_r2t = 4;
	W.options.max_burst_length = 65536;
	W.options.max_recv_data_segment_length = 16384;
	s_up();
	s_write(0, S_DATA, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	for (unsigned i = 0; i < S_DATA / 16384; i++) {
		const uint8_t *bhs = s_sent(DATA_OUT, i)->bhs;

		cr_assert_eq(t_get(bhs, T_OFFSET), offset);
		cr_assert_eq(t_get(bhs, T_DATA_SN), i % 4);
		offset += 16384;
	}
	round_trip();
	s_end();
}

Test(scenario, s061_r2ts_of_any_length)
{
	static const uint32_t lengths[] = {1, 2, 3, 4095, 65537};

	for (unsigned i = 0; i < 5; i++) {
		s_init();
		W.options.initial_r2t = true;
		W.options.immediate_data = false;
		W.options.r2t_length = lengths[i];
		s_up();
		s_write(0, i < 3 ? 512 : 262144, 1);
		s_wait_done();
		s_expect_good(&W.commands[0]);
		s_end();
	}
}

static void breach(uint8_t opcode, unsigned nth, enum t_field field,
	uint64_t value, const char *text)
{
	s_init();
	s_edit_field(opcode, nth, field, value);
	s_up();
	if (opcode == DATA_IN)
		s_read(0, S_DATA);
	else
		s_write(0, S_DATA, 1);
	s_breach(0, text);
}

Test(scenario, s061_r2ts_that_ask_for_too_much)
{
	breach(R2T, 0, T_DESIRED, 0, "R2T for no data");
	breach(R2T, 0, T_DESIRED, 262145,
		"R2T of a length that was not agreed");
	breach(R2T, 0, T_DESIRED, UINT32_MAX,
		"R2T of a length that was not agreed");
	breach(R2T, 3, T_OFFSET, S_DATA, "R2T beyond the expected length");
	breach(R2T, 0, T_OFFSET, UINT32_MAX, "R2T beyond the expected length");
	breach(R2T, 0, T_ITT, 0x12345, "R2T for an unknown task");
	breach(R2T, 0, T_TTT, T_NO_TAG, "R2T without a Target Transfer Tag");
	breach(R2T, 1, T_DATA_SN, 0, "R2T out of order (R2TSN)");
	breach(R2T, 1, T_DATA_SN, 2, "R2T out of order (R2TSN)");
}

Test(scenario, s061_r2t_for_a_read)
{
	uint8_t bhs[T_BHS_LEN];

	s_init();
	s_up();
	W.target->hold = true;
	s_read(0, 4096);
	s_pass(10);
	t_make(bhs, R2T);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, t_get(s_sent(SCSI_CMD, 0)->bhs, T_ITT));
	t_set(bhs, T_TTT, 7);
	t_set(bhs, T_DATA_SN, 0);
	t_set(bhs, T_OFFSET, 0);
	t_set(bhs, T_DESIRED, 512);
	t_conn_stamp(s_conn(), bhs, false);
	t_conn_send(s_conn(), bhs, NULL, 0);
	s_breach(0, "R2T for a task that writes nothing");
}

Test(scenario, s062_parallel_writes)
{
	s_init();
	W.options.initial_r2t = true;
	W.options.max_outstanding_r2t = 2;
	W.options.r2t_length = 10000;
	W.options.max_recv_data_segment_length = 3000;
	s_start();
	W.wire->way[T_OUT].rate = 50000000;
	cr_assert(s_try());
	for (unsigned n = 0; n < 32; n++)
		s_write(n, 65536, (uint8_t)(7 * n));
	s_wait_done();
	for (unsigned n = 0; n < 32; n++)
		s_read(n, 65536);
	s_wait_done();
	for (unsigned n = 0; n < 32; n++)
		cr_assert(
			s_pattern_is(&W.commands[n], 65536, (uint8_t)(7 * n)));
	s_end();
}

Test(scenario, s063_data_out_of_order)
{
	s_init();
	s_key("DataPDUInOrder", "No");
	s_refused("rules out");
	s_init();
	s_key("DataSequenceInOrder", "No");
	s_refused("rules out");
	breach(DATA_IN, 1, T_OFFSET, 0, "Data-In out of order (BufferOffset)");
	breach(DATA_IN, 1, T_OFFSET, 524288,
		"Data-In out of order (BufferOffset)");
	breach(DATA_IN, 1, T_DATA_SN, 5, "Data-In out of order (DataSN)");
	breach(DATA_IN, 1, T_DATA_SN, 0, "Data-In out of order (DataSN)");
}

Test(scenario, s064_more_data_than_declared)
{
	s_init();
	W.config.offer.max_recv_data_segment_length = 4096;
	s_up();
	s_conn()->max_send_data = 8192;
	s_read(0, 65536);
	s_breach(0, "more data in a PDU than we declared to take");
}

Test(scenario, s064_data_after_the_status)
{
	uint8_t bhs[T_BHS_LEN], data[512] = {0};

	s_init();
	s_up();
	s_read(0, 4096);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	t_make(bhs, DATA_IN);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, t_get(s_sent(SCSI_CMD, 0)->bhs, T_ITT));
	t_conn_stamp(s_conn(), bhs, false);
	t_set(bhs, T_DATA_SN, 0);
	t_set(bhs, T_OFFSET, 0);
	t_conn_send(s_conn(), bhs, data, sizeof data);
	s_wait_down();
	s_expect_reason("Data-In for an unknown task");
	s_end_with_breach();
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
