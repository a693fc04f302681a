/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation: what is offered, what a target's word does, what comes of it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/iscsi/keys.h"

static const struct iscsi_offer usual = {
	.header_digest = ISCSI_DIGEST_PREFER,
	.data_digest = ISCSI_DIGEST_PREFER,
	.initial_r2t = false,
	.immediate_data = true,
	.first_burst_length = 262144,
	.max_burst_length = 1048576,
	.max_recv_data_segment_length = 262144,
	.max_outstanding_r2t = 8,
	.max_connections = 1,
	.error_recovery_level = 0,
	.default_time2wait = 0,
	.default_time2retain = 20,
};

static struct keys k;
static struct session_params session;
static struct conn_params conn;
static char buffer[8192], why[160];
static struct text_out out;

static void start(enum keys_phase phase, const struct iscsi_offer *offer)
{
	keys_init(&k, phase, offer);
	out = (struct text_out){.data = buffer, .cap = sizeof buffer};
	session_params_init(&session);
	conn_params_init(&conn);
	why[0] = '\0';
}

static void start_offered(void)
{
	start(KEYS_LEADING, &usual);
	keys_offer(&k, &out);
	out.len = 0;
}

static int take(const char *name, const char *value)
{
	out.len = 0;
	why[0] = '\0';
	return keys_take(&k, name, value, &out, why, sizeof why);
}

static int finish(void)
{
	return keys_finish(&k, &session, &conn, why, sizeof why);
}

/* The answer to a pair of the target, "" for none. */
static const char *answer(const char *name, const char *value)
{
	cr_assert_eq(take(name, value), 0, "%s=%s: %s", name, value, why);
	buffer[out.len] = '\0';
	return buffer;
}

Test(keys, offer)
{
	static const char want[] = "HeaderDigest=CRC32C,None\0"
				   "DataDigest=CRC32C,None\0"
				   "MaxRecvDataSegmentLength=262144\0"
				   "InitialR2T=No\0ImmediateData=Yes\0"
				   "MaxBurstLength=1048576\0"
				   "FirstBurstLength=262144\0"
				   "MaxOutstandingR2T=8\0DataPDUInOrder=Yes\0"
				   "DataSequenceInOrder=Yes\0"
				   "ErrorRecoveryLevel=0\0MaxConnections=1\0"
				   "DefaultTime2Wait=0\0DefaultTime2Retain=20\0"
				   "TaskReporting=FastAbort,ResponseFence,"
				   "RFC3720\0"
				   "iSCSIProtocolLevel=2";

	start(KEYS_LEADING, &usual);
	keys_offer(&k, &out);
	cr_expect_eq(out.len, sizeof want);
	cr_expect_arr_eq(buffer, want, sizeof want);
	cr_expect(!keys_settled(&k));
	out.len = 0;
	keys_offer(&k, &out);
	cr_expect_eq(out.len, 0, "each key once");
}

Test(keys, offer_of_other_phases)
{
	static const char joining[] = "HeaderDigest=CRC32C,None\0"
				      "DataDigest=CRC32C,None\0"
				      "MaxRecvDataSegmentLength=262144";
	static const char again[] = "MaxRecvDataSegmentLength=262144";

	start(KEYS_JOINING, &usual);
	keys_offer(&k, &out);
	cr_expect_eq(out.len, sizeof joining);
	cr_expect_arr_eq(buffer, joining, sizeof joining);
	start(KEYS_RENEGOTIATE, &usual);
	keys_offer(&k, &out);
	cr_expect_eq(out.len, sizeof again);
	cr_expect_arr_eq(buffer, again, sizeof again);
	start(KEYS_DISCOVERY, &usual);
	keys_offer(&k, &out);
	cr_expect_null(memmem(buffer, out.len, "Burst", 5));
	cr_expect_not_null(memmem(buffer, out.len, "ErrorRecoveryLevel=0", 20));
}

