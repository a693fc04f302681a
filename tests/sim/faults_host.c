/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to the daemon itself. */
#include "faults.h"
#include "starve.h"
#include "world.h"

#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"

/* As a process that is stopped, or the machine under it: time goes on. */
static void pause_begin(struct world_fault *f)
{
	uint64_t ns = (10ull << f->plan->dice % 11) * NS_PER_MS;

	fault_say(f, "of %llu ms", (unsigned long long)(ns / NS_PER_MS));
	t_loop_pause(f->world->near, ns);
}

static void disable_begin(struct world_fault *f)
{
	fault_say(f, "by command for %llu ms",
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	mpdev_disable_path(f->world->dev, (int)f->plan->where);
}

static void disable_end(struct world_fault *f)
{
	mpdev_enable_path(f->world->dev, (int)f->plan->where);
}

static void policy_begin(struct world_fault *f)
{
	struct mpdev_options options = f->world->plan->device;
	const char *const *names = mpio_policies();
	unsigned n = 0;

	while (names[n])
		n++;
	options.policy = names[f->plan->dice % n];
	fault_say(f, "%s", options.policy);
	mpdev_set_options(f->world->dev, &options);
}

static void starve_begin(struct world_fault *f)
{
	unsigned percent = 1 + (unsigned)(f->plan->dice % 60);

	fault_say(f, "%u%% for %llu ms", percent,
		(unsigned long long)(f->plan->lasts / NS_PER_MS));
	f->world->starved = true;
	starve(f->world->near, &f->world->rng, percent);
}

static void starve_end(struct world_fault *f)
{
	starve(f->world->near, &f->world->rng, 0);
}

const struct fault_kind faults_host[] = {
	{"no memory", 4, 10, 3000, NULL, starve_begin, starve_end},
	{"pause", 4, 0, 0, NULL, pause_begin, NULL},
	{"disabled", 3, 10, 8000, NULL, disable_begin, disable_end},
	{"policy", 2, 0, 0, NULL, policy_begin, NULL},
	{NULL, 0, 0, 0, NULL, NULL, NULL},
};
