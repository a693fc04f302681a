/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontends/fuse/fblk_mount.h"
#include "frontends/fuse/fblk_place.h"

static char dir[] = "/tmp/fblk-place.XXXXXX", file[64], other[64], why[512];
static struct fblk_place place;

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/disk.img", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
}

static void teardown(void)
{
	unlink(file);
	unlink(other);
	rmdir(dir);
}

TestSuite(fblk_place, .init = setup, .fini = teardown);

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

Test(fblk_place, a_missing_file_is_made_and_removed)
{
	struct stat st;

	umask(0);
	cr_assert_eq(fblk_place_take(&place, file, why, sizeof(why)), 0);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode, S_IFREG | 0600);
	fblk_place_leave(&place);
	cr_expect_eq(stat(file, &st), -1);
}

Test(fblk_place, an_empty_file_is_taken_and_stays)
{
	put(file, "");
	cr_assert_eq(fblk_place_take(&place, file, why, sizeof(why)), 0);
	fblk_place_leave(&place);
	cr_expect_eq(access(file, F_OK), 0);
}

Test(fblk_place, what_replaced_our_file_stays)
{
	cr_assert_eq(fblk_place_take(&place, file, why, sizeof(why)), 0);
	put(file, "now it matters");
	fblk_place_leave(&place);
	cr_expect_eq(access(file, F_OK), 0);

	put(other, "");
	cr_assert_eq(rename(other, file), 0);
	fblk_place_leave(&place);
	cr_expect_eq(access(file, F_OK), 0);
}

static void expect_refusal(const char *path, const char *cause)
{
	cr_expect_lt(fblk_place_take(&place, path, why, sizeof(why)), 0);
	cr_expect(strstr(why, path), "names the file: %s", why);
	cr_expect(strstr(why, cause), "%s: %s", cause, why);
	cr_expect(!strchr(why, '\n'), "one line");
}

Test(fblk_place, a_file_with_content_is_refused)
{
	put(file, "precious");
	expect_refusal(file, "not empty");
	cr_expect_eq(access(file, F_OK), 0);
}

Test(fblk_place, other_kinds_are_refused)
{
	cr_assert_eq(mkfifo(file, 0600), 0);
	expect_refusal(file, "not a regular file");
	unlink(file);
	put(other, "");
	cr_assert_eq(symlink(other, file), 0);
	expect_refusal(file, "symbolic link");
	expect_refusal(dir, "not a regular file");
}

Test(fblk_place, a_foreign_mount_is_refused_unasked)
{
	expect_refusal("/proc", "type proc");
}

Test(fblk_place, a_missing_directory_is_named)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/none/disk.img", dir);
	expect_refusal(path, "No such file or directory");
}

Test(fblk_place, a_long_name_is_refused)
{
	char path[PATH_MAX + 64];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(
		fblk_place_take(&place, path, why, sizeof(why)), -ENAMETOOLONG);
	cr_expect(strstr(why, "too long"), "%s", why);
}

Test(fblk_mount, options_cannot_be_injected)
{
	const struct fblk_options plain = {0};
	const struct fblk_options all = {
		.allow_other = true, .read_only = true};
	char text[512];

	cr_expect_str_eq(
		fblk_mount_options("a,dev b\\", &plain, text, sizeof(text)),
		"fsname=umpio:a_dev_b_,subtype=umpio,default_permissions,"
		"max_read=1048576");
	cr_expect_str_eq(fblk_mount_options("db0", &all, text, sizeof(text)),
		"fsname=umpio:db0,subtype=umpio,default_permissions,"
		"max_read=1048576,allow_other,ro");
}
