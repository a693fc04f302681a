/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving half of a protocol engine: a staging buffer in which headers
 * are read, and a way for a payload to go straight to where it belongs. While
 * a payload is diverted, the next bytes are offered first to the rest of it
 * and then to the staging buffer, so that one readv takes the end of a payload
 * and the headers behind it.
 */
#ifndef UMPIO_BASE_INTAKE_H
#define UMPIO_BASE_INTAKE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Behind a payload of this size or more the next one is likely to be as large:
 * reading far ahead would only copy the beginning of it. */
#define INTAKE_LARGE (32u << 10)
#define INTAKE_SHORT                                                           \
	(4u << 10) /* read ahead then: headers, and not much more */

struct intake {
	uint8_t *stage; /* owned */
	size_t cap;
	size_t ahead;      /* how much is staged ahead of parsing */
	size_t head, tail; /* staged bytes are stage[head..tail) */
	uint8_t *into;     /* rest of the diverted payload; NULL: thrown away */
	size_t want;       /* bytes of it still missing */
};

/* 0 or -ENOMEM. `cap` is the most that can be staged at once. */
int intake_init(struct intake *in, size_t cap);
void intake_fini(struct intake *in);

/* Where the next bytes go: fills up to 2 iovecs and returns their number; 0
 * only when the staging buffer is full and nothing is diverted. */
int intake_iov(struct intake *in, struct iovec iov[2]);

/* `n` bytes have come to where intake_iov() said. */
void intake_commit(struct intake *in, size_t n);

/* The staged bytes; they stay until consumed. Valid only while nothing is
 * diverted. */
static inline size_t intake_len(const struct intake *in)
{
	return in->tail - in->head;
}

static inline const uint8_t *intake_data(const struct intake *in)
{
	return in->stage + in->head;
}

static inline void intake_consume(struct intake *in, size_t n)
{
	assert(n <= intake_len(in));
	in->head += n;
	if (in->head == in->tail)
		in->head = in->tail = 0;
}

/* The next `len` bytes belong to `into` (NULL: they are thrown away): what is
 * staged of them is copied now, the rest comes directly. `into` must live until
 * intake_diverting() is false. */
void intake_divert(struct intake *in, void *into, size_t len);

static inline bool intake_diverting(const struct intake *in)
{
	return in->want > 0;
}

#endif
