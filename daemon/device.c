/* SPDX-License-Identifier: BSD-2-Clause */
#include "device.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/router.h>

#include "daemon.h"
#include "events.h"

#define DEVICE_PATIENCE (10 * NS_PER_S)  /* no path up within 10 s */
#define DEVICE_AGAIN    NS_PER_S         /* between attempts to add paths */
#define DEVICE_SETTLE   (50 * NS_PER_MS) /* for the paths beside the first */

static void device_free(struct device *dev)
{
	if (dev->discover_again)
		device_discover_stop(dev);
	loop_timer_free(dev->discover_again);
	loop_timer_free(dev->patience);
	loop_timer_free(dev->settle);
	loop_timer_free(dev->add_again);
	unit_free(dev->unit);
	free(dev->mounts);
	plan_free(dev->plan);
	plan_free(dev->next);
	settings_free(dev->made);
	json_object_put(dev->changes);
	free(dev);
}

/* Tells whoever waits for the opening, once. */
static void device_opened(struct device *dev, int err, const char *why)
{
	void (*opened)(void *, struct device *, int, const char *) =
		dev->opened;

	loop_timer_stop(dev->patience);
	dev->opened = NULL;
	if (opened)
		opened(dev->opened_arg, dev, err, why);
	else if (err < 0)
		log_error("%s: %s", dev->plan->name, why);
}

static void device_unmount(struct device *dev)
{
	for (unsigned i = 0; i < dev->plan->nfuse; i++) {
		fblk_unmount(dev->mounts[i]);
		dev->mounts[i] = NULL;
	}
}

/* The unit is gone: so is the device, or it opens again by its next plan. */
static void device_end(struct device *dev, int err)
{
	struct daemon *daemon = dev->daemon;
	struct plan *next = dev->next;
	bool configured = dev->configured;
	void (*closed)(void *, int) = dev->closed;
	void *arg = dev->closed_arg;

	device_unmount(dev);
	TAILQ_REMOVE(&daemon->devices, dev, link);
	if (dev->err < 0)
		device_opened(dev, dev->err, dev->why);
	dev->next = NULL;
	device_free(dev);
	if (closed)
		closed(arg, err);
	if (next) {
		dev = device_new(daemon, next, configured);
		if (!dev || device_open(dev, false, NULL, NULL) < 0)
			log_error("out of memory to open a device again");
	}
	daemon_gone(daemon, err);
}

/* The opening has failed: nothing half-started stays behind. */
static void device_give_up(struct device *dev, int err, const char *why)
{
	if (dev->state == DEVICE_CLOSING)
		return;
	dev->err = err;
	if (why != dev->why)
		snprintf(dev->why, sizeof dev->why, "%s", why);
	device_close(dev, true, NULL, NULL);
}

static void on_served(void *arg, int err, const char *why)
{
	struct device *dev = arg;

	if (dev->state != DEVICE_OPENING)
		return;
	if (err < 0) {
		device_give_up(dev, err, why);
		return;
	}
	dev->state = DEVICE_SERVING;
	daemon_ready(dev->daemon, dev);
	device_opened(dev, 0, "");
	daemon_changed(dev->daemon);
}

static int device_mount(struct device *dev, char *why, size_t why_size)
{
	const struct plan *plan = dev->plan;

	for (unsigned i = 0; i < plan->nfuse; i++) {
		dev->mounts[i] = fblk_mount(
			plan->fuse[i], plan->name, &plan->fblk, why, why_size);
		if (!dev->mounts[i])
			return -EIO;
	}
	return 0;
}

static void on_settled(void *arg)
{
	struct device *dev = arg;
	char why[UNIT_REASON_MAX];

	if (dev->state != DEVICE_OPENING)
		return;
	if (device_mount(dev, why, sizeof why) < 0)
		device_give_up(dev, -EIO, why);
	else
		unit_serve(dev->unit, dev->mounts, on_served);
}

/* The other paths are mostly a moment behind the first: the ready line should
 * not make a person think that one is missing. */
static void on_ready(void *arg, uint64_t size)
{
	struct device *dev = arg;

	if (dev->state != DEVICE_CONNECTING)
		return;
	dev->state = DEVICE_OPENING;
	dev->size = size;
	if (dev->plan->npaths == 1)
		on_settled(dev);
	else
		loop_timer_set(dev->settle, DEVICE_SETTLE);
}

/* mpio has logged it. A person who named two LUNs by mistake is not served
 * whichever of them answered first. */
