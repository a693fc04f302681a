/* SPDX-License-Identifier: BSD-2-Clause */
/* Error recovery level 1: scenarios 84 to 97. */
#include <errno.h>

#include "tests/scenario/s_rig.h"

static void up(unsigned level)
{
	s_init();
	W.config.offer.error_recovery_level = level;
	W.options.error_recovery_level = level;
	W.config.offer.max_recv_data_segment_length = 8192;
	s_up();
}

static void fault(enum t_dir dir, int opcode, unsigned nth, enum t_effect what)
{
	t_target_fault(W.target, &(struct t_fault){.dir = dir,
					 .opcode = opcode,
					 .cid = T_ANY,
					 .nth = nth,
					 .effect = what});
}

static void tail_fault(uint8_t flags, enum t_effect what)
{
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = T_ANY,
					 .flags = flags,
					 .effect = what});
}

static struct path_counters counters(void)
{
	struct path_counters c;

	path_counters(W.path, &c);
	return c;
}

/* A pattern on the unit, and what the test is about: reading it. */
static struct s_command *read_back(uint32_t len)
{
	struct s_command *c;

	s_write(0, len, 9);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	c = s_read(0, len);
	s_wait_done();
	s_expect_good(c);
	cr_assert(s_pattern_is(c, len, 9));
	return c;
}

static void end_repaired(void)
{
	cr_assert_eq(W.downs, 0, "%s", W.down.reason);
	cr_assert_eq(counters().session_recoveries, 0);
	s_end();
}

Test(erl1, s084_a_header_digest_error_ends_the_connection)
{
	up(1);
	fault(T_TO_INITIATOR, 0x25, 2, T_SPOIL_HEADER);
	s_read(0, 65536);
	s_wait_down();
	s_expect_reason("header digest error");
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECONNRESET);
	cr_assert_eq(counters().digest_errors, 1);
	cr_assert_eq(counters().snacks_sent, 0);
	s_end();
}

Test(erl1, s085_a_spoilt_data_in_is_asked_for_once)
{
	for (unsigned nth = 1; nth <= 8; nth++) {
		up(1);
		fault(T_TO_INITIATOR, 0x25, nth, T_SPOIL_DATA);
		read_back(65536);
		cr_assert_eq(W.target->struck, 1);
		cr_assert_eq(W.target->snacks[0], 1, "%u", W.target->snacks[0]);
		cr_assert_eq(counters().digest_errors, 1);
		cr_assert_eq(counters().snacks_sent, 1);
		end_repaired();
	}
}

Test(erl1, s085_several_spoilt_ones_and_their_replicas)
{
	up(1);
	fault(T_TO_INITIATOR, 0x25, 2, T_SPOIL_DATA);
	fault(T_TO_INITIATOR, 0x25, 4, T_SPOIL_DATA);
	fault(T_TO_INITIATOR, 0x25, 7, T_SPOIL_DATA);
	read_back(65536);
	cr_assert_eq(W.target->struck, 3);
	end_repaired();
}

Test(erl1, s085_with_the_status_in_it)
{
	s_init();
	W.config.offer.error_recovery_level = 1;
	W.options.error_recovery_level = 1;
	W.options.collapse = true;
	s_up();
	fault(T_TO_INITIATOR, 0x25, 1, T_SPOIL_DATA);
	read_back(4096);
	cr_assert_eq(W.target->snacks[0], 1);
	cr_assert_eq(W.target->snacks[1], 0);
	end_repaired();
}

/* The answer is spoilt too, and the answer to that: each is asked for again at
 * once; not without end. */
Test(erl1, s085_the_answers_are_spoilt)
{
	uint64_t began;

	up(1);
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = T_ANY,
					 .nth = 8,
					 .count = 6,
					 .effect = T_SPOIL_DATA});
	began = loop_now(W.loop);
	read_back(65536);
	cr_assert_lt(loop_now(W.loop) - began, NS_PER_S);
	cr_assert_eq(W.target->snacks[0], 6);
	end_repaired();
	up(1);
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = T_ANY,
					 .nth = 8,
					 .count = 999,
					 .effect = T_SPOIL_DATA});
	s_read(0, 65536);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EIO);
	cr_assert_leq(W.target->snacks[0], 17);
	end_repaired();
}

/* A status that does not come while all others go on: it is waited for, with no
 * more commands than fit behind it. */
Test(erl1, s088_many_statuses_behind_a_missing_one)
{
	struct s_edit *held;

	up(1);
	held = s_edit(0x21, 0);
	held->verdict = T_DROP;
	held->times = 1;
	t_target_fault(W.target, &(struct t_fault){.dir = T_FROM_INITIATOR,
					 .opcode = 0x10,
					 .cid = T_ANY,
					 .effect = T_LOSE});
	s_ready(0);
	for (unsigned round = 0; round < 12; round++) {
		for (unsigned n = 1; n < S_COMMANDS; n++)
			if (round == 0 || W.commands[n].done)
				s_ready(n);
		s_pass(100);
	}
	s_wait_done();
	for (unsigned n = 0; n < S_COMMANDS; n++)
		s_expect_good(&W.commands[n]);
	end_repaired();
}

