/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of the kernel. The session's userdata is the fblk_mount. */
#ifndef FBLK_OPS_H
#define FBLK_OPS_H

struct fuse_lowlevel_ops;

extern const struct fuse_lowlevel_ops fblk_ops;

#endif
