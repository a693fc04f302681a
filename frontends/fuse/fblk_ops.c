/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is absent here libfuse answers with ENOSYS, and the kernel stops asking:
 * right for xattrs (it would ask before each write), poll, ioctl and locks. It
 * would be wrong, for good, for what is here.
 */
#define FUSE_USE_VERSION 314
#include "fblk_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <umpio/base/buf.h>

#include "fblk.h"
#include "fblk_mount.h"

/* Only what the device tells changes the attributes, and it tells. */
#define ATTR_TIMEOUT_S 86400.0

/* What an open file keeps in its handle: the only way for fallocate to know
 * the flags of the file. */
#define FH_DSYNC       1u

/* The server of a request and its device; NULL: answered with ESHUTDOWN. */
static struct fblk *serving(fuse_req_t req, struct blk_info *info)
{
	const struct fblk_mount *mount = fuse_req_userdata(req);
	struct fblk *fblk = mount->fblk;

	if (fblk->draining) {
		fuse_reply_err(req, ESHUTDOWN);
		return NULL;
	}
	blkdev_info(fblk->dev, info);
	return fblk;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fblk_mount *mount = userdata;

	mount->greeted = true;
	/* Splicing hands data over in a pipe that must be emptied at once;
	 * with an atomic O_TRUNC, `: > FILE` would seem to succeed. */
	conn->want &=
		~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_ATOMIC_O_TRUNC |
			    FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_EXPORT_SUPPORT);
	conn->max_write = FBLK_IO_MAX;
	conn->max_read = FBLK_IO_MAX; /* must equal the mount option */
	conn->max_background = FBLK_BACKGROUND;
	conn->congestion_threshold = FBLK_BACKGROUND * 3 / 4;
	if (mount->options.cache)
		conn->max_readahead = FBLK_IO_MAX;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, ENOENT);
}

static void reply_attr(fuse_req_t req, const struct blk_info *info)
{
	struct stat st;

	fblk_map_stat(info, &st);
	fuse_reply_attr(req, &st, ATTR_TIMEOUT_S);
}

static void op_getattr(
	fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct blk_info info;

	(void)ino;
	(void)fi;
	if (serving(req, &info))
		reply_attr(req, &info);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
	int to_set, struct fuse_file_info *fi)
{
	struct blk_info info;
	int err;

	(void)ino;
	(void)fi;
	if (!serving(req, &info))
		return;
	err = fblk_map_setattr(&info, attr, to_set);
	if (err)
		fuse_reply_err(req, err);
	else
		reply_attr(req, &info);
}

/* The answer is made by hand: this libfuse has no field for parallel writes. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fblk_mount *mount = fuse_req_userdata(req);
	struct fuse_open_out out = {.fh = fi->flags & O_DSYNC ? FH_DSYNC : 0};
	struct blk_info info;
	int err;

	(void)ino;
	if (!serving(req, &info))
		return;
	err = fblk_map_open(&info, fi->flags);
	if (err) {
		fuse_reply_err(req, err);
		return;
	}
	out.open_flags =
		mount->options.cache
			? FOPEN_KEEP_CACHE
			: FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

/* release, access and flush (close): nothing to do, and no error. */
static void op_release(
	fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	(void)ino;
	(void)mask;
	fuse_reply_err(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct blk_info info;
	struct fblk *fblk = serving(req, &info);
	struct fblk_io io;
	int err;

	(void)ino;
	(void)fi;
	if (!fblk)
		return;
	err = fblk_map_read(&info, offset, size, &io);
	/* Answering from within fuse_req_interrupt_func() would free the
	 * request under it, so what was interrupted already goes first. */
	if (!err && fuse_req_interrupted(req))
		err = EINTR;
	if (err)
		fuse_reply_err(req, err);
	else if (io.len == 0)
		fuse_reply_buf(req, NULL, 0);
	else
		fblk_submit(fblk, req, &io, NULL, NULL);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *from,
	size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct blk_info info;
	struct fblk *fblk = serving(req, &info);
	struct fblk_io io;
	struct buf *payload;
	void *data;
	int err;

	(void)ino;
	if (!fblk)
		return;
	err = fblk_map_write(&info, offset, size, fi->flags, &io);
	if (err) {
		fuse_reply_err(req, err);
	} else if (size == 0) {
		fuse_reply_write(req, 0);
	} else {
		payload = fblk_recv_payload(fblk, from, size, &data);
		fblk_submit(fblk, req, &io, payload, data);
	}
}

static void op_fsync(
	fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	const struct fblk_io io = {.op = BLK_FLUSH};
	struct blk_info info;
	struct fblk *fblk = serving(req, &info);

	(void)ino;
	(void)datasync;
	(void)fi;
	if (fblk)
		fblk_submit(fblk, req, &io, NULL, NULL);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
	off_t length, struct fuse_file_info *fi)
{
	struct blk_info info;
	struct fblk *fblk = serving(req, &info);
	struct fblk_io io;
	int err;

	(void)ino;
	if (!fblk)
		return;
	err = fblk_map_fallocate(&info, mode, offset, length, &io);
	if (err || io.len == 0) {
		fuse_reply_err(req, err);
		return;
	}
	if (fi->fh & FH_DSYNC)
		io.flags |= BLK_FUA;
	fblk_submit(fblk, req, &io, NULL, NULL);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	struct fuse_file_info *fi)
{
	struct blk_info info;
	struct fblk *fblk = serving(req, &info);
	struct fblk_io io;
	int err;

	(void)ino;
	(void)fi;
	if (!fblk)
		return;
	err = fblk_map_seek(&info, offset, whence, &io);
	if (err)
		fuse_reply_err(req, err);
	else if (fuse_req_interrupted(req))
		fuse_reply_lseek(
			req, fblk_map_unsure(whence, io.offset, info.size));
	else
		fblk_submit(fblk, req, &io, NULL, NULL);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct blk_info info;
	struct statvfs st;

	(void)ino;
	if (!serving(req, &info))
		return;
	fblk_map_statvfs(&info, &st);
	fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops fblk_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.release = op_release,
	.flush = op_release,
	.access = op_access,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.statfs = op_statfs,
};
