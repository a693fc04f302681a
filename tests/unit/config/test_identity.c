/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <daemon/config/identity.h>
#include <daemon/config/name.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umpio/settings.h>
#include <unistd.h>

static char dir[64], why[512], name[NAME_SIZE];

static void make_dir(void)
{
	strcpy(dir, "/tmp/umpio-test-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
	static const char *const files[] = {
		"f", "a/b/initiatorname", "a/b", "a"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		remove(files[i]);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(rmdir(dir), 0, "something is left behind");
}

TestSuite(identity, .init = make_dir, .fini = remove_dir, .timeout = 10);

static void put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

Test(identity, reads_the_form_of_open_iscsi)
{
	put("f", "## comment\nGenerateName=no\n InitiatorName= iqn.a:b \r\n");
	cr_assert_eq(identity_read("f", name, why, sizeof why), 0, "%s", why);
	cr_expect_str_eq(name, "iqn.a:b");
	put("f", "GenerateName=yes\n");
	cr_expect_eq(identity_read("f", name, why, sizeof why), -ENOENT);
	cr_expect_eq(identity_read("none", name, why, sizeof why), -ENOENT);
	put("f", "InitiatorName=nonsense\n");
	cr_expect_eq(identity_read("f", name, why, sizeof why), -EINVAL);
	cr_expect(strstr(why, "f: `nonsense`"), "%s", why);
}

Test(identity, is_made_once_and_kept)
{
	char again[NAME_SIZE];
	cr_assert_eq(identity_keep("a/b", name, why, sizeof why), 0, "%s", why);
	cr_expect_eq(strncmp(name, "iqn.2026-11.io.umpio:", 21), 0);
	cr_expect_eq(strlen(name), 21 + 16);
	cr_assert_eq(identity_keep("a/b", again, why, sizeof why), 0);
	cr_expect_str_eq(again, name);
}

/* A name that silently became another would lose its access to the LUNs. */
Test(identity, broken_file_is_not_replaced)
{
	static const char *const texts[] = {"", "InitiatorName", "\xff\xfe",
		"InitiatorName=\n", "InitiatorName=iqn.a b\n=iqn.c"};
	mkdir("a", 0700);
	mkdir("a/b", 0700);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		put("a/b/initiatorname", texts[i]);
		int err = identity_keep("a/b", name, why, sizeof why);
		if (i == 4) { /* cut at the blank: open-iscsi does so too */
			cr_expect_eq(err, 0);
			continue;
		}
		cr_expect(err < 0, "%zu taken", i);
		cr_expect(strstr(why, "remove it"), "%s", why);
	}
}

Test(identity, configured_comes_first)
{
	cr_assert_eq(initiator_name_find("iqn.x:y", name, why, sizeof why), 0);
	cr_expect_str_eq(name, "iqn.x:y");
	cr_expect_eq(
		initiator_name_find("x:y", name, why, sizeof why), -EINVAL);
}

Test(isid, is_stable_and_differs)
{
	uint8_t a[6], b[6];
	isid_make(a, "i", "d", "t", "p", 0);
	isid_make(b, "i", "d", "t", "p", 0);
	cr_expect_arr_eq(a, b, 6);
	cr_expect_eq(a[0], 0x80, "type 10b, reserved bits zero");
	static const char *const other[][4] = {{"j", "d", "t", "p"},
		{"i", "e", "t", "p"}, {"i", "d", "u", "p"},
		{"i", "d", "t", "q"}, {"id", "", "t", "p"}};
	for (size_t i = 0; i < 5; i++) {
		isid_make(b, other[i][0], other[i][1], other[i][2], other[i][3],
			0);
		cr_expect_neq(memcmp(a, b, 6), 0, "%zu", i);
	}
	isid_make(b, "i", "d", "t", "p", 1);
	cr_expect_neq(memcmp(a, b, 6), 0);
}
