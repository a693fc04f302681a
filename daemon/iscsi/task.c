/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "task.h"

#define PLACE_BITS 16
#define PLACE_MASK 0xffffu
#define FRESH      offsetof(struct task, sent)

_Static_assert(TASK_BLOCK *TASK_BLOCKS_MAX < PLACE_MASK,
	"no tag is ever BHS_TAG_NONE");

void task_table_init(struct task_table *table)
{
	*table = (struct task_table){0};
	TAILQ_INIT(&table->free);
}

void task_table_fini(struct task_table *table)
{
	for (unsigned i = 0; i < table->nblocks; i++)
		free(table->blocks[i]);
	task_table_init(table);
}

static int add_block(struct task_table *table)
{
	struct task *block = calloc(TASK_BLOCK, sizeof *block);

	if (!block)
		return -ENOMEM;
	table->blocks[table->nblocks++] = block;
	return 0;
}

int task_table_grow(struct task_table *table, unsigned commands)
{
	unsigned blocks;

	if (commands > TASK_MAX)
		commands = TASK_MAX;
	blocks = (commands + TASK_CONTROL + TASK_BLOCK - 1) / TASK_BLOCK;
	if (blocks > table->limit)
		table->limit = blocks;
	return table->nblocks > 0 ? 0 : add_block(table);
}

unsigned task_table_room(const struct task_table *table)
{
	unsigned all = table->limit * TASK_BLOCK;

	return all > TASK_CONTROL ? all - TASK_CONTROL : 0;
}

/* For commands: those for control are had from the first block on. */
static bool is_full(struct task_table *table)
{
	if (table->commands + TASK_CONTROL < table->nblocks * TASK_BLOCK)
		return false;
	return table->nblocks >= table->limit || add_block(table);
}

/* One that was used before, if there is one, since its memory is warm. */
static struct task *take(struct task_table *table)
{
	struct task *t = TAILQ_FIRST(&table->free);
	unsigned place = table->used;

	if (t) {
		TAILQ_REMOVE(&table->free, t, link);
	} else if (place < table->nblocks * TASK_BLOCK) {
		t = &table->blocks[place / TASK_BLOCK][place % TASK_BLOCK];
		t->itt = place;
		table->used++;
	}
	return t;
}

struct task *task_get(struct task_table *table, enum task_kind kind)
{
	struct task *t;
	uint32_t itt;

	if (kind == TASK_SCSI && is_full(table))
		return NULL;
	t = take(table);
	if (!t)
		return NULL;
	if (kind == TASK_SCSI)
		table->commands++;
	itt = t->itt + (1u << PLACE_BITS);
	/* What comes behind is written before it is read. */
	memset((char *)t + FRESH, 0, offsetof(struct task, link) - FRESH);
	t->itt = itt;
	t->kind = (uint8_t)kind;
	t->taken = true;
	t->item.queued = false;
	return t;
}

void task_put(struct task_table *table, struct task *t)
{
	assert(t->taken && !t->item.queued && !t->sending && !t->repair &&
		LIST_EMPTY(&t->dataouts));
	t->taken = false;
	if (t->kind == TASK_SCSI)
		table->commands--;
	/* At the tail: a tag rests as long as it can. */
	TAILQ_INSERT_TAIL(&table->free, t, link);
}

struct task *task_find(struct task_table *table, uint32_t itt)
{
	unsigned place = itt & PLACE_MASK;
	struct task *t;

	if (place >= table->nblocks * TASK_BLOCK)
		return NULL;
	t = &table->blocks[place / TASK_BLOCK][place % TASK_BLOCK];
	return t->taken && t->itt == itt ? t : NULL;
}
