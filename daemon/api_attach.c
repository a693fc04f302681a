/* SPDX-License-Identifier: BSD-2-Clause */
#include "api_attach.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <umpio/control.h>

#include "daemon.h"

static int set_text(struct section *s, const char *key, struct json_object *o,
	char *why, size_t why_size)
{
	if (!json_object_is_type(o, json_type_string)) {
		snprintf(why, why_size, "attach: %s: not a text", key);
		return -1;
	}
	return section_set(s, key, json_object_get_string(o), why, why_size);
}

/* Sets `key` to every text of the array `list`. 0, or below and a line. */
static int set_list(struct section *s, const char *key,
	struct json_object *list, char *why, size_t why_size)
{
	int err = 0;

	if (!json_object_is_type(list, json_type_array)) {
		snprintf(why, why_size, "attach: %s is no list", key);
		return -1;
	}
	for (size_t i = 0; i < json_object_array_length(list) && !err; i++)
		err = set_text(s, key, json_object_array_get_idx(list, i), why,
			why_size);
	return err;
}

/* The same with the member of that name, if there is one. */
static int set_member(struct section *s, const char *key,
	struct json_object *request, const char *member, char *why,
	size_t why_size)
{
	struct json_object *list;

	return json_object_object_get_ex(request, member, &list)
		       ? set_list(s, key, list, why, why_size)
		       : 0;
}

/* A text, or for a key that may be repeated a list of them. */
static int set_option(struct section *s, const char *key,
	struct json_object *value, char *why, size_t why_size)
{
	int id = setting_find(key);

	if (!json_object_is_type(value, json_type_array))
		return set_text(s, key, value, why, why_size);
	if (id >= 0 && setting_info((enum setting)id)->type != SETTING_LIST &&
		json_object_array_length(value) > 1) {
		snprintf(why, why_size, "attach: %s: given twice", key);
		return -1;
	}
	return set_list(s, key, value, why, why_size);
}

static int set_options(struct section *s, struct json_object *request,
	char *why, size_t why_size)
{
	struct json_object *options;

	if (!json_object_object_get_ex(request, "options", &options))
		return 0;
	if (!json_object_is_type(options, json_type_object)) {
		snprintf(why, why_size, "attach: options is no object");
		return -1;
	}
	json_object_object_foreach(options, key, value)
	{
		if (set_option(s, key, value, why, why_size) < 0)
			return -1;
	}
	return 0;
}

static int set_all(struct section *s, struct json_object *request, char *why,
	size_t why_size)
{
	const char *policy = control_text(request, "policy");

	if (set_member(s, "url", request, "urls", why, why_size) < 0 ||
		set_member(s, "nbd", request, "nbd", why, why_size) < 0 ||
		set_member(s, "fuse", request, "fuse", why, why_size) < 0)
		return -1;
	if (policy && section_set(s, "policy", policy, why, why_size) < 0)
		return -1;
	return set_options(s, request, why, why_size);
}

/* What the [daemon] section says holds for attached devices as well. With a
 * plan, `*made` gets the settings that it was made of. */
static struct plan *attach_plan(struct daemon *d, const char *name,
	struct json_object *request, struct settings **made, char *why,
	size_t why_size)
{
	struct settings *settings = settings_new();
	struct section *own, *section;
	struct plan *plan = NULL;

	section =
		settings ? settings_add(settings, SETTING_DEVICE, name) : NULL;
	if (!section) {
		snprintf(why, why_size,
			"attach: out of memory, or no name for "
			"a device: %s",
			name);
		settings_free(settings);
		return NULL;
	}
	own = settings->daemon;
	settings->daemon = d->settings->daemon;
	if (set_all(section, request, why, why_size) == 0)
		plan = plan_new(settings, section, &d->context, why, why_size);
	settings->daemon = own;
	if (plan)
		*made = settings;
	else
		settings_free(settings);
	return plan;
}

static void on_attached(void *arg, struct device *dev, int err, const char *why)
{
	struct control_call *call = arg;

	if (err < 0)
		control_fail(
			call, CONTROL_FAILED, "%s: %s", dev->plan->name, why);
	else
		control_reply(call, json_object_new_object());
}

static void attach_again(
	struct device *dev, struct plan *plan, struct control_call *call)
{
	bool same = plan_same_ways(dev->plan, plan);

	plan_free(plan);
	if (same && dev->state != DEVICE_CLOSING)
		control_reply(call, json_object_new_object());
	else
		control_fail(call, CONTROL_FAILED,
			"device %s is there already%s", dev->plan->name,
			same ? " and is being detached"
			     : ", with other paths; detach it first");
}

void api_attach(
	void *arg, struct control_call *call, struct json_object *request)
{
	struct daemon *d = arg;
	const char *name = control_text(request, "name");
	struct device *dev;
	struct plan *plan;
	struct settings *made;
	char why[512];

	if (!name || d->stopping) {
		control_fail(call, name ? CONTROL_FAILED : CONTROL_USAGE,
			name ? "the daemon is ending"
			     : "attach: wants a name and URLs");
		return;
	}
	plan = attach_plan(d, name, request, &made, why, sizeof why);
	if (!plan) {
		control_fail(call, CONTROL_USAGE, "%s", why);
		return;
	}
	dev = daemon_find(d, name);
	if (dev) {
		settings_free(made);
		attach_again(dev, plan, call);
		return;
	}
	dev = device_new(d, plan, false);
	if (dev)
		dev->made = made;
	else
		settings_free(made);
	if (!dev || device_open(dev, true, on_attached, call) < 0)
		control_fail(call, CONTROL_FAILED, "out of memory or threads");
}
