/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target with several connections a session, and at
 * ErrorRecoveryLevel 2: parked tasks, Logout for recovery, TASK REASSIGN (RFC
 * 7143 4.2.2, 6.3.4, 7.2.2, 7.5, 11.5). */
#include <criterion/criterion.h>
#include <string.h>

#include "raw.h"

static void setup(void)
{
	raw_init();
}

TestSuite(target_erl2, .init = setup);

static void start(unsigned conns)
{
	unsigned n;

	raw_begin();
	for (n = 0; n < conns; n++)
		cr_assert_eq(
			raw_login(n, (uint16_t)(n + 1), n ? tsih : 0)->status,
			0);
}

static unsigned logout_for_recovery(struct raw *r, uint16_t cid)
{
	uint8_t bhs[T_BHS_LEN];

	make_logout(bhs, 2, cid);
	raw_request(r, bhs, NULL, 0);
	return (unsigned)t_get(got(r, 0x26, 0), T_RESPONSE);
}

static unsigned reassign(struct raw *r, uint32_t itt, uint32_t exp_data_sn)
{
	uint8_t bhs[T_BHS_LEN];

	make_tmf(bhs, 8, itt, 0);
	t_set(bhs, T_EXP_DATA_SN, exp_data_sn);
	raw_request(r, bhs, NULL, 0);
	return (unsigned)t_get(got(r, 0x22, 0), T_RESPONSE);
}

Test(target_erl2, joining)
{
	options.max_connections = 2;
	start(2);
	cr_expect_eq(raw_login(2, 3, tsih)->status, 0x0206);
	raw_leave(&raw[2]);
	cr_expect_eq(raw_login(2, 3, (uint16_t)(tsih + 1))->status, 0x020a);
	raw_leave(&raw[2]);
	cr_expect_eq(t_target_cid(target, 2)->session,
		t_target_cid(target, 1)->session);
	raw_end();
}

Test(target_erl2, one_order_over_all)
{
	uint8_t bhs[T_BHS_LEN], late[T_BHS_LEN];

	start(2);
	make_rw(late, false, 10, 512);
	t_set(late, T_CMD_SN, cmd_sn++);
	make_rw(bhs, false, 11, 512);
	raw_request(&raw[1], bhs, NULL, 0);
	cr_expect_eq(raw[1].count, 0);
	raw_send(&raw[0], late, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x21, 0), T_ITT), 10);
	cr_expect_eq(t_get(got(&raw[1], 0x21, 0), T_ITT), 11);
	cr_expect_eq(t_get(got(&raw[1], 0x21, 0), T_EXP_CMD_SN), cmd_sn);
	make_rw(bhs, false, 12, 512);
	t_set(bhs, T_CMD_SN, cmd_sn + 64);
	raw_send(&raw[0], bhs, NULL, 0);
	cr_expect_eq(raw[0].count, 0);
	expect_violation("beyond MaxCmdSN");
	raw_end();
}

/* At level 0 nothing brings back what was lost of a command that waits: it is
 * not executed, and the rest of its data is no breach. */
Test(target_erl2, data_lost_before_their_turn)
{
	uint8_t bhs[T_BHS_LEN], late[T_BHS_LEN];
	unsigned n;

	options.error_recovery_level = 0;
	options.initial_r2t = false;
	start(2);
	memset(lun->memory, 0, 4096);
	t_target_spoil(target, T_FROM_INITIATOR, 0x05);
	make_rw(late, false, 10, 512);
	t_set(late, T_CMD_SN, cmd_sn++);
	make_rw(bhs, true, 11, 2048);
	t_set(bhs, T_FINAL, 0);
	raw_request(&raw[1], bhs, NULL, 0);
	for (n = 0; n < 2; n++) {
		t_make(bhs, 0x05);
		t_set(bhs, T_FINAL, n == 1);
		t_set(bhs, T_ITT, 11);
		t_set(bhs, T_DATA_SN, n);
		t_set(bhs, T_OFFSET, n * 1024);
		raw_send(&raw[1], bhs, pattern + n * 1024, 1024);
		cr_expect_eq(got_count(&raw[1], 0x3f), n == 0);
	}
	raw_send(&raw[0], late, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x21, 0), T_ITT), 10);
	make_rw(bhs, false, 12, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x21, 0), T_EXP_CMD_SN), cmd_sn);
	cr_expect_eq(got_count(&raw[1], 0x31), 0);
	cr_expect_eq(got_count(&raw[1], 0x21), 0);
	cr_expect_eq(lun->memory[1024], 0);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	raw_end();
}

