/* SPDX-License-Identifier: BSD-2-Clause */
/* --discover: the portals that a target reports, or an iSNS server lists for
 * it, become paths. */
#include <errno.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>

#include "daemon.h"
#include "device.h"

#define DISCOVER_AGAIN (5 * NS_PER_S)

static void add_portal(struct device *dev, const struct plan_path *like,
	const struct endpoint *portal, bool isns)
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
	path->isns = isns;
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
			add_portal(dev, like, &t->portals[j].at, false);
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

static bool has_portal(
	const struct iscsi_target *t, const struct endpoint *portal)
{
	for (unsigned i = 0; i < t->nportals; i++)
		if (endpoint_equal(&t->portals[i].at, portal))
			return true;
	return false;
}

static void listed_target(struct device *dev, const struct iscsi_target *t)
{
	struct plan *plan = dev->plan;
	const struct plan_path *like = NULL;

	for (unsigned i = plan->npaths; i-- > 0;)
		if (strcmp(plan->paths[i]->config.target_name, t->name) == 0)
			like = plan->paths[i];
	/* The word of a name server is not enough to end all I/O: with no
	 * portal left, all stay. */
	if (!like || t->nportals == 0)
		return;
	for (unsigned i = 0; i < t->nportals; i++)
		add_portal(dev, like, &t->portals[i].at, true);
	for (unsigned i = plan->npaths; i-- > 0;) {
		struct plan_path *path = plan->paths[i];

		if (path->isns &&
			strcmp(path->config.target_name, t->name) == 0 &&
			!has_portal(t, &path->config.portals[0]))
			device_remove_path(dev, path);
	}
}

void device_listed(struct device *dev, const struct iscsi_targets *targets)
{
	for (unsigned i = 0; i < targets->ntargets; i++)
		listed_target(dev, &targets->targets[i]);
}

static void follow_isns(struct device *dev)
{
	const struct plan *plan = dev->plan;

	if (dev->watch || plan->isns.port == 0)
		return;
	dev->watch = isns_watch_join(
		dev->daemon, &plan->isns, &plan->paths[0]->config);
	if (!dev->watch)
		log_error("%s: out of memory for iSNS", plan->name);
}

static void on_again(void *arg)
{
	device_discover(arg);
}

void device_discover(struct device *dev)
{
	if (!dev->plan->discover || dev->plan->npaths == 0)
		return;
	follow_isns(dev);
	if (dev->discovery)
		return;
	if (!dev->discover_again)
		dev->discover_again =
			loop_timer_new(dev->daemon->loop, on_again, dev);
	dev->discover_at %= dev->plan->npaths;
	ask(dev, false);
}

void device_discover_stop(struct device *dev)
{
	isns_watch_leave(dev->watch);
	dev->watch = NULL;
	iscsi_discover_cancel(dev->discovery);
	dev->discovery = NULL;
	loop_timer_free(dev->discover_again);
	dev->discover_again = NULL;
}
