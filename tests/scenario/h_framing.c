/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile classes 1 to 10: headers, lengths, digests, and the pace of it all.
 * The connection ends at most, in bounded time and with a reason. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

/* One command waits for its answer on a connection without digests. */
static void begin(void)
{
	s_init();
	W.disk.blocks = 4096;
	W.options.header_digest = W.options.data_digest = false;
	s_key("HeaderDigest", "None");
	s_key("DataDigest", "None");
	s_up();
	W.target->hold = true;
	s_read(0, 4096);
	s_pass(10);
}

static void still_good(void)
{
	t_target_release(W.target);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert_eq(W.downs, 0);
	s_end();
}

static void send_opcode(uint8_t opcode)
{
	uint8_t bhs[T_BHS_LEN] = {0};

	t_set(bhs, T_OPCODE, opcode);
	t_set(bhs, T_FINAL, 1);
	t_set(bhs, T_ITT, T_NO_TAG);
	t_conn_stamp(s_conn(), bhs, false);
	t_conn_send_raw(s_conn(), bhs, sizeof bhs);
}

Test(scenario, h01_unknown_opcodes)
{
	for (unsigned op = 0x07; op < 0x3f; op++) {
		if (op == 0x10 || (op >= 0x20 && op <= 0x26) || op == 0x31 ||
			op == 0x32)
			continue;
		begin();
		send_opcode((uint8_t)op);
		s_breach(0, "unknown opcode");
	}
}

Test(scenario, h02_requests_from_the_target)
{
	static const uint8_t ops[] = {0, 1, 2, 3, 4, 5, 6, 0x10};

	for (unsigned i = 0; i < sizeof ops; i++) {
		begin();
		send_opcode(ops[i]);
		s_breach(0, "a request, from the target");
	}
}

/* A NOP-In that only tells numbers, with so many words of AHS, `len` bytes of
 * data said and `there` bytes following the header. */
static void send_nop(uint8_t words, uint32_t len, uint32_t there)
{
	uint8_t *pdu = malloc(T_BHS_LEN + there);

	memset(pdu, 0xa5, T_BHS_LEN + there);
	t_make(pdu, 0x20);
	t_set(pdu, T_FINAL, 1);
	t_set(pdu, T_AHS_WORDS, words);
	t_set(pdu, T_DATA_LEN, len);
	t_conn_stamp(s_conn(), pdu, false);
	t_conn_send_raw(s_conn(), pdu, T_BHS_LEN + there);
	free(pdu);
}

Test(scenario, h03_additional_headers)
{
	for (unsigned words = 1; words < 256; words += 127) {
		begin();
		send_nop((uint8_t)words, 0, 4 * words);
		s_pass(10);
		still_good();
	}
	/* Said and not sent: it eats what follows, until nothing does. */
	begin();
	send_nop(255, 0, 0);
	t_target_release(W.target);
	s_wait_down();
	cr_assert_eq(W.commands[0].done, 1);
	cr_assert_neq(W.commands[0].cmd.result.outcome, PATH_DONE);
	s_end_with_breach();
}

Test(scenario, h04_data_segments_too_long)
{
	static const uint32_t lengths[] = {8193, 262145, 0xffffff};
	uint8_t data[8200] = {0, 18}, bhs[T_BHS_LEN];

	for (unsigned i = 0; i < 3; i++) {
		s_init();
		W.disk.blocks = 4096;
		W.options.header_digest = W.options.data_digest = false;
		s_key("HeaderDigest", "None");
		s_key("DataDigest", "None");
		W.config.offer.max_recv_data_segment_length = 8192;
		s_up();
		W.target->hold = true;
		s_read(0, 4096);
		s_pass(10);
		s_make(bhs, 0x21, 0);
		t_set(bhs, T_STATUS, 2);
		t_set(bhs, T_DATA_LEN, lengths[i]);
		t_conn_stamp(s_conn(), bhs, true);
		t_conn_send_raw(s_conn(), bhs, sizeof bhs);
		s_breach(0, "more data in a PDU than we declared to take");
	}
	begin();
	s_make(bhs, 0x21, 0);
	t_set(bhs, T_STATUS, 2);
	s_inject(bhs, data, 1); /* not even the length of the sense */
	s_wait_done();
	s_expect(&W.commands[0], PATH_DONE, 0);
	cr_assert_eq(W.commands[0].cmd.result.status, 2);
	cr_assert_eq(W.commands[0].cmd.result.sense_len, 0);
	s_end_with_breach();
}

