/* SPDX-License-Identifier: BSD-2-Clause */
/* The line protocol; proxy.c lists the commands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>

#include "proxy.h"

#define WORDS 6

/* A command's line, cut into words; no word is NULL. */
struct words {
	const char *word[WORDS];
	struct proxy *proxy;
	struct proxy_scope scope;
	enum proxy_way way;
	char *answer;
	size_t size;
};

static const struct {
	const char *name;
	enum proxy_way way;
	uint8_t opcode;
} pdus[] = {
	{"nop-out", PROXY_OUT, 0x00},
	{"command", PROXY_OUT, 0x01},
	{"tmf", PROXY_OUT, 0x02},
	{"login", PROXY_OUT, 0x03},
	{"text", PROXY_OUT, 0x04},
	{"data-out", PROXY_OUT, 0x05},
	{"logout", PROXY_OUT, 0x06},
	{"snack", PROXY_OUT, 0x10},
	{"nop-in", PROXY_IN, 0x20},
	{"response", PROXY_IN, 0x21},
	{"tmf-response", PROXY_IN, 0x22},
	{"login-response", PROXY_IN, 0x23},
	{"text-response", PROXY_IN, 0x24},
	{"data-in", PROXY_IN, 0x25},
	{"logout-response", PROXY_IN, 0x26},
	{"r2t", PROXY_IN, 0x31},
	{"async", PROXY_IN, 0x32},
	{"reject", PROXY_IN, 0x3f},
	{"any-in", PROXY_IN, PROXY_ANY},
	{"any-out", PROXY_OUT, PROXY_ANY},
};

static const char *const fault_names[] = {
	[PROXY_FLIP] = "flip",
	[PROXY_FLIP_HEADER] = "flip-header",
	[PROXY_DROP] = "drop",
	[PROXY_TWICE] = "twice",
	[PROXY_SWAP] = "swap",
	[PROXY_KEEP] = "keep",
	[PROXY_TEAR] = "tear",
	[PROXY_RESET] = "reset",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A decimal number up to `max`. */
static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *value <= max;
}

static bool scope_take(struct words *w)
{
	const char *text = w->word[1];
	uint64_t n;

	if (!strcmp(text, "all"))
		return true;
	if ((*text != 'r' && *text != 'c') || !number(text + 1, UINT32_MAX, &n))
		return false;
	if (*text == 'r')
		w->scope.route = (unsigned)n;
	else
		w->scope.pair = (unsigned)n;
	return n > 0;
}

static bool way_take(struct words *w)
{
	w->way = strcmp(w->word[2], "in") ? PROXY_OUT : PROXY_IN;
	return w->way == PROXY_IN || !strcmp(w->word[2], "out");
}

/* flip SCOPE PDU [N [every]], and the other faults */
static const char *do_fault(struct words *w)
{
	struct proxy_rule *rule;
	uint64_t nth = 1;
	unsigned fault = 0, pdu = 0;

	while (strcmp(w->word[0], fault_names[fault]))
		fault++;
	while (pdu < COUNT(pdus) && strcmp(w->word[2], pdus[pdu].name))
		pdu++;
	if (pdu == COUNT(pdus))
		return "no such PDU";
	if (*w->word[3] && (!number(w->word[3], UINT32_MAX, &nth) || !nth))
		return "which one is no number";
	if (*w->word[4] && strcmp(w->word[4], "every"))
		return "behind the number only `every`";
	rule = calloc(1, sizeof *rule);
	if (!rule)
		return "no memory";
	rule->scope = w->scope;
	rule->way = pdus[pdu].way;
	rule->fault = (enum proxy_fault)fault;
	rule->opcode = pdus[pdu].opcode;
	rule->nth = (unsigned)nth;
	rule->every = *w->word[4];
	TAILQ_INSERT_TAIL(&w->proxy->rules, rule, link);
	return NULL;
}

/* What a verb makes of a direction; `n` is its number, if it has one. */
static void shape_change(
	const struct words *w, uint64_t n, struct proxy_shape *shape)
{
	const char *verb = w->word[0];

	if (!strcmp(verb, "hold") || !strcmp(verb, "release"))
		shape->held = *verb == 'h';
	else if (!strcmp(verb, "delay"))
		shape->delay_ns = n * NS_PER_MS;
	else if (!strcmp(verb, "rate"))
		shape->rate = n;
	else
		*shape = (struct proxy_shape){0};
}

/* Of the connections there are and, unless only one is meant, of those to
 * come. */
static void shapes_change(const struct words *w, uint64_t n)
{
	struct proxy *proxy = w->proxy;
	struct proxy_pair *pair;

	for (unsigned i = 0; i < proxy->nroutes && !w->scope.pair; i++) {
		if (!w->scope.route || w->scope.route == i + 1)
			shape_change(w, n, &proxy->routes[i].shape[w->way]);
	}
	LIST_FOREACH (pair, &proxy->pairs, link) {
		struct proxy_flow *flow = &pair->flows[w->way];

		if (!proxy_scope_has(w->scope, pair))
			continue;
		shape_change(w, n, &flow->shape);
		flow->next_ns = 0;
		if (flow->from)
			proxy_flow_write(flow);
	}
}

