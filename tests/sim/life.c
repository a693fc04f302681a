/* SPDX-License-Identifier: BSD-2-Clause */
#include "life.h"

#include "check.h"
#include "faults.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <string.h>
#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_world.h"

/* Once faults have stopped. A command that nobody answers is given up after
 * 30 s, three times, each with the time to abort it; the slowest path is tried
 * every 30 s. */
#define FINISH (240 * NS_PER_S)
#define RETURN (120 * NS_PER_S)
#define CALM   (20 * NS_PER_S) /* one request of a device that is well */
#define DRAIN  (120 * NS_PER_S)

static bool is_over(void *arg)
{
	(void)arg;
	return check_failure() != NULL;
}

static bool is_idle(void *arg)
{
	return ((struct world *)arg)->inflight == 0 || check_failure();
}

static bool is_whole(void *arg)
{
	return world_is_whole(arg) || check_failure();
}

static bool is_drained(void *arg)
{
	return ((struct world *)arg)->drained > 0;
}

/* Phases */

static void storm(struct world *w)
{
	faults_start(w);
	for (unsigned i = 0; i < w->plan->clients; i++)
		client_start(&w->client[i]);
	t_loop_run_until(w->near, is_over, w, w->plan->storm);
	trace_text(TRACE_PHASE, 1, "faults stop");
	faults_stop(w);
}

static void settle(struct world *w)
{
	t_loop_run_until(w->near, is_over, w, 5 * NS_PER_S);
	for (unsigned i = 0; i < w->plan->clients; i++)
		client_stop(&w->client[i]);
	trace_text(TRACE_PHASE, 2, "clients stop");
	if (!t_loop_run_until(w->near, is_idle, w, FINISH))
		check_fail(INVARIANT_LIVENESS,
			"%u requests are not answered %llu s after the last "
			"fault",
			w->inflight, (unsigned long long)(FINISH / NS_PER_S));
	if (!t_loop_run_until(w->near, is_whole, w, RETURN))
		check_fail(
			INVARIANT_LIVENESS, "not all paths are active again");
}

/* A request that must succeed, soon. */
static void ask(struct world *w, unsigned op, uint32_t first, uint32_t count)
{
	if (check_failure())
		return;
	client_ask(&w->client[0], op, first, count);
	if (!t_loop_run_until(w->near, is_idle, w, CALM))
		check_fail(INVARIANT_LIVENESS,
			"a request is not answered although all is well");
}

static void look_at_all(struct world *w)
{
	uint32_t step = 16384 / w->plan->grain;

	for (uint32_t i = 0; i < w->plan->cells; i += step)
		ask(w, BLK_READ, i, step);
}

/* All is well now: everything is read, written, and flushed, and then the power
 * fails. */
static void inspect(struct world *w)
{
	/* It may have losses to tell of. */
	ask(w, BLK_FLUSH, 0, 0);
	trace_text(TRACE_PHASE, 3, "everything is read");
	w->calm = true;
	look_at_all(w);
	for (unsigned i = 0; i < 2 * w->plan->paths; i++)
		ask(w, BLK_WRITE, 8 * i, 8);
	ask(w, BLK_FLUSH, 0, 0);
	look_at_all(w);
	if (!check_failure())
		world_power_cut(w);
	look_at_all(w);
}

static void finish(struct world *w)
{
	trace_text(TRACE_PHASE, 4, "the device is drained");
	mpdev_drain(w->dev, check_failure() != NULL);
	if (!t_loop_run_until(w->near, is_drained, w, DRAIN)) {
		check_fail(INVARIANT_END, "the device does not drain");
		mpdev_drain(w->dev, true);
		t_loop_run_until(w->near, is_drained, w, DRAIN);
	}
	if (w->drain_error)
		check_fail(INVARIANT_END, "the last flush failed");
}

static void report(struct life *life, const struct world *w)
{
	const char *failure = check_failure();

	life->ok = !failure;
	snprintf(life->failure, sizeof life->failure, "%s",
		failure ? failure : "");
	life->hash = trace_hash();
	life->requests = w->requests;
	life->failures = w->failures;
	life->faults = w->struck;
	life->peak = w->peak;
	life->longest_ns = w->longest;
}

void life_run(
	struct life *life, uint64_t seed, const struct life_options *options)
{
	static struct plan plan;
	static struct world w;

	check_reset();
	trace_begin(options->level);
	plan_make(&plan, seed, options->storm);
	if (options->only)
		plan_keep(&plan, options->only);
	plan_tell(&plan);
	world_init(&w, &plan);
	storm(&w);
	settle(&w);
	inspect(&w);
	life->virtual_ns = t_world_now() - T_EPOCH;
	finish(&w);
	if (w.drained)
		world_fini(&w);
	report(life, &w);
}
