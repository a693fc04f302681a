/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios 31, 32 and 83: where to log in: redirections, several portals,
 * SendTargets (RFC 7143 6.3, 11.13.5, Appendix C). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/stream.h>

#include "tests/scenario/s_rig.h"

static void redirect_to(const char *text, uint8_t detail)
{
	struct s_edit *e = s_edit_field(0x23, 0, T_STATUS_CLASS, 1);

	s_set(e, T_STATUS_DETAIL, detail);
	s_set_data(e, text, (uint32_t)strlen(text) + 1);
}

static void accept_elsewhere(void *arg, struct stream *s)
{
	(void)arg;
	t_target_accept(W.target, s, 1);
}

static struct stream_listener *listen_at(const char *text)
{
	struct addr at = t_addr(text);
	struct stream_listener *listener;
	int err;

	listener = stream_listen(W.loop, &at, 0, accept_elsewhere, NULL, &err);
	cr_assert(listener);
	return listener;
}

Test(scenario, s031_redirected_for_this_time)
{
	static const struct {
		const char *text, *there;
	} cases[] = {
		{"TargetAddress=127.0.0.9:3261", "127.0.0.9:3261"},
		{"TargetAddress=127.0.0.9", "127.0.0.9:3260"},
		{"TargetAddress=127.0.0.9:3261,1", "127.0.0.9:3261"},
		{"TargetAddress=[2001:db8::1]:3261", "[2001:db8::1]:3261"},
		{"TargetAddress=array.example:3262", "127.0.0.9:3262"},
	};
	struct stream_listener *listener;
	struct addr there;

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		s_init();
		redirect_to(cases[i].text, 1);
		s_start();
		there = t_addr(cases[i].there);
		t_name_set("array.example", &there, 1);
		listener = listen_at(cases[i].there);
		cr_assert(s_try(), "%s: %s", cases[i].text, W.down.reason);
		cr_assert_eq(t_wire_connections(&there), 1);
		/* The next login asks the portal that was configured. */
		t_wire_reset(&there);
		s_wait_down();
		cr_assert(s_try());
		cr_assert_eq(t_wire_connections(&there), 0);
		stream_listener_free(listener);
		s_end_with_breach();
	}
}

Test(scenario, s031_redirected_in_a_circle)
{
	s_init();
	redirect_to("TargetAddress=127.0.0.1:3260", 1);
	W.edits[0].times = 100;
	s_refused("redirections without end");
	cr_assert_eq(W.down.cure, PATH_RETRY_SLOW);
}

/* Each portal sends on to the next. */
static enum t_verdict send_on(void *arg, struct t_conn *c, struct t_pdu *pdu)
{
	static unsigned n = 1;

	(void)arg;
	(void)c;
	if (t_get(pdu->bhs, T_OPCODE) != 0x23)
		return T_PASS;
	t_set(pdu->bhs, T_STATUS_CLASS, 1);
	t_set(pdu->bhs, T_STATUS_DETAIL, 1);
	free(pdu->data);
	pdu->data = malloc(64);
	pdu->len = (uint32_t)sprintf(
			   (char *)pdu->data, "TargetAddress=10.0.0.%u", n++) +
		   1;
	return T_PASS;
}

Test(scenario, s031_redirected_without_end)
{
	struct stream_listener *listeners[20];
	char text[32];

	s_init();
	W.hooks.tx = send_on;
	s_start();
	for (unsigned i = 0; i < 20; i++) {
		sprintf(text, "10.0.0.%u:3260", i + 1);
		listeners[i] = listen_at(text);
	}
	cr_assert(!s_try());
	s_expect_reason("redirections without end");
	cr_assert(s_count(0x03) < 10);
	for (unsigned i = 0; i < 20; i++)
		stream_listener_free(listeners[i]);
	s_end_with_breach();
}

