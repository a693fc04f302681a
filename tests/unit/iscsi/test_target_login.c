/* SPDX-License-Identifier: BSD-2-Clause */
/* The model target, its login and discovery, driven by a bare initiator: both
 * halves of the protocol check each other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "daemon/iscsi/chap.h"
#include "ini.h"

static void setup(void)
{
	t_target_options_init(&options);
}

TestSuite(target_login, .init = setup);

Test(target_login, login_and_logout)
{
	struct bhs b = bhs_make(OP_LOGOUT_REQ);

	begin();
	login();
	cr_expect_neq(ini.got[0].login.tsih, 0);
	cr_expect(conn.header_digest && conn.data_digest);
	cr_expect_eq(conn.max_send_data, 65536);
	cr_expect_eq(session.max_burst_length, 131072);
	cr_expect_eq(session.max_outstanding_r2t, 1);
	cr_expect_eq(target->logins, 1);
	b.itt = 2;
	send_command(&b, NULL, 0);
	cr_assert_eq(ini.count, 1);
	cr_expect_eq(ini.got[0].op, OP_LOGOUT_RSP);
	cr_expect_eq(ini.got[0].logout_rsp.response, 0);
	cr_expect(LIST_EMPTY(&target->sessions));
	no_violations();
	end();
}

Test(target_login, discovery)
{
	struct bhs b = bhs_make(OP_TEXT_REQ);
	char all[256];
	size_t len = 0;

	options.text_chunk = 20;
	options.portals[1] = (struct t_portal){"[2001:db8::1]:3260", 2};
	options.nportals = 2;
	begin();
	login_negotiate(KEYS_DISCOVERY, true);
	b.itt = 7;
	send_command(&b, "SendTargets=All", 16);
	while (ini.count == 1 && len < sizeof all - 20) {
		memcpy(all + len, ini.data, ini.len);
		len += ini.len;
		if (ini.got[0].final)
			break;
		b.ttt = ini.got[0].ttt;
		send_command(&b, NULL, 0);
	}
	cr_expect_str_eq(all, "TargetName=iqn.2003-01.org.example:model");
	cr_expect_not_null(
		memmem(all, len, "TargetAddress=127.0.0.1:3260,1", 31));
	cr_expect_not_null(
		memmem(all, len, "TargetAddress=[2001:db8::1]:3260,2", 35));
	no_violations();
	end();
}

/* The whole of CHAP against the daemon's half. */
static int chap_login(const struct iscsi_chap *config)
{
	static const uint8_t random[1 + CHAP_CHALLENGE_LEN] = {33, 1, 2, 3};
	char list[CHAP_LIST_MAX];
	const char *cause;
	struct chap c;
	int err;

	cr_assert_eq(chap_init(&c, config, NULL, false, &cause), 0);
	login_name("Normal");
	text_put(&text, "AuthMethod", "CHAP,None");
	login_send(STAGE_SECURITY, 0, false);
	cr_assert_str_eq(got_value("AuthMethod"), "CHAP");
	text_put(&text, "CHAP_A", chap_list(&c, list));
	login_send(STAGE_SECURITY, 0, false);
	cr_assert_eq(chap_choose(&c, got_value("CHAP_A"), &cause), 0);
	cr_assert_eq(chap_challenge(&c, got_value("CHAP_I"),
			     got_value("CHAP_C"), &cause),
		0, "%s", cause);
	cr_assert_eq(chap_respond(&c, random, &text, &cause), 0);
	login_send(STAGE_SECURITY, STAGE_OPERATIONAL, true);
	err = ini.got[0].login.status_class << 8 |
	      ini.got[0].login.status_detail;
	if (!err)
		err = chap_verify(
			&c, got_value("CHAP_N"), got_value("CHAP_R"), &cause);
	chap_fini(&c);
	return err;
}

Test(target_login, chap)
{
	struct iscsi_chap config = {.user = "host1",
		.secret = "abcdefghijkl",
		.secret_len = 12,
		.mutual_user = "array1",
		.mutual_secret = "zyxwvutsrqpo",
		.mutual_secret_len = 12};

	options.chap_user = "host1";
	options.chap_secret = "abcdefghijkl";
	options.mutual_user = "array1";
	options.mutual_secret = "zyxwvutsrqpo";
	for (options.chap_alg = 5; options.chap_alg <= 8; options.chap_alg++) {
		begin();
		cr_expect_eq(chap_login(&config), 0);
		login_negotiate(KEYS_LEADING, false);
		cr_expect_eq(target->logins, 1);
		no_violations();
		end();
	}
	config.secret = "abcdefghijkL";
	begin();
	cr_expect_eq(chap_login(&config), 0x0201);
	end();
	config.secret = "abcdefghijkl";
	config.mutual_secret = "ZyxwvutsrqpO";
	begin();
	cr_expect_eq(chap_login(&config), -EACCES);
	end();
}

Test(target_login, refusals)
{
	options.chap_user = "host1";
	options.chap_secret = "abcdefghijkl";
	begin();
	login_name("Normal");
	text_put(&text, "AuthMethod", "None");
	login_send(STAGE_SECURITY, STAGE_FULL_FEATURE, true);
	cr_expect_eq(ini.got[0].login.status_class, 2);
	cr_expect_eq(ini.got[0].login.status_detail, 1);
	end();
	options.chap_user = NULL;
	options.name = "iqn.2003-01.org.example:other";
	begin();
	login_name("Normal");
	target->options.name = "iqn.2003-01.org.example:model";
	login_send(STAGE_OPERATIONAL, STAGE_FULL_FEATURE, true);
	cr_expect_eq(ini.got[0].login.status_detail, 3);
	end();
}

Test(target_login, reinstatement)
{
	begin();
	login();
	ini_leave();
	ini_connect();
	login();
	cr_expect_eq(target->reinstatements, 1);
	cr_expect_not_null(LIST_FIRST(&target->sessions));
	cr_expect_null(LIST_NEXT(LIST_FIRST(&target->sessions), link));
	no_violations();
	end();
}

static void ini_connected(void *arg, struct stream *s, int err)
{
	cr_assert_eq(err, 0);
	*(struct stream **)arg = s;
}

/* Over a listener, as a test of the daemon reaches it: two portals of two
 * groups are two sessions of one initiator. */
Test(target_login, portals)
{
	struct addr at = t_addr("10.0.0.2:3260");
	struct stream *s = NULL;

	options.portals[1].tpgt = 2;
	begin();
	login();
	cr_assert_eq(t_target_listen(target, 1, &at), 0);
	cr_assert_not_null(stream_connect(
		loop, &at, &(struct stream_options){0}, ini_connected, &s));
	t_loop_run_for(loop, SECOND);
	cr_assert_not_null(s);
	cr_expect_eq(t_target_conn(target, 1)->tpgt, 2);
	ini_leave();
	ini_begin(s);
	login();
	cr_expect_eq(target->reinstatements, 0);
	cr_expect_eq(target->logins, 2);
	t_target_unlisten(target, 1);
	no_violations();
	end();
}