/* What a target of the usual kind answers. */
Test(keys, whole_negotiation)
{
	start_offered();
	cr_expect_str_eq(answer("TargetPortalGroupTag", "1"), "");
	cr_expect_str_eq(answer("HeaderDigest", "CRC32C"), "");
	cr_expect_str_eq(answer("DataDigest", "None"), "");
	cr_expect_str_eq(answer("MaxRecvDataSegmentLength", "8192"), "");
	cr_expect_str_eq(answer("InitialR2T", "Yes"), "");
	cr_expect_str_eq(answer("ImmediateData", "Yes"), "");
	cr_expect_str_eq(answer("MaxBurstLength", "0x40000"), "");
	cr_expect_str_eq(answer("FirstBurstLength", "65536"), "");
	cr_expect_str_eq(answer("MaxOutstandingR2T", "1"), "");
	cr_expect_str_eq(answer("MaxConnections", "1"), "");
	cr_expect_str_eq(answer("DataPDUInOrder", "Yes"), "");
	cr_expect_str_eq(answer("DataSequenceInOrder", "Yes"), "");
	cr_expect_str_eq(answer("ErrorRecoveryLevel", "0"), "");
	cr_expect_str_eq(answer("DefaultTime2Wait", "2"), "");
	cr_expect_str_eq(answer("DefaultTime2Retain", "20"), "");
	cr_expect(!keys_settled(&k));
	cr_expect_str_eq(answer("TaskReporting", "NotUnderstood"), "");
	cr_expect_str_eq(answer("iSCSIProtocolLevel", "NotUnderstood"), "");
	cr_expect(keys_settled(&k));
	cr_assert_eq(finish(), 0, "%s", why);
	cr_expect(k.has_tpgt && k.tpgt == 1);
	cr_expect(conn.header_digest && !conn.data_digest);
	cr_expect_eq(conn.max_recv_data, 262144);
	cr_expect_eq(conn.max_send_data, 8192);
	cr_expect(session.initial_r2t && session.immediate_data);
	cr_expect_eq(session.max_burst_length, 262144);
	cr_expect_eq(session.first_burst_length, 65536);
	cr_expect_eq(session.default_time2wait, 2);
	cr_expect_eq(session.protocol_level, 1);
	cr_expect_eq(session.task_reporting, TASK_REPORTING_RFC3720);
}

/* Nothing said is the default, or what our own value already decides. */
Test(keys, missing_answers)
{
	start_offered();
	cr_assert_eq(finish(), 0, "%s", why);
	cr_expect(session.initial_r2t, "not the No that was only offered");
	cr_expect(session.immediate_data);
	cr_expect_eq(session.max_burst_length, 262144);
	cr_expect_eq(session.first_burst_length, 65536);
	cr_expect_eq(session.max_outstanding_r2t, 1);
	cr_expect_eq(session.default_time2wait, 2);
	cr_expect(!conn.header_digest && !conn.data_digest);
	cr_expect_eq(conn.max_send_data, 8192);
	cr_expect_eq(conn.max_recv_data, 262144);
}

Test(keys, login_without_operational_stage)
{
	start(KEYS_LEADING, &usual);
	cr_assert_eq(finish(), 0);
	cr_expect_eq(conn.max_recv_data, 8192);
	cr_expect(session.initial_r2t && session.immediate_data);
	cr_expect_eq(session.max_burst_length, 262144);
	cr_expect_eq(session.default_time2retain, 20);
}

/* A key that is refused in any of the reserved ways stays at its default. */
Test(keys, reserved_answers)
{
	static const char *const words[] = {
		"NotUnderstood", "Irrelevant", "Reject"};
	size_t i;

	for (i = 0; i < 3; i++) {
		start_offered();
		cr_expect_str_eq(answer("InitialR2T", words[i]), "");
		cr_expect_str_eq(answer("MaxBurstLength", words[i]), "");
		cr_expect_str_eq(answer("HeaderDigest", words[i]), "");
		cr_expect_eq(take("HeaderDigest", "None"), -EPROTO, "twice");
		cr_assert_eq(finish(), 0);
		cr_expect(session.initial_r2t);
		cr_expect_eq(session.max_burst_length, 262144);
		cr_expect(!conn.header_digest);
	}
}

Test(keys, illegal_answers)
{
	static const char *const bad[][2] = {
		{"MaxBurstLength", "1048577"}, /* above the offer */
		{"MaxBurstLength", "511"},
		{"MaxBurstLength", "16777216"},
		{"MaxBurstLength", "99999999999999999999"},
		{"MaxBurstLength", "-1"},
		{"MaxBurstLength", ""},
		{"FirstBurstLength", "262145"},
		{"MaxConnections", "0"},
		{"MaxConnections", "2"},
		{"MaxOutstandingR2T", "9"},
		{"ErrorRecoveryLevel", "1"},
		{"ErrorRecoveryLevel", "3"},
		{"DefaultTime2Wait", "3601"},
		{"DefaultTime2Retain", "21"},
		{"ImmediateData", "Maybe"},
		{"ImmediateData", "yes"},
		{"DataPDUInOrder", "No"}, /* OR with our Yes */
		{"HeaderDigest", "foo"},
		{"HeaderDigest", "CRC32C,None"},
		{"HeaderDigest", ""},
		{"TaskReporting", "SlowAbort"}, /* not offered */
		{"iSCSIProtocolLevel", "3"},
		{"MaxRecvDataSegmentLength", "0"},
		{"MaxRecvDataSegmentLength", "511"},
		{"MaxRecvDataSegmentLength", "16777216"},
		{"MaxRecvDataSegmentLength", "4294967296"},
		{"TargetPortalGroupTag", "65536"},
		{"TargetPortalGroupTag", "x"},
		{"InitiatorName", "iqn.2003-01.org.example"},
	};
	size_t i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		start_offered();
		cr_expect_eq(take(bad[i][0], bad[i][1]), -EPROTO, "%s=%s",
			bad[i][0], bad[i][1]);
		cr_expect_str_neq(why, "");
		cr_expect_eq(out.len, 0);
	}
}

