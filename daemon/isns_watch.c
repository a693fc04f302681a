/* SPDX-License-Identifier: BSD-2-Clause */
#include "isns_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/log.h>

#include "daemon.h"

struct isns_watch {
	struct daemon *daemon;
	struct isns *isns;
	struct endpoint server;
	char initiator[ISCSI_NAME_MAX + 1];
	unsigned users;
	bool failing; /* which has been logged */
	LIST_ENTRY(isns_watch) link;
};

static void on_told(void *arg, int err, const struct iscsi_targets *targets,
	const char *reason)
{
	struct isns_watch *w = arg;
	struct device *dev, *next;

	if (err < 0) {
		if (!w->failing)
			log_warn("%s; trying again", reason);
		w->failing = true;
		return;
	}
	w->failing = false;
	for (dev = TAILQ_FIRST(&w->daemon->devices); dev; dev = next) {
		next = TAILQ_NEXT(dev, link);
		if (dev->watch == w)
			device_listed(dev, targets);
	}
}

static struct isns_watch *find(struct daemon *daemon,
	const struct endpoint *server, const char *initiator)
{
	struct isns_watch *w;

	LIST_FOREACH (w, &daemon->watches, link)
		if (endpoint_equal(&w->server, server) &&
			strcmp(w->initiator, initiator) == 0)
			return w;
	return NULL;
}

struct isns_watch *isns_watch_join(struct daemon *daemon,
	const struct endpoint *server, const struct iscsi_config *like)
{
	const struct isns_config config = {
		.server = *server,
		.initiator_name = like->initiator_name,
		.interface = like->interface,
		.watch = true,
	};
	struct isns_watch *w = find(daemon, server, like->initiator_name);

	if (w) {
		w->users++;
		isns_again(w->isns);
		return w;
	}
	w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->isns = isns_new(daemon->loop, &config, on_told, w);
	if (!w->isns) {
		free(w);
		return NULL;
	}
	w->daemon = daemon;
	w->server = *server;
	snprintf(w->initiator, sizeof w->initiator, "%s", like->initiator_name);
	w->users = 1;
	LIST_INSERT_HEAD(&daemon->watches, w, link);
	return w;
}

void isns_watch_again(struct isns_watch *w)
{
	if (w)
		isns_again(w->isns);
}

void isns_watch_leave(struct isns_watch *w)
{
	if (!w || --w->users > 0)
		return;
	LIST_REMOVE(w, link);
	isns_free(w->isns);
	free(w);
}