static void on_event(void *arg, const struct event *event)
{
	struct device *dev = arg;

	if (event->reason[0] && dev->state <= DEVICE_CONNECTING)
		snprintf(dev->why, sizeof dev->why, "%s", event->reason);
	if (dev->strict && dev->state < DEVICE_SERVING &&
		strcmp(event->word, "path-mismatched") == 0)
		device_give_up(dev, -EINVAL, event->reason);
	if (strcmp(event->word, "portal-elsewhere") == 0)
		device_portal_elsewhere(dev,
			unit_plan_id(dev->plan->queues, event->path),
			event->reason);
	events_add(dev->daemon->events, dev->plan->name, event);
	daemon_changed(dev->daemon);
}

static void on_hopeless(void *arg, const char *reason)
{
	struct device *dev = arg;

	if (dev->strict && dev->state == DEVICE_CONNECTING)
		device_give_up(dev, -EIO, reason);
	else
		log_error("%s: no path can work: %s", dev->plan->name, reason);
}

/* Whoever named LUNs by mistake is told, and served none. */
static void on_mismatched(void *arg, const char *reason)
{
	struct device *dev = arg;

	if (dev->state != DEVICE_CONNECTING)
		return;
	if (!dev->strict)
		log_error("%s: %s", dev->plan->name, reason);
	device_give_up(dev, -EINVAL, reason);
}

static void on_fuse_ended(void *arg, unsigned n)
{
	struct device *dev = arg;

	log_warn("%s: block file %s was unmounted; the device goes on without "
		 "it",
		dev->plan->name, dev->plan->fuse[n]);
}

static void on_gone(void *arg, int err)
{
	device_end(arg, err);
}

static const struct unit_events device_unit_events = {
	.ready = on_ready,
	.event = on_event,
	.hopeless = on_hopeless,
	.mismatched = on_mismatched,
	.fuse_ended = on_fuse_ended,
	.gone = on_gone,
};

static void on_patience_over(void *arg)
{
	struct device *dev = arg;
	char why[UNIT_REASON_MAX + 32];

	snprintf(why, sizeof why, "no path is up after 10 s: %s",
		dev->why[0] ? dev->why : "no answer");
	device_give_up(dev, -ETIMEDOUT, why);
}

static void on_path_added(void *arg, int id, void *about)
{
	struct device *dev = arg;
	struct plan_path *path = about;

	if (id < 0 && id != -ESHUTDOWN)
		log_error("%s: a path could not be added: %s; trying again",
			dev->plan->name, strerror(-id));
	if (id == -ENOMEM)
		loop_timer_set(dev->add_again, DEVICE_AGAIN);
	path->id = id;
}

static void on_add_again(void *arg)
{
	struct device *dev = arg;

	if (dev->state == DEVICE_CLOSING)
		return;
	for (unsigned i = 0; i < dev->plan->npaths; i++) {
		struct plan_path *path = dev->plan->paths[i];

		if (path->id != -ENOMEM)
			continue;
		path->id = -1;
		unit_add_path(dev->unit, path, on_path_added, path);
	}
}

static void on_started(void *arg, int err, const char *why)
{
	struct device *dev = arg;

	if (dev->state == DEVICE_CLOSING)
		return; /* gone() is on its way */
	if (err < 0) {
		device_give_up(dev, err, why);
		return;
	}
	dev->state = DEVICE_CONNECTING;
	for (unsigned i = 0; i < dev->plan->npaths; i++)
		unit_add_path(dev->unit, dev->plan->paths[i], on_path_added,
			dev->plan->paths[i]);
	if (dev->strict)
		loop_timer_set(dev->patience, DEVICE_PATIENCE);
	device_discover(dev);
}

static void on_discover(void *arg)
{
	device_discover(arg);
}

struct device *device_new(
	struct daemon *daemon, struct plan *plan, bool configured)
{
	struct device *dev = calloc(1, sizeof *dev);

	if (!dev) {
		plan_free(plan);
		return NULL;
	}
	dev->daemon = daemon;
	dev->plan = plan;
	dev->configured = configured;
	dev->worker = -1;
	dev->mounts = calloc(plan->nfuse + 1, sizeof *dev->mounts);
	dev->patience = loop_timer_new(daemon->loop, on_patience_over, dev);
	dev->settle = loop_timer_new(daemon->loop, on_settled, dev);
	dev->add_again = loop_timer_new(daemon->loop, on_add_again, dev);
	dev->discover_again = loop_timer_new(daemon->loop, on_discover, dev);
	if (!dev->mounts || !dev->patience || !dev->settle || !dev->add_again ||
		!dev->discover_again) {
		device_free(dev);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&daemon->devices, dev, link);
	return dev;
}

