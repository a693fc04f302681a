/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 1 to 11, 19, 29, 30 and 33 to 36: the order of a login, and how it
 * is refused (RFC 7143 6.3, 11.12, 11.13). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

#define LOGIN_REQ 0x03
#define LOGIN_RSP 0x23

Test(scenario, s001_first_login_request)
{
	const struct s_pdu *first;

	s_init();
	s_up();
	first = s_sent(LOGIN_REQ, 0);
	cr_assert_eq(first->bhs[0], 0x43);
	cr_assert_eq(t_get(first->bhs, T_VERSION_MAX), 0);
	cr_assert_eq(t_get(first->bhs, T_VERSION_MIN), 0);
	cr_assert_eq(t_get(first->bhs, T_TSIH), 0);
	cr_assert(t_get(first->bhs, T_CSG) <= 1);
	cr_assert(s_says(
		first, "InitiatorName=iqn.2026-01.org.example:scenario"));
	cr_assert(s_says(first, "SessionType=Normal"));
	cr_assert(s_says(first, "TargetName=iqn.2003-01.org.example:model"));
	s_end();
}

Test(scenario, s002_final_response_without_tsih)
{
	s_init();
	s_edit_field(LOGIN_RSP, 1, T_TSIH, 0);
	s_refused("without a TSIH");
}

Test(scenario, s003_tsih_before_its_time)
{
	s_init();
	s_edit_field(LOGIN_RSP, 0, T_TSIH, 77);
	s_up();
	cr_assert_eq(t_get(s_sent(LOGIN_REQ, 1)->bhs, T_TSIH), 0);
	s_end();
}

Test(scenario, s005_target_that_stays_in_the_stage)
{
	s_init();
	W.options.login_stay = 5;
	s_up();
	for (unsigned i = 0; i < 12; i++) {
		cr_assert_eq(t_get(s_sent(LOGIN_REQ, i)->bhs, T_CSG), i >= 6);
		cr_assert_eq(s_sent(LOGIN_REQ, i)->len == 0, i % 6 > 0);
	}
	cr_assert_eq(s_count(LOGIN_REQ), 12);
	s_end();
	s_init();
	W.options.login_stay = UINT32_MAX;
	s_refused("login does not end");
}

Test(scenario, s005_target_that_stays_and_is_slow)
{
	s_init();
	W.options.login_stay = UINT32_MAX;
	s_start();
	W.wire->way[T_IN].delay_ns = NS_PER_S;
	cr_assert(!s_try());
	s_expect_reason("no answer to the login");
	s_end();
}

Test(scenario, s006_transit_without_asking)
{
	s_init();
	W.options.chap_user = "host1";
	W.options.chap_secret = "secretsecret1";
	W.config.chap.user = "host1";
	W.config.chap.secret = "secretsecret1";
	W.config.chap.secret_len = 13;
	s_edit_field(LOGIN_RSP, 0, T_FLAGS, 0x81);
	s_refused("leaves the stage unasked");
}

Test(scenario, s007_stages_that_do_not_follow)
{
	static const struct {
		unsigned nth;
		enum t_field field;
		uint64_t value;
	} cases[] = {
		{0, T_NSG, 0},
		{0, T_NSG, 2},
		{0, T_NSG, 3},
		{0, T_CSG, 1},
		{0, T_CSG, 2},
		{1, T_CSG, 0},
		{1, T_NSG, 1},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		s_init();
		s_edit_field(LOGIN_RSP, cases[i].nth, cases[i].field,
			cases[i].value);
		s_refused("stage");
	}
}

/* The initiator always goes 0, 1, 3: a target that wants to negotiate never
 * has to pull it back. */
Test(scenario, s008_every_stage_is_gone_through)
{
	s_init();
	s_up();
	cr_assert_eq(s_count(LOGIN_REQ), 2);
	cr_assert_eq(t_get(s_sent(LOGIN_REQ, 0)->bhs, T_CSG), 0);
	cr_assert_eq(t_get(s_sent(LOGIN_REQ, 0)->bhs, T_NSG), 1);
	cr_assert_eq(t_get(s_sent(LOGIN_REQ, 1)->bhs, T_CSG), 1);
	cr_assert_eq(t_get(s_sent(LOGIN_REQ, 1)->bhs, T_NSG), 3);
	s_end();
}

