/* SPDX-License-Identifier: BSD-2-Clause */
/* How a session ends and comes back: losses, fences, logout, Async Messages,
 * Rejects, pings. */
#include <errno.h>

#include "tests/scenario/s_rig.h"

static void submit_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i % 2)
			s_read(i, 4096);
		else
			s_write(i, 262144, (uint8_t)i);
	}
}

Test(session, a_reset_ends_everything_once_and_reinstatement_fences_it)
{
	struct path_counters counters;

	s_init();
	s_up();
	W.target->hold = true;
	submit_some(32);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	for (unsigned i = 0; i < 32; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
	cr_assert(W.down.was_up);
	cr_assert_eq(W.down.wait, 0);
	s_fence();
	s_pass(100);
	cr_assert_eq(W.fences, 0, "fenced while it is down");
	cr_assert(s_try());
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	cr_assert_eq(W.target->reinstatements, 1);
	path_counters(W.path, &counters);
	cr_assert_eq(counters.logins, 2);
	cr_assert_eq(counters.session_recoveries, 1);
	cr_assert_eq(counters.fences, 1);
	s_end();
}

Test(session, commands_that_never_left_are_not_sent)
{
	s_init();
	W.options.window = 4;
	s_up();
	W.target->hold = true;
	for (unsigned i = 0; i < 8; i++)
		s_read(i, 4096);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	for (unsigned i = 0; i < 4; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
	for (unsigned i = 4; i < 8; i++)
		s_expect(&W.commands[i], PATH_NOT_SENT, -ENOTCONN);
	s_end();
}

Test(session, what_waits_in_the_send_queue_is_not_sent)
{
	unsigned unknown = 0, not_sent = 0;

	s_init();
	s_up();
	W.wire->way[T_OUT].capacity = 100000;
	W.wire->way[T_OUT].blackhole = true;
	for (unsigned i = 0; i < 8; i++)
		s_write(i, 65536, 1);
	s_pass(10);
	path_stop(W.path, true);
	s_wait_down();
	for (unsigned i = 0; i < 8; i++) {
		unknown += W.commands[i].cmd.result.outcome == PATH_UNKNOWN;
		not_sent += W.commands[i].cmd.result.outcome == PATH_NOT_SENT;
	}
	cr_assert_eq(unknown, 2, "%u unknown", unknown);
	cr_assert_eq(not_sent, 6);
	/* None of them arrives later. */
	W.wire->way[T_OUT].blackhole = false;
	s_pass(1000);
	cr_assert_eq(W.lun->writes, 0);
	s_end();
}

Test(session, submitting_to_a_path_that_is_down)
{
	struct s_command *c;

	s_init();
	s_start();
	c = s_read(0, 4096);
	s_wait_done();
	s_expect(c, PATH_NOT_SENT, -ENOTCONN);
	s_end();
}

Test(session, an_orderly_stop_finishes_and_logs_out)
{
	s_init();
	W.options.window = 4;
	s_up();
	submit_some(16);
	path_stop(W.path, false);
	s_wait_down();
	for (unsigned i = 0; i < 16; i++)
		s_expect_good(&W.commands[i]);
	cr_assert_eq(W.target->logouts, 1);
	s_end();
}

Test(session, a_stop_while_connecting)
{
	s_init();
	s_start();
	path_start(W.path);
	path_stop(W.path, false);
	s_wait_down();
	cr_assert_eq(W.ups, 0);
	cr_assert(!W.down.was_up);
	cr_assert(s_try());
	s_end();
}

Test(session, a_fence_with_nothing_to_fence)
{
	s_init();
	s_start();
	s_fence();
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	s_end();
}

Test(session, another_portal_group_fences_nothing)
{
	s_init();
	s_up();
	W.target->hold = true;
	s_write(0, 4096, 1);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	s_fence();
	W.options.portals[0].tpgt = 2;
	cr_assert(s_try());
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, -EXDEV);
	s_end();
}

Test(session, a_path_freed_with_a_fence)
{
	s_init();
	s_up();
	W.target->hold = true;
	s_write(0, 4096, 1);
	s_pass(10);
	t_wire_reset(&W.at);
	s_wait_down();
	s_fence();
	s_pass(10);
	s_end();
	cr_assert_eq(W.fence_err, -ECANCELED);
}

Test(session, async_1_leaves_in_order)
{
	s_init();
	W.options.window = 4;
	s_up();
	W.target->hold = true;
	for (unsigned i = 0; i < 6; i++)
		s_read(i, 4096);
	s_pass(10);
	t_conn_async(s_conn(), 1, 0, 0, 5);
	s_pass(10);
	cr_assert_eq(W.leavings, 1);
	s_expect(&W.commands[4], PATH_NOT_SENT, -ESHUTDOWN);
	t_target_release(W.target);
	s_wait_down();
	for (unsigned i = 0; i < 4; i++)
		s_expect_good(&W.commands[i]);
	cr_assert_eq(W.target->logouts, 1);
	s_expect_reason("the target asked for a logout");
	s_end();
}

Test(session, async_1_logs_out_in_time)
{
	uint64_t began;

	s_init();
	s_up();
	W.target->hold = true;
	s_write(0, 4096, 1);
	s_pass(10);
	began = loop_now(W.loop);
	t_conn_async(s_conn(), 1, 0, 0, 4);
	s_wait_down();
	cr_assert(loop_now(W.loop) - began < 4 * NS_PER_S);
	cr_assert_eq(W.target->logouts, 1);
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECONNRESET);
	s_fence(); /* the logout ended it (RFC 7143 11.14) */
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	s_end();
}

