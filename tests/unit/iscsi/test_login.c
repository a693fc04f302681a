/* SPDX-License-Identifier: BSD-2-Clause */
/* The login machine alone, fed with responses made by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/iscsi/login.h"
#include "daemon/iscsi/pdu.h"

static struct iscsi_config config;
static struct chap_list_head chaps = TAILQ_HEAD_INITIALIZER(chaps);
static struct login login;
static struct bhs request;
static const char *keys;
static uint32_t keys_len;
static uint32_t stat_sn;

static void begin(void)
{
	struct login_setup setup = {
		.config = &config, .cid = 1, .itt = 5, .chaps = &chaps};

	iscsi_config_init(&config);
	config.initiator_name = "iqn.2026-01.org.example:unit";
	config.target_name = "iqn.2026-01.org.example:array";
	stat_sn = 0xffffffff;
	cr_assert_eq(login_init(&login, &setup), LOGIN_SEND);
	login_request(&login, &request, (const void **)&keys, &keys_len);
}

/* A response to the request under way, and the next request. */
static enum login_step answer(
	bool transit, bool more, const char *data, uint32_t len)
{
	struct bhs b = bhs_make(OP_LOGIN_RSP);
	enum login_step step;

	b.itt = 5;
	b.stat_sn = stat_sn++;
	b.exp_cmd_sn = b.max_cmd_sn = 1;
	b.final = transit;
	b.login.more = more;
	b.login.csg = request.login.csg;
	b.login.nsg = transit ? request.login.nsg : 0;
	b.login.tsih = 9;
	memcpy(b.login.isid, config.isid, ISCSI_ISID_LEN);
	step = login_response(&login, &b, data, len);
	if (step == LOGIN_SEND)
		login_request(
			&login, &request, (const void **)&keys, &keys_len);
	return step;
}

static bool has(const char *pair)
{
	for (uint32_t at = 0; at < keys_len; at += strlen(keys + at) + 1)
		if (strcmp(keys + at, pair) == 0)
			return true;
	return false;
}

static void to_operational(void)
{
	begin();
	cr_assert_eq(answer(true, false, NULL, 0), LOGIN_SEND);
	cr_assert_eq(request.login.csg, STAGE_OPERATIONAL);
}

Test(login, first_request)
{
	begin();
	cr_assert(has("InitiatorName=iqn.2026-01.org.example:unit"));
	cr_assert(has("TargetName=iqn.2026-01.org.example:array"));
	cr_assert(has("SessionType=Normal"));
	cr_assert(has("AuthMethod=None"));
	cr_assert(request.immediate);
	cr_assert_eq(request.login.tsih, 0);
	cr_assert_eq(request.login.csg, STAGE_SECURITY);
	login_fini(&login);
	login_fini(&login);
}

Test(login, defaults_reach_the_end)
{
	to_operational();
	cr_assert_eq(request.exp_stat_sn, 0);
	cr_assert(has("ImmediateData=Yes"));
	cr_assert_eq(answer(true, false, NULL, 0), LOGIN_DONE);
	cr_assert_eq(login.tsih, 9);
	cr_assert(login.session.initial_r2t, "no answer leaves the default");
	login_fini(&login);
}

/* RFC 7143 6.3: T = 0 may come again and again, but not for ever. */
Test(login, a_target_that_stays)
{
	unsigned rounds = 0;

	to_operational();
	for (unsigned i = 0; i < 5; i++) {
		cr_assert_eq(answer(false, false, NULL, 0), LOGIN_SEND);
		cr_assert(request.final);
		cr_assert_eq(keys_len, 0);
	}
	while (answer(false, false, NULL, 0) == LOGIN_SEND)
		cr_assert(++rounds < 100);
	cr_assert_str_eq(login.why, "login does not end");
	login_fini(&login);
}

/* Keys that go on in the next PDU, cut in the middle of a value. */
Test(login, keys_over_several_responses)
{
	static const char all[] = "MaxBurstLength=0x1000\0FirstBurstLength=512";

	to_operational();
	for (uint32_t at = 0; at < sizeof all - 1; at++) {
		cr_assert_eq(answer(false, true, all + at, 1), LOGIN_SEND);
		cr_assert_eq(keys_len, 0, "the answer to C is empty");
		cr_assert(!request.final && !request.login.more);
	}
	cr_assert_eq(answer(false, false, "", 1), LOGIN_SEND); /* NUL */
	cr_assert_eq(answer(true, false, NULL, 0), LOGIN_DONE);
	cr_assert_eq(login.session.max_burst_length, 4096);
	cr_assert_eq(login.session.first_burst_length, 512);
	login_fini(&login);
}

/* More answers than one PDU holds: ours has C set. */
Test(login, our_keys_over_several_requests)
{
	static char many[16384];
	uint32_t len = 0, sent;

	to_operational();
	while (len + 100 < 8000)
		len += 1 +
		       (uint32_t)sprintf(many + len, "X-com.example.%u=1", len);
	cr_assert_eq(answer(false, false, many, len), LOGIN_SEND);
	cr_assert(request.login.more && !request.final);
	cr_assert_eq(keys_len, PDU_LOGIN_DATA_MAX);
	sent = keys_len;
	cr_assert_eq(answer(false, false, NULL, 0), LOGIN_SEND);
	cr_assert(!request.login.more && request.final);
	cr_assert(keys_len > 0 && sent + keys_len > len);
	cr_assert_eq(answer(true, false, NULL, 0), LOGIN_DONE);
	login_fini(&login);
}

Test(login, our_keys_are_not_to_be_interrupted)
{
	static char many[16384];
	uint32_t len = 0;

	to_operational();
	while (len + 100 < 8000)
		len += 1 +
		       (uint32_t)sprintf(many + len, "X-com.example.%u=1", len);
	answer(false, false, many, len);
	cr_assert_eq(answer(false, false, "A=1", 4), LOGIN_FAILED);
	login_fini(&login);
}

/* Whatever is sent, memory stays bounded (64 KiB) and it ends. */
Test(login, keys_without_end)
{
	static char junk[8192];
	unsigned n = 0;

	memset(junk, 'a', sizeof junk);
	to_operational();
	while (answer(false, true, junk, sizeof junk) == LOGIN_SEND)
		cr_assert(++n < 100);
	cr_assert(n < 10, "%u PDUs of 8 KiB", n);
	login_fini(&login);
}

Test(login, both_t_and_c)
{
	begin();
	cr_assert_eq(answer(true, true, NULL, 0), LOGIN_FAILED);
	login_fini(&login);
}