Test(scenario, s009_stat_sn_begins_anywhere)
{
	static const uint32_t firsts[] = {
		0, 0x7fffffff, 0xfffffffd, 0xfffffffe, 0xffffffff};

	for (unsigned i = 0; i < 5; i++) {
		s_init();
		W.options.first_stat_sn = firsts[i];
		s_up();
		cr_assert_eq(t_get(s_sent(LOGIN_REQ, 1)->bhs, T_EXP_STAT_SN),
			(uint32_t)(firsts[i] + 1));
		for (unsigned n = 0; n < 4; n++)
			s_write(n, 4096, 1);
		s_wait_done();
		for (unsigned n = 0; n < 4; n++)
			s_expect_good(&W.commands[n]);
		s_end();
	}
}

Test(scenario, s010_exp_stat_sn_during_login)
{
	s_init();
	W.options.login_stay = 2;
	s_up();
	for (unsigned i = 1; i < 6; i++)
		cr_assert_eq(t_get(s_sent(LOGIN_REQ, i)->bhs, T_EXP_STAT_SN),
			(uint32_t)(W.options.first_stat_sn + i));
	s_end();
	s_init();
	s_edit_field(LOGIN_RSP, 1, T_STAT_SN, W.options.first_stat_sn + 2);
	s_refused("StatSN");
}

Test(scenario, s011_key_negotiated_twice)
{
	static const char again[] = "ImmediateData=Yes";

	s_init();
	W.options.login_text = again;
	W.options.login_text_len = sizeof again;
	s_refused("negotiates ImmediateData twice");
	s_init();
	W.options.login_stay = 1;
	s_key_in(3, "MaxBurstLength", "262144");
	s_refused("negotiates MaxBurstLength twice");
}

Test(scenario, s019_other_pdus_during_login)
{
	static const struct {
		uint8_t opcode;
		const char *text;
	} cases[] = {
		{0x20, "NOP-In"},
		{0x21, "SCSI Response"},
		{0x25, "Data-In"},
		{0x31, "R2T"},
		{0x32, "Asynchronous Message"},
		{0x3f, "Reject (reason 0x04) during login"},
		{0x3e, "unknown opcode"},
		{0x03, "a request, from the target"},
	};
	struct s_edit *e;

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		s_init();
		e = s_edit_field(LOGIN_RSP, 0, T_OPCODE, cases[i].opcode);
		s_set(e, T_RESPONSE, 4);
		s_set(e, T_TTT, 1);
		s_set(e, T_DESIRED, 1);
		if (cases[i].opcode == 0x31)
			s_set_data(e, "", 0);
		s_refused(cases[i].text);
	}
}

