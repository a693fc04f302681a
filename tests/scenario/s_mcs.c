/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of several connections: scenarios 4, 24, 41, 47, 52, 73, 75, 77, 98
 * and 99. */
#include <errno.h>
#include <string.h>

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

/* The initiator's answers to a challenge on that connection. */
static unsigned proofs(unsigned cid)
{
	const struct s_pdu *pdu;
	unsigned n = 0;

	for (unsigned i = 0; (pdu = s_sent(0x03, i)); i++)
		n += t_get(pdu->bhs, T_CID) == cid &&
		     memmem(pdu->text, pdu->len, "CHAP_R=", 7);
	return n;
}

static void with_chap(unsigned connections)
{
	s_many(connections);
	W.options.chap_user = W.config.chap.user = "host1";
	W.options.chap_secret = W.config.chap.secret = "secretsecret1";
	W.config.chap.secret_len = strlen(W.config.chap.secret);
	W.options.mutual_user = "array";
	W.options.mutual_secret = W.config.chap.mutual_secret = "arrayarray12";
	W.config.chap.mutual_secret_len = strlen(W.config.chap.mutual_secret);
}

/* The second and third connection log in at the same time and are asked the
 * same: one of them is not answered, and comes back when it is alone. */
Test(mcs, s041_one_challenge_on_two_connections)
{
	static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8};

	with_chap(3);
	W.options.chap_text = "0x01020304050607080000000000000000";
	W.options.chap_challenge = bytes;
	W.options.chap_challenge_len = sizeof bytes;
	s_up();
	s_pass(500);
	cr_assert_eq(proofs(1), 1);
	cr_assert_eq(proofs(2) + proofs(3), 1);
	cr_assert_eq(s_connections(), 2);
	s_wait_connections(3);
	cr_assert_eq(W.downs, 0);
	s_end();
}

static bool asked(const struct t_pdu *pdu, const char *key)
{
	return t_get(pdu->bhs, T_OPCODE) == 0x23 &&
	       memmem(pdu->data, pdu->len, key, strlen(key));
}

/* The third connection's first response, and the end of the second one's login,
 * wait for t_conn_release(). */
static enum t_verdict hold_logins(void *arg, struct t_conn *c, struct t_pdu *p)
{
	(void)arg;
	if ((c->cid == 3 && asked(p, "AuthMethod=")) ||
		(c->cid == 2 && asked(p, "CHAP_R=")))
		return T_HOLD;
	return T_PASS;
}

/* What we asked on a connection that logs in. */
static const char *our_challenge(unsigned cid)
{
	const struct s_pdu *pdu;

	for (unsigned i = 0; (pdu = s_sent(0x03, i)); i++) {
		const char *at = memmem(pdu->text, pdu->len, "CHAP_C=", 7);

		if (t_get(pdu->bhs, T_CID) == cid && at)
			return at + 7;
	}
	return NULL;
}

/* What we ask on one connection comes back on another one: whoever relays it
 * would have us prove what it is to prove. */
