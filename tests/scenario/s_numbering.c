/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 47 to 57: CmdSN, the window, StatSN, NOP (RFC 7143 4.2.2, 11.18,
 * 11.19). */
#include <errno.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

/* A NOP-In that only tells numbers; `exp` and `max` from where they are. */
static void tell(uint32_t exp, uint32_t max)
{
	struct t_conn *c = s_conn();
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x20);
	t_set(bhs, T_FINAL, 1);
	t_conn_stamp(c, bhs, false);
	t_set(bhs, T_EXP_CMD_SN, c->session->exp_cmd_sn + exp);
	t_set(bhs, T_MAX_CMD_SN, c->session->max_cmd_sn + max);
	t_conn_send(c, bhs, NULL, 0);
	s_pass(10);
}

/* The CmdSN of the nth SCSI Command less that of the login. */
static uint32_t cmd_sn(unsigned nth)
{
	return (uint32_t)(t_get(s_sent(0x01, nth)->bhs, T_CMD_SN) -
			  t_get(s_sent(0x03, 0)->bhs, T_CMD_SN));
}

Test(scenario, s047_cmdsn_increases_by_one)
{
	s_init();
	s_up();
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = 0; n < S_COMMANDS; n++)
			s_read(n, 512);
		s_wait_done();
	}
	for (unsigned i = 0; i < 3 * S_COMMANDS; i++)
		cr_assert_eq(cmd_sn(i), i);
	s_end();
}

Test(scenario, s047_cmdsn_wraps)
{
	s_init();
	W.config.first_cmd_sn = 0xffffff9c;
	s_up();
	cr_assert_eq(t_get(s_sent(0x03, 0)->bhs, T_CMD_SN), 0xffffff9c);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned n = 0; n < S_COMMANDS; n++)
			s_write(n, 4096, 1);
		s_wait_done();
		for (unsigned n = 0; n < S_COMMANDS; n++)
			s_expect_good(&W.commands[n]);
	}
	for (unsigned i = 0; i < 4 * S_COMMANDS; i++)
		cr_assert_eq(cmd_sn(i), i);
	s_end();
}

/* What the target expects next is what the ping has, and the next command too.
 */
Test(scenario, s048_immediate_requests_take_no_cmdsn)
{
	s_init();
	W.config.timeouts.ping_interval = 0;
	s_up();
	s_ready(0);
	s_wait_done();
	path_probe(W.path);
	s_pass(10);
	W.target->hold = true;
	s_read(1, 512);
	s_pass(10);
	path_abort(W.path, &W.commands[1].cmd);
	s_wait_done();
	W.target->hold = false;
	s_ready(2);
	s_wait_done();
	cr_assert(t_get(s_sent(0x00, 0)->bhs, T_IMMEDIATE));
	cr_assert_eq(t_get(s_sent(0x00, 0)->bhs, T_CMD_SN),
		t_get(s_sent(0x01, 1)->bhs, T_CMD_SN));
	cr_assert(t_get(s_sent(0x02, 0)->bhs, T_IMMEDIATE));
	cr_assert_eq(t_get(s_sent(0x02, 0)->bhs, T_CMD_SN),
		t_get(s_sent(0x01, 2)->bhs, T_CMD_SN));
	cr_assert_eq(cmd_sn(2), 2);
	s_end();
}

Test(scenario, s049_window_shut_for_ten_seconds)
{
	s_init();
	W.options.window = 4;
	s_up();
	W.target->frozen = true;
	for (unsigned n = 0; n < 8; n++)
		s_read(n, 512);
	s_pass(10000);
	cr_assert_eq(s_count(0x01), 4);
	cr_assert_eq(W.open, 4);
	cr_assert(W.target->pings >= 1);
	cr_assert_eq(W.downs, 0);
	W.target->frozen = false;
	s_conn()->session->max_cmd_sn += 4;
	t_conn_ping(s_conn());
	s_wait_done();
	for (unsigned n = 0; n < 8; n++)
		s_expect_good(&W.commands[n]);
	s_end();
}

Test(scenario, s050_window_of_one)
{
	s_init();
	W.options.window = 1;
	s_up();
	W.target->hold = true;
	for (unsigned n = 0; n < 16; n++)
		s_write(n, 4096, (uint8_t)n);
	for (unsigned n = 1; n <= 16; n++) {
		s_pass(10);
		cr_assert_eq(s_count(0x01), n);
		t_target_release(W.target);
		W.target->hold = true;
	}
	s_wait_done();
	s_end();
}

Test(scenario, s050_window_of_two_to_the_31)
{
	struct path_facts facts;

	s_init();
	W.options.window = 0x7fffffff;
	s_up();
	path_facts(W.path, &facts);
	cr_assert(facts.inflight_max > 64 && facts.inflight_max <= 1024);
	for (unsigned n = 0; n < S_COMMANDS; n++)
		s_write(n, 4096, (uint8_t)n);
	s_wait_done();
	for (unsigned n = 0; n < S_COMMANDS; n++)
		s_expect_good(&W.commands[n]);
	s_end();
}

static void held_by_the_window(void)
{
	s_init();
	W.options.window = 2;
	s_up();
	W.target->hold = true;
	for (unsigned n = 0; n < 4; n++)
		s_read(n, 512);
	s_pass(10);
	cr_assert_eq(s_count(0x01), 2);
}

static void goes_on(void)
{
	t_target_release(W.target);
	s_wait_done();
	for (unsigned n = 0; n < 4; n++)
		s_expect_good(&W.commands[n]);
	for (unsigned i = 0; s_sent(0x01, i); i++)
		cr_assert_eq(cmd_sn(i), i);
	s_end();
}

