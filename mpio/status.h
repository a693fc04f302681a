/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which blocks are allocated: GET LBA STATUS (SBC-4 5.6), one command for one
 * request, and only when somebody asks: never on the way of a read.
 */
#ifndef MPIO_STATUS_H
#define MPIO_STATUS_H

struct blk_req;
struct mpdev;

/* Takes a STATUS request, which has been checked. */
void status_begin(struct mpdev *dev, struct blk_req *blk);

#endif
