/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile classes 31 to 40: texts at login and in discovery. Nobody is let in
 * by mistake, everything has an end, and nothing grows beyond its bound. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/s_rig.h"

#define LOGIN_RSP 0x23

static void init(void)
{
	s_init();
	W.disk.blocks = 4096;
}

/* The operational reply is this text and nothing else. */
static void refused_for(const void *text, size_t len, const char *reason)
{
	init();
	s_set_data(s_edit(LOGIN_RSP, 1), text, (uint32_t)len);
	s_refused(reason);
}

/* It has this one more pair. */
static void refused_with(const char *key, const char *value)
{
	init();
	s_key_in(1, key, value);
	s_refused("");
}

Test(scenario, h31_login_without_end)
{
	char *text = malloc(60000);

	memset(text, 'x', 60000);
	init();
	W.options.login_text = text;
	W.options.login_text_len = 60000;
	W.options.login_chunk = 1;
	s_refused("login does not end");
	init();
	W.options.login_stay = UINT_MAX;
	s_refused("login does not end");
	free(text);
}

/* More text than one login may have, in PDUs of the greatest length */
static enum t_verdict chatter(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)arg;
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) != LOGIN_RSP)
		return T_PASS;
	t_set(pdu->bhs, T_FLAGS, 0x40);
	free(pdu->data);
	pdu->data = malloc(8192);
	memset(pdu->data, 'x', 8192);
	pdu->len = 8192;
	return T_PASS;
}

Test(scenario, h31_login_of_endless_text)
{
	init();
	W.hooks.tx = chatter;
	s_start();
	cr_assert(!s_try());
	s_expect_reason("too many keys at login");
	cr_assert(s_count(0x03) <= 10);
	s_end_with_breach();
}

Test(scenario, h32_two_thousand_keys)
{
	char *text = calloc(1, 65536), *at = text;

	init();
	for (unsigned i = 0; i < 2048; i++)
		at += sprintf(at, "k%u=b", i) + 1;
	W.options.login_stay = 1;
	W.options.login_chunk = 8192;
	W.options.login_text = text;
	W.options.login_text_len = (size_t)(at - text);
	s_refused("more keys than we answer");
	init();
	for (unsigned i = 0; i < 2048; i++)
		memcpy(text + 4 * i, "a=b", 4);
	W.options.login_stay = 1;
	W.options.login_text = text;
	W.options.login_text_len = 4 * 2048;
	W.options.login_chunk = 8192;
	s_refused("more keys than we answer");
	free(text);
}

Test(scenario, h33_pairs_that_are_none)
{
	char text[8192];

	memset(text, 'k', sizeof text);
	refused_for(text, sizeof text, "does not end with a NUL");
	refused_for(text, 1, "does not end with a NUL");
	text[64] = '=';
	text[66] = '\0';
	refused_for(text, 67, "a text key that is empty, too long");
	refused_for("=value", 7, "a text key that is empty, too long");
	refused_for("ImmediateData", 14, "text that is no key=value");
	refused_for("Im mediate=x", 13, "characters that none may have");
	refused_for("\x1b[2J=x", 7, "characters that none may have");
	memset(text, 'v', sizeof text);
	text[300] = '\0';
	refused_with("TargetAlias", text);
	refused_with("ImmediateData", text);
}

/* What a key unknown to us has for a value is nobody's business. */
Test(scenario, h33_long_value_of_an_unknown_key)
{
	static char text[8000] = "X-a=";

	memset(text + 4, 'v', sizeof text - 5);
	init();
	W.options.login_stay = 1;
	W.options.login_text = text;
	W.options.login_text_len = sizeof text;
	W.options.login_chunk = 8192;
	s_up();
	cr_assert_eq(s_said("X-a=NotUnderstood"), 1);
	s_end();
}