Test(scenario, s031_redirected_to_nowhere)
{
	static const char *const texts[] = {"TargetAddress=[::1",
		"TargetAddress=", "TargetAddress=:3260",
		"TargetAddress=host:65536", "TargetAddress=a b"};

	for (unsigned i = 0; i < 5; i++) {
		s_init();
		redirect_to(texts[i], 1);
		s_refused("an address that is none");
		cr_assert_eq(W.down.cure, PATH_RETRY);
	}
	s_init();
	redirect_to("X=y", 1);
	s_refused("redirects without an address");
}

Test(scenario, s032_redirected_for_good)
{
	struct stream_listener *listener;
	struct addr there;

	s_init();
	redirect_to("TargetAddress=127.0.0.9:3261,1", 2);
	s_start();
	there = t_addr("127.0.0.9:3261");
	listener = listen_at("127.0.0.9:3261");
	cr_assert(s_try(), "%s", W.down.reason);
	t_wire_reset(&there);
	s_wait_down();
	cr_assert(s_try());
	cr_assert_eq(t_wire_connections(&there), 1);
	stream_listener_free(listener);
	s_end_with_breach();
	s_init();
	redirect_to("X=y", 2);
	s_refused("redirects without an address");
}

Test(login, several_portals_and_addresses)
{
	struct addr addrs[2];

	s_init();
	W.config.nportals = 3;
	strcpy(W.config.portals[0].host, "nowhere.invalid");
	W.config.portals[0].port = 3260;
	strcpy(W.config.portals[1].host, "127.0.0.77");
	W.config.portals[1].port = 3260;
	strcpy(W.config.portals[2].host, "array.example");
	W.config.portals[2].port = 3260;
	s_start();
	addrs[0] = t_addr("127.0.0.78:3260");
	addrs[1] = W.at;
	t_name_set("array.example", addrs, 2);
	cr_assert(s_try(), "%s", W.down.reason);
	s_end();
}

/*
 * SendTargets
 */
static struct {
	unsigned calls, targets, portals, tpgts;
	int err;
	char first[64], reason[160];
} found;

static void discovered(
	void *arg, int err, const struct iscsi_targets *all, const char *reason)
{
	(void)arg;
	found.calls++;
	found.err = err;
	cr_assert(err ? reason != NULL : all != NULL);
	if (err) {
		snprintf(found.reason, sizeof found.reason, "%s", reason);
		return;
	}
	found.targets = all->ntargets;
	for (unsigned i = 0; i < all->ntargets; i++) {
		found.portals += all->targets[i].nportals;
		for (unsigned p = 0; p < all->targets[i].nportals; p++)
			found.tpgts += all->targets[i].portals[p].tpgt;
	}
	if (all->ntargets)
		endpoint_text(&all->targets[0].portals[0].at, found.first);
}

static bool is_found(void *arg)
{
	(void)arg;
	return found.calls > 0;
}

static void discover(const char *text, size_t len, uint32_t chunk)
{
	memset(&found, 0, sizeof found);
	W.options.targets_text = text;
	W.options.targets_text_len = len;
	W.options.text_chunk = chunk;
	s_start();
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 60 * NS_PER_S));
}

Test(scenario, s083_send_targets_in_pieces)
{
	s_init();
	W.options.nportals = 3;
	W.options.portals[1] = (struct t_portal){"127.0.0.2:3260", 2};
	W.options.portals[2] = (struct t_portal){"[2001:db8::7]:3261", 40};
	discover(NULL, 0, 41);
	cr_assert_eq(s_count(0x04), 4, "%u", s_count(0x04));
	cr_assert_eq(found.err, 0);
	cr_assert_eq(found.targets, 1);
	cr_assert_eq(found.portals, 3);
	cr_assert_eq(found.tpgts, 43);
	cr_assert_eq(W.target->logouts, 1);
	s_end();
}

Test(scenario, s083_send_targets_of_many_names)
{
	char *text = calloc(1, 1 << 20), *at = text;

	s_init();
	for (unsigned i = 0; i < 1000; i++) {
		at += sprintf(at, "TargetName=iqn.2026-01.org.example:t%u", i) +
		      1;
		at += sprintf(at, "TargetAddress=10.0.%u.1:3260,1", i % 256) +
		      1;
	}
	discover(text, (size_t)(at - text), 0);
	cr_assert_eq(found.err, 0, "%s", found.reason);
	cr_assert_eq(found.targets, 1000);
	cr_assert_eq(found.portals, 1000);
	s_end();
	free(text);
}

