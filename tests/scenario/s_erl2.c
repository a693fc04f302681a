/* SPDX-License-Identifier: BSD-2-Clause */
/* Error recovery level 2: scenarios 100 to 110. */
#include <errno.h>

#include "tests/scenario/s_many.h"

static void fault(enum t_dir dir, int opcode, int cid, enum t_effect what)
{
	t_target_fault(W.target, &(struct t_fault){.dir = dir,
					 .opcode = opcode,
					 .cid = cid,
					 .effect = what});
}

Test(erl2, s100_a_reset_with_reads_and_writes_in_flight)
{
	for (unsigned after = 0; after < 40; after++) {
		s_up_many(4);
		W.target->hold = after % 2;
		s_submit(48, 7);
		s_pass(after / 8);
		t_conn_end(t_target_cid(W.target, 2), true);
		if (after % 3 == 0)
			t_conn_end(t_target_cid(W.target, 3), true);
		s_pass(100);
		t_target_release(W.target);
		s_expect_all_good(48);
		s_verify(48, 7);
		s_wait_connections(4);
		s_end_recovered();
	}
}

Test(erl2, s100_waits_time2wait)
{
	s_many(2);
	W.options.default_time2wait = 3;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(10);
	t_conn_end(t_target_cid(W.target, 2), true);
	t_target_release(W.target);
	s_pass(2800);
	cr_assert_eq(s_count(0x06), 0);
	s_expect_all_good(8);
	cr_assert_gt(s_counters().tasks_reassigned, 0);
	s_verify(8, 7);
	s_end_recovered();
}

/* The ExpStatSN of the connection that is lost (RFC 7143 11.14.3). */
Test(erl2, s100_the_logout_bears_the_number_of_the_other_connection)
{
	uint32_t stat_sn;

	s_up_many(2);
	s_submit(9, 7);
	s_expect_all_good(9);
	stat_sn = t_target_cid(W.target, 2)->stat_sn;
	cr_assert_neq(stat_sn, t_target_cid(W.target, 1)->stat_sn);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(100);
	cr_assert_eq(t_get(s_sent(0x06, 0)->bhs, T_EXP_STAT_SN), stat_sn);
	s_end_recovered();
}

Test(erl2, s100_a_command_that_did_not_arrive_is_sent_again)
{
	s_up_many(2);
	t_target_fault(W.target,
		&(struct t_fault){.opcode = 0x01, .cid = 2, .effect = T_KILL});
	s_submit(8, 7);
	s_expect_all_good(8);
	cr_assert_gt(s_counters().tasks_retried, 0);
	s_verify(8, 7);
	s_end_recovered();
}

static void reassign_answer(int response)
{
	s_up_many(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(50);
	W.target->options.reassign_response = response;
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(50);
}

Test(erl2, s101_lost_tasks_end_as_unknown_and_are_fenced)
{
	static const int codes[] = {1, 255};

	for (unsigned i = 0; i < 2; i++) {
		unsigned unknown = 0;

		reassign_answer(codes[i]);
		s_pass(5000);
		t_target_release(W.target);
		s_wait_done();
		for (unsigned k = 0; k < 8; k++)
			unknown += W.commands[k].cmd.result.outcome ==
				   PATH_UNKNOWN;
		cr_assert_eq(unknown, 4, "%u", unknown);
		s_fence();
		s_pass(1);
		cr_assert_eq(W.fence_err, 0);
		cr_assert_eq(s_counters().tasks_reassigned, 0);
		s_end_recovered();
	}
}

Test(erl2, s101_refusals_end_the_session_and_are_remembered)
{
	static const int codes[] = {3, 4, 5};

	for (unsigned i = 0; i < 3; i++) {
		reassign_answer(codes[i]);
		s_wait_down();
		s_expect_reason("does not reassign tasks");
		t_target_release(W.target);
		cr_assert(s_try());
		cr_assert_eq(s_counters().session_recoveries, 1);
		cr_assert_eq(s_said("ErrorRecoveryLevel=2"), 1);
		cr_assert_eq(s_said("ErrorRecoveryLevel=1"), 1);
		s_end_with_breach();
	}
}

Test(erl2, s101_wrong_codes_of_a_success)
{
	s_many(2);
	W.options.manner = T_LIKE_LIO;
	W.options.announce_loss = true;
	W.options.loss_delay_ns = 2 * NS_PER_S;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(16, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(100);
	t_target_release(W.target);
	s_expect_all_good(16);
	cr_assert_gt(s_counters().tasks_reassigned, 0);
	s_verify(16, 7);
	s_wait_connections(2);
	s_end_recovered();
}

Test(erl2, s102_a_read_goes_on_where_it_was)
{
	s_many(2);
	W.config.offer.max_recv_data_segment_length = 8192;
	s_up();
	s_wait_connections(2);
	s_write(0, 131072, 9);
	s_write(1, 131072, 10);
	s_expect_all_good(2);
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = 2,
					 .nth = 6,
					 .effect = T_KILL});
	s_read(0, 131072);
	s_read(1, 131072);
	s_expect_all_good(2);
	cr_assert(s_pattern_is(&W.commands[0], 131072, 9));
	cr_assert(s_pattern_is(&W.commands[1], 131072, 10));
	cr_assert_eq(s_counters().tasks_reassigned, 1);
	s_end_recovered();
}