Test(keys, time2wait_below_ours)
{
	struct iscsi_offer offer = usual;

	offer.default_time2wait = 5;
	start(KEYS_LEADING, &offer);
	keys_offer(&k, &out);
	cr_expect_eq(take("DefaultTime2Wait", "4"), -EPROTO);
}

Test(keys, duplicates)
{
	static const char *const pairs[][2] = {{"MaxBurstLength", "65536"},
		{"HeaderDigest", "None"}, {"TargetPortalGroupTag", "1"},
		{"MaxRecvDataSegmentLength", "8192"}, {"TargetAlias", "a"},
		{"IFMarker", "No"}};
	size_t i;

	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		start_offered();
		cr_expect_eq(take(pairs[i][0], pairs[i][1]), 0);
		cr_expect_eq(take(pairs[i][0], pairs[i][1]), -EPROTO, "%s",
			pairs[i][0]);
	}
}

/* The target proposes before we do: exactly one legal answer each. */
Test(keys, target_proposes)
{
	start(KEYS_LEADING, &usual);
	cr_expect_str_eq(answer("ImmediateData", "No"), "ImmediateData=No");
	cr_expect_str_eq(answer("InitialR2T", "No"), "InitialR2T=No");
	cr_expect_str_eq(
		answer("MaxBurstLength", "16777215"), "MaxBurstLength=1048576");
	cr_expect_str_eq(
		answer("FirstBurstLength", "1024"), "FirstBurstLength=1024");
	cr_expect_str_eq(answer("DefaultTime2Wait", "7"), "DefaultTime2Wait=7");
	cr_expect_str_eq(answer("HeaderDigest", "foo,CRC32C,None"),
		"HeaderDigest=CRC32C");
	cr_expect_str_eq(answer("DataDigest", "foo"), "DataDigest=Reject");
	cr_expect_str_eq(answer("TaskReporting", "FastAbort,RFC3720"),
		"TaskReporting=FastAbort");
	cr_expect_str_eq(
		answer("MaxOutstandingR2T", "0"), "MaxOutstandingR2T=Reject");
	cr_expect_str_eq(
		answer("DataPDUInOrder", "?"), "DataPDUInOrder=Reject");
	cr_expect_eq(take("MaxBurstLength", "512"), -EPROTO, "twice");
	cr_expect_eq(take("MaxConnections", "Reject"), -EPROTO,
		"an answer to nothing");
	out.len = 0;
	keys_offer(&k, &out);
	cr_expect_null(memmem(buffer, out.len, "Burst", 5),
		"settled, not offered again");
	cr_expect_not_null(memmem(buffer, out.len, "ErrorRec", 8));
	cr_assert_eq(finish(), 0, "%s", why);
	cr_expect(!session.immediate_data && !session.initial_r2t);
	cr_expect_eq(session.max_burst_length, 1048576);
	cr_expect_eq(session.first_burst_length, 1024);
	cr_expect_eq(session.default_time2wait, 7);
	cr_expect_eq(session.max_outstanding_r2t, 1);
	cr_expect(session.data_pdu_in_order);
	cr_expect(conn.header_digest && !conn.data_digest);
}

Test(keys, boolean_functions)
{
	start_offered();
	cr_expect_str_eq(answer("InitialR2T", "No"), "");
	cr_expect_str_eq(answer("ImmediateData", "No"), "");
	cr_assert_eq(finish(), 0);
	cr_expect(!session.initial_r2t && !session.immediate_data);
}

