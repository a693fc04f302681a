/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 71 to 74: commands that are given up: ABORT TASK, LOGICAL UNIT
 * RESET, the end (RFC 7143 4.2.2.3.3, 11.5, 11.6). */
#include <errno.h>

#include "tests/scenario/s_many.h"

#define TMF_REQ 0x02
#define TMF_RSP 0x22
#define ABORT   1
#define RESET   5

/* Requests that the target never sees. */
static unsigned drop;

static enum t_verdict on_rx(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)c;
	(void)data;
	(void)len;
	if (t_get(bhs, T_OPCODE) != TMF_REQ)
		return T_PASS;
	return drop > 0 && drop-- ? T_DROP : T_PASS;
}

/* Requests with that function. */
static unsigned asked(unsigned function)
{
	unsigned n = 0;

	for (unsigned i = 0; s_sent(TMF_REQ, i); i++)
		n += t_get(s_sent(TMF_REQ, i)->bhs, T_FUNCTION) == function;
	return n;
}

static void begin(void)
{
	s_init();
	drop = 0;
	W.hooks.rx = on_rx;
	W.config.timeouts.abort = 2 * NS_PER_S;
	W.config.timeouts.lun_reset = 3 * NS_PER_S;
	W.config.timeouts.ping_interval = 0;
	s_up();
	W.target->hold = true;
}

Test(scenario, s071_abort_ends_the_command_alone)
{
	begin();
	s_write(0, 4096, 1);
	s_read(1, 4096);
	s_pass(10);
	path_abort(W.path, &W.commands[0].cmd);
	path_abort(W.path, &W.commands[0].cmd);
	s_pass(10);
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(W.commands[1].done, 0);
	cr_assert_eq(asked(ABORT), 1);
	s_fence(); /* the target has confirmed it */
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	t_target_release(W.target);
	s_wait_done();
	s_expect_good(&W.commands[1]);
	s_end();
}