Test(erl1, s086_a_lost_data_in_first_middle_or_last)
{
	for (unsigned nth = 1; nth <= 8; nth++) {
		up(1);
		fault(T_TO_INITIATOR, 0x25, nth, T_LOSE);
		read_back(65536);
		cr_assert_eq(W.target->snacks[0], 1);
		end_repaired();
	}
}

Test(erl1, s086_many_are_lost)
{
	up(1);
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = T_ANY,
					 .nth = 3,
					 .count = 90,
					 .effect = T_LOSE});
	read_back(1048576);
	end_repaired();
}

Test(erl1, s087_a_lost_status_in_the_last_data_in)
{
	s_init();
	W.config.offer.error_recovery_level = 1;
	W.options.error_recovery_level = 1;
	W.options.collapse = true;
	s_up();
	s_write(0, 4096, 9);
	s_wait_done();
	tail_fault(0x01, T_LOSE);
	s_read(0, 4096);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert(s_pattern_is(&W.commands[0], 4096, 9));
	cr_assert(W.target->pings > 0);
	cr_assert_eq(W.target->snacks[1], 1);
	end_repaired();
}

Test(erl1, s088_a_lost_response_is_asked_for_and_not_acknowledged)
{
	uint32_t stat_sn;

	up(1);
	fault(T_TO_INITIATOR, 0x21, 1, T_LOSE);
	stat_sn = s_conn()->stat_sn;
	s_write(0, 4096, 9);
	s_pass(10);
	cr_assert_eq(W.commands[0].done, 0);
	s_ready(1);
	s_pass(10);
	cr_assert_eq(W.commands[1].done, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.target->snacks[1], 1);
	/* No PDU before the SNACK acknowledges it. */
	for (unsigned i = 0; i < W.nsent; i++) {
		if (t_get(W.sent[i].bhs, T_OPCODE) == 0x10)
			break;
		cr_assert_leq((int32_t)(t_get(W.sent[i].bhs, T_EXP_STAT_SN) -
					stat_sn),
			0);
	}
	end_repaired();
}

Test(erl1, s089_a_lost_r2t)
{
	s_init();
	W.config.offer.error_recovery_level = 1;
	W.options.error_recovery_level = 1;
	W.options.max_outstanding_r2t = 4;
	W.options.max_burst_length = 65536;
	s_up();
	fault(T_TO_INITIATOR, 0x31, 2, T_LOSE);
	read_back(524288);
	cr_assert_eq(W.target->snacks[0], 1);
	end_repaired();
}

Test(erl1, s089_the_only_r2t_is_lost)
{
	up(1);
	fault(T_TO_INITIATOR, 0x31, 1, T_LOSE);
	read_back(262144);
	cr_assert_eq(W.target->snacks[0], 1);
	end_repaired();
}

Test(erl1, s090_data_out_is_sent_again_when_it_is_asked_for_again)
{
	for (unsigned nth = 1; nth <= 6; nth++) {
		up(1);
		fault(T_FROM_INITIATOR, 0x05, nth, T_SPOIL_DATA);
		read_back(524288);
		cr_assert_eq(W.target->struck, 1);
		end_repaired();
	}
}

Test(erl1, s091_a_rejected_snack_ends_the_task_only)
{
	static const uint8_t reasons[] = {0x03, 0x04, 0x09};

	for (unsigned i = 0; i < 3; i++) {
		up(1);
		fault(T_TO_INITIATOR, 0x25, 3, T_LOSE);
		t_target_fault(W.target, &(struct t_fault){.opcode = 0x10,
						 .cid = T_ANY,
						 .effect = T_REJECT,
						 .reason = reasons[i]});
		s_read(0, 65536);
		s_wait_done();
		s_expect(&W.commands[0], PATH_UNKNOWN, -EIO);
		cr_assert_eq(s_count(0x10), 1);
		cr_assert_eq(W.downs, 0);
		s_write(1, 4096, 1);
		s_wait_done();
		s_expect_good(&W.commands[1]);
		s_end();
	}
}

Test(erl1, s091_unanswered_snacks_end)
{
	up(1);
	fault(T_TO_INITIATOR, 0x25, 3, T_LOSE);
	t_target_fault(W.target, &(struct t_fault){.opcode = 0x10,
					 .cid = T_ANY,
					 .count = 99,
					 .effect = T_LOSE});
	s_read(0, 65536);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -EIO);
	cr_assert_leq(s_count(0x10), 3);
	cr_assert_eq(W.downs, 0);
	s_end();
}

