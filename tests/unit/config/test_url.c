/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/settings.h>

static char why[512];

Test(url, whole)
{
	struct iscsi_url url;
	cr_assert_eq(iscsi_url_parse(&url,
			     "iscsi://host1@[2001:db8::1]:3261/"
			     "iqn.2003-01.org.example:a/16383",
			     why, sizeof why),
		0, "%s", why);
	cr_expect_str_eq(url.user, "host1");
	cr_expect_str_eq(url.portal.host, "2001:db8::1");
	cr_expect_eq(url.portal.port, 3261);
	cr_expect_str_eq(url.target, "iqn.2003-01.org.example:a");
	cr_expect_eq(url.lun, 16383);
}

Test(url, default_port_and_no_user)
{
	struct iscsi_url url;
	cr_assert_eq(iscsi_url_parse(
			     &url, "iscsi://array/eui.0123/0", why, sizeof why),
		0, "%s", why);
	cr_expect_str_eq(url.user, "");
	cr_expect_str_eq(url.portal.host, "array");
	cr_expect_eq(url.portal.port, 3260);
	cr_expect_eq(url.lun, 0);
}

Test(url, password_is_refused_and_not_repeated)
{
	static const char *const urls[] = {
		"iscsi://u%hunter2@h/iqn.a:b/1",
		"iscsi://u:hunter2@h/iqn.a:b/1",
		"iscsi://u:hunter2/x@h/iqn.a:b/1",
		"iscsi://u%hunter2@y@h/iqn.a:b/1",
		"iscsi://u%hunter2@",
		"ISCSI://u%hunter2@h/none",
	};
	struct iscsi_url url;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		cr_expect_eq(iscsi_url_parse(&url, urls[i], why, sizeof why),
			-EINVAL);
		cr_expect(strstr(why, "--chap-secret-file"), "%s", why);
		cr_expect_null(strstr(why, "hunter2"), "%s", why);
	}
	cr_expect_eq(iscsi_url_parse(&url,
			     "iscsi://h/iqn.a:b/1?target_password=hunter2", why,
			     sizeof why),
		-EINVAL);
	cr_expect_null(strstr(why, "hunter2"), "%s", why);
}

Test(url, broken)
{
	static const char *const urls[] = {"", "iscsi:", "iscsi://",
		"iscsi:///iqn.a:b/1", "iscsi://h", "iscsi://h/",
		"iscsi://h/iqn.a:b", "iscsi://h/iqn.a:b/", "iscsi://h//1",
		"iscsi://h/iqn.a:b/16384", "iscsi://h/iqn.a:b/-1",
		"iscsi://h/iqn.a:b/1/", "iscsi://h/iqn.a:b/1x",
		"iscsi://h:0x/iqn.a:b/1", "iscsi://h:99999/iqn.a:b/1",
		"iscsi://[::1/iqn.a:b/1", "iscsi://@h/iqn.a:b/1",
		"iscsi://h/disk/1", "iscsi://h/iqn.a b/1",
		"http://h/iqn.a:b/1"};
	struct iscsi_url url;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		why[0] = '\0';
		cr_expect_eq(iscsi_url_parse(&url, urls[i], why, sizeof why),
			-EINVAL, "taken: %s", urls[i]);
		cr_expect(why[0] && !strchr(why, '\n'), "%s: %s", urls[i], why);
	}
}

Test(url, too_long)
{
	char text[600] = "iscsi://h/iqn.";
	memset(text + strlen(text), 'a', 220);
	strcat(text, "/1");
	struct iscsi_url url;
	cr_expect_eq(iscsi_url_parse(&url, text, why, sizeof why), -EINVAL);
	memset(text, 'u', 300);
	memcpy(text, "iscsi://", 8);
	strcpy(text + 300, "@h/iqn.a:b/1");
	cr_expect_eq(iscsi_url_parse(&url, text, why, sizeof why), -EINVAL);
}

Test(nbd_address, both_kinds)
{
	struct nbd_address a;
	cr_assert_eq(nbd_address_parse(&a, "unix:/run/x", why, sizeof why), 0);
	cr_expect(a.is_unix);
	cr_expect_str_eq(a.path, "/run/x");
	cr_assert_eq(
		nbd_address_parse(&a, "tcp:[::1]:10810", why, sizeof why), 0);
	cr_expect_not(a.is_unix);
	cr_expect_eq(a.tcp.port, 10810);
	cr_assert_eq(nbd_address_parse(&a, "tcp:h", why, sizeof why), 0);
	cr_expect_eq(a.tcp.port, 10809);
}

Test(nbd_address, broken)
{
	char path[200] = "unix:";
	memset(path + 5, 'p', 108);
	const char *const texts[] = {"", "unix:", path, "tcp:", "tcp::1",
		"tcp:h:0x1", "/run/x", "udp:h:1"};
	struct nbd_address a;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		cr_expect_eq(nbd_address_parse(&a, texts[i], why, sizeof why),
			-EINVAL, "%s", texts[i]);
	path[5 + 107] = '\0';
	cr_expect_eq(nbd_address_parse(&a, path, why, sizeof why), 0);
}
