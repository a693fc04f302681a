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
#define DISCOVER_SOON  (50 * NS_PER_MS)

static struct plan_path *path_to(struct device *dev,
	const struct plan_path *like, const struct endpoint *portal)
{
	struct plan_path *path = plan_path_at(
		like, dev->plan->name, portal, &dev->daemon->context);

	if (!path) {
		log_error("%s: out of memory for a path; trying again",
			dev->plan->name);
		loop_timer_set(dev->discover_again, DISCOVER_AGAIN);
		return NULL;
	}
	path->discovered = true;
	return path;
}

/* One of the portals of `path` is in the list, in that group. */
static bool is_in_group(const struct plan_path *path,
	const struct iscsi_target *t, unsigned tpgt)
{
	for (unsigned i = 0; i < t->nportals; i++)
		if (t->portals[i].tpgt == tpgt &&
			plan_path_has_portal(path, &t->portals[i].at))
			return true;
	return false;
}

/* A session of several connections takes the portals of its group. False: there
 * is none, and the portal needs a path of its own. */
static bool join(struct device *dev, const struct plan_path *like,
	const struct iscsi_target *t, const struct iscsi_portal *portal)
{
	char text[ENDPOINT_TEXT_MAX];

	for (unsigned i = 0; i < dev->plan->npaths; i++) {
		struct plan_path *path = dev->plan->paths[i];
		struct iscsi_config *config = &path->config;

		if (config->offer.max_connections < 2 || path->id < 0 ||
			strcmp(config->target_name, t->name) != 0 ||
			memcmp(config->lun, like->config.lun,
				sizeof config->lun) != 0 ||
			!is_in_group(path, t, portal->tpgt) ||
			config->nportals == ISCSI_PORTALS_MAX)
			continue;
		config->portals[config->nportals++] = portal->at;
		path->joined++;
		unit_add_portal(dev->unit, path->id, &portal->at);
		log_info("%s: path %d: %s joins", dev->plan->name, path->id,
			endpoint_text(&portal->at, text));
		return true;
	}
	return false;
}

/* A new path takes those of its group along that come behind it in the list;
 * they are the worker's as soon as it is added. */
static void add_group(struct device *dev, struct plan_path *path,
	const struct iscsi_target *t, unsigned at)
{
	struct iscsi_config *config = &path->config;

	for (unsigned i = at + 1; i < t->nportals; i++) {
		if (config->offer.max_connections < 2 ||
			config->nportals == ISCSI_PORTALS_MAX ||
			t->portals[i].tpgt != t->portals[at].tpgt ||
			plan_path_has_portal(path, &t->portals[i].at))
			continue;
		config->portals[config->nportals++] = t->portals[i].at;
		path->joined++;
	}
	device_add_path(dev, path);
}

/* Those portals of the list that no path goes to yet. */
static void add_portals(struct device *dev, const struct plan_path *like,
	const struct iscsi_target *t, bool isns)
{
	struct plan_path *path;

	for (unsigned i = 0; i < t->nportals; i++) {
		path = path_to(dev, like, &t->portals[i].at);
		if (!path)
			return;
		path->isns = isns;
		if (plan_has_way(dev->plan, path) ||
			join(dev, like, t, &t->portals[i]))
			plan_path_free(path);
		else
			add_group(dev, path, t, i);
	}
}

void device_portal_elsewhere(struct device *dev, int id, const char *text)
{
	const struct plan *plan = dev->plan;
	const struct plan_path *from = NULL;
	struct plan_path *path;
	struct endpoint at;

	for (unsigned i = 0; i < plan->npaths; i++)
		if (plan->paths[i]->id == id)
			from = plan->paths[i];
	if (!from || dev->state == DEVICE_CLOSING ||
		endpoint_parse(&at, text, strlen(text), ISCSI_PORT))
		return;
	for (unsigned i = 0; i < plan->npaths; i++)
		if (plan->paths[i] != from &&
			plan_path_has_portal(plan->paths[i], &at))
			return;
	path = path_to(dev, from, &at);
	if (!path)
		return;
	path->elsewhere = true;
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

/* What the worker does not have yet cannot be joined. */
static bool is_adding(const struct device *dev)
{
	for (unsigned i = 0; i < dev->plan->npaths; i++)
		if (dev->plan->paths[i]->id < 0)
			return true;
	return false;
}

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
	if (is_adding(dev)) {
		loop_timer_set(dev->discover_again, DISCOVER_SOON);
		return;
	}
	for (unsigned i = 0; i < targets->ntargets; i++) {
		const struct iscsi_target *t = &targets->targets[i];

		if (strcmp(t->name, like->config.target_name) != 0)
			continue;
		add_portals(dev, like, t, false);
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

/* One of the portals of `path`. */
static bool lists_one(
	const struct iscsi_target *t, const struct plan_path *path)
{
	for (unsigned i = 0; i < t->nportals; i++)
		if (plan_path_has_portal(path, &t->portals[i].at))
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
	add_portals(dev, like, t, true);
	for (unsigned i = plan->npaths; i-- > 0;) {
		struct plan_path *path = plan->paths[i];

		if (path->isns &&
			strcmp(path->config.target_name, t->name) == 0 &&
			!lists_one(t, path))
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
	if (dev->watch)
		return;
	log_error("%s: out of memory for iSNS; trying again", plan->name);
	loop_timer_set(dev->discover_again, DISCOVER_AGAIN);
}

void device_discover(struct device *dev)
{
	if (!dev->plan->discover || dev->plan->npaths == 0)
		return;
	isns_watch_again(dev->watch);
	follow_isns(dev);
	if (dev->discovery)
		return;
	dev->discover_at %= dev->plan->npaths;
	ask(dev, false);
}

void device_discover_stop(struct device *dev)
{
	isns_watch_leave(dev->watch);
	dev->watch = NULL;
	iscsi_discover_cancel(dev->discovery);
	dev->discovery = NULL;
	loop_timer_stop(dev->discover_again);
}