Test(keys, unknown_and_obsolete)
{
	start_offered();
	cr_expect_str_eq(answer("X-com.foo", "1"), "X-com.foo=NotUnderstood");
	cr_expect_str_eq(answer("NewKey", ""), "NewKey=NotUnderstood");
	cr_expect_str_eq(answer("NewKey2", "NotUnderstood"), "");
	cr_expect_str_eq(answer("IFMarker", "Yes"), "IFMarker=Reject");
	cr_expect_str_eq(answer("OFMarkInt", "2048~8192"), "OFMarkInt=Reject");
	cr_expect_eq(take("AuthMethod", "None"), KEYS_SECURITY);
	cr_expect_eq(take("CHAP_A", "5"), KEYS_SECURITY);
}

/* 2048 keys to be answered in the space of one login PDU. */
Test(keys, more_unknown_keys_than_answers_fit)
{
	char name[16];
	int i, err = 0;

	start(KEYS_LEADING, &usual);
	for (i = 0; i < 2048 && !err; i++) {
		snprintf(name, sizeof name, "a%d", i);
		err = keys_take(&k, name, "b", &out, why, sizeof why);
	}
	cr_expect_eq(err, -EPROTO);
	cr_expect_leq(out.len, sizeof buffer);
	cr_expect_gt(i, 300);
}

Test(keys, required_digest)
{
	struct iscsi_offer offer = usual;

	offer.header_digest = ISCSI_DIGEST_CRC32C;
	start(KEYS_LEADING, &offer);
	keys_offer(&k, &out);
	cr_expect_eq(take("HeaderDigest", "None"), -ENOTSUP);
	start(KEYS_LEADING, &offer);
	keys_offer(&k, &out);
	cr_expect_eq(take("HeaderDigest", "Reject"), 0);
	cr_expect_eq(finish(), -ENOTSUP);
	cr_expect_str_neq(why, "");
	start(KEYS_LEADING, &offer);
	cr_expect_eq(finish(), -ENOTSUP, "never negotiated at all");
	start(KEYS_LEADING, &offer);
	cr_expect_str_eq(
		answer("HeaderDigest", "None,CRC32C"), "HeaderDigest=CRC32C");
	cr_expect_eq(finish(), 0);
}

Test(keys, first_burst_above_max_burst)
{
	start_offered();
	cr_expect_eq(take("MaxBurstLength", "65536"), 0);
	cr_expect_eq(take("FirstBurstLength", "131072"), 0);
	cr_expect_eq(finish(), -EPROTO);
	start_offered();
	cr_expect_eq(take("MaxBurstLength", "4096"), 0);
	cr_assert_eq(finish(), 0, "the default follows");
	cr_expect_eq(session.first_burst_length, 4096);
}

Test(keys, discovery)
{
	start(KEYS_DISCOVERY, &usual);
	keys_offer(&k, &out);
	cr_expect_str_eq(
		answer("MaxBurstLength", "65536"), "MaxBurstLength=Irrelevant");
	cr_expect_eq(take("MaxBurstLength", "65536"), -EPROTO);
	cr_expect_eq(finish(), 0);
	cr_expect_eq(conn.max_recv_data, 262144);
}

Test(keys, session_keys_belong_to_the_leading_login)
{
	start(KEYS_JOINING, &usual);
	keys_offer(&k, &out);
	cr_expect_eq(take("MaxBurstLength", "65536"), -EPROTO);
	cr_expect_eq(take("HeaderDigest", "CRC32C"), 0);
	session.max_connections = 77;
	cr_expect_eq(finish(), 0);
	cr_expect(conn.header_digest);
	cr_expect_eq(session.max_connections, 77, "untouched");
}

Test(keys, renegotiation)
{
	start(KEYS_RENEGOTIATE, &usual);
	cr_expect_eq(take("HeaderDigest", "None"), -EPROTO);
	cr_expect_eq(take("MaxBurstLength", "1024"), -EPROTO);
	cr_expect_str_eq(answer("MaxRecvDataSegmentLength", "4096"), "");
	conn.max_recv_data = 1234;
	cr_expect_eq(finish(), 0);
	cr_expect_eq(conn.max_send_data, 4096);
	cr_expect_eq(conn.max_recv_data, 1234, "untouched");
}

Test(keys, redirection)
{
	char longer[258];

	start_offered();
	cr_expect_str_eq(answer("TargetAddress", "[2001:db8::1]:3261"), "");
	cr_expect_str_eq(k.target_address, "[2001:db8::1]:3261");
	memset(longer, 'a', sizeof longer);
	longer[256] = '\0';
	start_offered();
	cr_expect_eq(take("TargetAddress", longer), -EPROTO);
	cr_expect_str_eq(k.target_address, "");
}
