/* SPDX-License-Identifier: BSD-2-Clause */
#include "history.h"

#include <pthread.h>
#include <stdlib.h>

#define NEVER UINT64_MAX

enum value_kind { VALUE_STAMP, VALUE_ZERO, VALUE_ANY };

struct value {
	uint64_t seq, first, count;
	uint64_t begun, ended; /* NEVER: under way */
	uint64_t refs;         /* sectors that may hold it, and its writer */
	enum value_kind kind;
	bool acked, durable, seen;
};

/* A value that a sector may hold, or could until `gone`. */
struct cand {
	struct cand *next;
	struct value *value;
	uint64_t gone;
	bool seen;
};

struct history {
	pthread_mutex_t lock;
	uint64_t run, sectors, clock, seq, flushed, races;
	struct cand **at; /* of each sector; NULL: anything */
	struct cand *spare;
	struct reading *readings, **last; /* oldest first */
};

/* What everybody wrote before we came. */
static struct value anything = {.kind = VALUE_ANY};

const char *found_name(enum fault_kind kind)
{
	static const char *const names[FOUND_KINDS] = {"lost", "stale", "torn",
		"misplaced", "false-ack", "alien", "hung"};

	return names[kind];
}

struct history *history_new(uint64_t sectors, uint64_t run)
{
	struct history *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->at = calloc(sectors, sizeof *h->at);
	if (!h->at) {
		free(h);
		return NULL;
	}
	h->run = run;
	h->sectors = sectors;
	h->last = &h->readings;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

static void value_put(struct value *v)
{
	if (v != &anything && --v->refs == 0)
		free(v);
}

static void cand_drop(struct history *h, struct cand **link)
{
	struct cand *c = *link;

	*link = c->next;
	value_put(c->value);
	c->next = h->spare;
	h->spare = c;
}

static void cand_add(struct history *h, uint64_t sector, struct value *v)
{
	struct cand *c = h->spare;

	if (c)
		h->spare = c->next;
	else if (!(c = malloc(sizeof *c)))
		abort();
	*c = (struct cand){h->at[sector], v, NEVER, false};
	v->refs++;
	h->at[sector] = c;
}

void history_free(struct history *h)
{
	struct cand *c;

	if (!h)
		return;
	for (uint64_t s = 0; s < h->sectors; s++)
		while (h->at[s])
			cand_drop(h, &h->at[s]);
	while ((c = h->spare)) {
		h->spare = c->next;
		free(c);
	}
	pthread_mutex_destroy(&h->lock);
	free(h->at);
	free(h);
}

struct value *history_write(
	struct history *h, uint64_t sector, uint64_t count, bool zero)
{
	struct value *v = calloc(1, sizeof *v);

	if (!v)
		abort();
	pthread_mutex_lock(&h->lock);
	v->seq = ++h->seq;
	v->kind = zero ? VALUE_ZERO : VALUE_STAMP;
	v->first = sector;
	v->count = count;
	v->begun = ++h->clock;
	v->ended = NEVER;
	v->refs = 1;
	for (uint64_t s = sector; s < sector + count; s++) {
		if (!h->at[s])
			cand_add(h, s, &anything);
		cand_add(h, s, v);
	}
	pthread_mutex_unlock(&h->lock);
	return v;
}

uint64_t value_seq(const struct value *v)
{
	return v->seq;
}

/* Values that no read under way can return any more are forgotten. */
static void tidy(struct history *h, uint64_t sector)
{
	uint64_t oldest = h->readings ? h->readings->begun : h->clock;
	struct cand **link = &h->at[sector];

	while (*link) {
		if ((*link)->gone < oldest)
			cand_drop(h, link);
		else
			link = &(*link)->next;
	}
}

/* A read can't tell the zeroes of one write from those of another. */
static bool alike(const struct value *a, const struct value *b)
{
	return a == b || (a->kind == VALUE_ZERO && b->kind == VALUE_ZERO);
}

/* What had ended before `when` is not there any more, but for what `v` may be
 * taken for. */
static void overwritten(struct history *h, uint64_t sector,
	const struct value *v, uint64_t when)
{
	for (struct cand *c = h->at[sector]; c; c = c->next)
		if (!alike(c->value, v) && c->value->ended < when &&
			c->gone == NEVER)
			c->gone = h->clock;
}

void history_written(
	struct history *h, struct value *v, enum outcome outcome, bool durable)
{
	pthread_mutex_lock(&h->lock);
	v->ended = ++h->clock;
	v->acked = outcome == OUTCOME_ACKED;
	v->durable = v->acked && durable;
	for (uint64_t s = v->first; s < v->first + v->count; s++) {
		if (v->acked)
			overwritten(h, s, v, v->begun);
		tidy(h, s);
	}
	value_put(v);
	pthread_mutex_unlock(&h->lock);
}

void history_read(struct history *h, struct reading *r)
{
	pthread_mutex_lock(&h->lock);
	r->begun = ++h->clock;
	r->next = NULL;
	r->prev = h->last;
	*h->last = r;
	h->last = &r->next;
	pthread_mutex_unlock(&h->lock);
}

static void reading_end(struct history *h, struct reading *r)
{
	*r->prev = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		h->last = r->prev;
}

static bool holds(const struct cand *c, enum stamp_kind kind, uint64_t seq)
{
	switch (c->value->kind) {
	case VALUE_ANY: return true;
	case VALUE_ZERO: return kind == STAMP_ZERO;
	case VALUE_STAMP: return kind == STAMP_GOOD && c->value->seq == seq;
	}
	return false;
}

/* A write was under way while the read was. */
static bool raced(const struct history *h, const struct reading *r, uint64_t s)
{
	for (const struct cand *c = h->at[s]; c; c = c->next)
		if (c->value->ended > r->begun)
			return true;
	return false;
}

/* The candidate that explains what was read; NULL: none does. */
static struct cand *explain(const struct history *h, const struct reading *r,
	uint64_t s, enum stamp_kind kind, const struct stamp *st)
{
	bool ours =
		kind != STAMP_GOOD || (st->run == h->run && st->address == s);

	for (struct cand *c = h->at[s]; c; c = c->next)
		if (c->gone > r->begun && holds(c, kind, st->seq) &&
			(ours || c->value->kind == VALUE_ANY))
			return c;
	return NULL;
}

/* True: it is one of what may be there, or was torn by a race. */
static bool accept(struct history *h, const struct reading *r, uint64_t s,
	enum stamp_kind kind, const struct stamp *st)
{
	struct cand *c;

