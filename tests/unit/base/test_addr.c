/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <umpio/base/addr.h>

Test(addr, endpoints)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		const char *again;
	} good[] = {
		{"array", "array", 3260, "array:3260"},
		{"array.example:860", "array.example", 860,
			"array.example:860"},
		{"10.0.1.10", "10.0.1.10", 3260, "10.0.1.10:3260"},
		{"10.0.1.10:65535", "10.0.1.10", 65535, "10.0.1.10:65535"},
		{"[2001:db8::1]", "2001:db8::1", 3260, "[2001:db8::1]:3260"},
		{"[2001:db8::1]:1", "2001:db8::1", 1, "[2001:db8::1]:1"},
		{"2001:db8::1", "2001:db8::1", 3260, "[2001:db8::1]:3260"},
		{"::", "::", 3260, "[::]:3260"},
		{"[fe80::1%eth0]:5", "fe80::1%eth0", 5, "[fe80::1%eth0]:5"},
		{"[::ffff:10.0.0.1]:5", "::ffff:10.0.0.1", 5,
			"[::ffff:10.0.0.1]:5"},
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct endpoint ep, again;
		char text[ENDPOINT_TEXT_MAX];
		const char *t = good[i].text;

		cr_assert_eq(
			endpoint_parse(&ep, t, strlen(t), 3260), 0, "%s", t);
		cr_assert_str_eq(ep.host, good[i].host);
		cr_assert_eq(ep.port, good[i].port);
		cr_assert_str_eq(endpoint_text(&ep, text), good[i].again);
		cr_assert_eq(endpoint_parse(&again, text, strlen(text), 1), 0);
		cr_assert(endpoint_equal(&ep, &again));
	}
}

Test(addr, bad_endpoints)
{
	static const char *const bad[] = {"", ":3260", "a:", "a:0", "a:65536",
		"a:123456", "a:-1", "a:x", "a b", "a/b", "[::1", "[::1]x",
		"[::1]:", "[array]:5", "[]", "[]:5", "::1]:5", ":::", "1:2:3",
		"-a", "a\n", "a,b", "[fe80::1%]:5", "[fe80::1%e]:1]:5",
		"fe80::1%e\x1b[2J", "user@host"};
	struct endpoint ep;
	char name[300];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_eq(endpoint_parse(&ep, bad[i], strlen(bad[i]), 3260),
			-EINVAL, "'%s'", bad[i]);
	memset(name, 'a', sizeof name);
	cr_assert_eq(endpoint_parse(&ep, name, 255, 3260), 0);
	cr_assert_eq(endpoint_parse(&ep, name, 256, 3260), -EINVAL);
	cr_assert_eq(endpoint_parse(&ep, "a\0b", 3, 3260), -EINVAL);
	/* Only `len` bytes count. */
	cr_assert_eq(endpoint_parse(&ep, "a:12345", 3, 3260), 0);
	cr_assert_eq(ep.port, 1);
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint ep;

	cr_assert_eq(endpoint_parse(&ep, text, strlen(text), 3260), 0);
	return ep;
}

static bool is_equal(const char *a, const char *b)
{
	struct endpoint x = endpoint(a), y = endpoint(b);

	return endpoint_equal(&x, &y);
}

Test(addr, equality)
{
	cr_assert(is_equal("Array.Example", "array.example:3260"));
	cr_assert(is_equal("2001:db8::1", "[2001:DB8:0:0::1]:3260"));
	cr_assert_not(is_equal("10.0.0.1", "10.0.0.1:3261"));
	cr_assert_not(is_equal("10.0.0.1", "10.0.0.2"));
	cr_assert_not(is_equal("10.0.0.1", "host"));
}

Test(addr, text_and_loopback)
{
	static const struct {
		const char *text;
		bool loopback;
	} cases[] = {{"127.0.0.1:1", true}, {"127.9.9.9:1", true},
		{"128.0.0.1:1", false}, {"[::1]:1", true}, {"[::2]:1", false},
		{"[::ffff:127.0.0.1]:1", true}, {"[2001:db8::1]:3260", false}};
	struct addr a;
	char text[64], path[200];
	struct endpoint ep;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ep = endpoint(cases[i].text);
		cr_assert_eq(addr_from_endpoint(&a, &ep), 0);
		cr_assert_str_eq(
			addr_text(&a, text, sizeof text), cases[i].text);
		cr_assert_eq(addr_is_loopback(&a), cases[i].loopback);
	}
	ep = endpoint("name");
	cr_assert_eq(addr_from_endpoint(&a, &ep), -EINVAL);
	ep = endpoint("fe80::1%nosuchif0");
	cr_assert_eq(addr_from_endpoint(&a, &ep), -EINVAL);
	cr_assert_eq(addr_from_unix(&a, "/run/x.sock"), 0);
	cr_assert_str_eq(addr_text(&a, text, sizeof text), "unix:/run/x.sock");
	cr_assert(addr_is_loopback(&a));
	memset(path, 'p', sizeof path);
	path[108] = '\0';
	cr_assert_eq(addr_from_unix(&a, path), -ENAMETOOLONG);
	path[107] = '\0';
	cr_assert_eq(addr_from_unix(&a, path), 0);
}
