/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The identity of a LUN in use, read again now and then: targets have been seen
 * to put another LUN in its place without a word. The path carries I/O
 * meanwhile; only when something differs it is probed as at its first login,
 * and that decides.
 */
#ifndef MPIO_RECHECK_H
#define MPIO_RECHECK_H

struct disposition;
struct mpath;
struct path_result;

/* Reads it over `mp`, which is ACTIVE. Nothing while that is under way, and
 * without memory: the next time will do. */
void recheck_begin(struct mpath *mp);

/* lun_probe.heed of a path in use: unit attentions are told once, so they are
 * heeded as in any answer. While it is probed before its next command, or on
 * its way out, only what tells of a reset. */
void recheck_heed(void *mpath, const struct path_result *result,
	const struct disposition *d);

#endif
