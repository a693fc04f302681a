/* SPDX-License-Identifier: BSD-2-Clause */
#include "faults.h"

#include "trace.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/loop.h>
#include <umpio/scsi/alua.h>

static const struct fault_kind *const families[] = {
	faults_wire, faults_target, faults_scsi, faults_host};

const struct fault_kind *fault_kind_at(unsigned n)
{
	for (unsigned i = 0; i < sizeof families / sizeof families[0]; i++)
		for (const struct fault_kind *k = families[i]; k->name; k++)
			if (n-- == 0)
				return k;
	return NULL;
}

unsigned fault_kind(const char *name)
{
	const struct fault_kind *k;

	for (unsigned i = 0; (k = fault_kind_at(i)); i++)
		if (strcmp(k->name, name) == 0)
			return i;
	abort();
}

void fault_say(const struct world_fault *f, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	n = snprintf(text, sizeof text, "path %u: %s ", f->plan->where,
		fault_kind_at(f->plan->kind)->name);
	va_start(args, fmt);
	vsnprintf(text + n, sizeof text - (size_t)n, fmt, args);
	va_end(args);
	trace_text(TRACE_FAULT, f - f->world->fault, text);
}

static void end(struct world_fault *f)
{
	const struct fault_kind *k = fault_kind_at(f->plan->kind);

	f->on = false;
	trace_text(TRACE_HEAL, f - f->world->fault, k->name);
	k->end(f);
}

static void turn(void *arg)
{
	struct world_fault *f = arg;
	const struct fault_kind *k = fault_kind_at(f->plan->kind);

	if (f->on) {
		end(f);
		return;
	}
	f->world->struck++;
	k->begin(f);
	f->on = k->end;
	if (f->on)
		loop_timer_set(f->timer, f->plan->lasts);
}

void faults_start(struct world *w)
{
	for (unsigned i = 0; i < w->plan->faults; i++) {
		struct world_fault *f = &w->fault[i];

		f->world = w;
		f->plan = &w->plan->fault[i];
		f->timer = loop_timer_new(w->far, turn, f);
		if (f->plan->at != UINT64_MAX)
			loop_timer_set(f->timer, f->plan->at);
	}
}

static void mend_wire(struct world *w, unsigned path, unsigned portal)
{
	struct t_wire *wire = world_wire(w, path, portal);

	wire->refuse = false;
	for (unsigned i = 0; i < 2; i++)
		wire->way[i] = (struct t_wire_way){
			.delay_ns = w->plan->delay[path],
			.capacity = wire->way[i].capacity,
			.cut_at = T_WIRE_NEVER,
			.flip_at = T_WIRE_NEVER,
		};
}

void faults_stop(struct world *w)
{
	struct t_nexus *nexus;

	for (unsigned i = 0; i < w->plan->faults; i++) {
		loop_timer_stop(w->fault[i].timer);
		if (w->fault[i].on)
			end(&w->fault[i]);
	}
	for (unsigned i = 0; i < w->plan->paths; i++)
		for (unsigned j = 0; j < w->plan->portals; j++)
			mend_wire(w, i, j);
	for (unsigned i = 0; i < w->plan->targets; i++)
		w->target[i]->nfaults = 0;
	LIST_FOREACH (nexus, &w->lun->nexuses, link)
		nexus->nscript = 0;
	w->lie = 0;
}
