/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded reader over bytes that a peer sent. Every read checks what is
 * left; the first one that does not fit makes the cursor bad, and from then on
 * every read gives zero. So a decoder reads all its fields and asks once, at
 * the end, whether the whole of it was there.
 */
#ifndef UMPIO_BASE_CURSOR_H
#define UMPIO_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umpio/base/bytes.h>

struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static inline struct cursor cursor_over(const void *data, size_t len)
{
	return (struct cursor){.at = data, .left = len};
}

/* The next `n` bytes, which are then behind the cursor; NULL when they are not
 * all there. The bytes stay the owner's. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->at;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->at += n;
	c->left -= n;
	return p;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	(void)cursor_take(c, n);
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);
	return p ? *p : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);
	return p ? get_be16(p) : 0;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);
	return p ? get_be32(p) : 0;
}

static inline uint64_t cursor_be64(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 8);
	return p ? get_be64(p) : 0;
}

/* A cursor over the next `n` bytes alone, or over what is left when that is
 * less: for lists whose stated length may be a lie. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	struct cursor sub = cursor_over(c->at, n < c->left ? n : c->left);

	sub.bad = c->bad;
	cursor_skip(c, sub.left);
	return sub;
}

#endif
