/* SPDX-License-Identifier: BSD-2-Clause */
#include "load.h"

#include <umpio/base/units.h>

#define WINDOW   (20 * NS_PER_MS) /* busy time that a value of `rate` sums up */
#define PACE_MAX (60 * NS_PER_S)

/* An average that forgets: one part in `parts` of it is the new value. */
static uint64_t blend(uint64_t old, uint64_t value, unsigned parts)
{
	uint64_t mean = old ? (old * (parts - 1) + value) / parts : value;

	return mean ? mean : 1;
}

/* Not so much that a cost could overflow. */
static uint64_t pace_of(uint64_t rate)
{
	uint64_t pace = LOAD_COMMAND * NS_PER_S / rate;

	return pace < PACE_MAX ? pace + 1 : PACE_MAX;
}

void load_reset(struct load *load, uint64_t now)
{
	load->rate = load->latency = 0;
	load->credit = 0;
	load->busy = load->moved = 0;
	load->busy_from = now;
}

void load_measure(struct load *load, uint32_t len, uint64_t ns, uint64_t now)
{
	/* What was long ago says nothing of now. */
	if (load_is_old(load, now))
		load->rate = load->latency = 0;
	load->latency = blend(load->latency, ns, 8);
	load->done_at = now;
	load->moved += len + LOAD_COMMAND;
	if (load->commands) {
		load->busy += now - load->busy_from;
		load->busy_from = now;
	}
	/* The first value is taken as soon as there is one. */
	if (load->busy < (load->rate ? WINDOW : NS_PER_US))
		return;
	load->rate = blend(load->rate,
		load->moved * NS_PER_MS / (load->busy / NS_PER_US), 4);
	load->busy = load->moved = 0;
	load->pace = pace_of(load->rate);
}
