/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of the code under test comes here: the linker wraps the
 * functions (--wrap). Those of the C library's own, of OpenSSL and json-c do
 * not, but for the one of json-c whose failure is looked at. */
#include "tests/alloc/alloc.h"

#include <errno.h>
#include <json-c/json_tokener.h>
#include <stdint.h>
#include <string.h>

static struct alloc_run *run;
static bool on;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
struct json_tokener *__real_json_tokener_new_ex(int depth);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
struct json_tokener *__wrap_json_tokener_new_ex(int depth);

void alloc_begin(struct alloc_run *r)
{
	run = r;
	run->seen = 0;
	on = false;
}

bool alloc_set(bool now)
{
	bool was = on;

	on = now;
	return was;
}

static bool fails(const struct alloc_site *site)
{
	if (run->seen < ALLOC_MAX)
		run->sites[run->seen] = *site;
	run->seen++;
	if (run->seen < run->first || run->seen - run->first >= run->many)
		return false;
	errno = ENOMEM;
	return true;
}

/* Our code keeps the frame pointer in all builds, and main() is farther away
 * while this is on. Before main() others allocate, such as the runtime of the
 * preset coverage, which do not keep it. */
#pragma GCC diagnostic ignored "-Wframe-address"
#define FAILS                                                                  \
	(on && fails(&(struct alloc_site){{__builtin_return_address(0),        \
		       __builtin_return_address(1),                            \
		       __builtin_return_address(2)}}))

void *__wrap_malloc(size_t size)
{
	return FAILS ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return FAILS ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return FAILS ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return FAILS ? NULL : __real_reallocarray(p, n, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return FAILS ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return FAILS ? NULL : __real_strdup(text);
}

struct json_tokener *__wrap_json_tokener_new_ex(int depth)
{
	return FAILS ? NULL : __real_json_tokener_new_ex(depth);
}
