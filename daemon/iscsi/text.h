/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text segments: key=value pairs, each ended by a NUL (RFC 7143 6.1), over one
 * PDU or several (C bit), and the encodings of values.
 */
#ifndef UMPIO_ISCSI_TEXT_H
#define UMPIO_ISCSI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_KEY_MAX    63    /* bytes */
#define TEXT_VALUE_MAX  255   /* bytes, where a key does not say otherwise */
#define TEXT_TOTAL_MAX  65536 /* bytes that one exchange may gather */
#define TEXT_BINARY_MAX 1024  /* bytes of a decoded binary value, 12.1.3 */

/* What the peer's PDUs of one exchange add up to. */
struct text_in {
	char *data; /* owned; one byte more than `len` is there */
	size_t len;
};

/* An empty one is all zero. 0, -EMSGSIZE above TEXT_TOTAL_MAX, -ENOMEM. */
int text_in_add(struct text_in *in, const void *data, size_t len);
void text_in_clear(struct text_in *in); /* frees; empty again */

/* Walks the pairs. Start with `at` 0. 1 and a pair whose strings lie in `in`
 * and live until it changes; 0 at the end; -EPROTO and a static line for a
 * pair without NUL or `=`, an empty or too long key, or a key with characters
 * outside of 6.1. The pairs are cut in place: one walk for each content. */
struct text_pair {
	const char *key, *value;
};
int text_in_next(struct text_in *in, size_t *at, struct text_pair *pair,
	const char **why);

/* Pairs to be sent, in a buffer of fixed size. What does not fit is left out
 * whole and `full` is set. */
struct text_out {
	char *data; /* the owner's */
	size_t cap, len;
	bool full;
};

void text_put(struct text_out *out, const char *key, const char *value);
void text_put_number(struct text_out *out, const char *key, uint64_t value);
void text_put_bool(struct text_out *out, const char *key, bool value);

/* As 0x and hex digits. `len` is at most TEXT_BINARY_MAX. */
void text_put_binary(
	struct text_out *out, const char *key, const uint8_t *data, size_t len);

/* Decimal without leading zeros, or 0x hex. 0; -EINVAL; -ERANGE above 2^64-1.
 */
int text_number(const char *value, uint64_t *number);

/* Exactly `Yes` or `No`. 0 or -EINVAL. */
int text_bool(const char *value, bool *yes);

/* Hex or base64 (RFC 7143 6.1) into `out` of `cap` bytes; the number of bytes,
 * -EINVAL, or -EMSGSIZE. */
int text_binary(const char *value, uint8_t *out, size_t cap);

/* True when `word` is one element of the comma-separated `list`. */
bool text_list_has(const char *list, const char *word);

/* The first element of `theirs` that is in `ours`, into `out` of `size` bytes;
 * false when there is none. */
bool text_list_choose(
	const char *theirs, const char *ours, char *out, size_t size);

#endif
