/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile classes 11 to 20: tags and serial numbers that cannot be. */
#include <errno.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

/* Command 0 has been answered, command 1 and a ping wait. */
static void begin(void)
{
	s_init();
	s_up();
	s_read(0, 512);
	s_wait_done();
	W.target->hold = true;
	s_read(1, 4096);
	s_pass(10);
	s_edit(0x20, 0)->verdict = T_HOLD;
	path_probe(W.path);
	s_pass(10);
	cr_assert_eq(s_count(0x00), 1);
}

static void answer_with(uint8_t opcode, uint32_t itt)
{
	uint8_t bhs[T_BHS_LEN], data[512] = {0};

	W.nedits = 0;
	s_make(bhs, opcode, 1);
	t_set(bhs, T_ITT, itt);
	if (opcode == 0x31) {
		t_set(bhs, T_TTT, 7);
		t_set(bhs, T_DATA_SN, 0);
		t_set(bhs, T_OFFSET, 0);
		t_set(bhs, T_DESIRED, 512);
	}
	if (opcode == 0x25) {
		t_set(bhs, T_DATA_SN, 0);
		t_set(bhs, T_OFFSET, 0);
	}
	s_inject(bhs, data, opcode == 0x25 ? sizeof data : 0);
}

Test(scenario, h11_tags)
{
	static const uint8_t ops[] = {0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x31};

	for (unsigned i = 0; i < sizeof ops; i++) {
		for (unsigned kind = 0; kind < 4; kind++) {
			uint32_t tags[4] = {0x12345, 0, T_NO_TAG, 0};

			if (ops[i] == 0x20 && kind == 2)
				continue; /* a ping, as it should be */
			begin();
			tags[1] = s_tag(0); /* has ended */
			tags[3] = ops[i] == 0x20 ? s_tag(1)
						 : (uint32_t)t_get(
							   s_sent(0x00, 0)->bhs,
							   T_ITT);
			answer_with(ops[i], tags[kind]);
			s_breach(1, "");
		}
	}
}

/* Tags can be guessed: GOOD, before the target can have read the command. */
Test(scenario, h11_tag_of_a_command_not_sent)
{
	uint8_t bhs[T_BHS_LEN];

	s_init();
	s_up();
	s_read(0, 512);
	s_read(1, 512);
	s_wait_done();
	W.wire->way[T_OUT].capacity = 10;
	W.wire->way[T_OUT].blackhole = true;
	s_read(2, 512);
	s_pass(10);
	s_make(bhs, 0x21, 1);
	/* The place of the first one, used again. */
	t_set(bhs, T_ITT, s_tag(0) + (1u << 16));
	t_set(bhs, T_UNDER, 1);
	t_set(bhs, T_RESIDUAL, 512);
	s_inject(bhs, NULL, 0);
	s_breach(2, "SCSI Response for a task that it has not got");
}

Test(scenario, h12_responses_that_come_twice)
{
	uint8_t bhs[T_BHS_LEN];

	begin();
	W.nedits = 0;
	t_conn_release(s_conn());
	s_make(bhs, 0x21, 0);
	s_inject(bhs, NULL, 0);
	s_breach(1, "SCSI Response for an unknown task");
}

Test(scenario, h13_response_before_the_data)
{
	s_init();
	s_edit(0x25, 1)->verdict = T_HOLD;
	s_up();
	s_read(0, S_DATA);
	s_breach(0, "Data-In");
	s_init();
	s_edit(0x25, 0)->verdict = T_HOLD;
	s_edit_field(0x21, 0, T_EXP_DATA_SN, 0);
	s_up();
	s_read(0, 512);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EBADMSG);
	t_conn_release(s_conn()); /* too late */
	s_wait_down();
	s_expect_reason("Data-In for an unknown task");
	s_end();
}

/* What is not taken for the answer ends by its own deadline. */
Test(scenario, h14_stat_sn_jumps)
{
	static const uint32_t jumps[] = {
		1, 2, 0x7fffffff, 0x80000000, 0x80000001, (uint32_t)-1};

	for (unsigned i = 0; i < 6; i++) {
		begin();
		W.config.timeouts.abort = NS_PER_S;
		W.nedits = 0;
		s_edit_field(0x21, 0, T_STAT_SN, s_conn()->stat_sn + jumps[i]);
		t_conn_release(s_conn());
		t_target_release(W.target);
		s_pass(100);
		if (W.open) {
			path_abort(W.path, &W.commands[1].cmd);
			s_wait_done();
		}
		cr_assert_neq(W.commands[1].cmd.result.outcome, PATH_DONE,
			"jump %#x", jumps[i]);
		s_end_with_breach();
	}
}

