/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_set.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/control.h>

#include "daemon.h"

/*
 * Changes are settings of their own: one [device] section, and since portals
 * belong to targets, one [target] section for them.
 */
static struct section *section_of(struct settings *changes, int id)
{
	return setting_info((enum setting)id)->scopes & SETTING_DEVICE
		       ? changes->devices
		       : changes->targets;
}

static struct settings *changes_new(const char *device)
{
	struct settings *s = settings_new();

	if (s && settings_add(s, SETTING_DEVICE, device) &&
		settings_add(s, SETTING_TARGET, device))
		return s;
	settings_free(s);
	return NULL;
}

/* What `umpio set` may change: knobs, and what the next login uses. */
static bool may_change(int id)
{
	return setting_info((enum setting)id)->live || id == SET_PORTAL ||
	       id == SET_CHAP_USER || id == SET_CHAP_SECRET_FILE ||
	       id == SET_MUTUAL_CHAP_USER || id == SET_MUTUAL_CHAP_SECRET_FILE;
}

static int refuse(char *why, size_t size, const char *key, const char *cause)
{
	snprintf(why, size, "set: %s: %s", key, cause);
	return -EINVAL;
}

static int change(struct settings *changes, const char *key, const char *value,
	char *why, size_t why_size)
{
	int id = setting_find(key);
	char cause[256];

	if (id < 0)
		return refuse(why, why_size, key,
			"there is no such key; see umpio.conf(5)");
	if (!may_change(id))
		return refuse(why, why_size, key,
			"cannot change in a live device; change the "
			"configuration and reload, or detach and attach");
	if (section_of(changes, id)->values[id].set && id != SET_PORTAL)
		return refuse(why, why_size, key, "given twice");
	if (section_set(section_of(changes, id), key, value, cause,
		    sizeof cause) < 0) {
		snprintf(why, why_size, "set: %s", cause);
		return -EINVAL;
	}
	return 0;
}

static const char *text_at(struct json_object *pair, size_t i)
{
	struct json_object *o = json_object_is_type(pair, json_type_array)
					? json_object_array_get_idx(pair, i)
					: NULL;

	return json_object_is_type(o, json_type_string)
		       ? json_object_get_string(o)
		       : NULL;
}

static int read_changes(struct settings *changes, struct json_object *values,
	char *why, size_t why_size)
{
	size_t n = json_object_is_type(values, json_type_array)
			   ? json_object_array_length(values)
			   : 0;

	if (n == 0)
		return refuse(why, why_size, "KEY=VALUE", "none is given");
	for (size_t i = 0; i < n; i++) {
		struct json_object *pair = json_object_array_get_idx(values, i);
		const char *key = text_at(pair, 0), *value = text_at(pair, 1);

		if (!key || !value)
			return refuse(
				why, why_size, "KEY=VALUE", "is not text");
		if (change(changes, key, value, why, why_size) < 0)
			return -EINVAL;
	}
	return 0;
}

/* Puts what `changes` sets into `section`; again: takes it back. */
static void swap_values(struct section *section, struct section *changes,
	const bool which[SETTINGS])
{
	for (unsigned i = 0; i < SETTINGS; i++) {
		struct setting_value value = section->values[i];

		if (!which[i])
			continue;
		section->values[i] = changes->values[i];
		changes->values[i] = value;
	}
}

/* Portals in place of those that the plan has: each path like the first. */
static int plan_set_portals(struct plan *plan, const struct section *target,
	const struct plan_context *context, char *why, size_t why_size)
{
	const struct setting_value *list = &target->values[SET_PORTAL];
	struct plan_path *model = plan->paths[0];
	unsigned old = plan->npaths;

	if (!list->set)
		return 0;
	if (model->config.offer.max_connections > 1)
		return refuse(why, why_size, "portal",
			"with max-connections above 1 portals share a session; "
			"detach and attach");
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->list[i];
		struct plan_path *path;
		struct endpoint at;

		if (endpoint_parse(&at, text, strlen(text), ISCSI_PORT) < 0)
			return refuse(why, why_size, text,
				"is no portal HOST[:PORT]");
		path = plan_path_at(model, plan->name, &at, context);
		if (!path || plan_add_path(plan, path) < 0) {
			plan_path_free(path);
			snprintf(why, why_size, "set: out of memory");
			return -ENOMEM;
		}
		for (unsigned j = old; j + 1 < plan->npaths; j++)
			if (plan_path_same_way(plan->paths[j], path))
				return refuse(
					why, why_size, text, "is given twice");
	}
	while (old-- > 0) {
		struct plan_path *path = plan->paths[0];

		plan_take_path(plan, path);
		plan_path_free(path);
	}
	return 0;
}

