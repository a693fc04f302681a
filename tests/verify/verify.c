/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify [OPTIONS] TARGET…: drives NBD exports (URIs) and block files, which
 * are all the same device, and tells of data that are not what was written and
 * of requests that took long. README.md has the options.
 *
 * Exit: 0 all is well, 1 data are wrong or requests hang, 2 usage, 3 requests
 * failed (--allow-errors: 0).
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <umpio/base/units.h>
#include <unistd.h>

#include "worker.h"

#define KEEP  100 /* slowest requests */
#define CHECK 10  /* times what the last requests may take */

uint64_t run_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void run_found(void *arg, const struct finding *f)
{
	struct run *run = arg;
	unsigned n = run->nfindings++;

	run->found[f->kind]++;
	stalls_found(run->stalls, run_now());
	if (n < FINDINGS_MAX) {
		run->findings[n] = *f;
		run->found_at[n] = run_now() - run->started;
	}
}

void run_await(struct run *run, enum phase phase)
{
	while (run->phase < (int)phase)
		usleep(1000);
}

void run_arrive(struct run *run)
{
	run->arrived++;
}

int target_probe(struct target *t, const char *name)
{
	*t = (struct target){.name = name, .nbd = !strncmp(name, "nbd", 3)};
	return t->nbd ? target_probe_nbd(t) : target_probe_file(t);
}

static const struct option longs[] = {
	{"connections", required_argument, NULL, 'c'},
	{"depth", required_argument, NULL, 'd'},
	{"seconds", required_argument, NULL, 's'},
	{"offset", required_argument, NULL, 'o'},
	{"size", required_argument, NULL, 'S'},
	{"unit", required_argument, NULL, 'u'},
	{"max-io", required_argument, NULL, 'm'},
	{"mix", required_argument, NULL, 'x'},
	{"hot", required_argument, NULL, 'h'},
	{"walk", no_argument, NULL, 'w'},
	{"rate", required_argument, NULL, 'r'},
	{"seed", required_argument, NULL, 'e'},
	{"hang", required_argument, NULL, 'g'},
	{"faults", required_argument, NULL, 'f'},
	{"json", optional_argument, NULL, 'j'},
	{"no-fill", no_argument, NULL, 'F'},
	{"no-check", no_argument, NULL, 'C'},
	{"allow-errors", no_argument, NULL, 'E'},
	{0},
};

static int take_number(const char *text, uint64_t max, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > max)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

/* read=50,write=30,… replaces the whole mix. */
static int take_mix(const char *text, unsigned *parts)
{
	char *copy = strdup(text), *save = NULL, *value;
	unsigned i, total = 0;

	memset(parts, 0, OPS * sizeof *parts);
	for (char *w = strtok_r(copy, ",", &save); w;
		w = strtok_r(NULL, ",", &save)) {
		value = strchr(w, '=');
		if (!value)
			break;
		*value++ = 0;
		for (i = 0; i < OPS && strcmp(w, op_names[i]); i++)
			;
		if (i == OPS || take_number(value, 1000, &parts[i]))
			break;
		total += parts[i];
	}
	free(copy);
	return total ? 0 : -EINVAL;
}

static int take_bytes(const char *text, uint32_t *out)
{
	uint64_t n;

	if (units_size(text, &n) || n < SECTOR || n % SECTOR || n > 32u << 20)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

/* 0 or -EINVAL. */
static int take(struct options *o, int option, const char *value)
{
	unsigned n = 0;
	int err;

	switch (option) {
	case 'c': return take_number(value, 1024, &o->connections);
	case 'd': return take_number(value, 16384, &o->depth);
	case 's':
		err = take_number(value, 1u << 30, &n);
		o->seconds = n;
		return err;
	case 'o': return units_size(value, &o->offset);
	case 'S': return units_size(value, &o->size);
	case 'u': return take_bytes(value, &o->unit);
	case 'm': return take_bytes(value, &o->max_io);
	case 'x': return take_mix(value, o->parts);
	case 'h': return take_number(value, 100, &o->hot);
	case 'r': return take_number(value, 1000000, &o->rate);
	case 'e': o->seed = strtoull(value, NULL, 0); return 0;
	case 'g': return units_duration(value, &o->hang);
	case 'f': o->announce = value; return 0;
	case 'j': o->json = value ? value : "-"; return 0;
	case 'w': o->walk = true; return 0;
	case 'F': o->no_fill = true; return 0;
	case 'C': o->no_check = true; return 0;
	case 'E': o->allow_errors = true; return 0;
	default: return -EINVAL;
	}
}

static int take_all(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){.connections = 2,
		.depth = 8,
		.max_io = 1u << 20,
		.parts = {45, 45, 4, 1, 0, 0},
		.hot = 10,
		.hang = 30000000000u,
		.seed = 1};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (take(o, option, optarg)) {
			fprintf(stderr, "verify: bad option: %s\n",
				argv[optind - 1]);
			return -EINVAL;
		}
	}
	o->ntargets = (unsigned)(argc - optind);
	if (!o->ntargets || o->ntargets > TARGETS_MAX || !o->connections ||
		!o->depth) {
		fprintf(stderr, "verify: 1 to %u targets\n", TARGETS_MAX);
		return -EINVAL;
	}
	memcpy(o->targets, argv + optind, o->ntargets * sizeof *argv);
	return 0;
}