static const char *do_shape(struct words *w)
{
	uint64_t n = 0;

	if (w->scope.route > w->proxy->nroutes)
		return "no such route";
	if ((*w->word[0] == 'd' || !strcmp(w->word[0], "rate")) &&
		!number(w->word[3], UINT32_MAX, &n))
		return "no number";
	shapes_change(w, n);
	return NULL;
}

static const char *do_end(struct words *w)
{
	bool reset = !strcmp(w->word[0], "cut");
	struct proxy_pair *pair;
	unsigned ended = 0;

	LIST_FOREACH (pair, &w->proxy->pairs, link) {
		if (!proxy_scope_has(w->scope, pair))
			continue;
		proxy_pair_end(pair, reset);
		ended++;
	}
	snprintf(w->answer, w->size, "ok %u", ended);
	return NULL;
}

static const char *do_after(struct words *w)
{
	struct proxy_pair *pair;
	uint64_t n;

	if (!number(w->word[3], UINT32_MAX, &n) || !n)
		return "no number of bytes";
	LIST_FOREACH (pair, &w->proxy->pairs, link) {
		if (proxy_scope_has(w->scope, pair))
			pair->flows[w->way].room = n;
	}
	return NULL;
}

static const char *do_replay(struct words *w)
{
	const struct proxy_pdu *kept = w->proxy->kept[w->way];
	struct proxy_pair *pair;
	struct proxy_pdu *copy;

	if (!kept)
		return "no PDU was kept";
	LIST_FOREACH (pair, &w->proxy->pairs, link) {
		if (!proxy_scope_has(w->scope, pair) ||
			!pair->flows[w->way].from)
			continue;
		copy = proxy_pdu_copy(kept);
		if (!copy)
			return "no memory";
		proxy_flow_add(&pair->flows[w->way], copy);
		proxy_flow_write(&pair->flows[w->way]);
	}
	return NULL;
}

static const char *do_refuse(struct words *w)
{
	for (unsigned i = 0; i < w->proxy->nroutes; i++) {
		if (!w->scope.route || w->scope.route == i + 1)
			w->proxy->routes[i].refuses =
				!strcmp(w->word[0], "refuse");
	}
	return NULL;
}

/* All faults and shapes end; connections stay as they are otherwise. */
static const char *do_clear(struct words *w)
{
	proxy_rules_clear(w->proxy);
	for (unsigned way = 0; way < PROXY_WAYS; way++) {
		w->way = (enum proxy_way)way;
		shapes_change(w, 0);
	}
	for (unsigned i = 0; i < w->proxy->nroutes; i++)
		w->proxy->routes[i].refuses = false;
	return NULL;
}

static const char *do_show(struct words *w)
{
	struct proxy_pair *pair;
	size_t at;

	at = (size_t)snprintf(w->answer, w->size, "ok faults=%lu accepted=%u",
		w->proxy->faults, w->proxy->npairs);
	LIST_FOREACH (pair, &w->proxy->pairs, link) {
		if (at < w->size)
			at += (size_t)snprintf(w->answer + at, w->size - at,
				" c%u:r%u:%lu/%lu", pair->id, pair->route,
				pair->flows[PROXY_IN].pdus,
				pair->flows[PROXY_OUT].pdus);
	}
	return NULL;
}

static const struct {
	const char *name;
	unsigned least; /* words, the name too */
	bool way;       /* the third word is a direction */
	const char *(*fn)(struct words *w);
} commands[] = {
	{"flip", 3, false, do_fault},
	{"flip-header", 3, false, do_fault},
	{"drop", 3, false, do_fault},
	{"twice", 3, false, do_fault},
	{"swap", 3, false, do_fault},
	{"keep", 3, false, do_fault},
	{"tear", 3, false, do_fault},
	{"reset", 3, false, do_fault},
	{"hold", 3, true, do_shape},
	{"release", 3, true, do_shape},
	{"delay", 4, true, do_shape},
	{"rate", 4, true, do_shape},
	{"cut", 2, false, do_end},
	{"end", 2, false, do_end},
	{"after", 4, true, do_after},
	{"replay", 3, true, do_replay},
	{"refuse", 2, false, do_refuse},
	{"accept", 2, false, do_refuse},
	{"clear", 1, false, do_clear},
	{"show", 1, false, do_show},
};

static const char *run(struct words *w, unsigned n)
{
	for (size_t i = 0; n && i < COUNT(commands); i++) {
		if (strcmp(w->word[0], commands[i].name))
			continue;
		if (n < commands[i].least)
			return "words are missing";
		if (n > 1 && !scope_take(w))
			return "a scope is all, rN or cN";
		if (commands[i].way && !way_take(w))
			return "a direction is in or out";
		return commands[i].fn(w);
	}
	return "no such command";
}

void proxy_command(struct proxy *proxy, char *line, char *answer, size_t size)
{
	struct words w = {.proxy = proxy, .answer = answer, .size = size};
	const char *why;
	char *rest = NULL;
	unsigned n = 0;

	snprintf(answer, size, "ok");
	for (char *word = strtok_r(line, " \t\r", &rest); word && n < WORDS;
		word = strtok_r(NULL, " \t\r", &rest))
		w.word[n++] = word;
	for (unsigned i = n; i < WORDS; i++)
		w.word[i] = "";
	why = run(&w, n);
	if (why)
		snprintf(answer, size, "error: %s", why);
}