Test(scenario, h34_values)
{
	static const char *const pairs[][2] = {
		{"MaxBurstLength", "99999999999999999999999"},
		{"MaxBurstLength", "18446744073709551616"},
		{"MaxBurstLength", "4294967808"},
		{"MaxBurstLength", "-1"},
		{"MaxBurstLength", "0512"},
		{"MaxBurstLength", "512 "},
		{"MaxBurstLength", "5_12"},
		{"MaxBurstLength", ""},
		{"MaxBurstLength", "0x"},
		{"MaxBurstLength", "0xg"},
		{"MaxBurstLength", "512,1024"},
		{"HeaderDigest", "CRC64"},
		{"HeaderDigest", "CRC32C,None"},
		{"HeaderDigest", ""},
		{"TaskReporting", "SlowAbort"},
		{"ImmediateData", "1"},
		{"TargetPortalGroupTag", "65536"},
		{"InitiatorName", "iqn.2026-01.org.example:other"},
		{"SessionType", "Normal"},
		{"AuthMethod", "None"},
		{"CHAP_A", "5"},
	};
	char huge[7000] = "0x";

	for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		refused_with(pairs[i][0], pairs[i][1]);
	memset(huge + 2, '0', sizeof huge - 3);
	huge[sizeof huge - 2] = '1';
	init(); /* 1, with very many zeroes before it: below the least */
	s_key("MaxBurstLength", huge);
	W.options.login_chunk = 8192;
	s_refused("MaxBurstLength");
}

Test(scenario, h35_numbers_out_of_range)
{
	static const char *const pairs[][2] = {
		{"MaxRecvDataSegmentLength", "0"},
		{"MaxRecvDataSegmentLength", "511"},
		{"MaxRecvDataSegmentLength", "4294967296"},
		{"MaxBurstLength", "511"},
		{"FirstBurstLength", "0"},
		{"MaxConnections", "0"},
		{"MaxConnections", "65536"},
		{"MaxOutstandingR2T", "0"},
		{"ErrorRecoveryLevel", "3"},
		{"DefaultTime2Wait", "65535"},
		{"DefaultTime2Retain", "3601"},
		{"iSCSIProtocolLevel", "32"},
	};

	for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		refused_with(pairs[i][0], pairs[i][1]);
	init();
	s_key("MaxBurstLength", "65536");
	s_key("FirstBurstLength", "65537");
	s_refused("is above MaxBurstLength");
}

/* Only the flags that belong there lead on: of all the others none ends in
 * full feature phase. */
Test(scenario, h36_flags_of_every_kind)
{
	static const uint8_t right[] = {0x81, 0x87};

	for (unsigned nth = 0; nth < 2; nth++) {
		for (unsigned flags = 0; flags < 256; flags++) {
			init();
			s_edit_field(LOGIN_RSP, nth, T_FLAGS, flags);
			s_start();
			if (s_try())
				cr_assert_eq(flags & 0xcf, right[nth],
					"%u: %#x", nth, flags);
			s_end_with_breach();
		}
	}
}

Test(scenario, h37_tsih)
{
	init();
	s_edit_field(LOGIN_RSP, 1, T_TSIH, 0);
	s_refused("without a TSIH");
	/* One before another: the last one holds. */
	init();
	s_edit_field(LOGIN_RSP, 0, T_TSIH, 9);
	s_edit_field(LOGIN_RSP, 1, T_TSIH, 10);
	s_up();
	s_end();
}

Test(scenario, h38_redirections)
{
	static const char *const addresses[] = {"[::1", "::1]", "[::1]x",
		"[zz::1]:3260", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:99999",
		"1.2.3.4:-1", "1.2.3.4:3260,", "1.2.3.4:3260,99999", "%n%n",
		"$(reboot)", "../../etc", "a\x1b[2J", ""};
	char text[700] = "TargetAddress=";
	struct s_edit *e;

	for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		init();
		strcpy(text + 14, addresses[i]);
		e = s_edit_field(LOGIN_RSP, 0, T_STATUS_CLASS, 1);
		s_set(e, T_STATUS_DETAIL, 1 + i % 2);
		s_set_data(e, text, (uint32_t)strlen(text) + 1);
		s_start();
		cr_assert(!s_try(), "%s", addresses[i]);
		cr_assert(!strchr(W.down.reason, '\x1b'));
		s_end_with_breach();
	}
	memset(text + 14, 'h', 600);
	init();
	e = s_edit_field(LOGIN_RSP, 0, T_STATUS_CLASS, 1);
	s_set(e, T_STATUS_DETAIL, 1);
	s_set_data(e, text, 615);
	s_refused("an address that is none");
}