Test(scenario, h05_padding)
{
	begin();
	send_nop(0, 1, 4); /* not zero */
	s_pass(10);
	still_good();
	begin();
	send_nop(0, 1, 1); /* not there */
	t_target_release(W.target);
	s_wait_down();
	cr_assert_eq(W.commands[0].done, 1);
	cr_assert_neq(W.commands[0].cmd.result.outcome, PATH_DONE);
	s_end_with_breach();
}

/* Every byte is a sign of life: what bounds it is the login's time, and the
 * commands' own. */
Test(scenario, h06_byte_by_byte)
{
	uint64_t began;

	s_init();
	W.disk.blocks = 4096;
	s_start();
	W.wire->way[T_IN].rate = 1;
	cr_assert(!s_try());
	s_expect_reason("no answer to the login");
	s_end();
	s_init();
	W.disk.blocks = 4096;
	W.config.timeouts.abort = 2 * NS_PER_S;
	W.config.timeouts.lun_reset = 3 * NS_PER_S;
	s_up();
	W.wire->way[T_IN].rate = 1;
	began = loop_now(W.loop);
	W.commands[0].cmd.deadline = began + 2 * NS_PER_S;
	s_read(0, 4096);
	s_wait_down();
	s_expect_reason("no answer to task management");
	s_expect(&W.commands[0], PATH_UNKNOWN, -ETIMEDOUT);
	cr_assert(loop_now(W.loop) - began < 8 * NS_PER_S);
	s_end();
}

Test(scenario, h06_hundred_thousand_tiny_pdus)
{
	begin();
	for (unsigned i = 0; i < 100000; i++)
		send_nop(0, 0, 0);
	s_pass(1000);
	cr_assert_eq(s_count(0x00), 0);
	still_good();
}

Test(scenario, h07_digests)
{
	for (unsigned data = 0; data < 2; data++) {
		struct path_counters counters;
		struct s_edit *e;

		s_init();
		W.disk.blocks = 4096;
		e = s_edit(0x25, 0);
		e->break_data = data;
		e->break_header = !data;
		s_up();
		s_read(0, 4096);
		s_wait_down();
		path_counters(W.path, &counters);
		cr_assert_eq(counters.digest_errors, 1);
		s_breach(0, data ? "data digest error" : "header digest error");
	}
	begin(); /* one that was not agreed */
	send_nop(0, 0, 4);
	s_breach(0, "");
}

static void pings(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		t_conn_ping(s_conn());
}

Test(scenario, h08_pings_without_end)
{
	begin();
	for (unsigned i = 0; i < 1000; i++) {
		pings(1);
		s_pass(1);
	}
	cr_assert_eq(s_count(0x00), 1000);
	still_good();
	/* And a target that never reads the answers. */
	begin();
	W.wire->way[T_OUT].blackhole = true;
	pings(10000);
	s_breach(0, "it makes us owe it too many answers");
}

Test(scenario, h09_pongs_of_the_wrong_length)
{
	static const char data[4096];
	static const uint32_t lengths[] = {1, 48, 4096};

	for (unsigned i = 0; i < 3; i++) {
		begin();
		s_set_data(s_edit(0x20, 0), data, lengths[i]);
		path_probe(W.path);
		s_pass(10);
		still_good();
	}
}

/* In the middle of any PDU: in order here, by RST below. */
Test(scenario, h10_the_end_at_any_byte)
{
	uint8_t pdu[T_BHS_LEN + 512];

	for (unsigned at = 1; at < sizeof pdu; at += 5) {
		begin();
		memset(pdu, 0, sizeof pdu);
		s_make(pdu, 0x25, 0);
		t_set(pdu, T_DATA_LEN, 512);
		t_set(pdu, T_DATA_SN, 0);
		t_set(pdu, T_OFFSET, 0);
		t_set(pdu, T_TTT, T_NO_TAG);
		t_conn_stamp(s_conn(), pdu, false);
		t_conn_send_raw(s_conn(), pdu, at);
		t_conn_end(s_conn(), false);
		s_breach(0, "the target closed the connection");
	}
}

Test(scenario, h10_a_reset_at_any_byte)
{
	for (unsigned at = 0; at < 900; at += 3) {
		s_init();
		W.disk.blocks = 4096;
		s_start();
		W.wire->way[T_IN].cut_at = at;
		if (s_try()) {
			s_read(0, 512);
			s_wait_done();
			if (W.commands[0].cmd.result.outcome == PATH_DONE)
				s_expect_good(&W.commands[0]);
		} else {
			s_expect_reason("connection lost");
		}
		s_end();
	}
}
