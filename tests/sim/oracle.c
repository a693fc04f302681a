/* SPDX-License-Identifier: BSD-2-Clause */
#include "oracle.h"

#include "check.h"
#include "floor.h"
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/t_world.h"

#define NEVER UINT64_MAX

struct op {
	uint64_t begin, end; /* NEVER: under way */
	uint32_t first, count;
	uint8_t kind; /* enum oracle_op */
};

struct cell {
	struct floor seen;  /* by acknowledgement or by a read */
	struct floor acked; /* by acknowledgement alone */
	uint64_t durable;   /* what is older must not come back */
	uint64_t zeroed;    /* when the last zeroes were submitted */
	uint64_t trimmed;   /* and the last trim */
	uint32_t medium;    /* whose value the medium holds */
};

struct oracle {
	uint32_t cells, grain;
	bool stable, fua;
	uint64_t tick;
	struct op *ops; /* by number; 0 is none */
	uint32_t nops, room;
	uint32_t oldest;   /* no operation before it is under way */
	uint64_t forgiven; /* the last power cut that may lose data; 0: none */
	struct cell *cell;
};

struct oracle *oracle_new(uint32_t cells, uint32_t grain, bool stable, bool fua)
{
	struct oracle *o = t_new(sizeof *o);

	o->cells = cells;
	o->grain = grain;
	o->stable = stable;
	o->fua = fua;
	o->room = 4096;
	o->ops = t_new(o->room * sizeof *o->ops);
	o->nops = o->oldest = 1;
	o->cell = t_new(cells * sizeof *o->cell);
	return o;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	free(o->ops);
	free(o->cell);
	free(o);
}

static bool zeroes(const struct op *op)
{
	return op->kind == ORACLE_ZERO || op->kind == ORACLE_TRIM;
}

uint32_t oracle_begin(
	struct oracle *o, enum oracle_op kind, uint32_t first, uint32_t count)
{
	struct op *op;

	if (o->nops == o->room) {
		o->room *= 2;
		o->ops = reallocarray(o->ops, o->room, sizeof *o->ops);
		if (!o->ops)
			abort();
	}
	op = &o->ops[o->nops];
	*op = (struct op){++o->tick, NEVER, first, count, (uint8_t)kind};
	for (uint32_t i = 0; zeroes(op) && i < count; i++)
		o->cell[first + i].zeroed = op->begin;
	for (uint32_t i = 0; kind == ORACLE_TRIM && i < count; i++)
		o->cell[first + i].trimmed = op->begin;
	return o->nops++;
}

