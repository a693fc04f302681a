/* SPDX-License-Identifier: BSD-2-Clause */
/* iSNS attributes and answers, whole and hostile. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/iscsi/isns_answer.h"
#include "daemon/iscsi/targets.h"

static uint8_t data[65536];
static struct isns_out out;

static void begin(size_t cap)
{
	out = (struct isns_out){.data = data, .cap = cap};
}

static struct cursor written(void)
{
	return cursor_over(data, out.len);
}

static void put_ip(uint32_t tag, const char *hex)
{
	uint8_t ip[16];

	for (unsigned i = 0; i < 16; i++) {
		const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		ip[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	isns_put(&out, tag, ip, sizeof ip);
}

static void put_group(const char *name, const char *ip, uint32_t port)
{
	isns_put_text(&out, ISNS_PG_NAME, name);
	put_ip(ISNS_PG_IP, ip);
	isns_put_u32(&out, ISNS_PG_PORT, port);
}

#define IPV4       "00000000000000000000ffff0a000001"
#define IPV4_OLDER "0000000000000000000000000a000002"
#define IPV6_LOCAL "00000000000000000000000000000001"

Test(isns, headers)
{
	const struct isns_header h = {1, 0x8002, 12, 0x4c00, 7, 3};
	struct isns_header back;

	isns_header_encode(&h, data);
	cr_assert_arr_eq(data, "\0\1\200\2\0\14\114\0\0\7\0\3", 12);
	isns_header_decode(&back, data);
	cr_assert_arr_eq(&back, &h, sizeof h);
}

Test(isns, attributes)
{
	struct isns_attr a;
	struct endpoint at;
	struct cursor c;
	char text[8];
	uint32_t number;

	begin(sizeof data);
	isns_put_text(&out, 32, "abc");
	isns_put_text(&out, 32, "abcd");
	isns_put_u32(&out, 17, 3260);
	isns_put_empty(&out, 0);
	cr_assert_eq(out.len, 12 + 16 + 12 + 8);
	c = written();
	cr_assert_eq(isns_attr_next(&c, &a), 1);
	cr_assert_eq(isns_attr_text(&a, text, 4), 0);
	cr_assert_str_eq(text, "abc");
	cr_assert_eq(isns_attr_text(&a, text, 3), -EPROTO, "no room");
	cr_assert_eq(isns_attr_next(&c, &a), 1);
	cr_assert_eq(a.len, 8);
	cr_assert_eq(isns_attr_u32(&a, &number), -EPROTO);
	cr_assert_eq(isns_attr_host(&a, &at), -EPROTO);
	cr_assert_eq(isns_attr_next(&c, &a), 1);
	cr_assert_eq(isns_attr_u32(&a, &number), 0);
	cr_assert_eq(number, 3260);
	cr_assert_eq(isns_attr_next(&c, &a), 1);
	cr_assert_eq(isns_attr_text(&a, text, sizeof text), -EPROTO);
	cr_assert_eq(isns_attr_next(&c, &a), 0);
}

Test(isns, addresses)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
		{IPV4, "10.0.0.1"},
		{IPV4_OLDER, "10.0.0.2"},
		{IPV6_LOCAL, "::1"},
		{"20010db8000000000000000000000001", "2001:db8::1"},
	};
	struct isns_attr a;
	struct endpoint at;
	struct cursor c;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(sizeof data);
		put_ip(ISNS_PORTAL_IP, cases[i].hex);
		c = written();
		cr_assert_eq(isns_attr_next(&c, &a), 1);
		cr_assert_eq(isns_attr_host(&a, &at), 0);
		cr_expect_str_eq(at.host, cases[i].text);
	}
}

/* Our own addresses, as a server is told them. */
Test(isns, addresses_of_ours)
{
	static const struct {
		const char *text;
		uint16_t port;
	} cases[] = {{"10.0.0.1", 3260}, {"2001:db8::1", 65535}, {"::1", 1}};
	struct isns_attr a;
	struct endpoint at;
	struct cursor c;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr addr = {0};
		uint16_t port = 0;

		if (strchr(cases[i].text, ':')) {
			struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				.sin6_port = htons(cases[i].port)};

			inet_pton(AF_INET6, cases[i].text, &in6.sin6_addr);
			memcpy(&addr.ss, &in6, sizeof in6);
		} else {
			struct sockaddr_in in = {.sin_family = AF_INET,
				.sin_port = htons(cases[i].port)};

			inet_pton(AF_INET, cases[i].text, &in.sin_addr);
			memcpy(&addr.ss, &in, sizeof in);
		}
		begin(sizeof data);
		cr_assert_eq(
			isns_put_addr(&out, ISNS_PORTAL_IP, &addr, &port), 0);
		cr_expect_eq(port, cases[i].port);
		c = written();
		cr_assert_eq(isns_attr_next(&c, &a), 1);
		cr_expect_eq(a.tag, ISNS_PORTAL_IP);
		cr_assert_eq(isns_attr_host(&a, &at), 0);
		cr_expect_str_eq(at.host, cases[i].text);
	}
}

