/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 75 to 82: what the target says unasked, and the logout (RFC 7143
 * 11.9, 11.14, 11.15, 11.17). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

#define TEXT_REQ   0x04
#define LOGOUT_REQ 0x06
#define LOGOUT_RSP 0x26

Test(scenario, s075_async_1_leaves_in_order)
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

Test(scenario, s075_async_1_logs_out_in_time)
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
	s_fence(); /* a target may answer first, and end it then */
	s_pass(1);
	cr_assert_eq(W.fences, 0);
	cr_assert(s_try());
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
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

Test(scenario, s076_command_rejected_for_a_logout_was_not_begun)
{
	s_expect(rejected(0x0c), PATH_NOT_SENT, -EREMOTEIO);
	s_end();
}

Test(scenario, s077_async_2_and_3_say_how_long_to_wait)
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

Test(scenario, s077_async_2_of_another_connection)
{
	s_init();
	s_up();
	t_conn_async(s_conn(), 2, 7, 3, 10);
	s_write(0, 4096, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s078_other_async_messages_change_nothing)
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

Test(scenario, s078_async_4_is_answered_by_a_text_request)
{
	s_init();
	s_up();
	t_conn_async(s_conn(), 4, 0, 0, 5);
	s_pass(100);
	cr_assert_eq(s_count(TEXT_REQ), 1);
	cr_assert_eq(s_sent(TEXT_REQ, 0)->len, 0);
	cr_assert_eq(t_get(s_sent(TEXT_REQ, 0)->bhs, T_FINAL), 1);
	s_write(0, 65536, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.leavings, 0);
	cr_assert_eq(W.downs, 0);
	s_end();
}

/* In the answer the target declares another limit of its own. */
Test(scenario, s078_and_the_target_declares_anew)
{
	static const char limit[] = "MaxRecvDataSegmentLength=4096";
	unsigned before;

	s_init();
	s_up();
	s_set_data(s_edit(0x24, 0), limit, sizeof limit);
	t_conn_async(s_conn(), 4, 0, 0, 5);
	s_pass(100);
	before = s_count(0x05);
	s_write(0, 262144, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	for (unsigned i = before; i < s_count(0x05); i++)
		cr_assert_leq(s_sent(0x05, i)->len, 4096);
	s_end();
}

Test(scenario, s078_what_may_not_be_negotiated_any_more)
{
	static const char *const texts[] = {"MaxBurstLength=4096",
		"MaxRecvDataSegmentLength=511", "CHAP_A=5", "nonsense"};

	for (unsigned i = 0; i < 4; i++) {
		s_init();
		s_up();
		s_set_data(s_edit(0x24, 0), texts[i],
			(uint32_t)strlen(texts[i]) + 1);
		t_conn_async(s_conn(), 4, 0, 0, 5);
		s_wait_down();
		s_end_with_breach();
	}
}

Test(scenario, s078_the_text_request_is_rejected_or_not_answered)
{
	s_init();
	W.config.timeouts.ping_interval = 0;
	s_up();
	t_target_fault(W.target, &(struct t_fault){.dir = T_FROM_INITIATOR,
					 .opcode = TEXT_REQ,
					 .cid = T_ANY,
					 .effect = T_REJECT,
					 .reason = 0x04});
	t_conn_async(s_conn(), 4, 0, 0, 5);
	s_write(0, 65536, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.downs, 0);
	s_edit(0x24, 0)->verdict = T_DROP;
	t_conn_async(s_conn(), 4, 0, 0, 5);
	s_wait_down();
	s_expect_reason("no answer to a Text Request");
	s_end();
}

/* The sense comes with the next command too, which is where it is heeded. */
Test(scenario, s079_async_0_with_sense)
{
	static const uint8_t sense[] = {0, 18, 0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0,
		0, 0, 0x3f, 0x0e, 0, 0, 0, 0};

	s_init();
	s_up();
	s_set_data(s_edit(0x32, 0), sense, sizeof sense);
	t_conn_async(s_conn(), 0, 0, 0, 0);
	t_lun_attend(W.lun, NULL, 0x3f, 0x0e);
	s_ready(0);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.status, 2);
	cr_assert_eq(W.commands[0].cmd.result.sense[12], 0x3f);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(scenario, s080_logout_in_order)
{
	s_init();
	W.options.window = 4;
	s_up();
	for (unsigned n = 0; n < 16; n++)
		s_write(n, 262144, (uint8_t)n);
	path_stop(W.path, false);
	s_wait_down();
	for (unsigned n = 0; n < 16; n++)
		s_expect_good(&W.commands[n]);
	cr_assert_eq(s_count(LOGOUT_REQ), 1);
	cr_assert_eq(t_get(s_sent(LOGOUT_REQ, 0)->bhs, T_REASON), 0);
	cr_assert_eq(t_get(W.sent[W.nsent - 1].bhs, T_OPCODE), LOGOUT_REQ);
	s_expect_reason("stopped");
	cr_assert_eq(t_wire_connections(&W.at), 0);
	s_end();
}

Test(scenario, s080_logout_refused)
{
	for (uint8_t response = 1; response <= 4; response++) {
		s_init();
		s_up();
		s_edit_field(LOGOUT_RSP, 0, T_RESPONSE, response);
		path_stop(W.path, false);
		s_wait_down();
		s_expect_reason("refused the logout");
		cr_assert_eq(t_wire_connections(&W.at), 0);
		s_end();
	}
}

Test(scenario, s080_logout_without_an_answer)
{
	uint64_t began;

	s_init();
	s_up();
	s_edit(LOGOUT_RSP, 0)->verdict = T_DROP;
	began = loop_now(W.loop);
	path_stop(W.path, false);
	s_wait_down();
	s_expect_reason("no answer to the logout");
	cr_assert(loop_now(W.loop) - began <= W.config.timeouts.logout);
	cr_assert_eq(t_get(W.sent[W.nsent - 1].bhs, T_OPCODE), LOGOUT_REQ);
	s_end();
}

Test(scenario, s081_target_closes_right_after_the_logout)
{
	for (unsigned abort = 0; abort < 2; abort++) {
		s_init();
		s_up();
		W.wire->way[T_IN].delay_ns = 10 * NS_PER_MS;
		path_stop(W.path, false);
		while (W.target->logouts == 0)
			s_pass(1);
		t_conn_end(s_conn(), abort);
		s_wait_down();
		s_expect_reason("stopped");
		cr_assert_eq(W.down.wait, 0);
		s_end();
	}
}

Test(scenario, s082_rejects_that_fail_the_command)
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

Test(scenario, s082_rejects_that_end_the_connection)
{
	static const uint8_t reasons[] = {0x02, 0x03, 0x04, 0x08, 0x0b, 0x77};

	for (unsigned i = 0; i < sizeof reasons; i++) {
		s_expect(rejected(reasons[i]), PATH_UNKNOWN, -ECONNRESET);
		s_wait_down();
		s_expect_reason("the target rejected a SCSI Command");
		s_end();
	}
}

Test(scenario, s082_ping_that_is_rejected_shows_life)
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

/* A Reject that says: it is being done. */
static enum t_verdict say_in_progress(
	void *arg, struct t_conn *c, uint8_t *bhs, uint8_t *data, uint32_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	if (t_get(bhs, T_OPCODE) == 1)
		t_conn_reject(c, 0x07, bhs);
	return T_PASS;
}

Test(scenario, s082_task_in_progress)
{
	s_init();
	s_up();
	W.hooks.rx = say_in_progress;
	s_write(0, 4096, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.downs, 0);
	s_end();
}

static char wrong[160];

static void discovered(
	void *arg, int err, const struct iscsi_targets *all, const char *reason)
{
	(void)arg;
	(void)all;
	cr_assert(err < 0);
	snprintf(wrong, sizeof wrong, "%s", reason);
}

Test(scenario, s082_text_that_is_rejected)
{
	static const uint8_t reasons[] = {0x04, 0x05, 0x09, 0x0b, 0x77};

	for (unsigned i = 0; i < sizeof reasons; i++) {
		s_init();
		s_start();
		reject_opcode = 4;
		reject_reason = reasons[i];
		W.hooks.rx = reject_one;
		wrong[0] = '\0';
		iscsi_discover(W.loop, &W.config, discovered, NULL);
		s_pass(1000);
		cr_assert(strstr(wrong, "the target rejected a Text Request"),
			"%s", wrong);
		s_end();
	}
}
