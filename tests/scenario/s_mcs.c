/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of several connections: scenarios 4, 24, 75, 77, 98 and 99. */
#include "tests/scenario/s_many.h"

Test(mcs, s004_a_second_connection_joins)
{
	const struct s_pdu *first, *last;

	s_up_many(2);
	first = s_sent(0x03, 0);
	last = s_sent(0x03, s_count(0x03) - 1);
	cr_assert_arr_eq(first->bhs + 8, last->bhs + 8, 6, "ISID");
	cr_assert_eq(t_get(first->bhs, T_TSIH), 0);
	cr_assert_neq(t_get(last->bhs, T_TSIH), 0);
	cr_assert_neq(t_get(first->bhs, T_CID), t_get(last->bhs, T_CID));
	cr_assert_eq(s_counters().logins, 1);
	s_end();
}

Test(mcs, s004_another_tsih_closes_that_connection_only)
{
	s_many(2);
	s_start();
	s_edit_field(0x23, 2, T_TSIH, 0x7777)->times = 99;
	cr_assert(s_try());
	s_pass(500);
	cr_assert_eq(s_connections(), 1);
	s_write(0, 4096, 1);
	s_expect_all_good(1);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

Test(mcs, s024_one_connection_was_agreed)
{
	s_many(4);
	W.options.max_connections = 1;
	s_up();
	s_pass(5000);
	cr_assert_eq(s_connections(), 1);
	cr_assert_eq(W.target->logins, 1);
	s_end();
}

Test(mcs, s075_async_1_leaves_one_connection)
{
	uint64_t began;

	s_up_many(3);
	began = loop_now(W.loop);
	s_submit(16, 1);
	t_conn_async(t_target_cid(W.target, 2), 1, 0, 0, 5);
	s_expect_all_good(16);
	s_pass(500);
	cr_assert_eq(W.target->logouts, 1);
	cr_assert_eq(W.leavings, 0);
	cr_assert_lt(loop_now(W.loop) - began, 5 * NS_PER_S);
	s_wait_connections(3);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(mcs, s075_and_what_does_not_finish_is_ended_by_the_logout)
{
	unsigned unknown = 0;

	s_up_many(2);
	W.target->hold = true;
	s_submit(4, 1);
	s_pass(10);
	t_conn_async(t_target_cid(W.target, 2), 1, 0, 0, 4);
	s_pass(3500);
	cr_assert_eq(W.target->logouts, 1);
	t_target_release(W.target);
	s_wait_done();
	for (unsigned i = 0; i < 4; i++)
		unknown += W.commands[i].cmd.result.outcome == PATH_UNKNOWN;
	cr_assert_eq(unknown, 2);
	s_fence();
	s_pass(1);
	cr_assert_eq(W.fence_err, 0);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(mcs, s077_async_2_about_another_connection)
{
	uint64_t began;

	s_up_many(2);
	W.target->hold = true;
	s_submit(8, 3);
	s_pass(10);
	began = loop_now(W.loop);
	t_conn_async(t_target_cid(W.target, 1), 2, 2, 3, 10);
	s_pass(2900);
	cr_assert_eq(s_count(0x06), 0, "recovered before Time2Wait");
	s_pass(300);
	t_target_release(W.target);
	s_expect_all_good(8);
	cr_assert_lt(loop_now(W.loop) - began, 13 * NS_PER_S);
	s_verify(8, 3);
	s_end_recovered();
}

Test(mcs, s098_commands_go_round)
{
	unsigned on[5] = {0};

	s_up_many(4);
	s_submit(32, 1);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(W.commands[i].done, 0);
	s_expect_all_good(32);
	s_verify(32, 1);
	for (unsigned i = 1; i <= 4; i++)
		on[i] = t_target_cid(W.target, (uint16_t)i)->last_cmd_sn;
	for (unsigned i = 1; i <= 4; i++)
		cr_assert_neq(on[i], 0);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(mcs, s098_least_queue)
{
	s_many(2);
	W.config.spread = ISCSI_SPREAD_LEAST_QUEUE;
	s_up();
	s_wait_connections(2);
	s_submit(32, 1);
	s_expect_all_good(32);
	s_verify(32, 1);
	s_end();
}

Test(mcs, s099_a_connection_that_stalls_is_recovered)
{
	uint64_t began;

	s_up_many(2);
	began = loop_now(W.loop);
	t_conn_stall(t_target_cid(W.target, 2), true);
	s_submit(32, 5);
	s_expect_all_good(32);
	cr_assert_lt(loop_now(W.loop) - began, 15 * NS_PER_S);
	s_verify(32, 5);
	s_end_recovered();
}