/* The region that all targets have. 0 or -EINVAL. */
static int settle_region(struct options *o, const struct target *targets)
{
	uint64_t end = UINT64_MAX;
	uint32_t unit = SECTOR;

	for (unsigned i = 0; i < o->ntargets; i++) {
		if (targets[i].size < end)
			end = targets[i].size;
		if (targets[i].unit > unit)
			unit = targets[i].unit;
	}
	if (!o->unit)
		o->unit = unit;
	if (o->max_io < o->unit)
		o->max_io = o->unit;
	o->max_io -= o->max_io % o->unit;
	if (o->offset >= end || o->offset % o->unit) {
		fprintf(stderr, "verify: the region is empty\n");
		return -EINVAL;
	}
	if (!o->size || o->size > end - o->offset)
		o->size = end - o->offset;
	o->size -= o->size % o->unit;
	return o->size ? 0 : -EINVAL;
}

static int run_init(struct run *run)
{
	if (getrandom(&run->id, sizeof run->id, 0) != sizeof run->id)
		return -EIO;
	run->sectors = run->o.size / SECTOR;
	run->history = history_new(run->sectors, run->id);
	run->stalls = stalls_new(KEEP);
	run->started = run_now();
	return run->history && run->stalls ? 0 : -ENOMEM;
}

/* Waits until all workers have arrived; false: `limit` ns were not enough. */
static bool all_arrive(struct run *run, unsigned workers, uint64_t limit)
{
	uint64_t end = limit ? run_now() + limit : UINT64_MAX;

	while (run->arrived < workers) {
		if (run_now() > end)
			return false;
		usleep(1000);
	}
	run->arrived = 0;
	return true;
}

static int announce(struct run *run)
{
	pthread_t thread;
	int err = announce_open(run);

	if (!err)
		err = -pthread_create(&thread, NULL, announce_listen, run);
	if (err)
		fprintf(stderr, "verify: %s: %s\n", run->o.announce,
			strerror(-err));
	else
		pthread_detach(thread);
	return err;
}

static void mix(struct run *run)
{
	uint64_t end = run_now() + run->o.seconds * 1000000000u;

	run->started = run_now();
	run->phase = PHASE_MIX;
	while (!run->stop && (!run->o.seconds || run_now() < end))
		usleep(10000);
	run->phase = PHASE_DRAIN;
}

/* All phases; false: requests hang. */
static bool phases(struct run *run, unsigned workers)
{
	all_arrive(run, workers, 0);
	if (run->o.announce && announce(run))
		return true;
	mix(run);
	if (all_arrive(run, workers, run->o.hang)) {
		run->phase = PHASE_CHECK;
		if (all_arrive(run, workers, CHECK * run->o.hang))
			return true;
	}
	run->found[FOUND_HUNG] += run->inflight;
	return false;
}

static void report(struct run *run)
{
	FILE *out;

	if (!run->o.json || strcmp(run->o.json, "-"))
		report_table(run, stdout);
	if (!run->o.json)
		return;
	out = strcmp(run->o.json, "-") ? fopen(run->o.json, "w") : stdout;
	if (!out) {
		fprintf(stderr, "verify: %s: %s\n", run->o.json,
			strerror(errno));
		return;
	}
	report_json(run, out);
	if (out != stdout)
		fclose(out);
}

static int verdict(const struct run *run)
{
	uint64_t failed = 0;

	for (unsigned i = 0; i < OPS; i++)
		failed += run->errors[i];
	if (!run_clean(run))
		return 1;
	return failed && !run->o.allow_errors ? 3 : 0;
}

/* How many threads a target has. */
static unsigned width(const struct run *run, const struct target *t)
{
	return t->nbd ? run->o.connections : run->o.connections * run->o.depth;
}

static int run_all(struct run *run, const struct target *targets)
{
	unsigned total = 0, n = 0;
	struct worker *workers;
	pthread_t *threads;
	bool ended;

	for (unsigned i = 0; i < run->o.ntargets; i++)
		total += width(run, &targets[i]);
	workers = calloc(total, sizeof *workers);
	threads = calloc(total, sizeof *threads);
	for (unsigned i = 0; i < run->o.ntargets; i++)
		for (unsigned j = 0; j < width(run, &targets[i]); j++, n++) {
			workers[n] =
				(struct worker){run, &targets[i], n, total};
			if (pthread_create(&threads[n], NULL,
				    targets[i].nbd ? worker_nbd : worker_file,
				    &workers[n]))
				abort();
		}
	ended = phases(run, total);
	report(run);
	fflush(stdout);
	if (!ended)
		_exit(1); /* threads are stuck in their requests */
	for (unsigned i = 0; i < total; i++)
		pthread_join(threads[i], NULL);
	free(workers);
	free(threads);
	return verdict(run);
}

int main(int argc, char **argv)
{
	static struct run run;
	struct target targets[TARGETS_MAX];
	int status;

	if (take_all(&run.o, argc, argv))
		return 2;
	for (unsigned i = 0; i < run.o.ntargets; i++)
		if (target_probe(&targets[i], run.o.targets[i]))
			return 2;
	if (settle_region(&run.o, targets) || run_init(&run))
		return 2;
	status = run_all(&run, targets);
	if (run.o.announce)
		unlink(run.o.announce);
	history_free(run.history);
	if (!run.o.announce) /* its listener may still look */
		stalls_free(run.stalls);
	return status;
}