/* The name that we log in to stays ours, whatever else is said. */
Test(scenario, h38_redirected_to_another_name)
{
	static const char text[] = "TargetName=iqn.2026-01.org.example:other\0"
				   "TargetAddress=127.0.0.1:3260";
	struct s_edit *e;

	init();
	strcpy(W.config.portals[0].host, "localhost");
	e = s_edit_field(LOGIN_RSP, 0, T_STATUS_CLASS, 1);
	s_set(e, T_STATUS_DETAIL, 1);
	s_set_data(e, text, sizeof text);
	s_start();
	t_name_set("localhost", &W.at, 1);
	cr_assert(s_try(), "%s", W.down.reason);
	cr_assert_eq(s_said("TargetName=iqn.2026-01.org.example:other"), 0);
	s_end_with_breach();
}

static void chap(void)
{
	init();
	W.options.chap_user = "host1";
	W.options.chap_secret = "secretsecret1";
	W.options.mutual_user = "array";
	W.options.mutual_secret = "arrayarray12";
	W.config.chap.user = "host1";
	W.config.chap.secret = "secretsecret1";
	W.config.chap.secret_len = 13;
	W.config.chap.mutual_secret = "arrayarray12";
	W.config.chap.mutual_secret_len = 12;
}

Test(scenario, h39_authentication_pulled_down)
{
	static const struct {
		unsigned nth;
		const char *key, *value;
	} cases[] = {
		{0, "AuthMethod", "None"},
		{0, "AuthMethod", "None,CHAP"},
		{0, "AuthMethod", "chap"},
		{0, "AuthMethod", "NotUnderstood"},
		{0, "AuthMethod", NULL},
		{1, "CHAP_A", "4"},
		{1, "CHAP_A", "5,6"},
		{1, "CHAP_A", ""},
		{1, "CHAP_C", "0x"},
		{1, "CHAP_C", "0b===="},
		{2, "CHAP_R", "0x"},
		{2, "CHAP_R", "0x00"},
		{2, "CHAP_R", NULL},
		{2, "CHAP_N", ""},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		chap();
		s_key_in(cases[i].nth, cases[i].key, cases[i].value);
		s_start();
		cr_assert(!s_try(), "%s=%s", cases[i].key, cases[i].value);
		s_end_with_breach();
	}
}

Test(scenario, h39_long_values_of_chap)
{
	static char huge[7000];

	memset(huge, 'n', sizeof huge - 1);
	chap();
	s_key_in(2, "CHAP_N", huge);
	s_refused("CHAP_N is missing or too long");
	huge[0] = '0';
	huge[1] = 'x';
	memset(huge + 2, 'a', sizeof huge - 3);
	chap();
	s_key_in(2, "CHAP_R", huge);
	s_refused("CHAP_R is missing or malformed");
	chap();
	s_key_in(1, "CHAP_C", huge);
	s_refused("CHAP_C is missing, malformed or above 1024 bytes");
	chap();
	s_key_in(1, "CHAP_I", huge);
	s_refused("CHAP_I is missing or no byte");
}

/*
 * Discovery
 */
static struct {
	unsigned calls, targets, portals;
	int err;
	char reason[160];
} found;

static void discovered(
	void *arg, int err, const struct iscsi_targets *all, const char *reason)
{
	(void)arg;
	found.calls++;
	found.err = err;
	if (err) {
		snprintf(found.reason, sizeof found.reason, "%s", reason);
		return;
	}
	found.targets = all->ntargets;
	for (unsigned i = 0; i < all->ntargets; i++)
		found.portals += all->targets[i].nportals;
}

static bool is_found(void *arg)
{
	(void)arg;
	return found.calls > 0;
}

static void discover(const char *text, size_t len, uint32_t chunk)
{
	init();
	memset(&found, 0, sizeof found);
	W.options.targets_text = text;
	W.options.targets_text_len = len;
	W.options.text_chunk = chunk;
	s_start();
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 600 * NS_PER_S));
	cr_assert_eq(found.calls, 1);
	s_end();
}

static void wrong(const char *text, size_t len, const char *reason)
{
	discover(text, len, 0);
	cr_assert(found.err < 0);
	cr_assert(strstr(found.reason, reason), "%s", found.reason);
}

