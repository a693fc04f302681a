/* SPDX-License-Identifier: BSD-2-Clause */
#include "stalls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NEVER      UINT64_MAX
#define STEPS_BITS 3 /* eight steps each time that the time doubles */
#define STEPS      (64u << STEPS_BITS)

struct window {
	uint64_t begun, ended;
	struct fault_sum sum;
};

struct stalls {
	pthread_mutex_t lock;
	struct window *windows; /* in the order of time */
	unsigned nwindows;
	struct fault_sum calm;
	uint64_t steps[STEPS], requests;
	struct slow *longest; /* longest first */
	unsigned nlongest, keep;
};

struct stalls *stalls_new(unsigned keep)
{
	struct stalls *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->keep = keep;
	s->longest = calloc(keep + 1, sizeof *s->longest);
	if (!s->longest) {
		free(s);
		return NULL;
	}
	strcpy(s->calm.name, "none");
	s->calm.times = 1;
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void stalls_free(struct stalls *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->windows);
	free(s->longest);
	free(s);
}

static void close_last(struct stalls *s, uint64_t at)
{
	struct window *w = s->nwindows ? &s->windows[s->nwindows - 1] : NULL;

	if (w && w->ended == NEVER)
		w->ended = at > w->begun ? at : w->begun;
}

void stalls_fault(struct stalls *s, const char *name, uint64_t at)
{
	struct window *w;

	pthread_mutex_lock(&s->lock);
	close_last(s, at);
	w = realloc(s->windows, (s->nwindows + 1) * sizeof *w);
	if (w) {
		s->windows = w;
		w += s->nwindows++;
		*w = (struct window){at, NEVER, {.times = 1}};
		snprintf(w->sum.name, sizeof w->sum.name, "%s", name);
	}
	pthread_mutex_unlock(&s->lock);
}

void stalls_calm(struct stalls *s, uint64_t at)
{
	pthread_mutex_lock(&s->lock);
	close_last(s, at);
	pthread_mutex_unlock(&s->lock);
}

/* The first window that [from, to] touches; NULL: none. */
static struct window *window_of(struct stalls *s, uint64_t from, uint64_t to)
{
	struct window *found = NULL;

	for (unsigned i = s->nwindows; i > 0; i--) {
		struct window *w = &s->windows[i - 1];

		if (w->ended <= from)
			break;
		if (w->begun <= to)
			found = w;
	}
	return found;
}

static unsigned step_of(uint64_t ns)
{
	unsigned top;

	if (ns >> STEPS_BITS == 0)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns) - STEPS_BITS;
	return ((top + 1) << STEPS_BITS) |
	       (unsigned)((ns >> top) & ((1u << STEPS_BITS) - 1));
}

/* The largest time of the step. */
static uint64_t step_end(unsigned step)
{
	unsigned top = step >> STEPS_BITS;
	uint64_t low = step & ((1u << STEPS_BITS) - 1);

	if (!top)
		return low;
	return ((low + (1u << STEPS_BITS) + 1) << (top - 1)) - 1;
}

static void keep_longest(
	struct stalls *s, const struct slow *request, const struct window *w)
{
	unsigned at = s->nlongest;

	if (at == s->keep && (!at || s->longest[at - 1].took >= request->took))
		return;
	for (; at > 0 && s->longest[at - 1].took < request->took; at--)
		s->longest[at] = s->longest[at - 1];
	s->longest[at] = *request;
	snprintf(s->longest[at].fault, FAULT_NAME, "%s", w ? w->sum.name : "");
	if (s->nlongest < s->keep)
		s->nlongest++;
}

void stalls_note(struct stalls *s, const struct slow *request)
{
	struct fault_sum *sum;
	struct window *w;
	uint64_t *longest;

	pthread_mutex_lock(&s->lock);
	w = window_of(s, request->begun, request->begun + request->took);
	sum = w ? &w->sum : &s->calm;
	sum->requests++;
	sum->errors += request->failed;
	longest = request->hot ? &sum->longest_hot : &sum->longest;
	if (request->took > *longest)
		*longest = request->took;
	s->steps[step_of(request->took)]++;
	s->requests++;
	keep_longest(s, request, w);
	pthread_mutex_unlock(&s->lock);
}

void stalls_found(struct stalls *s, uint64_t at)
{
	struct window *w;

	pthread_mutex_lock(&s->lock);
	w = window_of(s, at, at);
	if (w)
		w->sum.found++;
	else
		s->calm.found++;
	pthread_mutex_unlock(&s->lock);
}

static void add(struct fault_sum *to, const struct window *w)
{
	to->times += w->sum.times;
	to->requests += w->sum.requests;
	to->errors += w->sum.errors;
	to->found += w->sum.found;
	if (w->sum.longest > to->longest)
		to->longest = w->sum.longest;
	if (w->sum.longest_hot > to->longest_hot)
		to->longest_hot = w->sum.longest_hot;
	if (w->ended != NEVER)
		to->total += (double)(w->ended - w->begun) / 1e9;
}

static bool named_before(const struct stalls *s, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (!strcmp(s->windows[j].sum.name, s->windows[i].sum.name))
			return true;
	return false;
}

void stalls_sums(struct stalls *s,
	void (*each)(void *arg, const struct fault_sum *sum), void *arg)
{
	struct fault_sum sum;

	each(arg, &s->calm);
	for (unsigned i = 0; i < s->nwindows; i++) {
		if (named_before(s, i))
			continue;
		memset(&sum, 0, sizeof sum);
		memcpy(sum.name, s->windows[i].sum.name, sizeof sum.name);
		for (unsigned j = i; j < s->nwindows; j++)
			if (!strcmp(s->windows[j].sum.name, sum.name))
				add(&sum, &s->windows[j]);
		each(arg, &sum);
	}
}

unsigned stalls_longest(const struct stalls *s, const struct slow **out)
{
	*out = s->longest;
	return s->nlongest;
}

uint64_t stalls_quantile(const struct stalls *s, double part)
{
	uint64_t want = (uint64_t)(part * (double)s->requests), n = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		n += s->steps[i];
		if (n && n >= want)
			return step_end(i);
	}
	return 0;
}

void stalls_steps(const struct stalls *s,
	void (*each)(void *arg, uint64_t upto, uint64_t n), void *arg)
{
	for (unsigned i = 0; i < STEPS; i++)
		if (s->steps[i])
			each(arg, step_end(i), s->steps[i]);
}