Test(target_erl2, read_is_reassigned)
{
	uint8_t bhs[T_BHS_LEN];

	keys = "MaxRecvDataSegmentLength=2048;";
	start(1);
	raw_login(1, 2, tsih);
	t_target_fault(target, &(struct t_fault){T_TO_INITIATOR, 0x25, 1,
				       .nth = 4, .effect = T_KILL});
	make_rw(bhs, false, 10, 16384);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect(raw[0].closed);
	cr_expect_eq(reassign(&raw[1], 10, 3), 3);
	expect_violation("before connection 1 was logged out");
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	memcpy(raw[1].data, raw[0].data, RAW_DATA);
	/* The new connection takes longer PDUs: 6144 to 8192, and 8 KiB. */
	cr_expect_eq(reassign(&raw[1], 10, 3), 0);
	cr_expect_eq(t_get(raw[1].got[1].bhs, T_DATA_SN), 3);
	cr_expect_eq(t_get(raw[1].got[1].bhs, T_OFFSET), 6144);
	cr_expect_eq(t_get(got(&raw[1], 0x21, 0), T_EXP_DATA_SN), 5);
	cr_expect_eq(target->commands, 1);
	raw_ack(&raw[1]);
	cr_expect_eq(reassign(&raw[1], 10, 0), 1, "it is over");
	raw_end();
}

Test(target_erl2, write_is_reassigned)
{
	uint8_t bhs[T_BHS_LEN], r2t[T_BHS_LEN];

	start(2);
	memset(lun->memory, 0, 16384);
	make_rw(bhs, true, 10, 16384);
	raw_request(&raw[0], bhs, pattern, 2048);
	memcpy(r2t, got(&raw[0], 0x31, 0), T_BHS_LEN);
	t_conn_end(t_target_cid(target, 1), true);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(reassign(&raw[1], 10, 0), 0);
	cr_expect_neq(t_get(got(&raw[1], 0x31, 0), T_TTT), t_get(r2t, T_TTT));
	cr_expect_eq(t_get(got(&raw[1], 0x31, 0), T_OFFSET), 2048);
	memcpy(bhs, got(&raw[1], 0x31, 0), T_BHS_LEN);
	answer_r2t(&raw[1], bhs, 8192);
	memcpy(bhs, got(&raw[1], 0x31, 0), T_BHS_LEN);
	answer_r2t(&raw[1], bhs, 8192);
	cr_expect_eq(t_get(got(&raw[1], 0x21, 0), T_STATUS), 0);
	cr_expect_arr_eq(lun->memory, pattern, 16384);
	cr_expect_eq(target->commands, 1);
	cr_expect_eq(target->reassigns, 1);
	raw_end();
}

/* The one that takes over dies as well: at its answer, then at its data. */
Test(target_erl2, carriers_die)
{
	uint8_t bhs[T_BHS_LEN];

	start(4);
	make_rw(bhs, false, 10, 16384);
	t_target_fault(target,
		&(struct t_fault){T_TO_INITIATOR, 0x25, 1, .effect = T_KILL});
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	t_target_fault(target,
		&(struct t_fault){T_TO_INITIATOR, 0x22, 2, .effect = T_KILL});
	make_tmf(bhs, 8, 10, 0);
	raw_request(&raw[1], bhs, NULL, 0);
	cr_expect(raw[1].closed);
	cr_expect_eq(logout_for_recovery(&raw[2], 2), 0);
	t_target_fault(target, &(struct t_fault){T_TO_INITIATOR, 0x25, 3,
				       .nth = 2, .effect = T_KILL});
	make_tmf(bhs, 8, 10, 0);
	raw_request(&raw[2], bhs, NULL, 0);
	cr_expect(raw[2].closed);
	cr_expect_eq(logout_for_recovery(&raw[3], 3), 0);
	cr_expect_eq(reassign(&raw[3], 10, 0), 0);
	cr_expect_arr_eq(raw[3].data, pattern, 16384);
	cr_expect_eq(target->commands, 1);
	raw_end();
}

/* A connection closes another one: its tasks are gone. */
Test(target_erl2, logout_of_another)
{
	uint8_t bhs[T_BHS_LEN];

	start(2);
	make_rw(bhs, true, 10, 8192);
	raw_request(&raw[0], bhs, NULL, 0);
	make_logout(bhs, 1, 1);
	raw_request(&raw[1], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[1], 0x26, 0), T_RESPONSE), 0);
	cr_expect(raw[0].closed);
	cr_expect_eq(reassign(&raw[1], 10, 0), 1);
	raw_request(&raw[1], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[1], 0x26, 0), T_RESPONSE), 1);
	raw_end();
}