Test(erl1, s092_data_ack)
{
	s_init();
	W.config.offer.error_recovery_level = 1;
	W.options.error_recovery_level = 1;
	W.options.max_burst_length = 65536;
	W.config.offer.max_recv_data_segment_length = 8192;
	s_up();
	read_back(1048576);
	cr_assert_geq(W.target->snacks[2], 14, "%u", W.target->snacks[2]);
	cr_assert_eq(W.target->snacks[0], 0);
	fault(T_TO_INITIATOR, 0x25, 8, T_LOSE); /* the one with A */
	fault(T_TO_INITIATOR, 0x25, 19, T_LOSE);
	read_back(1048576);
	cr_assert_geq(W.target->snacks[0], 2);
	end_repaired();
}

Test(erl1, s093_a_lost_command_is_sent_again)
{
	uint64_t began;

	up(1);
	s_write(0, 4096, 9);
	s_wait_done();
	began = loop_now(W.loop);
	fault(T_FROM_INITIATOR, 0x01, 2, T_LOSE);
	for (unsigned i = 1; i < 8; i++)
		s_write(i, 4096, (uint8_t)i);
	s_wait_done();
	for (unsigned i = 1; i < 8; i++)
		s_expect_good(&W.commands[i]);
	cr_assert_lt(loop_now(W.loop) - began, 4 * NS_PER_S);
	cr_assert_eq(W.target->commands, 8, "%u", W.target->commands);
	cr_assert_eq(counters().tasks_retried, 1);
	end_repaired();
}

Test(erl1, s093_with_its_unsolicited_data)
{
	up(1);
	fault(T_FROM_INITIATOR, 0x01, 1, T_LOSE);
	read_back(524288);
	cr_assert_eq(counters().tasks_retried, 1);
	end_repaired();
}

Test(erl1, s094_a_command_that_was_spoilt_is_sent_again_at_once)
{
	up(1);
	fault(T_FROM_INITIATOR, 0x01, 1, T_SPOIL_DATA);
	s_write(0, 4096, 9);
	s_pass(100);
	s_expect_good(&W.commands[0]);
	cr_assert_eq(counters().tasks_retried, 1);
	read_back(4096);
	end_repaired();
}

static void keep_back(int opcode)
{
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = opcode,
					 .cid = T_ANY,
					 .count = 999,
					 .effect = T_KEEP_BACK});
}

static void reject_as_spoilt(const struct s_pdu *command)
{
	uint8_t bhs[T_BHS_LEN];

	t_make(bhs, 0x3f);
	t_set(bhs, T_TTT, 0);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_RESPONSE, 0x02);
	t_conn_stamp(s_conn(), bhs, true);
	t_conn_send(s_conn(), bhs, command->bhs, T_BHS_LEN);
}

/* Whole, or with some bytes of it gone already. */
Test(erl1, s094_the_answer_comes_before_the_command_is_sent_again)
{
	/* The SNACK of the status goes first. */
	static const size_t capacities[] = {0, 48 + 20};

	for (unsigned i = 0; i < 2; i++) {
		up(1);
		keep_back(0x21);
		s_write(0, 4096, 9);
		s_pass(10);
		W.wire->way[T_OUT].delay_ns = 20 * NS_PER_MS;
		W.wire->way[T_OUT].capacity = capacities[i];
		W.target->nfaults = 0;
		reject_as_spoilt(s_sent(0x01, s_count(0x01) - 1));
		s_pass(5);
		cr_assert_eq(counters().tasks_retried, 1);
		t_conn_release(s_conn());
		s_pass(5);
		cr_assert_eq(W.commands[0].done, i == 0);
		W.wire->way[T_OUT].capacity = 1 << 18;
		W.wire->way[T_OUT].delay_ns = 0;
		s_wait_done();
		s_expect_good(&W.commands[0]);
		read_back(4096);
		s_end_with_breach();
	}
}

/* A read of `len` bytes of which Data-In `nth` is lost and all that follows is
 * late, so that our limit changes before the loss shows. */
static struct s_command *lose_and_redeclare(uint32_t len, unsigned nth)
{
	struct s_command *c;

	s_write(0, len, 9);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	fault(T_TO_INITIATOR, 0x25, nth, T_LOSE);
	t_target_fault(W.target, &(struct t_fault){.dir = T_TO_INITIATOR,
					 .opcode = 0x25,
					 .cid = T_ANY,
					 .nth = nth,
					 .count = 999,
					 .effect = T_KEEP_BACK});
	keep_back(0x21);
	c = s_read(0, len);
	s_pass(10);
	cr_assert_eq(c->done, 0);
	iscsi_path_set_max_recv(W.path, 16384);
	s_pass(10);
	cr_assert_eq(s_conn()->max_send_data, 16384);
	W.target->nfaults = 0;
	return c;
}