/* NULL without memory or threads. */
static struct unit *device_unit(struct device *dev)
{
	struct worker *workers[ROUTER_QUEUES_MAX];

	for (unsigned i = 0; i < dev->plan->queues; i++) {
		workers[i] = workers_of(dev, i);
		if (!workers[i])
			return NULL;
	}
	return unit_new(workers, dev->plan, &device_unit_events, dev);
}

int device_open(struct device *dev, bool strict,
	void (*opened)(void *arg, struct device *dev, int err, const char *why),
	void *arg)
{
	struct daemon *daemon = dev->daemon;
	char why[UNIT_REASON_MAX];

	workers_assign(daemon);
	dev->unit = device_unit(dev);
	if (!dev->unit) {
		TAILQ_REMOVE(&daemon->devices, dev, link);
		device_free(dev);
		return -ENOMEM;
	}
	dev->strict = strict;
	dev->opened = opened;
	dev->opened_arg = arg;
	if (workers_check(dev, why, sizeof why) < 0)
		device_give_up(dev, -EADDRINUSE, why);
	else
		unit_start(dev->unit, on_started);
	return 0;
}

void device_close(struct device *dev, bool now,
	void (*closed)(void *arg, int err), void *arg)
{
	if (closed) {
		dev->closed = closed;
		dev->closed_arg = arg;
	}
	if (!dev->unit) { /* it was never opened */
		device_end(dev, 0);
		return;
	}
	dev->state = DEVICE_CLOSING;
	loop_timer_stop(dev->patience);
	loop_timer_stop(dev->settle);
	device_discover_stop(dev);
	unit_drain(dev->unit, now);
}

/* Who has it updated is told; what was discovered is asked for again. */
static void device_lacks(struct device *dev)
{
	dev->incomplete = true;
	loop_timer_set(dev->discover_again, DEVICE_AGAIN);
}

void device_add_path(struct device *dev, struct plan_path *path)
{
	if (plan_add_path(dev->plan, path) < 0) {
		log_error("%s: out of memory for a path", dev->plan->name);
		device_lacks(dev);
		plan_path_free(path);
		return;
	}
	unit_add_path(dev->unit, path, on_path_added, path);
}

static void on_path_removed(void *arg, int err, void *about)
{
	struct device *dev = arg;

	/* The unit was not told: it stays, until that is tried again. */
	if (err == -ENOMEM && plan_add_path(dev->plan, about) == 0)
		device_lacks(dev);
	else
		plan_path_free(about);
}

/* One that the unit does not have yet stays. */
void device_remove_path(struct device *dev, struct plan_path *path)
{
	if (path->id < 0 && path->id != -ENOMEM)
		return;
	plan_take_path(dev->plan, path);
	if (path->id < 0) {
		plan_path_free(path);
		return;
	}
	unit_path(dev->unit, UNIT_PATH_REMOVE, path->id, UNIT_ALL_QUEUES,
		on_path_removed, path);
}

static bool plan_has_equal(
	const struct plan *plan, const struct plan_path *path)
{
	for (unsigned i = 0; i < plan->npaths; i++)
		if (plan_path_equal(plan->paths[i], path))
			return true;
	return false;
}

/* `now` takes the place of `old`, with which it agrees but for what the next
 * login uses. */
static void device_renew_path(
	struct device *dev, unsigned at, struct plan_path *now)
{
	struct plan_path *old = dev->plan->paths[at];

	now->id = old->id;
	now->discovered = old->discovered;
	now->isns = old->isns;
	if (unit_renew_path(dev->unit, now) < 0) {
		dev->incomplete = true;
		plan_path_free(now);
		return;
	}
	dev->plan->paths[at] = now;
	plan_path_free(old);
}

/* Credentials, our limit for a PDU, and times do not make another path. One
 * that was discovered has those of the first. */
static void device_renew_paths(struct device *dev, struct plan *plan)
{
	for (unsigned i = 0; i < dev->plan->npaths; i++) {
		struct plan_path *old = dev->plan->paths[i], *now = NULL;

		if (old->id < 0)
			continue;
		if (old->discovered)
			now = plan_path_at(plan->paths[0], plan->name,
				&old->config.portals[0], &dev->daemon->context);
		for (unsigned j = 0; j < plan->npaths && !now; j++)
			if (plan_path_alike(plan->paths[j], old)) {
				now = plan_path_copy(plan->paths[j]);
				dev->incomplete |= !now;
			}
		if (now && plan_path_alike(now, old) &&
			!plan_path_equal(now, old))
			device_renew_path(dev, i, now);
		else
			plan_path_free(now);
	}
}