void oracle_fill(const struct oracle *o, uint32_t number, void *data)
{
	const struct op *op = &o->ops[number];
	uint8_t *p = data;

	for (uint32_t i = 0; i < op->count; i++, p += o->grain)
		stamp_fill(p, o->grain, number, op->first + i);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When the value that the cell is said to hold was submitted; 0 (with `*known`
 * false) when it was never written there. A trim leaves anything that was there
 * before. */
static uint64_t birth_of(
	const struct oracle *o, uint32_t cell, uint32_t value, bool *known)
{
	const struct cell *c = &o->cell[cell];
	const struct op *op;

	*known = true;
	if (value == STAMP_ZERO)
		return later(c->zeroed, c->trimmed);
	*known = value < o->nops;
	if (!*known)
		return 0;
	op = &o->ops[value];
	*known = op->kind == ORACLE_WRITE && cell >= op->first &&
		 cell - op->first < op->count;
	return *known ? later(op->begin, c->trimmed) : 0;
}

static uint64_t oldest(struct oracle *o)
{
	while (o->oldest < o->nops && o->ops[o->oldest].end != NEVER)
		o->oldest++;
	return o->oldest < o->nops ? o->ops[o->oldest].begin : o->tick;
}

static const char *name_of(uint32_t value)
{
	return value == STAMP_NONSENSE ? "torn, misplaced or foreign data"
	       : value == STAMP_ZERO   ? "zeroes"
				       : "data of";
}

/* What was executed or seen before a power cut, and answered after it, need not
 * be there any more. */
static bool is_gone(const struct oracle *o, const struct op *op,
	uint32_t medium, uint32_t value)
{
	return op->begin < o->forgiven && medium != value;
}

static void saw_cell(
	struct oracle *o, const struct op *read, uint32_t cell, uint32_t value)
{
	struct cell *c = &o->cell[cell];
	uint64_t over = floor_at(&c->seen, read->begin), birth;
	bool known;

	birth = birth_of(o, cell, value, &known);
	if (!known || birth < over) {
		check_fail(INVARIANT_HISTORY,
			"read #%u of cell %u found %s #%u, which %s",
			(unsigned)(read - o->ops), cell, name_of(value), value,
			known ? "is overwritten" : "was never written there");
		return;
	}
	/* What is under way may be lost with a cache and be done anew. */
	if (value == STAMP_ZERO || is_gone(o, read, c->medium, value) ||
		(!o->stable && o->ops[value].end == NEVER))
		return;
	floor_raise(&c->seen, o->tick, o->ops[value].begin, oldest(o));
}

void oracle_saw(struct oracle *o, uint32_t number, const void *data)
{
	const struct op *op = &o->ops[number];
	const uint8_t *p = data;

	o->tick++;
	for (uint32_t i = 0; i < op->count; i++, p += o->grain)
		saw_cell(o, op, op->first + i,
			stamp_read(p, o->grain, op->first + i));
}

/* All that was acknowledged before the flush began. */
static void flushed(struct oracle *o, const struct op *flush)
{
	for (uint32_t i = 0; i < o->cells; i++) {
		struct cell *c = &o->cell[i];
		uint64_t begin = floor_at(&c->acked, flush->begin);

		if (begin > c->durable)
			c->durable = begin;
	}
}

static void acknowledged(struct oracle *o, const struct op *op, bool durable)
{
	uint32_t value = zeroes(op) ? STAMP_ZERO : (uint32_t)(op - o->ops);
	uint64_t old = oldest(o);

	for (uint32_t i = 0; i < op->count; i++) {
		struct cell *c = &o->cell[op->first + i];

		if ((!durable || !o->fua) && is_gone(o, op, c->medium, value))
			continue;
		floor_raise(&c->seen, o->tick, op->begin, old);
		floor_raise(&c->acked, o->tick, op->begin, old);
		if (durable && op->begin > c->durable)
			c->durable = op->begin;
	}
}

void oracle_end(struct oracle *o, uint32_t number, bool ok, bool fua)
{
	struct op *op = &o->ops[number];

	op->end = ++o->tick;
	if (!ok)
		return;
	if (op->kind == ORACLE_FLUSH)
		flushed(o, op);
	else if (op->kind == ORACLE_WRITE || op->kind == ORACLE_ZERO)
		acknowledged(o, op, fua || o->stable);
}

static void execute_cell(struct oracle *o, uint32_t cell, uint32_t value)
{
	struct cell *c = &o->cell[cell];
	uint64_t birth;
	bool known;

	if (value == c->medium)
		return;
	birth = birth_of(o, cell, value, &known);
	if (!known || birth < floor_at(&c->acked, o->tick))
		check_fail(INVARIANT_STALE,
			"the medium's cell %u turned from #%u to %s #%u, which "
			"%s",
			cell, c->medium, name_of(value), value,
			known ? "a newer acknowledged write had replaced"
			      : "was never written there");
	c->medium = value;
}

uint32_t oracle_executed(
	struct oracle *o, uint32_t first, uint32_t count, const void *data)
{
	const uint8_t *p = data;

	o->tick++;
	for (uint32_t i = 0; i < count; i++, p += o->grain)
		execute_cell(o, first + i, stamp_read(p, o->grain, first + i));
	return o->cell[first].medium;
}

static void lose_cell(
	struct oracle *o, uint32_t cell, uint32_t value, bool forgive)
{
	struct cell *c = &o->cell[cell];
	uint64_t birth;
	bool known;

	if (value == c->medium)
		return;
	birth = birth_of(o, cell, value, &known);
	if (!known || birth < c->durable)
		check_fail(INVARIANT_DURABLE,
			"after the power cut cell %u holds %s #%u, where newer "
			"data were durable",
			cell, name_of(value), value);
	c->medium = value;
	if (!forgive)
		return;
	c->seen = c->acked =
		(struct floor){.n = 1, .step = {{o->tick, c->durable}}};
}

void oracle_forgive(struct oracle *o)
{
	o->forgiven = ++o->tick;
	for (uint32_t i = 0; i < o->cells; i++) {
		struct cell *c = &o->cell[i];

		c->seen = c->acked =
			(struct floor){.n = 1, .step = {{o->tick, c->durable}}};
	}
}

void oracle_power_cut(struct oracle *o, const void *data, bool forgive)
{
	const uint8_t *p = data;

	o->tick++;
	if (forgive)
		o->forgiven = o->tick;
	for (uint32_t i = 0; i < o->cells; i++, p += o->grain)
		lose_cell(o, i, stamp_read(p, o->grain, i), forgive);
}