/* Held: nothing, the middle, or all but the last; with data that was
 * acknowledged before (MaxBurstLength is 256 KiB), too. */
Test(erl1, s095_our_limit_changed_and_data_was_lost)
{
	static const struct {
		uint32_t len;
		unsigned nth;
	} cases[] = {{65536, 1}, {65536, 4}, {65536, 8}, {524288, 40}};

	for (unsigned i = 0; i < 4; i++) {
		struct s_command *c;

		up(1);
		c = lose_and_redeclare(cases[i].len, cases[i].nth);
		t_conn_release(s_conn());
		s_wait_done();
		s_expect_good(c);
		cr_assert(s_pattern_is(c, cases[i].len, 9));
		cr_assert_eq(W.target->snacks[3], 1, "%u", W.target->snacks[3]);
		cr_assert_eq(W.target->snacks[0], 0);
		/* What is read from now on comes in the new size. */
		s_read(1, 65536);
		s_wait_done();
		s_expect_good(&W.commands[1]);
		end_repaired();
	}
}

Test(erl1, s095_the_new_data_is_lost_too)
{
	for (unsigned nth = 1; nth <= 3; nth++) {
		struct s_command *c;
		unsigned before;

		up(1);
		c = lose_and_redeclare(65536, 4);
		before = W.target->struck;
		/* 4 to 8 come late, then the new ones. */
		fault(T_TO_INITIATOR, 0x25, nth, T_LOSE);
		t_conn_release(s_conn());
		s_wait_done();
		s_expect_good(c);
		cr_assert(s_pattern_is(c, 65536, 9));
		cr_assert_eq(W.target->struck, before + 1);
		cr_assert_leq(W.target->snacks[3], 2);
		end_repaired();
	}
}

/* Some targets do not know R-Data: the command fails, nothing else. */
Test(erl1, s095_r_data_is_rejected)
{
	struct s_command *c;

	s_init();
	W.config.offer.error_recovery_level = 1;
	W.options.error_recovery_level = 1;
	W.options.manner = T_LIKE_LIO;
	W.config.offer.max_recv_data_segment_length = 8192;
	s_up();
	c = lose_and_redeclare(65536, 4);
	t_conn_release(s_conn());
	s_wait_done();
	s_expect(c, PATH_UNKNOWN, -EIO);
	cr_assert_eq(W.target->snacks[3], 1);
	end_repaired();
}

Test(erl1, s096_a_lost_task_management_response)
{
	up(1);
	W.target->hold = true;
	s_write(0, 4096, 1);
	s_pass(10);
	fault(T_TO_INITIATOR, 0x22, 1, T_LOSE);
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	s_expect(&W.commands[0], PATH_UNKNOWN, -ECANCELED);
	cr_assert_eq(s_count(0x02), 1);
	cr_assert_eq(W.target->snacks[1], 1);
	end_repaired();
}

Test(erl1, s096_a_spoilt_response_with_sense)
{
	up(1);
	cdb_test_unit_ready(W.commands[0].cmd.cdb);
	W.commands[0].cmd.cdb[0] = 0xff; /* no such command: sense data */
	fault(T_TO_INITIATOR, 0x21, 1, T_SPOIL_DATA);
	s_command(0, PATH_NO_DATA, 0);
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.status, 2);
	cr_assert_gt(W.commands[0].cmd.result.sense_len, 7);
	cr_assert_eq(W.target->snacks[1], 1);
	end_repaired();
}

Test(erl1, s097_at_level_0_no_snack_is_sent)
{
	s_init();
	W.config.offer.error_recovery_level = 1;
	s_up();
	fault(T_TO_INITIATOR, 0x21, 1, T_LOSE);
	s_write(0, 4096, 1);
	s_pass(10);
	s_ready(1);
	s_wait_down();
	cr_assert_eq(s_count(0x10), 0);
	s_end();
}

Test(erl1, s097_losses_without_number)
{
	static const int opcodes[] = {0x25, 0x21, 0x31};

	up(1);
	for (unsigned i = 0; i < 30; i++)
		fault(T_TO_INITIATOR, opcodes[i % 3], 5,
			i % 2 ? T_LOSE : T_SPOIL_DATA);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 16; i++)
			s_write(i, 131072, (uint8_t)(i + round));
		s_wait_done();
		for (unsigned i = 0; i < 16; i++) {
			s_expect_good(&W.commands[i]);
			s_read(i, 131072);
		}
		s_wait_done();
		for (unsigned i = 0; i < 16; i++) {
			s_expect_good(&W.commands[i]);
			cr_assert(s_pattern_is(
				&W.commands[i], 131072, (uint8_t)(i + round)));
		}
	}
	cr_assert_eq(W.target->struck, 30, "%u", W.target->struck);
	end_repaired();
}