/* The plan of what the device was made of, with `changes`. */
static struct plan *changed_plan(struct device *dev, struct settings *changes,
	char *why, size_t why_size)
{
	struct daemon *d = dev->daemon;
	struct settings *made = dev->made;
	const struct settings *from = made ? made : d->settings;
	struct section *section =
		settings_find(from, SETTING_DEVICE, dev->plan->name);
	struct section *own = made ? made->daemon : NULL;
	bool which[SETTINGS];
	struct plan *plan;

	for (unsigned i = 0; i < SETTINGS; i++)
		which[i] = changes->devices->values[i].set;
	if (!section) {
		snprintf(why, why_size,
			"set: %s is no longer in the configuration",
			dev->plan->name);
		return NULL;
	}
	if (made)
		made->daemon = d->settings->daemon;
	swap_values(section, changes->devices, which);
	plan = plan_new(from, section, &d->context, why, why_size);
	swap_values(section, changes->devices, which);
	if (made)
		made->daemon = own;
	if (plan && plan_set_portals(plan, changes->targets, &d->context, why,
			    why_size) < 0) {
		plan_free(plan);
		return NULL;
	}
	return plan;
}

/* The same of a pair that was taken: then both are text. */
static const char *taken_at(struct json_object *pair, size_t i)
{
	const char *text = text_at(pair, i);

	assert(text);
	return text;
}

static bool has_key(struct json_object *values, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(values); i++)
		if (strcmp(taken_at(json_object_array_get_idx(values, i), 0),
			    key) == 0)
			return true;
	return false;
}

/* `values`, which are good, and those of before that they do not replace. */
static struct json_object *merge(
	struct json_object *before, struct json_object *values)
{
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; before && i < json_object_array_length(before);
		i++) {
		struct json_object *pair = json_object_array_get_idx(before, i);

		if (!has_key(values, taken_at(pair, 0)))
			control_append(all, json_object_get(pair));
	}
	for (size_t i = 0; i < json_object_array_length(values); i++)
		control_append(all,
			json_object_get(json_object_array_get_idx(values, i)));
	return all;
}

/* Settings that are `values`; NULL, and a line. */
static struct settings *changes_of(const struct device *dev,
	struct json_object *values, char *why, size_t why_size)
{
	struct settings *changes = changes_new(dev->plan->name);

	if (!changes) {
		snprintf(why, why_size, "set: out of memory");
		return NULL;
	}
	if (read_changes(changes, values, why, why_size) == 0)
		return changes;
	settings_free(changes);
	return NULL;
}

int device_set(struct device *dev, struct json_object *values, char *why,
	size_t why_size)
{
	struct settings *changes = changes_of(dev, values, why, why_size);
	struct json_object *all;
	struct plan *plan;

	if (!changes)
		return -EINVAL;
	settings_free(changes);
	all = merge(dev->changes, values);
	if (!control_whole(all)) {
		json_object_put(all);
		snprintf(why, why_size, "set: out of memory");
		return -ENOMEM;
	}
	changes = changes_of(dev, all, why, why_size);
	plan = changes ? changed_plan(dev, changes, why, why_size) : NULL;
	settings_free(changes);
	if (!plan) {
		json_object_put(all);
		return -EINVAL;
	}
	json_object_put(dev->changes);
	dev->changes = all;
	log_info("%s: settings changed by command", dev->plan->name);
	if (device_update(dev, plan) == 0)
		return 0;
	snprintf(why, why_size,
		"set: out of memory: not all is in force; set it again");
	return -EAGAIN;
}

struct json_object *device_changes(const struct device *dev)
{
	struct json_object *o, *list;

	if (!dev->changes)
		return NULL;
	o = json_object_new_object();
	for (size_t i = 0; i < json_object_array_length(dev->changes); i++) {
		struct json_object *pair =
			json_object_array_get_idx(dev->changes, i);
		const char *key = taken_at(pair, 0);

		if (strcmp(key, "portal") != 0) {
			control_add(o, key,
				json_object_new_string(taken_at(pair, 1)));
			continue;
		}
		if (!json_object_object_get_ex(o, key, &list)) {
			list = control_add(o, key, json_object_new_array());
		}
		control_append(list, json_object_new_string(taken_at(pair, 1)));
	}
	return o;
}
