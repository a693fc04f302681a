/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>
#include <umpio/base/units.h>
#include <umpio/control.h>

#include "activation.h"
#include "api.h"
#include "api_wait.h"
#include "events.h"
#include "notify.h"

struct device *daemon_find(const struct daemon *d, const char *name)
{
	struct device *dev;

	TAILQ_FOREACH (dev, &d->devices, link)
		if (strcmp(dev->plan->name, name) == 0)
			return dev;
	return NULL;
}

static void daemon_status_line(const struct daemon *d)
{
	const struct device *dev;
	unsigned all = 0, serving = 0;

	TAILQ_FOREACH (dev, &d->devices, link) {
		all++;
		serving += dev->state == DEVICE_SERVING;
	}
	notify_send("STATUS=%u of %u devices serving", serving, all);
}

void daemon_changed(struct daemon *d)
{
	api_wait_changed(d);
}

void daemon_ready(struct daemon *d, const struct device *dev)
{
	char frontends[4096];
	/* Whoever opened our sockets may have no use for our output. */
	FILE *to = activation_count() ? stderr : stdout;

	device_frontends(dev, frontends, sizeof frontends);
	fprintf(to, "%s ready: %llu bytes, %u/%u paths%s%s\n", dev->plan->name,
		(unsigned long long)dev->size, unit_active(dev->unit),
		dev->plan->npaths * dev->plan->queues, frontends[0] ? ", " : "",
		frontends);
	fflush(to);
	daemon_status_line(d);
}

static void daemon_end_when_empty(struct daemon *d)
{
	if (d->stopping && TAILQ_EMPTY(&d->devices))
		loop_stop(d->loop);
}

void daemon_gone(struct daemon *d, int err)
{
	if (err < 0)
		d->status = EXIT_FAILED;
	api_wait_changed(d);
	daemon_status_line(d);
	daemon_end_when_empty(d);
}

/* The time for an orderly end is over. */
static void on_shutdown_timeout(void *arg)
{
	struct daemon *d = arg;
	const struct device *dev;

	TAILQ_FOREACH (dev, &d->devices, link)
		log_error("%s: shutdown-timeout is over; writes that were not "
			  "flushed may be lost",
			dev->plan->name);
	d->status = EXIT_FAILED;
	daemon_stop(d, true);
}

void daemon_stop(struct daemon *d, bool now)
{
	struct device *dev, *next;

	if (d->stopping_now)
		return;
	now |= d->stopping;
	d->stopping = true;
	d->stopping_now = now;
	notify_send("STOPPING=1");
	if (now && !TAILQ_EMPTY(&d->devices))
		log_warn("ending at once, without waiting for requests and "
			 "flushes");
	loop_timer_set(d->shutdown_timer,
		settings_number(d->settings, NULL, SET_SHUTDOWN_TIMEOUT));
	TAILQ_FOREACH_SAFE(dev, &d->devices, link, next)
	{
		plan_free(dev->next);
		dev->next = NULL;
		device_close(dev, now, NULL, NULL);
	}
	daemon_end_when_empty(d);
}

static void on_terminate(void *arg)
{
	daemon_stop(arg, false);
}

static void on_hangup(void *arg)
{
	struct daemon *d = arg;
	char why[512];

	if (!d->file)
		log_info("SIGHUP: there is no configuration file to reload");
	else if (daemon_reload(d, why, sizeof why) < 0)
		log_error("reload: %s", why);
}

/* With URLs, the one device decides how the daemon ends. */
static void on_url_opened(
	void *arg, struct device *dev, int err, const char *why)
{
	struct daemon *d = arg;

	if (err == 0)
		return;
	log_error("%s: %s", dev->plan->name, why);
	d->status = EXIT_FAILED;
	daemon_stop(d, false);
}

static int daemon_open_devices(struct daemon *d)
{
	const bool urls = d->args->urls;
	const struct section *s;
	struct device *dev, *next;
	char why[512];

	for (s = d->settings->devices; s; s = s->next) {
		struct plan *plan =
			plan_new(d->settings, s, &d->context, why, sizeof why);

		if (!plan) {
			log_error("%s", why);
			return -EINVAL;
		}
		if (!device_new(d, plan, !urls)) {
			log_error("%s: out of memory", s->name);
			return -ENOMEM;
		}
	}
	TAILQ_FOREACH_SAFE(dev, &d->devices, link, next)
	{
		if (device_open(dev, urls, urls ? on_url_opened : NULL, d)) {
			log_error("cannot start: out of memory or threads");
			return -ENOMEM;
		}
	}
	return 0;
}

static int daemon_listen(struct daemon *d)
{
	char why[512];
	int err;

	d->control = control_server_new(d->loop, d->control_path, api_commands,
		d, &err, why, sizeof why);
	if (d->control)
		return 0;
	log_error("%s", why);
	return err;
}

static int daemon_signals(struct daemon *d)
{
	static const struct {
		int signo;
		loop_fn *fn;
	} wanted[] = {
		{SIGTERM, on_terminate},
		{SIGINT, on_terminate},
		{SIGHUP, on_hangup},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		d->signals[i] = loop_signal_new(
			d->loop, wanted[i].signo, wanted[i].fn, d);
		if (!d->signals[i])
			return -ENOMEM;
	}
	return 0;
}

static int daemon_init(struct daemon *d)
{
	const char *instance;

	TAILQ_INIT(&d->devices);
	LIST_INIT(&d->watches);
	LIST_INIT(&d->waiters);
	d->loop = loop_new();
	if (!d->loop)
		return -ENOMEM;
	d->shutdown_timer = loop_timer_new(d->loop, on_shutdown_timeout, d);
	d->events = events_new(d->loop);
	d->workers = workers_new(d->loop,
		(unsigned)settings_number(d->settings, NULL, SET_WORKERS),
		settings_number(d->settings, NULL, SET_BUSY_POLL) * NS_PER_US);
	if (!d->shutdown_timer || !d->events || !d->workers ||
		daemon_signals(d) < 0)
		return -ENOMEM;
	instance = settings_text(d->settings, NULL, SET_INSTANCE);
	d->instance = strdup(instance ? instance : d->control_path);
	d->context.instance = d->instance;
	d->context.workers = workers_count(d->workers);
	return d->instance ? 0 : -ENOMEM;
}

static void daemon_fini(struct daemon *d)
{
	api_wait_stop(d);
	events_free(d->events);
	control_server_free(d->control);
	workers_free(d->workers);
	loop_timer_free(d->shutdown_timer);
	for (size_t i = 0; i < sizeof d->signals / sizeof *d->signals; i++)
		loop_signal_free(d->signals[i]);
	loop_free(d->loop);
	settings_free(d->file);
	free(d->instance);
}

int daemon_run(
	const struct args *args, struct settings *file, char *control_path)
{
	struct daemon d = {
		.args = args,
		.file = file,
		.settings = file ? file : args->settings,
		.control_path = control_path,
	};

	if (daemon_init(&d) < 0) {
		log_error("cannot start: out of memory or descriptors");
		d.status = EXIT_FAILED;
	} else if (daemon_listen(&d) < 0) {
		d.status = EXIT_USAGE;
	} else {
		if (daemon_open_devices(&d) < 0) {
			d.status = EXIT_USAGE;
			daemon_stop(&d, true);
		}
		notify_send("READY=1");
		loop_run(d.loop);
	}
	daemon_fini(&d);
	return d.status;
}