static void tell(uint32_t exp, uint32_t max)
{
	struct t_session *s = s_conn()->session;
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x20);
	t_set(bhs, T_FINAL, 1);
	t_conn_stamp(s_conn(), bhs, false);
	t_set(bhs, T_EXP_CMD_SN, s->exp_cmd_sn + exp);
	t_set(bhs, T_MAX_CMD_SN, s->exp_cmd_sn + max);
	t_conn_send(s_conn(), bhs, NULL, 0);
	s_pass(10);
}

static void fill(unsigned n)
{
	for (unsigned i = 2; i < n; i++) {
		W.commands[i].cmd.deadline = loop_now(W.loop) + 3 * NS_PER_S;
		s_read(i, 512);
	}
	s_pass(10);
}

Test(scenario, h15_windows_that_cannot_be)
{
	static const uint32_t maxes[] = {
		0x7fffffff, 0x80000000, 0xfffffffe, 0xffffff00};

	for (unsigned i = 0; i < 4; i++) {
		s_init();
		W.options.window = 2;
		s_up();
		W.target->hold = true;
		tell(0, maxes[i]);
		s_read(0, 512);
		s_read(1, 512);
		fill(10);
		cr_assert_eq(s_count(0x01), 2, "%#x", maxes[i]);
		t_target_release(W.target);
		s_wait_done();
		s_end();
	}
}

Test(scenario, h15_window_shut_for_ever)
{
	s_init();
	W.options.window = 2;
	s_up();
	W.target->frozen = true;
	s_read(0, 512);
	s_read(1, 512);
	fill(S_COMMANDS);
	s_wait_done();
	for (unsigned n = 2; n < S_COMMANDS; n++)
		s_expect(&W.commands[n], PATH_NOT_SENT, -ETIMEDOUT);
	cr_assert_eq(W.downs, 0);
	s_end();
}

/* More than the target takes goes out, and never comes back. */
Test(scenario, h16_exp_cmd_sn_ahead)
{
	unsigned good = 0;

	s_init();
	W.options.window = 4;
	W.config.timeouts.abort = NS_PER_S;
	W.config.timeouts.lun_reset = NS_PER_S;
	s_up();
	tell(1000, 1100);
	fill(S_COMMANDS);
	s_wait_done();
	for (unsigned n = 2; n < S_COMMANDS; n++)
		good += W.commands[n].cmd.result.outcome == PATH_DONE;
	cr_assert(good <= W.target->commands);
	s_end_with_breach();
}

Test(scenario, h17_data_sn)
{
	static const uint32_t numbers[] = {0, 2, 0x80000001, 0xffffffff};

	for (unsigned i = 0; i < 4; i++) {
		s_init();
		s_edit_field(0x25, 1, T_DATA_SN, numbers[i]);
		s_up();
		s_read(0, S_DATA);
		s_breach(0, "Data-In out of order (DataSN)");
	}
}

static enum t_verdict release_first(
	void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	static bool held;

	(void)arg;
	if (t_get(pdu->bhs, T_OPCODE) != 0x25)
		return T_PASS;
	if (!held) {
		held = true;
		return T_HOLD;
	}
	W.hooks.tx = NULL;
	(void)c;
	return T_PASS;
}

Test(scenario, h17_data_in_reordered)
{
	s_init();
	W.hooks.tx = release_first;
	s_up();
	s_read(0, 524288);
	s_breach(0, "Data-In out of order (DataSN)");
}

Test(scenario, h18_exp_data_sn)
{
	static const uint32_t lies[] = {1, 3, 0x80000000, 0xffffffff};

	for (unsigned i = 0; i < 4; i++) {
		s_init();
		s_edit_field(0x21, 0, T_EXP_DATA_SN, lies[i]);
		s_up();
		s_read(0, 524288); /* two PDUs */
		s_breach(0, "Data-In was lost (ExpDataSN)");
	}
}

Test(scenario, h19_r2t_sn)
{
	static const uint32_t numbers[] = {1, 0x80000000, 0xffffffff};

	for (unsigned i = 0; i < 3; i++) {
		s_init();
		s_edit_field(0x31, 0, T_DATA_SN, numbers[i]);
		s_up();
		s_write(0, S_DATA, 1);
		s_breach(0, "R2T out of order (R2TSN)");
	}
}

Test(scenario, h20_stat_sn_wraps)
{
	s_init();
	W.options.first_stat_sn = 0xffffffe0;
	s_up();
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned n = 0; n < S_COMMANDS; n++)
			s_write(n, 4096, (uint8_t)n);
		s_wait_done();
		for (unsigned n = 0; n < S_COMMANDS; n++)
			s_expect_good(&W.commands[n]);
	}
	s_end();
}
