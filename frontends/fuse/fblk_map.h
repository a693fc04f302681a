/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel's requests mean on a device: pure functions of the request
 * and of the device's blk_info. Those that can refuse give 0, or the positive
 * errno to answer with.
 */
#ifndef FBLK_MAP_H
#define FBLK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <umpio/blkdev.h>

/* What to ask of the device. `len` may exceed what one blk_req can say. */
struct fblk_io {
	enum blk_op op;
	unsigned flags; /* BLK_* */
	uint64_t offset, len;
	int whence; /* of BLK_STATUS */
};

/* A read is cut at the end of the device; len 0 there: nothing to read. */
int fblk_map_read(const struct blk_info *info, off_t offset, size_t size,
	struct fblk_io *io);

/* A write that would cross the end is refused whole: a short write that nobody
 * looks at is lost data. `open_flags` are the file's O_* flags: with O_DSYNC
 * each write must be durable by itself, because on a direct file the kernel
 * sends no FSYNC after it. */
int fblk_map_write(const struct blk_info *info, off_t offset, size_t size,
	int open_flags, struct fblk_io *io);

/* fallocate(2). io->len 0: nothing to do, success. What was punched or zeroed
 * must read as zeroes, so both are BLK_ZERO. */
int fblk_map_fallocate(const struct blk_info *info, int mode, off_t offset,
	off_t length, struct fblk_io *io);

/* SEEK_DATA and SEEK_HOLE: `io` asks for the status of what follows `offset`.
 */
int fblk_map_seek(const struct blk_info *info, off_t offset, int whence,
	struct fblk_io *io);

/* Looks through `n` extents from `*at` on. True when `*at` is the answer;
 * false: it is the end of the last one, and what is sought lies behind that. A
 * hole is what reads as zeroes; one of which that is not sure is data. */
bool fblk_map_found(
	const struct blk_extent *x, unsigned n, int whence, uint64_t *at);

/* The answer to a seek that is given up at `at`: what was not looked at is
 * data, which is never wrong. A seek must not fail for that: no program expects
 * it. */
off_t fblk_map_unsure(int whence, uint64_t at, uint64_t size);

/* setattr: the size cannot change, nor owner and mode; times are ignored.
 * `to_set` holds FUSE_SET_ATTR_* bits. */
int fblk_map_setattr(
	const struct blk_info *info, const struct stat *attr, int to_set);

/* open(2) with these O_* flags. */
int fblk_map_open(const struct blk_info *info, int open_flags);

void fblk_map_stat(const struct blk_info *info, struct stat *st);
void fblk_map_statvfs(const struct blk_info *info, struct statvfs *st);

/* The errno to answer for a device's -errno (0 gives 0). */
int fblk_map_errno(int err);

#endif
