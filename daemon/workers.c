/* SPDX-License-Identifier: BSD-2-Clause */
#include "workers.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon.h"
#include "plan_frontend.h"
#include "worker.h"

struct workers {
	struct loop *control;
	uint64_t poll_ns;
	unsigned count;
	struct {
		struct worker *worker; /* NULL: not begun */
		unsigned devices;      /* while they are counted */
	} at[];
};

/* Not those of the machine: a container has fewer. */
static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1; /* more of them than the set has room for */
	return (unsigned)CPU_COUNT(&set);
}

struct workers *workers_new(
	struct loop *control, unsigned count, uint64_t poll_ns)
{
	struct workers *w;

	if (count == 0)
		count = processors();
	w = calloc(1, sizeof *w + count * sizeof *w->at);
	if (!w)
		return NULL;
	w->control = control;
	w->count = count;
	w->poll_ns = poll_ns;
	return w;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->count; i++)
		worker_free(w->at[i].worker);
	free(w);
}

unsigned workers_count(const struct workers *w)
{
	return w->count;
}

struct worker *workers_of(const struct device *dev, unsigned queue)
{
	struct workers *w = dev->daemon->workers;
	unsigned n = ((unsigned)dev->worker + queue) % w->count;
	struct worker **worker = &w->at[n].worker;

	if (!*worker)
		*worker = worker_new(w->control, w->poll_ns);
	return *worker;
}

static int fewest_devices(const struct daemon *d)
{
	struct workers *w = d->workers;
	const struct device *dev;
	unsigned best = 0;

	for (unsigned i = 0; i < w->count; i++)
		w->at[i].devices = 0;
	TAILQ_FOREACH (dev, &d->devices, link)
		for (unsigned q = 0; dev->worker >= 0 && q < dev->plan->queues;
			q++)
			w->at[((unsigned)dev->worker + q) % w->count].devices++;
	for (unsigned i = 1; i < w->count; i++)
		if (w->at[i].devices < w->at[best].devices)
			best = i;
	return (int)best;
}

/* All who share an address with `first`, or with one who does, and so on, join
 * its worker. */
static void gather(struct daemon *d, struct device *first)
{
	struct device *last = first, *dev;

	first->wave = NULL;
	for (struct device *at = first; at; at = at->wave) {
		TAILQ_FOREACH (dev, &d->devices, link) {
			if (dev->worker >= 0 ||
				!plan_nbd_shared(dev->plan, at->plan))
				continue;
			dev->worker = at->worker;
			dev->wave = NULL;
			last->wave = dev;
			last = dev;
		}
	}
}

static int neighbour(const struct daemon *d, const struct device *dev)
{
	const struct device *at;

	TAILQ_FOREACH (at, &d->devices, link)
		if (at->worker >= 0 && plan_nbd_shared(at->plan, dev->plan))
			return at->worker;
	return -1;
}

void workers_assign(struct daemon *d)
{
	struct device *dev;

	/* Whom those that live already bind, before anybody is free to go. */
	TAILQ_FOREACH (dev, &d->devices, link)
		if (dev->worker < 0 && (dev->worker = neighbour(d, dev)) >= 0)
			gather(d, dev);
	TAILQ_FOREACH (dev, &d->devices, link) {
		if (dev->worker >= 0)
			continue;
		dev->worker = fewest_devices(d);
		gather(d, dev);
	}
}

int workers_check(const struct device *dev, char *why, size_t why_size)
{
	const struct device *at;

	TAILQ_FOREACH (at, &dev->daemon->devices, link) {
		if (at == dev || !plan_nbd_shared(at->plan, dev->plan))
			continue;
		if (at->plan->queues > 1 || dev->plan->queues > 1) {
			snprintf(why, why_size,
				"nbd: a device with queues has its addresses "
				"for itself, and %s has one of them, too",
				at->plan->name);
			return -EADDRINUSE;
		}
		if (at->worker == dev->worker)
			continue;
		snprintf(why, why_size,
			"nbd: its addresses are those of devices on different "
			"workers (%s is on %d, others on %d); give it others, "
			"or restart umpiod with it in the configuration",
			at->plan->name, at->worker, dev->worker);
		return -EADDRINUSE;
	}
	return 0;
}