Test(scenario, s071_the_answer_that_crosses_wins)
{
	begin();
	W.wire->way[T_IN].delay_ns = 50 * NS_PER_MS;
	s_write(0, 4096, 1);
	s_pass(10);
	t_target_release(W.target);
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_pass(200);
	/* Its tag is free again only now. */
	s_read(1, 4096);
	s_wait_done();
	s_expect_good(&W.commands[1]);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s071_no_such_task_ends_it_too)
{
	begin();
	s_write(0, 4096, 1);
	s_pass(10);
	s_edit_field(TMF_RSP, 0, T_RESPONSE, 1);
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(asked(RESET), 0);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s072_unanswered_abort_resets_the_unit)
{
	begin();
	s_write(0, 4096, 1);
	s_read(1, 4096);
	s_pass(10);
	drop = 1;
	path_abort(W.path, &W.commands[0].cmd);
	s_pass(1000);
	cr_assert_eq(W.open, 2);
	s_wait_done();
	cr_assert_eq(asked(RESET), 1);
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	s_expect(&W.commands[1], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(W.downs, 0);
	s_end();
}

/* The answer to the abort comes while the unit is being reset. */
Test(scenario, s072_late_answer_to_the_abort)
{
	begin();
	s_write(0, 4096, 1);
	s_pass(10);
	W.wire->way[T_IN].delay_ns = 2500 * NS_PER_MS;
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(asked(ABORT), 1);
	cr_assert_eq(asked(RESET), 1);
	s_pass(5000);
	cr_assert_eq(W.downs, 0, "%s", W.down.reason);
	s_end();
}

Test(scenario, s072_silence_escalates_to_the_end_in_time)
{
	uint64_t began;

	begin();
	s_write(0, 4096, 1);
	s_pass(10);
	began = loop_now(W.loop);
	s_conn()->silent = true;
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_down();
	cr_assert(loop_now(W.loop) - began < 6 * NS_PER_S);
	s_expect_reason("no answer to task management");
	s_end();
}

/* Until the reset is answered, data that is asked for is sent (RFC 7143
 * 4.2.2.3.3 a). */
Test(scenario, s073_r2t_while_the_unit_is_reset)
{
	struct s_edit *held;

	begin();
	W.target->hold = false;
	held = s_edit(0x31, 0);
	held->verdict = T_HOLD;
	s_write(0, S_DATA, 1);
	s_pass(10);
	drop = 2;
	path_abort(W.path, &W.commands[0].cmd);
	s_pass(2500);
	cr_assert_eq(asked(RESET), 1);
	cr_assert_eq(W.open, 1);
	t_conn_release(s_conn());
	s_pass(10);
	cr_assert_eq(t_get(s_sent(0x05, s_count(0x05) - 1)->bhs, T_OFFSET) +
			     s_sent(0x05, s_count(0x05) - 1)->len,
		S_DATA);
	s_expect_good(&W.commands[0]);
	s_end_with_breach();
}

/* With FastAbort the R2Ts of before are not served once the reset is asked for:
 * the target would complain. */
Test(scenario, s073_fast_abort)
{
	struct s_edit *held;
	unsigned before;

	s_init();
	W.config.timeouts.abort = 2 * NS_PER_S;
	W.options.task_reporting = true;
	W.options.reporting = T_FAST_ABORT;
	W.hooks.rx = on_rx;
	s_up();
	cr_assert(s_said("TaskReporting=FastAbort,ResponseFence,RFC3720"));
	held = s_edit(0x31, 0);
	held->verdict = T_HOLD;
	s_write(0, S_DATA, 1);
	s_pass(10);
	drop = 1; /* the ABORT TASK */
	path_abort(W.path, &W.commands[0].cmd);
	s_pass(1900);
	before = s_count(0x05);
	/* The R2T comes while the reset is under way. */
	s_edit(0x22, 0)->verdict = T_HOLD;
	s_pass(200);
	cr_assert_eq(asked(RESET), 1);
	cr_assert_eq(W.open, 1);
	t_conn_release(s_conn());
	s_wait_done();
	cr_assert_eq(s_count(0x05), before);
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	/* Those of later writes are, also when its tag comes round. */
	for (unsigned i = 0; i < 80; i++) {
		s_write(1, S_DATA, 1);
		s_wait_done();
		s_expect(&W.commands[1], PATH_DONE, 0);
	}
	cr_assert_eq(W.downs, 0);
	s_end();
}

/* Two connections, and commands on the second one that have not
 * arrived when the unit is reset over the first one. Their CmdSNs still have to
 * come, or nothing that follows is ever taken. Command 0
 * goes to the second, 1 to the first. */
static void begin_two(void)
{
	s_many(2);
	drop = 0;
	W.hooks.rx = on_rx;
	W.options.default_time2wait = 3;
	W.config.timeouts.abort = 300 * NS_PER_MS;
	W.config.timeouts.ping_interval = 0;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
}

static void reset_over_the_first(void)
{
	drop = 1; /* the ABORT TASK */
	path_abort(W.path, &W.commands[1].cmd);
	s_pass(700);
	cr_assert_eq(asked(RESET), 1);
	s_expect(&W.commands[1], PATH_UNKNOWN, -ECANCELED);
	W.target->hold = false;
}

static void all_follow(unsigned n)
{
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0); /* perhaps: it was reset */
	for (unsigned i = 0; i < n; i++)
		s_write(i, 4096, 1);
	s_expect_all_good(n);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(tmf, a_reset_spares_what_a_lost_connection_had_not_brought)
{
	begin_two();
	t_target_fault(W.target,
		&(struct t_fault){.opcode = 0x01, .cid = 2, .effect = T_KILL});
	s_write(0, 65536, 1);
	s_write(1, 65536, 1);
	s_pass(100);
	reset_over_the_first();
	cr_assert_eq(W.commands[0].done, 0);
	all_follow(8);
}

Test(tmf, a_reset_spares_what_has_not_left)
{
	begin_two();
	W.wire->way[T_OUT].capacity = 16384;
	t_conn_stall(t_target_cid(W.target, 2), true);
	for (unsigned i = 0; i < 6; i++)
		s_write(i, 65536, 1);
	s_pass(100);
	reset_over_the_first();
	t_conn_stall(t_target_cid(W.target, 2), false);
	all_follow(8);
}

/* One of them was given up too: it is aborted when it is there. */
Test(tmf, a_reset_spares_and_an_abort_follows)
{
	begin_two();
	t_target_fault(W.target,
		&(struct t_fault){.opcode = 0x01, .cid = 2, .effect = T_KILL});
	W.commands[0].cmd.deadline = loop_now(W.loop) + 200 * NS_PER_MS;
	s_write(0, 65536, 1);
	s_write(1, 65536, 1);
	s_pass(100);
	reset_over_the_first();
	W.target->hold = true;
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -ETIMEDOUT);
	cr_assert_eq(asked(ABORT), 2);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s074_refusals_escalate_to_the_end)
{
	static const int answers[] = {2, 3, 4, 5, 6, 255};

	for (unsigned i = 0; i < 6; i++) {
		begin();
		s_write(0, 4096, 1);
		s_pass(10);
		s_edit_field(TMF_RSP, 0, T_RESPONSE, answers[i])->times = 2;
		path_abort(W.path, &W.commands[0].cmd);
		s_wait_down();
		cr_assert_eq(asked(RESET), 1);
		s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
		s_expect_reason("LOGICAL UNIT RESET");
		s_end_with_breach();
	}
}

Test(tmf, a_deadline_aborts)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		W.commands[i].cmd.deadline = loop_now(W.loop) + 500 * NS_PER_MS;
		s_read(i, 4096);
	}
	s_pass(450);
	cr_assert_eq(W.open, 4);
	s_pass(300);
	for (unsigned i = 0; i < 4; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ETIMEDOUT);
	cr_assert_eq(asked(ABORT), 4);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(tmf, a_deadline_in_the_line_for_the_window)
{
	s_init();
	W.options.window = 1;
	s_up();
	W.target->hold = true;
	s_read(0, 4096);
	W.commands[1].cmd.deadline = loop_now(W.loop) + 500 * NS_PER_MS;
	s_read(1, 4096);
	s_pass(700);
	s_expect(&W.commands[1], PATH_NOT_SENT, -ETIMEDOUT);
	s_read(2, 4096);
	path_abort(W.path, &W.commands[2].cmd);
	s_pass(1);
	s_expect(&W.commands[2], PATH_NOT_SENT, -ECANCELED);
	s_end();
}