Test(mcs, s041_our_challenge_comes_back_on_another_connection)
{
	struct t_conn *c;

	with_chap(3);
	W.hooks.tx = hold_logins;
	s_up();
	s_pass(500);
	cr_assert_not_null(our_challenge(2));
	s_key("CHAP_C", our_challenge(2));
	TAILQ_FOREACH (c, &W.target->conns, link)
		if (c->cid == 3)
			t_conn_release(c);
	s_pass(100);
	cr_assert_eq(proofs(3), 0);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

/* A ping that was overtaken has the numbers of its time. */
Test(mcs, s052_old_numbers_on_another_connection)
{
	struct s_edit *held;

	s_many(2);
	W.options.window = 8;
	W.config.timeouts.ping_interval = 0;
	s_up();
	s_wait_connections(2);
	held = s_edit(0x20, 0);
	held->verdict = T_HOLD;
	t_conn_ping(t_target_cid(W.target, 2));
	s_submit(24, 1);
	s_expect_all_good(24);
	W.target->hold = true;
	s_submit(4, 1);
	s_pass(10);
	t_conn_release(t_target_cid(W.target, 2));
	s_pass(10);
	for (unsigned n = 4; n < 8; n++)
		s_read(n, 512);
	s_pass(10);
	cr_assert_eq(s_count(0x01), 24 + 8);
	t_target_release(W.target);
	s_expect_all_good(8);
	cr_assert_eq(W.downs, 0);
	s_end();
}

/* FastAbort on the connection that did not ask for the reset: Async Message 5,
 * no more data, and a NOP-Out with its LUN, for which the target's answer to
 * the reset waits. */
Test(mcs, s073_fast_abort_on_another_connection)
{
	static const uint8_t lun[8] = {0, 1};
	const struct s_pdu *ack;
	unsigned before, pings;

	s_many(2);
	W.options.task_reporting = true;
	W.options.reporting = T_FAST_ABORT;
	W.config.timeouts.abort = NS_PER_S;
	W.config.timeouts.ping_interval = 0;
	W.config.offer.error_recovery_level = 0;
	s_up();
	s_wait_connections(2);
	W.target->hold = true;
	s_submit(8, 1);
	s_pass(10);
	/* The ABORT TASK gets lost. */
	t_target_lose(W.target, T_FROM_INITIATOR, 0x02);
	before = s_count(0x05);
	pings = s_count(0x00);
	path_abort(W.path, &W.commands[0].cmd);
	s_wait_done();
	cr_assert_eq(s_count(0x02), 2);
	cr_assert_eq(s_count(0x05), before);
	cr_assert_gt(s_count(0x00), pings);
	ack = s_sent(0x00, pings);
	cr_assert_eq(t_get(ack->bhs, T_ITT), 0xffffffff);
	cr_assert_eq(t_get(ack->bhs, T_IMMEDIATE), 1);
	cr_assert_arr_eq(ack->bhs + 8, lun, 8);
	for (unsigned i = 0; i < 8; i++)
		s_expect(&W.commands[i], PATH_UNKNOWN, -ECANCELED);
	W.target->hold = false;
	s_write(0, 65536, 1);
	s_wait_done();
	cr_assert_eq(W.downs, 0);
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
	/* A target may answer first, and end them then. */
	s_fence();
	s_pass(1);
	cr_assert_eq(W.fence_err, -EAGAIN);
	cr_assert_eq(W.downs, 0);
	W.fences = 0;
	path_stop(W.path, false);
	s_wait_down();
	s_fence();
	s_pass(100);
	cr_assert_eq(W.fences, 0);
	cr_assert(s_try());
	s_pass(1);
	cr_assert_eq(W.fences, 1);
	cr_assert_eq(W.fence_err, 0);
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

/* A ping is ahead of a Logout that bears the ExpStatSN of the connection which
 * it is about (RFC 7143 11.14.3), and takes its own. */
Test(mcs, s054_ping_ahead_of_a_logout_for_recovery)
{
	const struct s_pdu *pong;

	s_up_many(2);
	for (unsigned n = 0; n < 5; n++) {
		s_write(n, 4096, 1);
		s_wait_done();
	}
	W.wire->way[T_OUT].capacity = 0;
	t_conn_end(t_target_cid(W.target, 2), true);
	s_pass(100);
	cr_assert_eq(s_count(0x06), 0);
	t_conn_ping(t_target_cid(W.target, 1));
	s_pass(100);
	W.wire->way[T_OUT].capacity = 1u << 18;
	s_wait_connections(2);
	pong = s_sent(0x00, s_count(0x00) - 1);
	cr_assert_leq(pong->at, s_sent(0x06, 0)->at);
	cr_assert_neq(t_get(pong->bhs, T_EXP_STAT_SN),
		t_get(s_sent(0x06, 0)->bhs, T_EXP_STAT_SN));
	s_end_recovered();
}

Test(mcs, s047_cmdsn_wraps_over_all_connections)
{
	static unsigned char seen[128];

	s_many(4);
	W.config.first_cmd_sn = (uint32_t)-20;
	s_up();
	s_wait_connections(4);
	for (unsigned round = 0; round < 3; round++) {
		s_submit(32, 1);
		s_expect_all_good(32);
	}
	s_verify(32, 1);
	for (unsigned i = 0; i < 96; i++)
		seen[((uint32_t)t_get(s_sent(0x01, i)->bhs, T_CMD_SN) + 20) %
			128]++;
	for (unsigned i = 0; i < 96; i++)
		cr_assert_eq(seen[i], 1, "CmdSN %u", i - 20);
	cr_assert_eq(W.downs, 0);
	s_end();
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

/* RFC 7143 7.1.5: below level 2 a connection that fails takes the session with
 * it. CmdSNs that have gone with it would be missing for good (7.2.1), and
 * tasks cannot be moved: all end once, and the next login reinstates it. */
Test(mcs, s100_below_level_2_it_is_session_recovery)
{
	for (unsigned level = 0; level < 2; level++) {
		s_many(3);
		W.config.offer.error_recovery_level = level;
		W.options.error_recovery_level = level;
		s_up();
		s_wait_connections(3);
		W.target->hold = true;
		s_submit(24, 7);
		s_pass(50);
		t_conn_end(t_target_cid(W.target, 2), true);
		s_wait_down();
		for (unsigned i = 0; i < 24; i++)
			s_expect(&W.commands[i], PATH_UNKNOWN, -ECONNRESET);
		cr_assert_eq(s_count(0x06), 0);
		W.target->hold = false;
		cr_assert(s_try(), "%s", W.down.reason);
		s_wait_connections(3);
		s_fence();
		s_pass(1);
		cr_assert_eq(W.fence_err, 0);
		s_submit(24, 7);
		s_expect_all_good(24);
		s_verify(24, 7);
		cr_assert_eq(s_counters().session_recoveries, 1);
		cr_assert_eq(s_counters().connection_recoveries, 0);
		cr_assert_eq(W.target->reassigns, 0);
		s_end();
	}
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

/* The session asks nothing by itself: its owner judges the path, and the one
 * connection that is silent while another one is not is judged here. */
static void owner_will_judge(unsigned connections)
{
	s_many(connections);
	W.config.timeouts.ping_interval = W.config.timeouts.ping = 0;
	W.config.timeouts.suspect = NS_PER_S;
	W.config.timeouts.stalled = 2 * NS_PER_S;
}

static void owner_judges(unsigned connections)
{
	owner_will_judge(connections);
	s_up();
	s_wait_connections(connections);
}

Test(mcs, s099_in_the_time_that_the_owner_sets)
{
	uint64_t began;

	owner_judges(2);
	s_pass(5000);
	began = loop_now(W.loop);
	t_conn_stall(t_target_cid(W.target, 2), true);
	s_submit(32, 5);
	s_expect_all_good(32);
	cr_assert_lt(loop_now(W.loop) - began, 3 * NS_PER_S);
	s_verify(32, 5);
	s_end_recovered();
}

/* They are changed under way, and shorter ones end a silence that has begun. */
Test(mcs, s099_when_the_owner_changes_the_time)
{
	uint64_t began;

	owner_will_judge(2);
	W.config.timeouts.suspect = 100 * NS_PER_S;
	W.config.timeouts.stalled = 200 * NS_PER_S;
	s_up();
	s_wait_connections(2);
	s_pass(5000);
	t_conn_stall(t_target_cid(W.target, 2), true);
	s_submit(32, 5);
	s_pass(10000);
	cr_assert_eq(s_counters().connection_recoveries, 0);
	began = loop_now(W.loop);
	iscsi_path_set_patience(W.path, 300 * NS_PER_MS, 600 * NS_PER_MS);
	s_expect_all_good(32);
	cr_assert_lt(loop_now(W.loop) - began, 1500 * NS_PER_MS);
	cr_assert_eq(s_counters().connection_recoveries, 1);
	s_verify(32, 5);
	s_end_recovered();
}

/* Nothing is in flight: it shows when the owner asks. */
Test(mcs, s099_an_idle_one)
{
	owner_judges(2);
	t_conn_stall(t_target_cid(W.target, 2), true);
	s_pass(5000);
	cr_assert_eq(s_connections(), 2);
	path_probe(W.path);
	s_pass(2500);
	cr_assert_geq(W.target->logins, 1);
	s_wait_connections(2);
	cr_assert_gt(s_counters().connection_recoveries, 0);
	cr_assert_eq(W.downs, 0);
	s_end_with_breach();
}

/* All are: that is for the owner to judge. */
Test(mcs, s099_all_of_them)
{
	uint64_t heard;

	owner_judges(2);
	s_pass(1000);
	t_conn_stall(t_target_cid(W.target, 1), true);
	t_conn_stall(t_target_cid(W.target, 2), true);
	heard = path_heard(W.path);
	s_write(0, 4096, 1);
	path_probe(W.path);
	s_pass(3000);
	cr_assert_eq(path_heard(W.path), heard);
	cr_assert_eq(s_connections(), 2);
	t_conn_stall(t_target_cid(W.target, 1), false);
	t_conn_stall(t_target_cid(W.target, 2), false);
	s_wait_done();
	s_expect_all_good(1);
	cr_assert_eq(s_counters().connection_recoveries, 0);
	s_end();
}

static void accept_second(void *arg, struct stream *s)
{
	(void)arg;
	t_target_accept(W.target, s, 1);
}

/* A link of our own host that carries one of two connections: that one is
 * recovered at once, and the path goes on over the other. */
Test(mcs, s099_a_connection_whose_link_goes_down)
{
	struct stream_listener *second;
	struct addr at;
	char why[100] = "";
	uint64_t began;
	int err;

	owner_will_judge(2);
	W.config.nportals = 2;
	W.config.portals[1] = (struct endpoint){"127.0.0.2", 3260};
	s_start();
	at = t_addr("127.0.0.2:3260");
	second = stream_listen(W.loop, &at, 0, accept_second, NULL, &err);
	cr_assert(second);
	cr_assert(s_try());
	s_wait_connections(2);
	cr_assert_eq(t_wire_connections(&at), 1);
	cr_assert(path_links_changed(W.path, why, sizeof why));
	s_submit(32, 5);
	t_wire_at(&at)->way[T_OUT].blackhole = true;
	t_wire_at(&at)->cut_off = t_wire_at(&at)->refuse = true;
	began = loop_now(W.loop);
	cr_assert(path_links_changed(W.path, why, sizeof why));
	s_expect_all_good(32);
	cr_assert_lt(loop_now(W.loop) - began, NS_PER_S);
	s_verify(32, 5);
	cr_assert_eq(s_counters().connection_recoveries, 1);
	/* No other one is left: the session is not ended by itself. */
	W.wire->cut_off = true;
	cr_assert_not(path_links_changed(W.path, why, sizeof why));
	cr_assert_str_eq(why, "the link to it is down (wire)");
	s_pass(100);
	cr_assert_eq(W.downs, 0);
	cr_assert_geq(s_connections(), 1);
	W.wire->cut_off = false;
	stream_listener_free(second);
	s_end_with_breach();
}
