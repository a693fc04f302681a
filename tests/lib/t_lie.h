/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bad disk does now and then, for tests of what looks for it.
 */
#ifndef UMPIO_T_LIE_H
#define UMPIO_T_LIE_H

#include <stdbool.h>
#include <stdint.h>

#define T_LIES(X)                                                              \
	X(NONE, none)                                                          \
	X(LOSE, lose)         /* a write is acknowledged, not done */          \
	X(STALE, stale)       /* it is read once, and undone */                \
	X(TEAR, tear)         /* half of it is done */                         \
	X(CUT, cut)           /* so, and the cut is in a sector */             \
	X(SWAP, swap)         /* its first and last sector swapped */          \
	X(MISPLACE, misplace) /* done, a sector further on */                  \
	X(FLUSH, flush)       /* undone by the flush after it */               \
	X(FUA, fua)           /* lost, one with FUA */                         \
	X(FLIP, flip)         /* one bit of it */                              \
	X(FAIL, fail)         /* no lie: EIO, and half of it is done */

enum t_lie_kind {
#define X(NAME, name) T_LIE_##NAME,
	T_LIES(X)
#undef X
};

struct t_lie {
	enum t_lie_kind kind;
	uint64_t every; /* so many writes that it fits */
	uint64_t told, writes;
	uint64_t offset, len; /* of `old`; len 0: none */
	uint8_t *old;         /* what the write has overwritten */
};

/* KIND:EVERY. 0 or -EINVAL. */
int t_lie_parse(struct t_lie *lie, const char *text);
void t_lie_fini(struct t_lie *lie);

/* Does a write of `len` bytes to the `size` bytes of memory; 0 or -EIO. */
struct t_lie_disk {
	uint8_t *data;
	uint64_t size;
};
int t_lie_write(struct t_lie *lie, const struct t_lie_disk *disk,
	uint64_t offset, const void *data, uint64_t len, bool fua);
/* To be called when a read, or a flush, has been done. */
void t_lie_was_read(struct t_lie *lie, const struct t_lie_disk *disk,
	uint64_t offset, uint64_t len);
void t_lie_flushed(struct t_lie *lie, const struct t_lie_disk *disk);

#endif
