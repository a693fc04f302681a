/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The identity of a LUN in use, read again now and then: targets have been seen
 * to put another LUN in its place without a word. The path carries I/O
 * meanwhile; only when something differs it is probed as at its first login,
 * and that decides.
 */
#ifndef MPIO_RECHECK_H
#define MPIO_RECHECK_H

struct mpath;

/* Reads it over `mp`, which is ACTIVE. Nothing while that is under way, and
 * without memory: the next time will do. */
void recheck_begin(struct mpath *mp);

/* The probe of `mp`, whose session is in use, has begun: its unit attentions
 * are told once, so they are heeded as in any answer (while the path is probed
 * before its next command, or on its way out, only what tells of a reset), and
 * its commands count as being under way (overtake.h). */
void recheck_watch(struct mpath *mp);

#endif
