/* SPDX-License-Identifier: BSD-2-Clause */
/* What the harnesses share. Each has LLVMFuzzerTestOneInput() and runs in a
 * world of virtual time; what they hold beside "no crash, no leak, no hang" is
 * an abort() of their own. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/cursor.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(what)                                                       \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "does not hold: %s\n", #what);         \
			abort();                                               \
		}                                                              \
	} while (0)

/* A copy of exactly `len` bytes, so that the sanitizer sees what lies beyond;
 * to be freed. */
static inline uint8_t *fuzz_copy(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	FUZZ_CHECK(copy);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

/* The same with a NUL behind, for functions that take text. */
static inline char *fuzz_text(const void *data, size_t len)
{
	char *text = malloc(len + 1);

	FUZZ_CHECK(text);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

/* The rest of the input. */
static inline const uint8_t *fuzz_rest(struct cursor *c, size_t *len)
{
	*len = c->left;
	return cursor_take(c, c->left);
}

/* Sends all of it, letting time pass while the other side is slow. */
static inline void fuzz_send(
	struct loop *loop, struct stream *s, const void *data, size_t len)
{
	const uint8_t *at = data;

	for (unsigned tries = 0; len > 0 && tries < 100; tries++) {
		struct iovec iov = {(void *)at, len};
		ssize_t n = stream_writev(s, &iov, 1);

		if (n < 0 && n != -EAGAIN)
			return;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
		t_loop_run_for(loop, NS_PER_MS);
	}
}

#endif
