/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umpio/settings.h>
#include <unistd.h>

static char dir[64], why[512];

static void make_dir(void)
{
	strcpy(dir, "/tmp/umpio-test-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
	static const char *const files[] = {"f", "link", "fifo", "d"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		remove(files[i]);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(rmdir(dir), 0);
}

TestSuite(secret, .init = make_dir, .fini = remove_dir, .timeout = 10);
TestSuite(settings_file, .init = make_dir, .fini = remove_dir, .timeout = 10);

static void put(const char *text, mode_t mode)
{
	int fd = open("f", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int get(const char *file, char **secret, size_t *len)
{
	*secret = NULL;
	why[0] = '\0';
	return secret_read(file, secret, len, why, sizeof why);
}

Test(secret, drops_one_newline)
{
	char *secret;
	size_t len;
	put("twelve bytes\n\n", 0600);
	cr_assert_eq(get("f", &secret, &len), 0, "%s", why);
	cr_expect_eq(len, 13);
	cr_expect_str_eq(secret, "twelve bytes\n");
	secret_free(secret, len);
	put("x", 0400);
	cr_assert_eq(get("f", &secret, &len), 0, "%s", why);
	cr_expect_str_eq(secret, "x");
	secret_free(secret, len);
	secret_free(NULL, 0);
}

Test(secret, refuses_what_others_can_read)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0610, 0601, 0644};
	char *secret;
	size_t len;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		put("hunter2hunter2\n", modes[i]);
		cr_expect_eq(get("f", &secret, &len), -EPERM);
		cr_expect(strstr(why, "f: mode") && strstr(why, "chmod 600"),
			"%s", why);
		cr_expect_null(strstr(why, "hunter2"));
	}
}

Test(secret, refuses_what_is_no_plain_file)
{
	char *secret;
	size_t len;
	put("hunter2hunter2\n", 0600);
	cr_assert_eq(symlink("f", "link"), 0);
	cr_expect_eq(get("link", &secret, &len), -ELOOP);
	cr_expect(
		strstr(why, "symlink") && strstr(why, "chmod 600"), "%s", why);
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_expect_eq(get("fifo", &secret, &len), -EINVAL);
	cr_assert_eq(mkdir("d", 0700), 0);
	cr_expect_eq(get("d", &secret, &len), -EINVAL);
	cr_expect_eq(get("/dev/zero", &secret, &len), -EINVAL);
	cr_expect_eq(get("none", &secret, &len), -ENOENT);
	cr_expect_str_eq(why, "none: No such file or directory");
}

Test(secret, refuses_another_owner)
{
	char *secret;
	size_t len;
	if (geteuid() != 0)
		cr_skip_test("only root can give a file away");
	put("hunter2hunter2\n", 0600);
	cr_assert_eq(chown("f", 12345, -1), 0);
	cr_expect_eq(get("f", &secret, &len), -EPERM);
	cr_expect(strstr(why, "uid 12345"), "%s", why);
}

Test(secret, refuses_empty_and_huge)
{
	char *secret;
	size_t len;
	put("\n", 0600);
	cr_expect_eq(get("f", &secret, &len), -EINVAL);
	put("", 0600);
	cr_expect_eq(get("f", &secret, &len), -EINVAL);
	cr_assert_eq(truncate("f", 4097), 0);
	cr_expect_eq(get("f", &secret, &len), -EFBIG);
	cr_assert_eq(truncate("f", 4096), 0);
	cr_assert_eq(get("f", &secret, &len), 0);
	cr_expect_eq(len, 4096);
	secret_free(secret, len);
}

Test(settings_file, reads)
{
	put("[daemon]\ninstance = i\n", 0644);
	struct settings *s = settings_read("f", why, sizeof why);
	cr_assert(s, "%s", why);
	cr_expect_str_eq(s->file, "f");
	cr_expect_str_eq(settings_text(s, NULL, SET_INSTANCE), "i");
	settings_free(s);
}

Test(settings_file, refuses_fifo_and_giant)
{
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_assert_eq(symlink("fifo", "link"), 0);
	cr_expect_null(settings_read("link", why, sizeof why));
	cr_expect_str_eq(why, "link: not a regular file");
	put("", 0600);
	cr_assert_eq(truncate("f", 1l << 30), 0);
	cr_expect_null(settings_read("f", why, sizeof why));
	cr_expect(strstr(why, "f: larger than"), "%s", why);
	cr_expect_null(settings_read("none", why, sizeof why));
}
