/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which parts of the unit a set of ranges touches, in constant time: counters
 * in a hash table, one for each page of a short range, or each MiB of a long
 * one. Two parts may share a counter, so a hit may be none; a miss is one.
 */
#ifndef MPIO_MARKS_H
#define MPIO_MARKS_H

#include <stdbool.h>
#include <stdint.h>

struct marks;

/* Empty; NULL without memory. */
struct marks *marks_new(void);

/* NULL is allowed. */
void marks_free(struct marks *marks);

/* Bytes [start, end) join the set, or leave it; as they joined. */
void marks_add(struct marks *marks, uint64_t start, uint64_t end);
void marks_remove(struct marks *marks, uint64_t start, uint64_t end);

/* False: no range of the set overlaps [start, end). */
bool marks_touch(const struct marks *marks, uint64_t start, uint64_t end);

#endif