Test(erl2, s103_a_write_goes_on_with_new_r2ts)
{
	for (unsigned nth = 1; nth < 12; nth++) {
		s_many(2);
		W.options.max_burst_length = 65536;
		W.options.max_outstanding_r2t = 2;
		s_up();
		s_wait_connections(2);
		t_target_fault(W.target, &(struct t_fault){.opcode = 0x05,
						 .cid = 2,
						 .nth = nth,
						 .effect = T_KILL});
		s_write(0, 1048576, 9);
		s_write(1, 1048576, 10);
		s_expect_all_good(2);
		s_read(0, 1048576);
		s_read(1, 1048576);
		s_expect_all_good(2);
		cr_assert(s_pattern_is(&W.commands[0], 1048576, 9));
		cr_assert(s_pattern_is(&W.commands[1], 1048576, 10));
		s_end_recovered();
	}
}

Test(erl2, s104_unsolicited_data_is_not_continued)
{
	for (unsigned nth = 1; nth < 8; nth++) {
		s_many(2);
		W.options.immediate_data = nth & 1;
		W.options.max_recv_data_segment_length = 8192;
		s_up();
		s_wait_connections(2);
		t_target_fault(W.target, &(struct t_fault){.opcode = 0x05,
						 .cid = 2,
						 .nth = nth,
						 .effect = T_KILL});
		s_submit(4, 9);
		s_expect_all_good(4);
		cr_assert_eq(W.target->struck, 1);
		s_verify(4, 9);
		s_end_recovered();
	}
}

Test(erl2, s105_reinstatement_of_the_only_connection)
{
	const struct s_pdu *login;

	s_up_many(1);
	W.target->hold = true;
	s_submit(16, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 1), true);
	s_pass(100);
	t_target_release(W.target);
	s_expect_all_good(16);
	login = s_sent(0x03, s_count(0x03) - 2);
	cr_assert_eq(t_get(login->bhs, T_CID), 1);
	cr_assert_neq(t_get(login->bhs, T_TSIH), 0);
	cr_assert_eq(W.target->conn_reinstatements, 1);
	s_verify(16, 7);
	s_end_recovered();
}