	if (!h->at[s])
		return true;
	c = explain(h, r, s, kind, st);
	if (c) {
		c->seen = c->value->seen = true;
		overwritten(h, s, c->value, r->begun);
		tidy(h, s);
		return true;
	}
	if (kind != STAMP_TORN || !raced(h, r, s))
		return false;
	h->races++;
	return true;
}

static bool better(const struct value *a, const struct value *b)
{
	return a->acked != b->acked ? a->acked : a->seq > b->seq;
}

/* The newest that had to be there. */
static const struct cand *expected(
	const struct history *h, const struct reading *r, uint64_t s)
{
	const struct cand *best = NULL;

	for (const struct cand *c = h->at[s]; c; c = c->next)
		if (c->gone > r->begun && c->value->ended < r->begun &&
			(!best || better(c->value, best->value)))
			best = c;
	return best ? best : h->at[s];
}

static enum fault_kind older(const struct history *h, const struct cand *want)
{
	const struct value *v = want->value;

	if (want->seen)
		return FOUND_STALE;
	if (v->seen)
		return FOUND_TORN;
	if (v->durable || (v->acked && v->ended < h->flushed))
		return FOUND_FALSE_ACK;
	return FOUND_LOST;
}

static struct finding judge(const struct history *h, const struct reading *r,
	uint64_t s, enum stamp_kind kind, const struct stamp *st)
{
	const struct cand *want = expected(h, r, s);
	struct finding f = {.sector = s, .count = 1, .want = want->value->seq};

	if (kind == STAMP_GOOD || kind == STAMP_TORN) {
		f.have = st->seq;
		f.writer = st->writer;
	}
	if (kind == STAMP_TORN)
		f.kind = FOUND_TORN;
	else if (kind == STAMP_ALIEN ||
		 (kind == STAMP_GOOD &&
			 (st->run != h->run || st->seq > h->seq)))
		f.kind = FOUND_ALIEN;
	else if (kind == STAMP_GOOD && st->address != s)
		f.kind = FOUND_MISPLACED;
	else
		f.kind = older(h, want);
	return f;
}

static void forgive(struct history *h, uint64_t s)
{
	struct cand *c;

	for (c = h->at[s]; c; c = c->next)
		if (c->value->ended != NEVER && c->gone == NEVER)
			c->gone = h->clock;
	cand_add(h, s, &anything);
}

static bool continues(const struct finding *a, const struct finding *b)
{
	return a->kind == b->kind && a->want == b->want && a->have == b->have &&
	       a->sector + a->count == b->sector;
}

/* Judges the sectors of `bad`, and tells of neighbours at once. */
static void tell(struct history *h, struct reading *r, uint64_t sector,
	uint64_t count, const uint8_t *data, const bool *bad, found_fn *found,
	void *arg)
{
	struct finding open = {.count = 0}, f;
	struct stamp st;

	for (uint64_t i = 0; i < count; i++) {
		if (!bad[i])
			continue;
		f = judge(h, r, sector + i, stamp_get(data + i * SECTOR, &st),
			&st);
		forgive(h, sector + i);
		if (open.count && continues(&open, &f)) {
			open.count++;
			continue;
		}
		if (open.count)
			found(arg, &open);
		open = f;
	}
	if (open.count)
		found(arg, &open);
}

void history_was_read(struct history *h, struct reading *r, uint64_t sector,
	uint64_t count, const uint8_t *data, found_fn *found, void *arg)
{
	bool *bad = data ? calloc(count, sizeof *bad) : NULL;
	uint64_t nbad = 0;
	struct stamp st;
	enum stamp_kind kind;

	pthread_mutex_lock(&h->lock);
	h->clock++;
	for (uint64_t i = 0; bad && i < count; i++) {
		kind = stamp_get(data + i * SECTOR, &st);
		bad[i] = !accept(h, r, sector + i, kind, &st);
		nbad += bad[i];
	}
	if (nbad)
		tell(h, r, sector, count, data, bad, found, arg);
	reading_end(h, r);
	pthread_mutex_unlock(&h->lock);
	free(bad);
}

uint64_t history_flush(struct history *h)
{
	uint64_t when;

	pthread_mutex_lock(&h->lock);
	when = ++h->clock;
	pthread_mutex_unlock(&h->lock);
	return when;
}

void history_flushed(struct history *h, uint64_t when)
{
	pthread_mutex_lock(&h->lock);
	h->clock++;
	if (when > h->flushed)
		h->flushed = when;
	pthread_mutex_unlock(&h->lock);
}

uint64_t history_races(const struct history *h)
{
	return h->races;
}
