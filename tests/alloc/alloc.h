/* SPDX-License-Identifier: BSD-2-Clause */
/* Short stories in which allocations fail: the n-th one, or many from the n-th
 * on. The test's own parts and the fakes of tests/lib always have memory. */
#ifndef TESTS_ALLOC_ALLOC_H
#define TESTS_ALLOC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Holds in every build; what does not hold ends the process. */
#define ALLOC_CHECK(what)                                                      \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s:%d: does not hold: %s\n",          \
				__FILE__, __LINE__, #what);                    \
			abort();                                               \
		}                                                              \
	} while (0)

#define ALLOC_FRAMES 3
#define ALLOC_MAX    8192 /* allocations of one story */

/* Where an allocation was asked for: the callers, the nearest first. */
struct alloc_site {
	void *frames[ALLOC_FRAMES];
};

/* What one run of a story leaves behind, also when it crashes. */
struct alloc_run {
	unsigned first, many; /* allocations first to first + many - 1 fail;
			       * from 1 on */
	unsigned seen;
	struct alloc_site sites[ALLOC_MAX]; /* of those seen */
};

void alloc_begin(struct alloc_run *run); /* nothing is counted yet */
/* While on, what the code under test allocates is counted, and fails. Returns
 * what it was. */
bool alloc_set(bool on);

/* The stories. Each ends by itself, whatever failed, having freed all. */
void story_device(void);   /* two paths: login, I/O, path loss, drain */
void story_legs(void);     /* the same with two connections each, level 2 */
void story_discover(void); /* SendTargets */
void story_nbd(void);      /* one client, from handshake to disconnect */
void story_control(void);  /* commands at the control socket */
void story_config(void);   /* a configuration file */

#endif
