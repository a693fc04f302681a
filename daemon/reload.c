/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reload: the file is read anew and compared with what runs. A file with a
 * mistake changes nothing. Devices that were attached by hand stay as they are.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>

#include "daemon.h"
#include "notify.h"

struct plans {
	struct plan **plan;
	unsigned n;
};

static void plans_free(struct plans *p)
{
	for (unsigned i = 0; i < p->n; i++)
		plan_free(p->plan[i]);
	free(p->plan);
}

/* All plans before any change: the last one may be the one with the mistake. */
static int plans_make(struct daemon *d, const struct settings *settings,
	struct plans *p, char *why, size_t why_size)
{
	const struct section *s;
	unsigned n = 0;

	for (s = settings->devices; s; s = s->next)
		n++;
	p->plan = calloc(n + 1, sizeof *p->plan);
	if (!p->plan) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	for (s = settings->devices; s; s = s->next) {
		struct device *dev = daemon_find(d, s->name);

		if (dev && !dev->configured) {
			snprintf(why, why_size,
				"device %s is attached by hand; detach it "
				"first",
				s->name);
			return -EEXIST;
		}
		p->plan[p->n] =
			plan_new(settings, s, &d->context, why, why_size);
		if (!p->plan[p->n])
			return -EINVAL;
		p->n++;
	}
	return 0;
}

static bool plans_have(const struct settings *settings, const char *name)
{
	return settings_find(settings, SETTING_DEVICE, name) != NULL;
}

static void close_what_went(struct daemon *d, const struct settings *settings)
{
	struct device *dev, *next;

	TAILQ_FOREACH_SAFE(dev, &d->devices, link, next)
	{
		if (!dev->configured || plans_have(settings, dev->plan->name))
			continue;
		plan_free(dev->next);
		dev->next = NULL;
		device_close(dev, false, NULL, NULL);
	}
}

/* False: memory was missing for some of it. */
static bool take_over(struct daemon *d, struct plans *p)
{
	struct device *dev, *next;
	bool all = true;

	for (unsigned i = 0; i < p->n; i++) {
		dev = daemon_find(d, p->plan[i]->name);
		if (dev) {
			json_object_put(dev->changes);
			dev->changes = NULL;
			all &= device_update(dev, p->plan[i]) == 0;
		} else {
			all &= device_new(d, p->plan[i], true) != NULL;
		}
		p->plan[i] = NULL;
	}
	TAILQ_FOREACH_SAFE(dev, &d->devices, link, next)
	{
		if (!dev->unit)
			all &= device_open(dev, false, NULL, NULL) == 0;
	}
	return all;
}

int daemon_reload(struct daemon *d, char *why, size_t why_size)
{
	struct plans plans = {0};
	struct settings *settings;
	char line[448];
	bool all;
	int err;

	if (!d->file) {
		snprintf(why, why_size,
			"the daemon was started without a configuration file; "
			"nothing was changed");
		return -ENOENT;
	}
	settings = settings_read(d->args->config_file, line, sizeof line);
	err = settings ? settings_override(settings, d->args->settings)
		       : -EINVAL;
	if (settings && err < 0)
		snprintf(line, sizeof line, "out of memory");
	else if (settings)
		err = plans_make(d, settings, &plans, line, sizeof line);
	if (err < 0) {
		plans_free(&plans);
		settings_free(settings);
		snprintf(why, why_size, "%s; nothing was changed", line);
		return err;
	}
	notify_send("RELOADING=1");
	close_what_went(d, settings);
	all = take_over(d, &plans);
	plans_free(&plans);
	settings_free(d->file);
	d->file = settings;
	d->settings = settings;
	notify_send("READY=1");
	if (!all) {
		snprintf(why, why_size,
			"out of memory or threads: not all of %s is in force; "
			"reload again",
			d->args->config_file);
		return -EAGAIN;
	}
	log_info("reload: %s is in force", d->args->config_file);
	return 0;
}
