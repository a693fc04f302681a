/* SPDX-License-Identifier: BSD-2-Clause */
/* --discover: the portals that a target reports become paths. */
#include <errno.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "daemon.h"
#include "device.h"

#define DISCOVER_AGAIN (5 * NS_PER_S)

static void add_portal(struct device *dev, const struct plan_path *like,
	const struct endpoint *portal)
{
	struct plan_path *path = plan_path_at(
		like, dev->plan->name, portal, &dev->daemon->context);

	if (!path) {
		log_error("%s: out of memory for a path", dev->plan->name);
		return;
	}
	if (plan_has_way(dev->plan, path)) {
		plan_path_free(path);
		return;
	}
	path->discovered = true;
	device_add_path(dev, path);
}

static void again(struct device *dev)
{
	dev->discover_at = (dev->discover_at + 1) % dev->plan->npaths;
	loop_timer_set(dev->discover_again, DISCOVER_AGAIN);
}

/* Most targets ask nobody for a name at discovery, and some refuse one that was
 * made for a target: so without CHAP first, with it when that is refused. */
static void ask(struct device *dev, bool with_chap);

static void on_discovered(void *arg, int err,
	const struct iscsi_targets *targets, const char *reason)
{
	struct device *dev = arg;
	const struct plan_path *like = dev->plan->paths[dev->discover_at];

	dev->discovery = NULL;
	if (err == -EACCES && like->config.chap.secret &&
		!dev->discover_with_chap) {
		ask(dev, true);
		return;
	}
	if (err < 0) {
		log_warn("%s: discovery: %s", dev->plan->name, reason);
		again(dev);
		return;
	}
	for (unsigned i = 0; i < targets->ntargets; i++) {
		const struct iscsi_target *t = &targets->targets[i];

		if (strcmp(t->name, like->config.target_name) != 0)
			continue;
		for (unsigned j = 0; j < t->nportals; j++)
			add_portal(dev, like, &t->portals[j].at);
	}
}

static void ask(struct device *dev, bool with_chap)
{
	struct iscsi_config config = dev->plan->paths[dev->discover_at]->config;

	if (!with_chap)
		config.chap = (struct iscsi_chap){0};
	dev->discover_with_chap = with_chap;
	dev->discovery =
		iscsi_discover(dev->daemon->loop, &config, on_discovered, dev);
	if (!dev->discovery && dev->discover_again)
		again(dev);
}

static void on_again(void *arg)
{
	device_discover(arg);
}

void device_discover(struct device *dev)
{
	if (!dev->plan->discover || dev->discovery || dev->plan->npaths == 0)
		return;
	if (!dev->discover_again)
		dev->discover_again =
			loop_timer_new(dev->daemon->loop, on_again, dev);
	dev->discover_at %= dev->plan->npaths;
	ask(dev, false);
}

void device_discover_stop(struct device *dev)
{
	iscsi_discover_cancel(dev->discovery);
	dev->discovery = NULL;
	loop_timer_free(dev->discover_again);
	dev->discover_again = NULL;
}