Test(target_erl2, unacknowledged_command_is_retried)
{
	uint8_t bhs[T_BHS_LEN];

	start(2);
	t_target_fault(target,
		&(struct t_fault){T_FROM_INITIATOR, 0x01, 1, .effect = T_LOSE});
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(10);
	raw_send(&raw[1], bhs, NULL, 0);
	expect_violation("before a logout");
	cr_expect_eq(t_get(got(&raw[1], 0x21, 0), T_ITT), 10);
	make_rw(bhs, false, 11, 512);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	raw_request(&raw[1], bhs, NULL, 0);
	cr_expect_eq(got_count(&raw[1], 0x21), 1);
	raw_end();
}

Test(target_erl2, same_connection_again)
{
	uint8_t bhs[T_BHS_LEN];

	options.max_connections = 1;
	start(1);
	target->hold = true;
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(10);
	cr_expect_eq(raw_login(0, 1, tsih)->status, 0);
	cr_expect_eq(target->conn_reinstatements, 1);
	cr_expect_eq(target->reinstatements, 0);
	cr_expect_eq(reassign(&raw[0], 10, 0), 0);
	cr_expect_eq(raw[0].count, 1);
	t_target_release(target);
	raw_wait(10);
	cr_expect_eq(got_count(&raw[0], 0x21), 1);
	cr_expect_arr_eq(raw[0].data, pattern, 512);
	raw_end();
}

/* Old statuses are acknowledged by the first Login Request. */
Test(target_erl2, login_acknowledges)
{
	uint8_t bhs[T_BHS_LEN];

	start(1);
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(10);
	raw_login(0, 1, tsih);
	cr_expect_eq(reassign(&raw[0], 10, 0), 1);
	raw_end();
}

Test(target_erl2, another_connection_goes_on)
{
	uint8_t bhs[T_BHS_LEN];

	options.max_connections = 1;
	start(1);
	target->hold = true;
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(10);
	raw[1].exp_stat_sn = 0;
	cr_expect_eq(raw_login(1, 2, tsih)->status, 0);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(reassign(&raw[1], 10, 0), 0);
	raw_end();
}

Test(target_erl2, time2retain)
{
	uint8_t bhs[T_BHS_LEN];

	keys = "DefaultTime2Retain=3;";
	start(2);
	target->hold = true;
	make_rw(bhs, true, 10, 8192);
	raw_request(&raw[0], bhs, NULL, 0);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(2900);
	cr_expect_eq(target->discarded, 0);
	raw_wait(200);
	cr_expect_eq(target->discarded, 1);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 1);
	cr_expect_eq(reassign(&raw[1], 10, 0), 1);
	t_conn_end(t_target_cid(target, 2), true);
	raw_wait(3100);
	cr_expect(LIST_EMPTY(&target->sessions));
	cr_expect_eq(raw_login(2, 2, tsih)->status, 0x020a);
	raw_end();
}

/* The initiator may have given up long ago what it could not say so to. */
Test(target_erl2, time2wait_of_who_was_cut_off)
{
	options.default_time2wait = 2;
	start(2);
	t_target_cid(target, 1)->was_stalled = true;
	t_conn_end(t_target_cid(target, 1), true);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	raw_end();
}

Test(target_erl2, time2wait)
{
	options.default_time2wait = 2;
	start(2);
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(1000);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(t_get(got(&raw[1], 0x26, 0), T_TIME2WAIT), 1);
	expect_violation("before Time2Wait");
	raw_end();
}

Test(target_erl2, ordered_answers)
{
	start(2);
	t_conn_end(t_target_cid(target, 1), true);
	target->options.logout_response = 3;
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 3);
	target->options.logout_response = T_AS_IT_IS;
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	target->options.reassign_response = 4;
	cr_expect_eq(reassign(&raw[1], 10, 0), 4);
	target->options.manner = T_LIKE_TGT;
	cr_expect_eq(reassign(&raw[1], 10, 0), 5);
	raw_end();
}

Test(target_erl2, like_lio)
{
	uint8_t bhs[T_BHS_LEN];

	options.manner = T_LIKE_LIO;
	options.max_connections = 2;
	start(2);
	target->hold = true;
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	raw[1].count = 0;
	t_conn_end(t_target_cid(target, 1), true);
	raw_wait(1800);
	cr_expect_eq(raw_login(2, 3, tsih)->status, 0x0206);
	cr_expect_eq(raw[1].count, 0);
	raw_wait(200);
	cr_expect_eq(t_get(got(&raw[1], 0x32, 0), T_EVENT), 2);
	cr_expect_eq(t_get(got(&raw[1], 0x32, 0), T_PARAM1), 1);
	cr_expect_eq(reassign(&raw[1], 11, 0), 0, "no such task");
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(reassign(&raw[1], 10, 0), 255, "success");
	cr_expect_eq(reassign(&raw[1], 10, 0), 2, "still allegiant");
	raw_end();
}

