/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 12 to 18 and 20 to 28: negotiation (RFC 7143 6.2, 13). */
#include <string.h>

#include "tests/scenario/s_rig.h"

#define LOGIN_RSP 0x23

static void moves_data(void)
{
	s_write(0, S_DATA, 1);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	s_read(0, S_DATA);
	s_wait_done();
	s_expect_good(&W.commands[0]);
	cr_assert(s_pattern_is(&W.commands[0], S_DATA, 1));
}

static void refused_with(const char *key, const char *value, const char *text)
{
	s_init();
	s_key(key, value);
	s_refused(text);
	cr_assert_eq(W.down.cure, PATH_RETRY_SLOW);
}

/* The target speaks first, in its answer to AuthMethod, and does not answer
 * what it has settled so. */
static void target_proposes(const char *key, const char *value)
{
	s_key_in(0, key, value);
	s_key_in(1, key, NULL);
}

Test(scenario, s012_keys_that_the_target_proposes)
{
	s_init();
	target_proposes("ImmediateData", "No");
	target_proposes("MaxBurstLength", "131072");
	W.options.immediate_data = false;
	W.options.max_burst_length = 131072;
	s_up();
	cr_assert_eq(s_said("ImmediateData=No"), 1);
	cr_assert_eq(s_said("ImmediateData=Yes"), 0);
	cr_assert_eq(s_said("MaxBurstLength=131072"), 1);
	moves_data();
	s_end();
}

Test(scenario, s013_list_with_words_unknown)
{
	s_init();
	target_proposes("HeaderDigest", "foo,CRC32C,None");
	s_up();
	cr_assert_eq(s_said("HeaderDigest=CRC32C"), 1);
	cr_assert(s_conn()->header_digest);
	moves_data();
	s_end();
}

Test(scenario, s014_auth_method_not_offered)
{
	refused_with("AuthMethod", "KRB5", "AuthMethod KRB5");
	refused_with("AuthMethod", "CHAP", "name a CHAP user");
	refused_with("AuthMethod", "Reject", "AuthMethod Reject");
}

Test(scenario, s015_first_burst_beyond_the_offer)
{
	refused_with("FirstBurstLength", "16000000", "rules out");
	s_init();
	s_key("MaxBurstLength", "65536");
	s_key("FirstBurstLength", "131072");
	s_refused("FirstBurstLength 131072 is above MaxBurstLength");
}

Test(scenario, s016_boolean_that_is_none)
{
	refused_with("ImmediateData", "Maybe", "no such value");
	refused_with("InitialR2T", "yes", "no such value");
}

Test(scenario, s016_initial_r2t_without_an_answer)
{
	s_init();
	s_key("InitialR2T", NULL);
	s_up();
	moves_data();
	cr_assert(t_get(s_sent(0x01, 0)->bhs, T_FINAL));
	cr_assert_neq(t_get(s_sent(0x05, 0)->bhs, T_TTT), T_NO_TAG);
	s_end();
}

Test(scenario, s017_keys_unknown)
{
	static const char text[] = "X-com.foo=1\0NewKey=1";

	s_init();
	W.options.login_stay = 1;
	W.options.login_text = text;
	W.options.login_text_len = sizeof text;
	s_up();
	cr_assert_eq(s_said("X-com.foo=NotUnderstood"), 1);
	cr_assert_eq(s_said("NewKey=NotUnderstood"), 1);
	s_end();
}

Test(scenario, s018_not_understood_keys_keep_their_default)
{
	s_init();
	s_key("TaskReporting", "NotUnderstood");
	s_key("iSCSIProtocolLevel", "NotUnderstood");
	s_up();
	moves_data();
	s_end();
}

/* The model target computes the digests of each PDU after login, and would
 * not find keys in a Login Request that had one. */
Test(scenario, s020_digests_after_login)
{
	s_init();
	s_up();
	cr_assert(s_conn()->header_digest && s_conn()->data_digest);
	moves_data();
	s_end();
}

Test(scenario, s021_target_without_digests)
{
	s_init();
	W.options.header_digest = W.options.data_digest = false;
	s_key("HeaderDigest", "None");
	s_key("DataDigest", "None");
	s_up();
	cr_assert(!s_conn()->header_digest && !s_conn()->data_digest);
	moves_data();
	s_end();
	s_init();
	W.options.header_digest = false;
	W.config.offer.header_digest = ISCSI_DIGEST_CRC32C;
	s_refused("HeaderDigest");
	s_init();
	s_key("DataDigest", "None");
	W.config.offer.data_digest = ISCSI_DIGEST_CRC32C;
	s_refused("DataDigest");
}

Test(scenario, s022_markers)
{
	static const char text[] =
		"IFMarker=Yes\0OFMarker=Yes\0OFMarkInt=2048~8192";

	s_init();
	W.options.login_stay = 1;
	W.options.login_text = text;
	W.options.login_text_len = sizeof text;
	s_up();
	cr_assert_eq(s_said("IFMarker=Reject") + s_said("IFMarker=No"), 1);
	cr_assert_eq(s_said("OFMarker=Reject") + s_said("OFMarker=No"), 1);
	cr_assert_eq(s_said("OFMarkInt=Reject"), 1);
	moves_data();
	s_end();
}

/* The model target measures every PDU. */
Test(scenario, s023_small_data_segments)
{
	s_init();
	W.options.max_recv_data_segment_length = 512;
	s_up();
	moves_data();
	for (unsigned i = 0; s_sent(0x05, i); i++)
		cr_assert(s_sent(0x05, i)->len <= 512);
	s_end();
	refused_with("MaxRecvDataSegmentLength", "0", "out of range");
	refused_with("MaxRecvDataSegmentLength", "511", "out of range");
	refused_with("MaxRecvDataSegmentLength", "16777216", "out of range");
}

Test(scenario, s025_boolean_functions)
{
	for (unsigned i = 0; i < 16; i++) {
		bool r2t = i & 1, immediate = i & 2;

		s_init();
		W.options.initial_r2t = r2t;
		W.options.immediate_data = immediate;
		W.config.offer.initial_r2t = i & 4;
		W.config.offer.immediate_data = i & 8;
		s_up();
		moves_data();
		immediate &= W.config.offer.immediate_data;
		r2t |= W.config.offer.initial_r2t;
		cr_assert_eq(s_sent(0x01, 0)->len > 0, immediate);
		/* First Data-Out: unasked when that is allowed, or, with all
		 * that is allowed in the command, asked for. */
		if (r2t)
			cr_assert(t_get(s_sent(0x01, 0)->bhs, T_FINAL));
		else if (!immediate)
			cr_assert(!t_get(s_sent(0x01, 0)->bhs, T_FINAL));
		s_end();
	}
}

Test(scenario, s026_times_beyond_the_offer)
{
	s_init();
	W.config.offer.default_time2wait = 5;
	s_key("DefaultTime2Wait", "2");
	s_refused("rules out");
	refused_with("DefaultTime2Retain", "30", "rules out");
	refused_with("DefaultTime2Wait", "3601", "no such value");
}

Test(scenario, s027_recovery_level_beyond_the_offer)
{
	refused_with("ErrorRecoveryLevel", "1", "rules out");
	refused_with("ErrorRecoveryLevel", "3", "no such value");
}

Test(scenario, s028_hexadecimal_values)
{
	s_init();
	s_key("MaxBurstLength", "0x40000");
	s_key("FirstBurstLength", "0X10000");
	s_up();
	moves_data();
	s_end();
}