Test(scenario, s051_numbers_that_contradict_each_other)
{
	held_by_the_window();
	tell(1000, 100); /* MaxCmdSN below ExpCmdSN - 1 */
	cr_assert_eq(s_count(0x01), 2);
	goes_on();
}

/* Room for eight, of which two are taken; the old numbers had room for none. */
Test(scenario, s052_old_numbers)
{
	s_init();
	W.options.window = 8;
	s_up();
	for (unsigned n = 0; n < 8; n++)
		s_ready(n);
	s_wait_done();
	W.target->hold = true;
	s_read(0, 512);
	s_read(1, 512);
	s_pass(10);
	tell((uint32_t)-2, (uint32_t)-8);
	s_read(2, 512);
	s_read(3, 512);
	s_pass(10);
	cr_assert_eq(s_count(0x01), 12);
	goes_on();
}

Test(scenario, s053_status_that_comes_again)
{
	struct t_conn *c;
	uint8_t bhs[T_BHS_LEN];

	s_init();
	s_up();
	c = s_conn();
	s_ready(0);
	s_wait_done();
	t_make(bhs, 0x21);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_ITT, t_get(s_sent(0x01, 0)->bhs, T_ITT));
	t_conn_stamp(c, bhs, false);
	t_set(bhs, T_STAT_SN, c->stat_sn - 1);
	t_conn_send(c, bhs, NULL, 0);
	s_pass(10);
	cr_assert_eq(W.downs, 0);
	cr_assert_eq(W.commands[0].done, 1);
	s_ready(1);
	s_wait_done();
	s_expect_good(&W.commands[1]);
	s_end();
}

Test(scenario, s053_status_that_is_missing)
{
	s_init();
	s_up();
	s_edit(0x21, 0)->verdict = T_DROP;
	s_write(0, 4096, 1);
	s_pass(10);
	cr_assert_eq(W.open, 1);
	s_write(1, 4096, 1);
	s_breach(0, "a status was lost");
}

static void check_pong(void)
{
	const struct s_pdu *pong = s_sent(0x00, s_count(0x00) - 1);

	cr_assert_eq(s_conn()->ping_ttt, T_NO_TAG, "no answer");
	cr_assert(t_get(pong->bhs, T_IMMEDIATE));
	cr_assert_eq(t_get(pong->bhs, T_ITT), T_NO_TAG);
	cr_assert_eq(t_get(pong->bhs, T_LUN), W.options.lun);
	cr_assert_eq(pong->len, 0);
}

Test(scenario, s054_ping_while_the_window_is_shut)
{
	held_by_the_window();
	t_conn_ping(s_conn());
	s_pass(10);
	check_pong();
	goes_on();
}

/* A megabyte waits in the queue; the answer goes ahead of it. */
Test(scenario, s054_ping_during_big_writes)
{
	unsigned data;

	s_init();
	W.options.max_recv_data_segment_length = 8192;
	s_start();
	W.wire->way[T_OUT].capacity = 4096;
	W.wire->way[T_OUT].rate = 1000000;
	cr_assert(s_try());
	for (unsigned n = 0; n < 4; n++)
		s_write(n, S_DATA, (uint8_t)n);
	s_pass(500);
	data = s_count(0x05);
	t_conn_ping(s_conn());
	while (s_conn()->ping_ttt != T_NO_TAG)
		s_pass(1);
	check_pong();
	/* The PDU that was being sent, and what the wire held. */
	cr_assert(s_count(0x05) - data <= 3, "%u", s_count(0x05) - data);
	s_wait_done();
	for (unsigned n = 0; n < 4; n++)
		s_expect_good(&W.commands[n]);
	s_end();
}

Test(scenario, s055_numbers_only)
{
	s_init();
	W.config.timeouts.ping_interval = 0;
	s_up();
	for (unsigned i = 0; i < 5; i++)
		tell(0, 0);
	cr_assert_eq(s_count(0x00), 0);
	/* StatSN was the next one's all the time. */
	s_ready(0);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
}

Test(scenario, s056_no_answer_to_a_ping)
{
	uint64_t began;

	s_init();
	s_up();
	s_read(0, 4096);
	s_wait_done();
	began = loop_now(W.loop);
	s_conn()->silent = true;
	s_wait_down();
	s_expect_reason("no answer to a NOP-Out");
	cr_assert(loop_now(W.loop) - began < 12 * NS_PER_S);
	s_end();
}

/* Our pings are empty; data in the answer was not asked for and hurts nobody.
 */
Test(scenario, s057_pong_with_data)
{
	static const char data[1001] = "not ours";

	s_init();
	s_up();
	s_set_data(s_edit(0x20, 0), data, sizeof data);
	path_probe(W.path);
	s_pass(10);
	cr_assert_eq(s_sent(0x00, 0)->len, 0);
	cr_assert_eq(W.downs, 0);
	s_ready(0);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
}

Test(numbering, idle_session_stays)
{
	s_init();
	s_up();
	s_pass(120000);
	cr_assert_eq(W.downs, 0);
	cr_assert(W.target->pings >= 15);
	cr_assert(loop_now(W.loop) - path_heard(W.path) < 7 * NS_PER_S);
	s_end();
}

Test(numbering, one_probe_at_a_time)
{
	s_init();
	s_up();
	path_probe(W.path);
	path_probe(W.path);
	s_pass(10);
	cr_assert_eq(W.target->pings, 1);
	s_end();
}
