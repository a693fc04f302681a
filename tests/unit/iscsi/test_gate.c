/* SPDX-License-Identifier: BSD-2-Clause */
/* At most so many logins at once for each portal. */
#include "daemon/iscsi/gate.h"

#include "tests/lib/t_loop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <umpio/base/units.h>

#define COMERS 30

struct comer {
	struct gate_pass pass;
	struct loop *loop;
	struct loop_timer *timer;
	unsigned *inside, *most, *done;
};

static void leave(void *arg)
{
	struct comer *c = arg;

	--*c->inside;
	++*c->done;
	gate_leave(&c->pass);
}

static void enter(void *arg)
{
	struct comer *c = arg;

	cr_assert(c->pass.inside);
	if (++*c->inside > *c->most)
		*c->most = *c->inside;
	loop_timer_set(c->timer, NS_PER_S);
}

static struct endpoint portal(unsigned n)
{
	struct endpoint e = {.port = 3260};

	snprintf(e.host, sizeof e.host, "192.0.2.%u", n);
	return e;
}

Test(gate, eight_at_once_and_all_in_their_turn)
{
	static struct comer comers[COMERS];
	unsigned inside = 0, most = 0, done = 0;
	struct loop *loop = loop_new();
	struct endpoint at = portal(1);

	for (int i = 0; i < COMERS; i++) {
		comers[i] = (struct comer){.loop = loop,
			.inside = &inside,
			.most = &most,
			.done = &done};
		comers[i].timer = loop_timer_new(loop, leave, &comers[i]);
		cr_assert_eq(gate_enter(&comers[i].pass, loop, &at, enter,
				     &comers[i]),
			0);
	}
	cr_assert_eq(inside, 0, "called from within");
	gate_leave(&comers[29].pass); /* tired of waiting */
	t_loop_run_for(loop, NS_PER_S / 2);
	cr_assert_eq(inside, GATE_PASSES);
	gate_leave(&comers[3].pass); /* gives up inside */
	loop_timer_stop(comers[3].timer);
	inside--;
	t_loop_run_for(loop, 10 * NS_PER_S);
	cr_assert_eq(most, GATE_PASSES);
	cr_assert_eq(done, COMERS - 2);
	for (int i = 0; i < COMERS; i++) {
		cr_assert_null(comers[i].pass.gate);
		loop_timer_free(comers[i].timer);
	}
	loop_free(loop);
}

/* Neither portals nor loops stand in each other's way, and who goes to another
 * portal gives its place away. */
Test(gate, one_for_each_portal_and_loop)
{
	unsigned inside = 0, most = 0, done = 0;
	struct loop *loops[2] = {loop_new(), loop_new()};
	static struct comer comers[2][2][9];
	struct endpoint other = portal(9);

	for (unsigned l = 0; l < 2; l++)
		for (unsigned p = 0; p < 2; p++)
			for (unsigned i = 0; i < 9; i++) {
				struct comer *c = &comers[l][p][i];
				struct endpoint at = portal(p);

				*c = (struct comer){.loop = loops[l],
					.inside = &inside,
					.most = &most,
					.done = &done};
				c->timer = loop_timer_new(loops[l], leave, c);
				gate_enter(&c->pass, loops[l], &at, enter, c);
			}
	t_loop_run_for(loops[0], NS_PER_MS);
	cr_assert_eq(inside, 4 * GATE_PASSES);
	cr_assert_not(comers[1][1][8].pass.inside);
	loop_timer_stop(comers[1][1][0].timer);
	inside--;
	gate_enter(&comers[1][1][0].pass, loops[1], &other, enter,
		&comers[1][1][0]);
	t_loop_run_for(loops[0], NS_PER_MS);
	cr_assert(comers[1][1][8].pass.inside);
	cr_assert(comers[1][1][0].pass.inside);
	t_loop_run_for(loops[0], 10 * NS_PER_S);
	cr_assert_eq(done, 36);
	for (unsigned n = 0; n < 36; n++)
		loop_timer_free((&comers[0][0][0] + n)->timer);
	loop_free(loops[0]);
	loop_free(loops[1]);
}
