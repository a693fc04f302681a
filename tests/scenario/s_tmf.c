/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that are given up: ABORT TASK, LOGICAL UNIT RESET, the end. */
#include <errno.h>

#include "tests/scenario/s_rig.h"

/* Requests that the target never sees, and another answer than its own. */
static struct {
	unsigned drop, functions[16];
	int answer; /* -1: as it is */
} tmf;

static enum t_verdict on_rx(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)c;
	(void)data;
	(void)len;
	if (t_get(bhs, T_OPCODE) != 2)
		return T_PASS;
	tmf.functions[t_get(bhs, T_FUNCTION) & 15]++;
	return tmf.drop > 0 && tmf.drop-- ? T_DROP : T_PASS;
}

static enum t_verdict on_tx(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)arg;
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) != 0x22)
		return T_PASS;
	if (tmf.answer >= 0)
		t_set(pdu->bhs, T_RESPONSE, tmf.answer);
	return T_PASS;
}

static void begin(void)
{
	s_init();
	tmf.drop = 0;
	tmf.answer = -1;
	W.hooks.rx = on_rx;
	W.hooks.tx = on_tx;
	W.config.timeouts.abort = 2 * NS_PER_S;
	W.config.timeouts.lun_reset = 3 * NS_PER_S;
	W.config.timeouts.ping_interval = 0;
	s_up();
	W.target->hold = true;
}

Test(tmf, an_abort_ends_the_command_alone)
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
	cr_assert_eq(tmf.functions[1], 1);
	s_fence(); /* the target has confirmed it */
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
	t_target_release(W.target);
	s_wait_done();
	s_expect_good(&W.commands[1]);
	s_end();
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
	cr_assert_eq(tmf.functions[1], 4);
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

Test(tmf, the_answer_of_the_command_wins)
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

Test(tmf, no_such_task_ends_it_too)
{
	begin();
	s_write(0, 4096, 1);
	s_pass(10);
	tmf.answer = 1;
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(tmf, an_unanswered_abort_resets_the_unit)
{
	begin();
	s_write(0, 4096, 1);
	s_read(1, 4096);
	s_pass(10);
	tmf.drop = 1;
	path_abort(W.path, &W.commands[0].cmd);
	s_pass(1000);
	cr_assert_eq(W.open, 2);
	s_wait_done();
	cr_assert_eq(tmf.functions[5], 1);
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	s_expect(&W.commands[1], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(tmf, refusals_escalate_to_the_end)
{
	static const int answers[] = {2, 5, 6, 255};

	for (unsigned i = 0; i < 4; i++) {
		begin();
		s_write(0, 4096, 1);
		s_pass(10);
		tmf.answer = answers[i];
		path_abort(W.path, &W.commands[0].cmd);
		s_wait_down();
		s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
		s_expect_reason("LOGICAL UNIT RESET");
		s_end_with_breach();
	}
}

Test(tmf, silence_escalates_to_the_end_in_time)
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
