/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "frontends/fuse/fblk_map.h"

#define SIZE (1ull << 40)

static const struct blk_info rw = {
	.size = SIZE, .block_size = 512, .physical_block_size = 512};
static const struct blk_info ro = {.size = SIZE,
	.block_size = 512,
	.physical_block_size = 16384,
	.read_only = true};

Test(fblk_map, read_is_cut_at_the_end)
{
	static const struct {
		off_t offset;
		size_t size;
		int err;
		uint64_t len;
	} cases[] = {
		{0, 4096, 0, 4096},
		{1, 1, 0, 1},
		{SIZE - 10, 4096, 0, 10},
		{SIZE - 1, 1, 0, 1},
		{SIZE, 1, 0, 0},
		{SIZE + 1, SIZE_MAX, 0, 0},
		{LLONG_MAX, 1, 0, 0},
		{SIZE - 1, SIZE_MAX, 0, 1},
		{-1, 1, EINVAL, 0},
		{LLONG_MIN, SIZE_MAX, EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fblk_io io = {0};

		cr_expect_eq(
			fblk_map_read(&rw, cases[i].offset, cases[i].size, &io),
			cases[i].err, "case %zu", i);
		cr_expect_eq(io.len, cases[i].len, "case %zu", i);
		if (!cases[i].err)
			cr_expect_eq(io.offset, (uint64_t)cases[i].offset);
	}
}

Test(fblk_map, write_across_the_end_is_refused_whole)
{
	static const struct {
		off_t offset;
		size_t size;
		int err;
	} cases[] = {
		{0, 512, 0},
		{SIZE - 512, 512, 0},
		{SIZE - 511, 512, ENOSPC},
		{SIZE, 1, ENOSPC},
		{LLONG_MAX, 1, ENOSPC},
		{SIZE - 1, SIZE_MAX, ENOSPC},
		{-1, 1, EINVAL},
	};
	struct fblk_io io;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(fblk_map_write(&rw, cases[i].offset, cases[i].size,
				     O_RDWR, &io),
			cases[i].err, "case %zu", i);
	cr_expect_eq(fblk_map_write(&ro, 0, 512, O_RDWR, &io), EROFS);
}

Test(fblk_map, synchronous_files_write_durably)
{
	struct fblk_io io;

	cr_assert_eq(fblk_map_write(&rw, 0, 512, O_RDWR | O_DIRECT, &io), 0);
	cr_expect_eq(io.op, BLK_WRITE);
	cr_expect_eq(io.flags, 0);
	cr_assert_eq(fblk_map_write(&rw, 0, 512, O_WRONLY | O_DSYNC, &io), 0);
	cr_expect_eq(io.flags, BLK_FUA);
	cr_assert_eq(fblk_map_write(&rw, 0, 512, O_WRONLY | O_SYNC, &io), 0);
	cr_expect_eq(io.flags, BLK_FUA);
}

Test(fblk_map, fallocate)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const int zero = FALLOC_FL_ZERO_RANGE;
	const struct {
		int mode;
		off_t offset, length;
		int err;
		unsigned flags;
		uint64_t len;
	} cases[] = {
		{0, 0, SIZE, 0, 0, 0},
		{0, 0, SIZE + 1, ENOSPC, 0, 0},
		{punch, 4096, 4096, 0, 0, 4096},
		{punch, 0, SIZE, 0, 0, SIZE},
		{punch, SIZE - 1, 4096, 0, 0, 1},
		{punch, SIZE, 4096, 0, 0, 0},
		{punch, LLONG_MAX, LLONG_MAX, 0, 0, 0},
		{zero, 1, 2, 0, BLK_NO_HOLE, 2},
		{zero | FALLOC_FL_KEEP_SIZE, 0, SIZE, 0, BLK_NO_HOLE, SIZE},
		{zero, SIZE - 1, 2, ENOSPC, 0, 0},
		{punch, -1, 2, EINVAL, 0, 0},
		{punch, 0, 0, EINVAL, 0, 0},
		{punch, 0, -1, EINVAL, 0, 0},
		{FALLOC_FL_KEEP_SIZE, 0, 1, EOPNOTSUPP, 0, 0},
		{FALLOC_FL_PUNCH_HOLE, 0, 1, EOPNOTSUPP, 0, 0},
		{FALLOC_FL_COLLAPSE_RANGE, 0, 1, EOPNOTSUPP, 0, 0},
		{FALLOC_FL_INSERT_RANGE, 0, 1, EOPNOTSUPP, 0, 0},
		{-1, 0, 1, EOPNOTSUPP, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fblk_io io = {0};

		cr_expect_eq(fblk_map_fallocate(&rw, cases[i].mode,
				     cases[i].offset, cases[i].length, &io),
			cases[i].err, "case %zu", i);
		cr_expect_eq(io.len, cases[i].len, "case %zu", i);
		cr_expect_eq(io.flags, cases[i].flags, "case %zu", i);
		if (io.len)
			cr_expect_eq(io.op, BLK_ZERO, "case %zu", i);
	}
}

Test(fblk_map, a_read_only_device_refuses_changes)
{
	struct fblk_io io;

	cr_expect_eq(
		fblk_map_fallocate(&ro,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1, &io),
		EROFS);
	cr_expect_eq(fblk_map_open(&ro, O_RDONLY), 0);
	cr_expect_eq(fblk_map_open(&ro, O_WRONLY), EROFS);
	cr_expect_eq(fblk_map_open(&ro, O_RDWR), EROFS);
	cr_expect_eq(fblk_map_open(&rw, O_RDWR), 0);
}

Test(fblk_map, seek_asks_for_all_that_follows)
{
	struct fblk_io io;

	cr_assert_eq(fblk_map_seek(&rw, 12345, SEEK_DATA, &io), 0);
	cr_expect_eq(io.op, BLK_STATUS);
	cr_expect_eq(io.offset, 12345);
	cr_expect_eq(io.len, SIZE - 12345);
	cr_expect_eq(io.whence, SEEK_DATA);
	cr_expect_eq(fblk_map_seek(&rw, SIZE, SEEK_DATA, &io), ENXIO);
	cr_expect_eq(fblk_map_seek(&rw, -1, SEEK_HOLE, &io), ENXIO);
	cr_expect_eq(fblk_map_seek(&rw, 0, SEEK_SET, &io), EINVAL);
}

Test(fblk_map, seek_among_extents)
{
	static const struct blk_extent x[] = {{10, BLK_HOLE | BLK_ZEROES},
		{20, BLK_ZEROES}, {30, BLK_HOLE}, {40, 0}, {50, BLK_ZEROES}};
	uint64_t at = 100;

	/* A hole whose content is not known is data. */
	cr_expect(fblk_map_found(x, 5, SEEK_DATA, &at));
	cr_expect_eq(at, 130);
	at = 100;
	cr_expect(fblk_map_found(x, 5, SEEK_HOLE, &at));
	cr_expect_eq(at, 100);
	at = 130;
	cr_expect(fblk_map_found(x + 2, 3, SEEK_HOLE, &at));
	cr_expect_eq(at, 200);
	at = 100;
	cr_expect_not(fblk_map_found(x, 2, SEEK_DATA, &at));
	cr_expect_eq(at, 130);
}

Test(fblk_map, only_the_same_size_can_be_set)
{
	struct stat st = {.st_size = SIZE};

	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_SIZE), 0);
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_MTIME), 0);
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_MODE), EPERM);
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_UID), EPERM);
	st.st_size = 0;
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_SIZE), EPERM);
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_MTIME), 0);
	st.st_size = -1;
	cr_expect_eq(fblk_map_setattr(&rw, &st, FUSE_SET_ATTR_SIZE), EPERM);
}

