/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "frontends/fuse/fblk_mountinfo.h"

static bool find(const char *text, const char *path, struct fblk_mountinfo *m)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	bool found;

	cr_assert(in);
	found = fblk_mountinfo_find(in, path, m);
	fclose(in);
	return found;
}

static const char table[] =
	"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"30 22 0:50 / /srv/db0.img rw,nosuid shared:9 master:2 - fuse.umpio "
	"umpio:db0 rw,user_id=0\n"
	"31 22 0:51 / /srv/a\\040b\\134 rw - fuse.other x\\040y rw\n"
	"32 22 0:52 / /srv/db0.img rw - fuse.umpio umpio:db1 rw\n";

Test(fblk_mountinfo, the_topmost_counts)
{
	struct fblk_mountinfo m;

	cr_assert(find(table, "/srv/db0.img", &m));
	cr_expect_str_eq(m.dev, "0:52");
	cr_expect_str_eq(m.type, "fuse.umpio");
	cr_expect_str_eq(m.source, "umpio:db1");
}

Test(fblk_mountinfo, escapes)
{
	struct fblk_mountinfo m;

	cr_assert(find(table, "/srv/a b\\", &m));
	cr_expect_str_eq(m.source, "x y");
}

Test(fblk_mountinfo, whole_paths_only)
{
	struct fblk_mountinfo m;

	cr_expect(!find(table, "/srv/db0", &m));
	cr_expect(!find(table, "/srv", &m));
	cr_expect(!find(table, "", &m));
}

Test(fblk_mountinfo, broken_lines_are_passed_over)
{
	static const char broken[] = "\n"
				     "1\n"
				     "1 2 0:1 / /x\n"
				     "1 2 0:1 / /x rw -\n"
				     "1 2 0:1 / /x rw - type\n"
				     "1 2 0:1 / /x rw type source\n"
				     "1 2 0:1 / /y\\0 rw - t s\n";
	struct fblk_mountinfo m;

	cr_expect(!find(broken, "/x", &m));
	cr_expect(find(broken, "/y\\0", &m));
	cr_expect_str_eq(m.source, "s");
}

Test(fblk_mountinfo, this_process)
{
	struct fblk_mountinfo m;

	cr_assert(fblk_mountinfo_get("/proc", &m));
	cr_expect_str_eq(m.type, "proc");
}