Test(isns, addresses_that_it_cannot_tell)
{
	struct addr addr = {.ss.ss_family = AF_UNIX};
	uint16_t port = 7;

	begin(sizeof data);
	cr_assert_eq(isns_put_addr(&out, ISNS_PORTAL_IP, &addr, &port),
		-EAFNOSUPPORT);
	cr_expect_eq(out.len, 0);
	cr_expect_eq(port, 7);
}

/* Lengths that lie: longer than what is there, not of whole words, so large
 * that sums would wrap. */
Test(isns, lengths)
{
	static const uint32_t bad[] = {
		1, 2, 3, 5, 8, 0xffffffff, 0xfffffffc, 0xfffffff8, 0x80000000};
	struct isns_attr a;

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c;

		begin(sizeof data);
		isns_put_u32(&out, ISNS_PORTAL_PORT, 1);
		put_be32(data + 4, bad[i]);
		c = written();
		cr_expect_eq(isns_attr_next(&c, &a), -EPROTO, "%x", bad[i]);
	}
	for (size_t len = 1; len < 8; len++) {
		struct cursor c = cursor_over(data, len);

		cr_expect_eq(isns_attr_next(&c, &a), -EPROTO, "%zu", len);
	}
}

Test(isns, out_of_room)
{
	begin(19);
	isns_put_u32(&out, 1, 1);
	cr_assert(!out.full);
	isns_put_u32(&out, 1, 1);
	cr_assert(out.full);
	cr_assert_eq(out.len, 12);
	isns_put_status(&out, 0);
	cr_assert_eq(out.len, 12, "nothing after what did not fit");
}

Test(isns, targets)
{
	struct targets all = {0};

	begin(sizeof data);
	isns_put_u32(&out, ISNS_NODE_TYPE, ISNS_NODE_TARGET);
	isns_put_empty(&out, ISNS_DELIMITER);
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	put_group("iqn.2026-01.org.example:a", IPV4, 3260);
	isns_put_u32(&out, ISNS_PG_TAG, 2);
	put_group("iqn.2026-01.org.example:a", IPV4_OLDER, 3260);
	isns_put_empty(&out, ISNS_PG_TAG); /* not over this one */
	put_group("iqn.2026-01.org.example:a", IPV4, 3260 | ISNS_PORT_UDP);
	isns_put_u32(&out, ISNS_PG_TAG, 2);
	put_group("iqn.2026-01.org.example:a", IPV4, 0);
	isns_put_u32(&out, ISNS_PG_TAG, 2);
	isns_put_text(&out, ISNS_NAME, "not a name");
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:b");
	put_group("iqn.2026-01.org.example:other", IPV4, 3260);
	isns_put_u32(&out, ISNS_PG_TAG, 3);
	put_group("iqn.2026-01.org.example:b", IPV6_LOCAL, 3261);
	isns_put_u32(&out, ISNS_PG_TAG, 0x10004);
	cr_assert_eq(isns_answer_targets(written(), &all), 0);
	cr_assert_eq(all.list.ntargets, 2);
	cr_expect_str_eq(all.list.targets[0].name, "iqn.2026-01.org.example:a");
	cr_assert_eq(all.list.targets[0].nportals, 1);
	cr_expect_str_eq(all.list.targets[0].portals[0].at.host, "10.0.0.1");
	cr_expect_eq(all.list.targets[0].portals[0].at.port, 3260);
	cr_expect_eq(all.list.targets[0].portals[0].tpgt, 2);
	cr_assert_eq(all.list.targets[1].nportals, 1);
	cr_expect_str_eq(all.list.targets[1].portals[0].at.host, "::1");
	cr_expect_eq(all.list.targets[1].portals[0].tpgt, 4);
	targets_fini(&all);
}

/* However many there are, the list ends somewhere. */
Test(isns, more_than_anybody_has)
{
	static uint8_t many[TARGETS_MAX * 64];
	struct targets all = {0};
	char name[40];

	out = (struct isns_out){.data = many, .cap = sizeof many};
	isns_put_empty(&out, ISNS_DELIMITER);
	for (unsigned i = 0; i <= TARGETS_MAX; i++) {
		snprintf(name, sizeof name, "iqn.2026-01.org.example:%u", i);
		isns_put_text(&out, ISNS_NAME, name);
	}
	cr_assert(!out.full);
	cr_assert_eq(
		isns_answer_targets(cursor_over(many, out.len), &all), -ENOSPC);
	cr_assert_eq(all.list.ntargets, TARGETS_MAX);
	targets_fini(&all);
	begin(sizeof data);
	isns_put_empty(&out, ISNS_DELIMITER);
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	for (uint32_t i = 1; i <= TARGETS_PORTALS_MAX + 10; i++) {
		put_group("iqn.2026-01.org.example:a", IPV4, i);
		isns_put_u32(&out, ISNS_PG_TAG, 1);
	}
	cr_assert(!out.full);
	cr_assert_eq(isns_answer_targets(written(), &all), 0);
	cr_assert_eq(all.list.targets[0].nportals, TARGETS_PORTALS_MAX);
	targets_fini(&all);
}