Test(scenario, h40_targets_without_end)
{
	const size_t len = (16u << 20) + 1;
	char *text = calloc(1, len), *at = text;

	memset(text, 'x', len);
	wrong(text, len, "its list of targets is too long");
	for (unsigned i = 0; i < 100000; i++)
		at += sprintf(at, "TargetName=iqn.2026-01.org.example:t%u", i) +
		      1;
	wrong(text, (size_t)(at - text), "too many targets");
	at = text + sprintf(text, "TargetName=iqn.2026-01.org.example:t") + 1;
	for (unsigned i = 1; i <= 60000; i++)
		at += sprintf(at, "TargetAddress=10.0.0.1:%u", i) + 1;
	discover(text, (size_t)(at - text), 0);
	cr_assert_eq(found.err, 0);
	cr_assert_eq(found.targets, 1);
	cr_assert(found.portals <= 256);
	for (unsigned i = 0; i < 10000; i++)
		at += sprintf(at, "TargetAddress=10.0.0.1:3260") + 1;
	wrong(text, (size_t)(at - text), "too many targets or addresses");
	at = text;
	for (unsigned i = 0; i < 70000; i++)
		at += sprintf(at, "TargetName=iqn.2026-01.org.example:t") + 1;
	wrong(text, (size_t)(at - text), "too many targets or addresses");
	free(text);
}

Test(scenario, h40_targets_that_are_none)
{
	static const char *const names[] = {"", "iqn.2026-01.org.example:a b",
		"iqn.2026-01.org.example:\x1b[2J",
		"iqn.2026-01.org.example:../../../etc/passwd", "..", "/etc",
		"eui.0", "naa.1", "iqn.2026", "%s%n"};
	char text[400];
	int n;

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
		n = sprintf(text, "TargetName=%s", names[i]) + 1;
		wrong(text, (size_t)n, "it reports a name that is none");
	}
	strcpy(text, "TargetName=iqn.2026-01.org.example:");
	memset(text + strlen(text), 'n', 200);
	wrong(text, strlen(text) + 1, "it reports a name that is none");
	wrong("TargetAddress=10.0.0.1", 23, "an address of no target");
	wrong("TargetName", 11, "no key=value");
	wrong("TargetName=iqn.2026-01.org.example:x", 36, "NUL");
}

Test(scenario, h40_addresses_that_are_none)
{
	static const char text[] = "TargetName=iqn.2026-01.org.example:a\0"
				   "TargetAddress=[::1\0"
				   "TargetAddress=10.0.0.1:3260,1\0"
				   "TargetAddress=10.0.0.1:3260,1\0"
				   "TargetAddress=\x1b[2J\0"
				   "TargetAddress=10.0.0.1,1\0"
				   "TargetAddress=10.0.0.1:0";

	discover(text, sizeof text, 0);
	cr_assert_eq(found.err, 0, "%s", found.reason);
	cr_assert_eq(found.portals, 1);
}

/* Pieces without anything in them, for ever */
static enum t_verdict empty(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	(void)arg;
	if (t_get(pdu->bhs, T_OPCODE) != 0x24)
		return T_PASS;
	pdu->len = 0;
	t_set(pdu->bhs, T_FLAGS, 0);
	t_set(pdu->bhs, T_TTT, c->text_ttt = 7);
	c->text_at = 0;
	return T_PASS;
}

Test(scenario, h40_text_without_end)
{
	init();
	memset(&found, 0, sizeof found);
	W.hooks.tx = empty;
	s_start();
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 600 * NS_PER_S));
	cr_assert(found.err < 0);
	s_end_with_breach();
}

/* Not the last one, and nothing to ask for the next with */
Test(scenario, h40_text_that_cannot_go_on)
{
	struct s_edit *e;

	init();
	memset(&found, 0, sizeof found);
	e = s_edit_field(0x24, 0, T_FLAGS, 0);
	s_set(e, T_TTT, T_NO_TAG);
	s_start();
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 600 * NS_PER_S));
	cr_assert_eq(found.calls, 1);
	cr_assert_eq(found.err, -EPROTO);
	cr_assert(strstr(found.reason, "without a tag"), "%s", found.reason);
	s_end_with_breach();
}

/* A piece every three seconds: each in time, and all of them not. */
Test(scenario, h40_text_in_drops)
{
	init();
	memset(&found, 0, sizeof found);
	W.hooks.tx = empty;
	s_start();
	W.wire->way[T_IN].delay_ns = 3 * NS_PER_S;
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 90 * NS_PER_S));
	cr_assert(strstr(found.reason, "takes too long"), "%s", found.reason);
	s_end_with_breach();
}
