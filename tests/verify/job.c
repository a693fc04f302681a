/* SPDX-License-Identifier: BSD-2-Clause */
#include "job.h"

#include <errno.h>
#include <stdlib.h>

#define HOT_SIZE   (1u << 20)
#define FILL_CHUNK (64u << 10)

const char *const op_names[OPS] = {
	"read", "write", "fua", "flush", "zero", "trim"};

int job_init(struct job *j, struct source *s)
{
	*j = (struct job){.source = s};
	j->data = aligned_alloc(4096, s->run->o.max_io);
	return j->data ? 0 : -ENOMEM;
}

void job_fini(struct job *j)
{
	free(j->data);
}

void source_init(struct source *s, unsigned n, unsigned of)
{
	const struct options *o = &s->run->o;
	uint64_t units = o->size / o->unit;

	s->low = units * n / of * o->unit;
	s->high = units * (n + 1) / of * o->unit;
	s->walk = s->high; /* begins anew with the first write */
}

void source_rewind(struct source *s)
{
	s->at = s->low;
	s->end = s->high;
}

uint64_t source_wait(const struct source *s)
{
	uint64_t now;

	if (!s->run->o.rate || s->run->phase != PHASE_MIX)
		return 0;
	now = run_now();
	return now < s->due ? s->due - now : 0;
}

static void pace(struct source *s)
{
	uint64_t now = run_now(), step;

	if (!s->run->o.rate || s->run->phase != PHASE_MIX)
		return;
	step = 1000000000u / s->run->o.rate;
	s->due = s->due + step < now ? now : s->due + step;
}

static enum op choose_op(struct source *s)
{
	const unsigned *parts = s->run->o.parts;
	unsigned total = 0, at;

	for (unsigned i = 0; i < OPS; i++)
		total += parts[i];
	at = (unsigned)(stamp_random(&s->random) % total);
	for (unsigned i = 0; i < OPS; i++) {
		if (at < parts[i])
			return i;
		at -= parts[i];
	}
	return OP_READ;
}

/* Mostly small ones. */
static uint64_t choose_len(struct source *s)
{
	static const struct {
		unsigned percent, size;
	} sizes[] = {{15, 0}, {45, 4096}, {15, 16384}, {12, 65536}, {9, 262144},
		{4, 1048576}};
	const struct options *o = &s->run->o;
	unsigned at = (unsigned)(stamp_random(&s->random) % 100), i = 0;
	uint64_t len;

	while (at >= sizes[i].percent)
		at -= sizes[i++].percent;
	len = sizes[i].size < o->unit ? o->unit : sizes[i].size;
	len -= len % o->unit;
	if (len > o->max_io)
		len = o->max_io;
	return len < o->size ? len : o->size;
}

static bool writes(enum op op)
{
	return op != OP_READ && op != OP_FLUSH;
}

/* Behind the one before it, in the slice but for what is hot. */
static void walk(struct source *s, struct job *j)
{
	uint64_t low = s->low;

	if (s->run->o.hot && low < HOT_SIZE && s->high > HOT_SIZE)
		low = HOT_SIZE;
	if (j->len > s->high - s->walk)
		s->walk = low;
	if (j->len > s->high - s->walk)
		j->len = s->high - s->walk;
	j->offset = s->walk;
	s->walk += j->len;
}

static void choose_place(struct source *s, struct job *j)
{
	const struct options *o = &s->run->o;
	uint64_t room = o->size;
	bool hot = stamp_random(&s->random) % 100 < o->hot;

	j->len = choose_len(s);
	j->hot = hot && writes(j->op);
	if (o->walk && !hot && writes(j->op)) {
		walk(s, j);
		return;
	}
	if (hot && room > HOT_SIZE)
		room = HOT_SIZE;
	if (j->len > room)
		j->len = room - room % o->unit;
	room = (room - j->len) / o->unit + 1;
	j->offset = stamp_random(&s->random) % room * o->unit;
}

static bool can(const struct source *s, enum op op)
{
	switch (op) {
	case OP_FUA: return s->fua;
	case OP_FLUSH: return s->flush;
	case OP_ZERO: return s->zero;
	case OP_TRIM: return s->trim;
	default: return true;
	}
}