Test(scenario, s029_keys_over_several_responses)
{
	s_init();
	W.options.login_chunk = 10;
	s_up();
	cr_assert(s_count(LOGIN_REQ) > 20);
	cr_assert_eq(s_sent(LOGIN_REQ, 1)->len, 0);
	s_write(0, S_DATA, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
	s_init();
	s_edit_field(LOGIN_RSP, 0, T_CONTINUE, 1);
	s_refused("both T and C");
}

/* 150 keys of 250 bytes that nobody knows */
Test(scenario, s030_long_login_text)
{
	char *text = calloc(1, 65536), *at = text;

	s_init();
	for (unsigned i = 0; i < 150; i++)
		at += sprintf(at, "X-org.example.k%u=%0240u", i, i) + 1;
	W.options.login_stay = 1;
	W.options.login_chunk = 8192;
	W.options.login_text = text;
	W.options.login_text_len = (size_t)(at - text);
	s_up();
	cr_assert_eq(s_said("X-org.example.k0=NotUnderstood"), 1);
	cr_assert_eq(s_said("X-org.example.k149=NotUnderstood"), 1);
	s_end();
	free(text);
}

/* RFC 7143 11.13.5 */
Test(scenario, s033_every_status_has_a_cure)
{
	static const struct {
		uint8_t class, detail;
		enum path_cure cure;
		const char *text;
	} cases[] = {
		{2, 0x00, PATH_FATAL, "(0200)"},
		{2, 0x01, PATH_RETRY_SLOW, "authentication failed"},
		{2, 0x02, PATH_RETRY_SLOW, "access denied"},
		{2, 0x03, PATH_FATAL, "no such target"},
		{2, 0x04, PATH_FATAL, "removed"},
		{2, 0x05, PATH_FATAL, "version"},
		{2, 0x06, PATH_RETRY, "too many connections"},
		{2, 0x07, PATH_FATAL, "parameter"},
		{2, 0x08, PATH_RETRY, "session"},
		{2, 0x09, PATH_FATAL, "type of session"},
		{2, 0x0a, PATH_RETRY, "does not exist"},
		{2, 0x0b, PATH_FATAL, "invalid"},
		{2, 0x77, PATH_FATAL, "(0277)"},
		{3, 0x00, PATH_RETRY, "target error"},
		{3, 0x01, PATH_RETRY, "unavailable"},
		{3, 0x02, PATH_RETRY, "out of resources"},
		{3, 0x44, PATH_RETRY, "(0344)"},
		{7, 0x77, PATH_FATAL, "unknown status"},
		{1, 0x01, PATH_RETRY, "redirects without an address"},
	};
	struct s_edit *e;

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		s_init();
		e = s_edit_field(LOGIN_RSP, 0, T_STATUS_CLASS, cases[i].class);
		s_set(e, T_STATUS_DETAIL, cases[i].detail);
		s_refused(cases[i].text);
		cr_assert_eq(W.down.cure, cases[i].cure, "%s: cure %d",
			cases[i].text, W.down.cure);
	}
}

Test(scenario, s033_target_that_was_there_may_come_back)
{
	struct s_edit *e;

	s_init();
	s_up();
	t_wire_reset(&W.at);
	s_wait_down();
	e = s_edit_field(LOGIN_RSP, 0, T_STATUS_CLASS, 2);
	s_set(e, T_STATUS_DETAIL, 3);
	cr_assert(!s_try());
	cr_assert_eq(W.down.cure, PATH_RETRY);
	s_end_with_breach();
}

Test(scenario, s034_echoes)
{
	static const struct {
		enum t_field field;
		const char *text;
	} cases[] = {
		{T_ITT, "another tag"},
		{T_ISID, "another ISID"},
		{T_VERSION_MIN, "version"},
	};

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned nth = 0; nth < 2; nth++) {
			s_init();
			s_edit_field(LOGIN_RSP, nth, cases[i].field, 77);
			s_refused(cases[i].text);
		}
	}
}

Test(scenario, s035_no_portal_group_tag)
{
	s_init();
	s_key("TargetPortalGroupTag", NULL);
	s_up();
	s_write(0, 4096, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_end();
}

Test(scenario, s036_late_response)
{
	s_init();
	s_start();
	W.wire->way[T_IN].delay_ns = 3 * NS_PER_S;
	path_start(W.path);
	s_pass(4000);
	W.wire->way[T_IN].delay_ns = 30 * NS_PER_S;
	s_wait_down();
	s_expect_reason("no answer to the login");
	s_pass(60000);
	cr_assert_eq(W.ups, 0);
	cr_assert_eq(W.downs, 1);
	s_end();
}

Test(scenario, s036_silence_and_refusal)
{
	s_init();
	s_start();
	W.wire->way[T_IN].blackhole = true;
	cr_assert(!s_try());
	cr_assert_eq(W.down.cure, PATH_RETRY);
	W.wire->way[T_IN].blackhole = false;
	W.wire->refuse = true;
	cr_assert(!s_try());
	s_expect_reason("cannot connect: Connection refused");
	W.wire->refuse = false;
	cr_assert(s_try(), "%s", W.down.reason);
	s_end();
}