/* One name, or one portal, again and again is not taken for ever either. */
Test(isns, the_same_again)
{
	static uint8_t many[(TARGETS_ADDED_MAX + 4) * 40];
	struct targets all = {0};

	out = (struct isns_out){.data = many, .cap = sizeof many};
	isns_put_empty(&out, ISNS_DELIMITER);
	for (unsigned i = 0; i < TARGETS_ADDED_MAX; i++)
		isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	cr_assert_eq(isns_answer_targets(cursor_over(many, out.len), &all), 0);
	targets_fini(&all);
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	cr_assert(!out.full);
	cr_assert_eq(
		isns_answer_targets(cursor_over(many, out.len), &all), -ENOSPC);
	cr_assert_eq(all.list.ntargets, 1);
	targets_fini(&all);
	out.len = 0;
	isns_put_empty(&out, ISNS_DELIMITER);
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	put_group("iqn.2026-01.org.example:a", IPV4, 3260);
	for (unsigned i = 0; i < TARGETS_ADDED_MAX; i++)
		isns_put_u32(&out, ISNS_PG_TAG, 1);
	cr_assert(!out.full);
	cr_assert_eq(
		isns_answer_targets(cursor_over(many, out.len), &all), -ENOSPC);
	cr_assert_eq(all.list.targets[0].nportals, 1);
	targets_fini(&all);
}

/* In the order they came, whatever that is, and each found by its name. */
Test(isns, names_in_any_order)
{
	struct targets all = {0};
	char name[40];

	for (unsigned i = 0; i < TARGETS_MAX; i++) {
		unsigned n = i * 2731 % TARGETS_MAX; /* each once */

		snprintf(name, sizeof name, "iqn.2026-01.org.example:%u", n);
		cr_assert(targets_named(&all, name));
		cr_assert_null(targets_find(&all, "iqn.2026-01.org.example"));
	}
	for (unsigned i = 0; i < TARGETS_MAX; i++) {
		snprintf(name, sizeof name, "IQN.2026-01.org.Example:%u",
			i * 2731 % TARGETS_MAX);
		cr_assert_eq(targets_find(&all, name), &all.list.targets[i]);
		cr_assert_eq(targets_named(&all, name), &all.list.targets[i]);
	}
	cr_assert_eq(all.list.ntargets, TARGETS_MAX);
	targets_fini(&all);
}

Test(isns, portals_of_one)
{
	struct targets all = {0};
	struct iscsi_target *t =
		targets_named(&all, "iqn.2026-01.org.example:a");

	begin(sizeof data);
	isns_put_text(&out, ISNS_NAME, t->name);
	isns_put_empty(&out, ISNS_DELIMITER);
	isns_put_u32(&out, ISNS_PORTAL_PORT, 1); /* of no address */
	put_ip(ISNS_PORTAL_IP, IPV4);
	isns_put_u32(&out, ISNS_PORTAL_PORT, 3260);
	cr_assert_eq(isns_answer_portals(written(), &all, t), 0);
	cr_assert_eq(t->nportals, 1);
	cr_expect_eq(t->portals[0].tpgt, 1);
	targets_fini(&all);
}

/* An answer with any one byte changed, and cut off anywhere: an error or a
 * list, and never more than was sent. */
Test(isns, every_byte)
{
	static uint8_t copy[512];
	struct targets all = {0};
	size_t len;

	begin(sizeof copy);
	isns_put_u32(&out, ISNS_NODE_TYPE, ISNS_NODE_TARGET);
	isns_put_empty(&out, ISNS_DELIMITER);
	isns_put_text(&out, ISNS_NAME, "iqn.2026-01.org.example:a");
	put_group("iqn.2026-01.org.example:a", IPV4, 3260);
	isns_put_u32(&out, ISNS_PG_TAG, 2);
	len = out.len;
	for (size_t i = 0; i < len * 8; i++) {
		/* The exact size, so that a sanitizer sees what goes beyond. */
		uint8_t *exact = malloc(len);
		uint32_t period;

		memcpy(exact, data, len);
		exact[i / 8] ^= (uint8_t)(1u << i % 8);
		(void)isns_answer_targets(cursor_over(exact, len), &all);
		(void)isns_answer_period(cursor_over(exact, len), &period);
		cr_assert_leq(all.list.ntargets, 1);
		cr_assert(all.list.ntargets == 0 ||
			  all.list.targets->nportals <= 1);
		targets_fini(&all);
		free(exact);
	}
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, data, cut);
		(void)isns_answer_targets(cursor_over(exact, cut), &all);
		cr_assert(all.list.ntargets == 0 ||
			  all.list.targets->nportals == 0);
		targets_fini(&all);
		free(exact);
	}
}