Test(target_erl2, like_tgt)
{
	uint8_t bhs[T_BHS_LEN];

	options.manner = T_LIKE_TGT;
	start(2);
	cr_expect_eq(t_target_cid(target, 1)->session->error_recovery_level, 2);
	cr_expect_eq(logout_for_recovery(&raw[1], 1), 0);
	cr_expect_eq(reassign(&raw[1], 10, 0), 5);
	make_snack(bhs, 1, T_NO_TAG, raw[0].exp_stat_sn, 0);
	raw_send(&raw[0], bhs, NULL, 0);
	cr_expect(raw[0].closed);
	make_rw(bhs, false, 11, 512);
	raw_request(&raw[1], bhs, NULL, 0);
	raw_send(&raw[1], bhs, NULL, 0);
	cr_expect(raw[1].closed);
	raw_end();
}

Test(target_erl2, hole_is_filled_by_abort)
{
	uint8_t bhs[T_BHS_LEN];

	start(2);
	t_target_lose(target, T_FROM_INITIATOR, 0x01);
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	make_rw(bhs, false, 11, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(raw[0].count, 0);
	make_tmf(bhs, 1, 10, cmd_sn - 2);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x22, 0), T_RESPONSE), 0);
	cr_expect_eq(t_get(got(&raw[0], 0x21, 0), T_ITT), 11);
	raw_end();
}

Test(target_erl2, fast_abort)
{
	uint8_t bhs[T_BHS_LEN], r2t[T_BHS_LEN];

	options.task_reporting = true;
	options.reporting = T_FAST_ABORT;
	keys = "TaskReporting=FastAbort,ResponseFence,RFC3720;";
	start(2);
	cr_assert_eq(t_target_cid(target, 1)->session->reporting, T_FAST_ABORT);
	make_rw(bhs, true, 10, 8192);
	raw_request(&raw[1], bhs, NULL, 0);
	memcpy(r2t, got(&raw[1], 0x31, 0), T_BHS_LEN);
	make_tmf(bhs, 5, T_NO_TAG, 0);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(raw[0].count, 0, "the response waits");
	cr_expect_eq(t_get(got(&raw[1], 0x32, 0), T_EVENT), 5);
	raw_ack(&raw[1]);
	cr_expect_eq(t_get(got(&raw[0], 0x22, 0), T_RESPONSE), 0);
	cr_expect_eq(target->violations, 0, "%s", target->violation);
	answer_r2t(&raw[1], r2t, 8192);
	expect_violation("after FastAbort");
	raw_end();
}

Test(target_erl2, protocol_level_2)
{
	uint8_t bhs[T_BHS_LEN];

	options.protocol_level = 2;
	keys = "iSCSIProtocolLevel=2;";
	start(1);
	make_rw(bhs, true, 10, 8192);
	raw_request(&raw[0], bhs, NULL, 0);
	make_tmf(bhs, 9, 10, cmd_sn - 1);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x22, 0), T_RESPONSE), 7);
	make_tmf(bhs, 11, T_NO_TAG, 0);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x22, 0), T_RESPONSE), 0);
	make_tmf(bhs, 10, T_NO_TAG, 0);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(t_get(got(&raw[0], 0x22, 0), T_RESPONSE), 0);
	raw_end();
}

Test(target_erl2, stalled_and_rejected)
{
	uint8_t bhs[T_BHS_LEN];
	unsigned reason;

	start(2);
	t_conn_stall(t_target_cid(target, 1), true);
	make_rw(bhs, false, 10, 512);
	raw_request(&raw[0], bhs, NULL, 0);
	cr_expect_eq(raw[0].count, 0);
	t_conn_stall(t_target_cid(target, 1), false);
	raw_wait(10);
	cr_expect_eq(got_count(&raw[0], 0x21), 1);
	for (reason = 1; reason <= 0x0c; reason++) {
		t_target_fault(target,
			&(struct t_fault){T_FROM_INITIATOR, 0x00, 2,
				.effect = T_REJECT, .reason = (uint8_t)reason});
		t_make(bhs, 0x00);
		t_set(bhs, T_IMMEDIATE, 1);
		t_set(bhs, T_FINAL, 1);
		t_set(bhs, T_ITT, 7);
		raw_request(&raw[1], bhs, NULL, 0);
		cr_expect_eq(t_get(got(&raw[1], 0x3f, 0), T_RESPONSE), reason);
	}
	t_conn_async_sense(t_target_cid(target, 2), 0x062a09);
	raw_wait(10);
	cr_expect_eq(t_get(got(&raw[1], 0x32, 0), T_EVENT), 0);
	raw_end();
}
