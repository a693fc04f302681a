/* SPDX-License-Identifier: BSD-2-Clause */
#define FUSE_USE_VERSION 314
#include "fblk_map.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <unistd.h>

/* True when [offset, offset + len) ends beyond the device. */
static bool crosses_end(const struct blk_info *info, off_t offset, uint64_t len)
{
	return (uint64_t)offset > info->size ||
	       len > info->size - (uint64_t)offset;
}

int fblk_map_read(const struct blk_info *info, off_t offset, size_t size,
	struct fblk_io *io)
{
	if (offset < 0)
		return EINVAL;

	*io = (struct fblk_io){
		.op = BLK_READ, .offset = (uint64_t)offset, .len = size};
	if ((uint64_t)offset >= info->size)
		io->len = 0;
	else if (crosses_end(info, offset, size))
		io->len = info->size - (uint64_t)offset;
	return 0;
}

int fblk_map_write(const struct blk_info *info, off_t offset, size_t size,
	int open_flags, struct fblk_io *io)
{
	if (offset < 0)
		return EINVAL;
	if (info->read_only)
		return EROFS;
	if (crosses_end(info, offset, size))
		return ENOSPC;

	*io = (struct fblk_io){.op = BLK_WRITE,
		.flags = open_flags & O_DSYNC ? BLK_FUA : 0,
		.offset = (uint64_t)offset,
		.len = size};
	return 0;
}

/* What a mode of fallocate(2) asks for. */
struct falloc {
	int mode;
	bool zero;      /* false: space only, which a device always has */
	unsigned flags; /* BLK_* */
	bool clip;      /* what lies beyond the end is left out */
};

static const struct falloc fallocs[] = {
	{0, false, 0, false},
	{FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, true, 0, true},
	{FALLOC_FL_ZERO_RANGE, true, BLK_NO_HOLE, false},
	{FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, true, BLK_NO_HOLE, false},
};

static const struct falloc *falloc_find(int mode)
{
	for (size_t i = 0; i < sizeof(fallocs) / sizeof(fallocs[0]); i++)
		if (fallocs[i].mode == mode)
			return &fallocs[i];
	return NULL;
}

int fblk_map_fallocate(const struct blk_info *info, int mode, off_t offset,
	off_t length, struct fblk_io *io)
{
	const struct falloc *f = falloc_find(mode);
	uint64_t len = (uint64_t)length;

	/* Not ENOSYS: the kernel would never ask again. */
	if (!f)
		return EOPNOTSUPP;
	if (offset < 0 || length <= 0)
		return EINVAL;
	if (info->read_only)
		return EROFS;
	if (crosses_end(info, offset, len)) {
		if (!f->clip)
			return ENOSPC;
		len = (uint64_t)offset < info->size
			      ? info->size - (uint64_t)offset
			      : 0;
	}
	*io = (struct fblk_io){.op = BLK_ZERO,
		.flags = f->flags,
		.offset = (uint64_t)offset,
		.len = f->zero ? len : 0};
	return 0;
}

int fblk_map_seek(const struct blk_info *info, off_t offset, int whence,
	struct fblk_io *io)
{
	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return EINVAL;
	if (offset < 0 || (uint64_t)offset >= info->size)
		return ENXIO;
	*io = (struct fblk_io){.op = BLK_STATUS,
		.offset = (uint64_t)offset,
		.len = info->size - (uint64_t)offset,
		.whence = whence};
	return 0;
}

bool fblk_map_found(
	const struct blk_extent *x, unsigned n, int whence, uint64_t *at)
{
	for (; n--; x++) {
		bool hole = x->flags & BLK_ZEROES;

		if (hole == (whence == SEEK_HOLE))
			return true;
		*at += x->len;
	}
	return false;
}

off_t fblk_map_unsure(int whence, uint64_t at, uint64_t size)
{
	return (off_t)(whence == SEEK_HOLE ? size : at);
}

int fblk_map_setattr(
	const struct blk_info *info, const struct stat *attr, int to_set)
{
	int fixed = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;

	if (to_set & fixed)
		return EPERM;
	if (to_set & FUSE_SET_ATTR_SIZE &&
		(attr->st_size < 0 || (uint64_t)attr->st_size != info->size))
		return EPERM;
	return 0;
}

int fblk_map_open(const struct blk_info *info, int open_flags)
{
	if (info->read_only && (open_flags & O_ACCMODE) != O_RDONLY)
		return EROFS;
	return 0;
}

void fblk_map_stat(const struct blk_info *info, struct stat *st)
{
	*st = (struct stat){
		.st_ino = FUSE_ROOT_ID,
		.st_nlink = 1,
		.st_mode = S_IFREG | (info->read_only ? 0400 : 0600),
		.st_uid = getuid(),
		.st_gid = getgid(),
		.st_size = (off_t)info->size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)(info->size / 512),
	};
	if (info->physical_block_size > 4096)
		st->st_blksize = (blksize_t)info->physical_block_size;
}

void fblk_map_statvfs(const struct blk_info *info, struct statvfs *st)
{
	*st = (struct statvfs){
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = info->size / 4096,
		.f_files = 1,
		.f_namemax = 255,
	};
}

int fblk_map_errno(int err)
{
	/* All else is EIO. EINVAL too: the range was looked at here, so a
	 * device that refuses it has shrunk. ENOSYS, EINTR and EAGAIN have
	 * meanings to the kernel that no device has. */
	static const struct {
		int device, answer;
	} map[] = {
		{0, 0},
		{-ENOSPC, ENOSPC},
		{-EPERM, EPERM},
		{-ENOMEM, ENOMEM},
		{-ENOTSUP, EOPNOTSUPP},
		{-ESHUTDOWN, ESHUTDOWN},
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].device == err)
			return map[i].answer;
	return EIO;
}