static void choose_mixed(struct source *s, struct job *j)
{
	j->op = choose_op(s);
	if (!can(s, j->op))
		j->op = OP_WRITE;
	choose_place(s, j);
	if (j->op == OP_FLUSH)
		j->offset = j->len = 0;
}

/* The next piece of the slice. */
static bool choose_slice(struct source *s, struct job *j, enum op op)
{
	uint64_t chunk = s->run->o.max_io;

	if (chunk > FILL_CHUNK)
		chunk = FILL_CHUNK - FILL_CHUNK % s->run->o.unit;
	if (s->at == s->end)
		return false;
	j->op = op;
	j->hot = false;
	j->offset = s->at;
	j->len = s->end - s->at < chunk ? s->end - s->at : chunk;
	s->at += j->len;
	return true;
}

static bool choose(struct source *s, struct job *j)
{
	switch ((enum phase)s->run->phase) {
	case PHASE_FILL: return choose_slice(s, j, OP_WRITE);
	case PHASE_MIX: choose_mixed(s, j); return true;
	case PHASE_DRAIN: return false;
	case PHASE_CHECK: return choose_slice(s, j, OP_READ);
	}
	return false;
}

static void stamp_all(struct job *j)
{
	struct stamp st = {.run = j->source->run->id,
		.address = j->offset / SECTOR,
		.seq = value_seq(j->value),
		.writer = j->source->writer};

	for (uint64_t at = 0; at < j->len; at += SECTOR, st.address++)
		stamp_put(j->data + at, &st);
}

bool job_begin(struct job *j)
{
	struct run *run = j->source->run;

	if (!choose(j->source, j))
		return false;
	pace(j->source);
	j->busy = true;
	j->value = NULL;
	if (j->op == OP_READ)
		history_read(run->history, &j->reading);
	else if (j->op == OP_FLUSH)
		j->flush = history_flush(run->history);
	else
		j->value = history_write(run->history, j->offset / SECTOR,
			j->len / SECTOR, j->op == OP_ZERO || j->op == OP_TRIM);
	if (j->op == OP_WRITE || j->op == OP_FUA)
		stamp_all(j);
	run->inflight++;
	j->begun = run_now();
	return true;
}

/* It may have to wait for the fence of what is in the hot range: as a write
 * there, or since fsync and fallocate wait for all writes to the file under
 * way, and later ones for them. */
static bool may_wait(const struct job *j)
{
	const struct source *s = j->source;

	return j->hot || (s->file && s->run->o.hot && j->op != OP_READ);
}

static void note(const struct job *j, int err)
{
	struct run *run = j->source->run;
	struct slow slow = {.begun = j->begun,
		.took = run_now() - j->begun,
		.offset = j->offset,
		.len = j->len,
		.what = op_names[j->op],
		.failed = err != 0,
		.hot = may_wait(j)};

	run->ops[j->op]++;
	run->errors[j->op] += err != 0;
	run->bytes += err ? 0 : j->len;
	stalls_note(run->stalls, &slow);
}

void job_settle(struct run *run, struct value *v)
{
	history_written(run->history, v, OUTCOME_UNKNOWN, false);
}

/* TRIM only may have made zeroes of them. */
static void wrote(struct job *j, int err, bool lost)
{
	struct history *h = j->source->run->history;
	bool done = !err && j->op != OP_TRIM;

	if (lost)
		return;
	history_written(h, j->value, done ? OUTCOME_ACKED : OUTCOME_UNKNOWN,
		j->op == OP_FUA);
	j->value = NULL;
}

void job_end(struct job *j, int err, bool lost)
{
	struct run *run = j->source->run;

	if (j->op == OP_READ)
		history_was_read(run->history, &j->reading, j->offset / SECTOR,
			j->len / SECTOR, err ? NULL : j->data, run_found, run);
	else if (j->op != OP_FLUSH)
		wrote(j, err, lost);
	else if (!err)
		history_flushed(run->history, j->flush);
	if (run->phase != PHASE_FILL)
		note(j, err);
	run->inflight--;
	j->busy = false;
}