Test(scenario, s083_send_targets_in_all_its_forms)
{
	static const char bare[] = "TargetName=iqn.2026-01.org.example:a";
	static const char twice[] = "TargetName=iqn.2026-01.org.example:a\0"
				    "TargetAddress=10.0.0.1:3260,1\0"
				    "TargetName=iqn.2026-01.org.example:b\0"
				    "TargetAddress=10.0.0.1:3260,1\0"
				    "TargetName=iqn.2026-01.org.example:A\0"
				    "TargetAddress=10.0.0.1:3260,1\0"
				    "TargetAddress=10.0.0.2,2";

	s_init();
	discover(bare, sizeof bare, 0);
	cr_assert_eq(found.targets, 1);
	cr_assert_eq(found.portals, 1);
	cr_assert_str_eq(found.first, "127.0.0.1:3260");
	s_end();
	s_init();
	discover(twice, sizeof twice, 0);
	cr_assert_eq(found.targets, 2);
	cr_assert_eq(found.portals, 3);
	s_end();
	s_init();
	discover("", 0, 0);
	cr_assert_eq(found.err, 0);
	cr_assert_eq(found.targets, 0);
	s_end();
}

/* The error says whether to try again, and what to look at before. */
Test(discovery, login_refused)
{
	static const struct {
		uint8_t class, detail;
		int err;
	} cases[] = {
		{2, 0x01, -EACCES},
		{2, 0x02, -EACCES},
		{2, 0x05, -EINVAL},
		{3, 0x01, -ECONNABORTED},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct s_edit *e;

		s_init();
		e = s_edit_field(0x23, 0, T_STATUS_CLASS, cases[i].class);
		s_set(e, T_STATUS_DETAIL, cases[i].detail);
		discover(NULL, 0, 0);
		cr_assert_eq(found.calls, 1);
		cr_assert_eq(found.err, cases[i].err, "case %u: %d, %s", i,
			found.err, found.reason);
		s_end_with_breach();
	}
}

/* The target wants us gone: the list is asked for and comes all the same. */
Test(discovery, asked_to_leave)
{
	s_init();
	memset(&found, 0, sizeof found);
	s_start();
	W.wire->way[T_IN].delay_ns = 100 * NS_PER_MS;
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	while (s_count(0x04) == 0)
		s_pass(10);
	t_conn_async(s_conn(), 1, 0, 0, 3);
	cr_assert(t_loop_run_until(W.loop, is_found, NULL, 60 * NS_PER_S));
	cr_assert_eq(found.calls, 1);
	cr_assert_eq(found.err, 0, "%s", found.reason);
	cr_assert_eq(found.targets, 1);
	s_end();
}

Test(discovery, of_nobody_and_nowhere)
{
	struct iscsi_config config;

	s_init();
	memset(&found, 0, sizeof found);
	s_start();
	config = W.config;
	config.nportals = 0;
	cr_assert_null(iscsi_discover(W.loop, &config, discovered, NULL));
	config = W.config;
	config.initiator_name = NULL;
	cr_assert_null(iscsi_discover(W.loop, &config, discovered, NULL));
	iscsi_discover_cancel(NULL);
	s_pass(1000);
	cr_assert_eq(found.calls, 0);
	s_end();
}

Test(discovery, refused_and_cancelled)
{
	s_init();
	memset(&found, 0, sizeof found);
	s_start();
	W.wire->refuse = true;
	cr_assert(iscsi_discover(W.loop, &W.config, discovered, NULL));
	s_pass(1000);
	cr_assert(found.err < 0);
	iscsi_discover_cancel(
		iscsi_discover(W.loop, &W.config, discovered, NULL));
	s_pass(1000);
	cr_assert_eq(found.calls, 1);
	s_end();
}
