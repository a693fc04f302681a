/* SPDX-License-Identifier: BSD-2-Clause */
/* What t_loop.c and t_stream.c share. */
#ifndef TESTS_T_WORLD_H
#define TESTS_T_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define T_NEVER UINT64_MAX

/* Something that a loop can wait for, embedded in its owner. */
struct t_source {
	struct loop *loop;
	/* True: fire() now. Else lowers `*due` to when that may change without
	 * anybody's doing; always later than `now`. */
	bool (*ready)(struct t_source *source, uint64_t now, uint64_t *due);
	void (*fire)(struct t_source *source); /* may free it */
	uint64_t turn; /* the last one in which it was looked at */
	TAILQ_ENTRY(t_source) link;
};

void t_source_add(struct loop *loop, struct t_source *source);
void t_source_remove(struct t_source *source);

uint64_t t_world_now(void);
uint64_t t_world_random(void);

/* malloc() and calloc() that abort: tests have memory. */
void *t_new(size_t size);

/* The world has ended: t_stream.c forgets wires and names. */
void t_net_end(void);

#endif