Test(erl2, s106_the_session_is_gone)
{
	s_up_many(1);
	W.target->hold = true;
	s_submit(4, 7);
	s_pass(50);
	s_edit_field(0x23, 0, T_STATUS_CLASS, 2)->times = 1;
	s_set(&W.edits[W.nedits - 1], T_STATUS_DETAIL, 0x0a);
	t_conn_end(t_target_cid(W.target, 1), true);
	s_wait_down();
	for (unsigned i = 0; i < 4; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
	W.target->hold = false;
	cr_assert(s_try());
	cr_assert_eq(s_counters().session_recoveries, 1);
	s_end_with_breach();
}

Test(erl2, s106_too_many_connections_for_a_while)
{
	s_up_many(1);
	W.target->hold = true;
	s_submit(4, 7);
	s_pass(50);
	s_edit_field(0x23, 0, T_STATUS_CLASS, 2)->times = 2;
	s_set(&W.edits[W.nedits - 1], T_STATUS_DETAIL, 6);
	t_conn_end(t_target_cid(W.target, 1), true);
	s_pass(200);
	t_target_release(W.target);
	s_expect_all_good(4);
	s_verify(4, 7);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

Test(erl2, s107_logout_for_recovery_refused)
{
	s_many(2);
	W.options.logout_response = 2;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(4, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_wait_down();
	s_expect_reason("log out for recovery");
	cr_assert(s_try());
	cr_assert_eq(s_said("ErrorRecoveryLevel=1"), 1);
	s_end();
}

Test(erl2, s107_cleanup_fails_and_is_tried_again)
{
	s_many(2);
	W.options.logout_response = 3;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(1500);
	cr_assert_geq(s_count(0x06), 2);
	W.target->options.logout_response = T_AS_IT_IS;
	t_target_release(W.target);
	s_expect_all_good(8);
	s_verify(8, 7);
	s_end_recovered();
}

Test(erl2, s107_nothing_was_retained)
{
	unsigned unknown = 0;

	s_many(2);
	W.config.offer.default_time2retain = 0;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(500);
	t_target_release(W.target);
	s_wait_done();
	for (unsigned i = 0; i < 8; i++)
		unknown += W.commands[i].cmd.result.outcome == PATH_UNKNOWN;
	cr_assert_eq(W.target->reassigns, 0);
	cr_assert_gt(unknown + W.downs, 0);
	s_end();
}

/* The target does not clean up either, and keeps nothing for which to wait. */
Test(erl2, s107_nothing_was_retained_and_cleanup_fails)
{
	s_many(2);
	W.config.offer.default_time2retain = 0;
	W.options.logout_response = 3;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 2), true);
	s_wait_down();
	cr_assert_leq(s_count(0x06), 2);
	s_expect_reason("could not clean up");
	s_end();
}

Test(erl2, s108_all_connections_die)
{
	s_up_many(3);
	W.target->hold = true;
	s_submit(24, 7);
	s_pass(50);
	t_wire_reset(&W.at);
	s_pass(200);
	t_target_release(W.target);
	s_expect_all_good(24);
	s_verify(24, 7);
	s_wait_connections(3);
	s_end_recovered();
}

Test(erl2, s108_and_nobody_is_there_until_it_is_too_late)
{
	s_many(2);
	W.config.offer.default_time2retain = 5;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 7);
	s_pass(50);
	W.wire->refuse = true;
	t_wire_reset(&W.at);
	s_wait_down();
	for (unsigned i = 0; i < 8; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
	W.wire->refuse = false;
	W.target->hold = false;
	cr_assert(s_try());
	cr_assert_eq(s_counters().session_recoveries, 1);
	s_end();
}

Test(erl2, s109_connections_with_other_limits)
{
	s_many(3);
	s_start();
	/* Of the third connection, whose login has the last responses. */
	s_key_in(5, "MaxRecvDataSegmentLength", "16384");
	cr_assert(s_try());
	s_wait_connections(3);
	W.target->hold = true;
	s_submit(24, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 3), true);
	s_pass(200);
	t_target_release(W.target);
	s_expect_all_good(24);
	cr_assert_gt(s_counters().tasks_reassigned, 0);
	s_verify(24, 7);
	s_end_recovered();
}

Test(erl2, s110_the_carrier_dies_too)
{
	for (unsigned opcode = 0; opcode < 2; opcode++) {
		s_up_many(3);
		W.target->hold = true;
		s_submit(24, 7);
		s_pass(50);
		fault(T_FROM_INITIATOR, opcode ? 0x02 : 0x06, T_ANY, T_KILL);
		t_conn_end(t_target_cid(W.target, 2), true);
		s_pass(200);
		t_target_release(W.target);
		s_expect_all_good(24);
		cr_assert_eq(W.target->struck, 1);
		s_verify(24, 7);
		s_wait_connections(3);
		s_end_recovered();
	}
}

/* The carrier dies with the answer to the Logout in the same breath: that is
 * asked for again on the third one, and its answer is none too many. */
Test(erl2, s110_the_carrier_dies_behind_its_answer)
{
	uint8_t bhs[T_BHS_LEN];

	s_up_many(3);
	W.target->hold = true;
	s_submit(24, 7);
	s_pass(50);
	s_edit(0x26, 0)->verdict = T_HOLD;
	t_conn_end(t_target_cid(W.target, 3), true);
	s_pass(50);
	cr_assert_eq(s_count(0x06), 1);
	t_conn_release(t_target_cid(W.target, 1));
	s_make(bhs, 0x22, 0); /* a Task Management Response for a command */
	s_inject(bhs, NULL, 0);
	s_pass(200);
	t_target_release(W.target);
	s_expect_all_good(24);
	s_verify(24, 7);
	s_wait_connections(3);
	cr_assert_eq(s_count(0x06), 3);
	cr_assert_eq(s_counters().connection_recoveries, 2);
	s_end_recovered();
}

Test(erl2, tgt_agrees_to_level_2_and_refuses)
{
	s_many(1);
	W.options.manner = T_LIKE_TGT;
	s_up();
	W.target->hold = true;
	s_submit(4, 7);
	s_pass(50);
	t_conn_end(t_target_cid(W.target, 1), true);
	s_wait_down();
	W.target->hold = false;
	s_expect_reason("does not reassign tasks");
	cr_assert(s_try());
	cr_assert_eq(s_said("ErrorRecoveryLevel=1"), 1);
	s_write(0, 4096, 1);
	s_expect_all_good(1);
	s_end();
}