/* Paths are added before others go, so that I/O has somewhere to run. */
static void device_update_paths(struct device *dev, struct plan *plan)
{
	struct plan *old = dev->plan;
	unsigned before = old->npaths;

	device_renew_paths(dev, plan);
	for (unsigned i = plan->npaths; i-- > 0;) {
		struct plan_path *path = plan->paths[i];

		if (plan_has_equal(old, path))
			continue;
		plan_take_path(plan, path);
		device_add_path(dev, path);
	}
	for (unsigned i = before; i-- > 0;) {
		struct plan_path *path = old->paths[i];

		if (path->elsewhere        ? plan_has_way(plan, path)
			: path->discovered ? plan->discover
					   : plan_has_equal(plan, path))
			continue;
		device_remove_path(dev, path);
	}
}

int device_update(struct device *dev, struct plan *plan)
{
	dev->incomplete = false;
	if (dev->state == DEVICE_CLOSING || !plan_same_fixed(dev->plan, plan)) {
		plan_free(dev->next);
		dev->next = plan;
		device_close(dev, false, NULL, NULL);
		return 0;
	}
	device_update_paths(dev, plan);
	if (unit_set_options(dev->unit, &plan->device) < 0)
		dev->incomplete = true;
	if (!endpoint_equal(&dev->plan->isns, &plan->isns) || !plan->discover)
		device_discover_stop(dev);
	dev->plan->discover = plan->discover;
	dev->plan->isns = plan->isns;
	plan_free(plan);
	device_discover(dev);
	return dev->incomplete ? -ENOMEM : 0;
}

/* An id is that of one queue's path: unit_path_id(). */
static bool path_is_named(const struct device *dev,
	const struct plan_path *path, const char *text, int *queue)
{
	struct endpoint at;
	uint64_t id;

	*queue = UNIT_ALL_QUEUES;
	if (units_u64(text, &id) == 0) {
		*queue = (int)(id % dev->plan->queues);
		return path->id >= 0 &&
		       (uint64_t)path->id == id / dev->plan->queues;
	}
	return endpoint_parse(&at, text, strlen(text), ISCSI_PORT) == 0 &&
	       plan_path_has_portal(path, &at);
}

struct plan_path *device_find_path(const struct device *dev, const char *text,
	int *queue, char *why, size_t why_size)
{
	struct plan_path *found = NULL;
	int which;

	for (unsigned i = 0; i < dev->plan->npaths; i++) {
		if (!path_is_named(dev, dev->plan->paths[i], text, &which))
			continue;
		if (found) {
			snprintf(why, why_size,
				"device %s has several paths at %s; give the "
				"path's id, which `umpio status` shows",
				dev->plan->name, text);
			return NULL;
		}
		found = dev->plan->paths[i];
		*queue = which;
	}
	if (!found)
		snprintf(why, why_size,
			"device %s has no path %s; `umpio status` shows them",
			dev->plan->name, text);
	return found;
}

static size_t put_nbd_uri(const struct plan_nbd *nbd, bool tls,
	const char *name, char *text, size_t size)
{
	char at[ENDPOINT_TEXT_MAX];
	int n;

	if (nbd->address.is_unix)
		n = snprintf(text, size, "nbd%s+unix:///%s?socket=%s",
			tls ? "s" : "", name, nbd->address.path);
	else
		n = snprintf(text, size, "nbd%s://%s/%s", tls ? "s" : "",
			endpoint_text(&nbd->address.tcp, at), name);
	return (size_t)n < size ? (size_t)n : size - 1;
}

const char *device_frontends(const struct device *dev, char *text, size_t size)
{
	const struct plan *plan = dev->plan;
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < plan->nnbd + plan->nfuse; i++) {
		if (i > 0 && at + 3 < size) {
			memcpy(text + at, ", ", 3);
			at += 2;
		}
		if (i < plan->nnbd)
			at += put_nbd_uri(&plan->nbd[i], plan->tls.required,
				plan->name, text + at, size - at);
		else
			at += (size_t)snprintf(text + at, size - at, "%s",
				plan->fuse[i - plan->nnbd]);
		if (at >= size)
			at = size - 1;
	}
	return text;
}