Test(session, async_2_and_3_say_how_long_to_wait)
{
	for (uint8_t event = 2; event <= 3; event++) {
		s_init();
		W.options.default_time2wait = 7;
		s_up();
		t_conn_async(s_conn(), event, 1, 3, 10);
		s_wait_down();
		cr_assert_eq(W.down.wait, 3 * NS_PER_S);
		cr_assert(W.down.was_up);
		s_end();
	}
}

Test(session, a_loss_without_a_word_waits_for_default_time2wait)
{
	s_init();
	W.options.default_time2wait = 7;
	s_up();
	t_wire_reset(&W.at);
	s_wait_down();
	cr_assert_eq(W.down.wait, 7 * NS_PER_S);
	s_end();
}

Test(session, other_async_messages_change_nothing)
{
	static const uint8_t events[] = {0, 5, 99, 255};

	s_init();
	s_up();
	for (unsigned i = 0; i < 4; i++)
		t_conn_async(s_conn(), events[i], 0, 0, 0);
	s_write(0, 4096, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.leavings, 0);
	s_end();
}

Test(session, async_4_is_answered_by_a_new_login)
{
	s_init();
	s_up();
	t_conn_async(s_conn(), 4, 0, 0, 5);
	s_wait_down();
	cr_assert_eq(W.target->logouts, 1);
	s_end();
}

Test(session, pings_of_the_target_are_answered)
{
	s_init();
	s_up();
	s_write(0, S_DATA, 1);
	t_conn_ping(s_conn());
	s_pass(100);
	cr_assert_eq(s_conn()->ping_ttt, T_NO_TAG, "no answer");
	s_end();
}

Test(session, a_target_that_falls_silent)
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

Test(session, an_idle_session_stays)
{
	s_init();
	s_up();
	s_pass(120000);
	cr_assert_eq(W.downs, 0);
	cr_assert(W.target->pings >= 15);
	cr_assert(loop_now(W.loop) - path_heard(W.path) < 7 * NS_PER_S);
	s_end();
}

Test(session, a_probe_is_a_ping)
{
	s_init();
	s_up();
	path_probe(W.path);
	path_probe(W.path);
	s_pass(10);
	cr_assert_eq(W.target->pings, 1);
	s_end();
}

/* The hook rejects one PDU of an opcode in place of the target's handling. */
static uint8_t reject_opcode, reject_reason;

static enum t_verdict reject_one(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	if (t_get(bhs, T_OPCODE) != reject_opcode)
		return T_PASS;
	reject_opcode = 0xff;
	if (!t_get(bhs, T_IMMEDIATE) && c->session) {
		c->session->exp_cmd_sn++;
		c->session->max_cmd_sn++;
	}
	t_conn_reject(c, reject_reason, bhs);
	return T_DROP;
}

static struct s_command *rejected(uint8_t reason)
{
	struct s_command *c;

	s_init();
	s_up();
	reject_opcode = 1;
	reject_reason = reason;
	W.hooks.rx = reject_one;
	c = s_write(0, 4096, 1);
	s_wait_done();
	return c;
}

Test(session, rejects_that_fail_the_command)
{
	static const uint8_t reasons[] = {0x05, 0x09, 0x0a};

	for (unsigned i = 0; i < 3; i++) {
		s_expect(rejected(reasons[i]), PATH_UNKNOWN, -EREMOTEIO);
		cr_assert_eq(W.downs, 0);
		s_write(1, 4096, 1);
		s_wait_done();
		s_expect_good(&W.commands[1]);
		s_end();
	}
}

Test(session, a_command_rejected_for_a_logout_was_not_begun)
{
	s_expect(rejected(0x0c), PATH_NOT_SENT, -EREMOTEIO);
	s_end();
}

Test(session, rejects_that_end_the_connection)
{
	static const uint8_t reasons[] = {0x02, 0x03, 0x04, 0x08, 0x0b, 0x77};

	for (unsigned i = 0; i < sizeof reasons; i++) {
		s_expect(rejected(reasons[i]), PATH_UNKNOWN, -ECONNRESET);
		s_wait_down();
		s_expect_reason("the target rejected a SCSI Command");
		s_end();
	}
}

Test(session, a_ping_that_is_rejected_shows_life)
{
	s_init();
	s_up();
	reject_opcode = 0;
	reject_reason = 6;
	W.hooks.rx = reject_one;
	path_probe(W.path);
	s_pass(20000);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(session, a_closed_window_is_asked_for)
{
	s_init();
	W.options.window = 1;
	s_up();
	W.target->hold = true;
	s_read(0, 4096);
	s_read(1, 4096);
	s_pass(7000);
	cr_assert(W.target->pings >= 1);
	t_target_release(W.target);
	s_wait_done();
	s_expect_good(&W.commands[1]);
	s_end();
}

Test(session, facts)
{
	struct path_facts facts;

	s_init();
	W.options.portals[0].tpgt = 9;
	s_up();
	path_facts(W.path, &facts);
	cr_assert_str_eq(facts.portal, "127.0.0.1:3260");
	cr_assert_str_eq(facts.portals[0], "127.0.0.1:3260");
	cr_assert_null(facts.portals[1]);
	cr_assert_eq(facts.tpgt, 9);
	cr_assert_eq(facts.lun, 1);
	cr_assert_eq(facts.connections, 1);
	cr_assert_eq(facts.inflight_max, 64, "%u", facts.inflight_max);
	s_end();
}
