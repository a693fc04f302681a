/* SPDX-License-Identifier: BSD-2-Clause */
/* How a session ends and comes back, beyond the numbered scenarios: losses,
 * fences, stops. */
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