Test(fblk_map, attributes)
{
	struct stat st;

	fblk_map_stat(&rw, &st);
	cr_expect_eq(st.st_mode, S_IFREG | 0600);
	cr_expect_eq(st.st_size, (off_t)SIZE);
	cr_expect_eq(st.st_blksize, 4096);
	cr_expect_eq(st.st_blocks, (blkcnt_t)(SIZE / 512));
	cr_expect_eq(st.st_uid, getuid());
	fblk_map_stat(&ro, &st);
	cr_expect_eq(st.st_mode, S_IFREG | 0400);
	cr_expect_eq(st.st_blksize, 16384);
}

Test(fblk_map, errors_of_the_device)
{
	static const struct {
		int device, answer;
	} cases[] = {
		{0, 0},
		{-EIO, EIO},
		{-ENOSPC, ENOSPC},
		{-EPERM, EPERM},
		{-ENOMEM, ENOMEM},
		{-EINVAL, EIO},
		{-ENOTSUP, EOPNOTSUPP},
		{-ESHUTDOWN, ESHUTDOWN},
		/* These the kernel would take for something else. */
		{-ENOSYS, EIO},
		{-EINTR, EIO},
		{-EAGAIN, EIO},
		{-123456, EIO},
		{5, EIO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(fblk_map_errno(cases[i].device), cases[i].answer,
			"case %zu", i);
}
