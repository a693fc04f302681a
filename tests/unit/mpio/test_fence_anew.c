/* SPDX-License-Identifier: BSD-2-Clause */
/* What a path has left behind that lives on: its session cannot tell of it, and
 * the end of that session does. */
#include "bench.h"

#include <errno.h>

static void setup(struct bench *b, unsigned npaths, uint64_t guard)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.ghost_guard = guard;
	bench_init_with(b, npaths, &o, NULL);
	bench_up(b);
}

/* A write of 'o' is rejected by path 0, which keeps a copy; path 1, if there is
 * one, does it. */
static void have_rejected(struct bench *b)
{
	struct bench_req old;

	b->paths[0]->fence_error = -EAGAIN;
	b->paths[0]->hold = true;
	bench_write(b, &old, 0, 0, 4096, 'o');
	cr_assert_eq(b->paths[0]->open, 1);
	t_path_reject(b->paths[0], PATH_UNKNOWN);
	b->paths[0]->hold = false;
	bench_run(b, 50 * MS);
	bench_req_fini(&old);
	cr_assert_eq(old.err, 0);
	cr_assert_eq(b->paths[0]->starts, 1, "nobody waits");
}

/* Nothing is done while nobody waits; who then does, waits for a logout and a
 * login, in which all under way is finished. */
Test(fence_anew, a_path_that_lives_on_logs_in_anew_for_who_waits)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2, MPIO_FOREVER);
	have_rejected(&b);
	bench_run(&b, 20 * S);
	cr_assert_eq(b.paths[0]->starts, 1);
	bench_write(&b, &r, 0, 512, 512, 'n');
	cr_assert_eq(r.done, 0);
	bench_run(&b, 10 * MS);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_eq(b.paths[0]->starts, 2);
	cr_assert_eq(t_path_run_ghosts(b.paths[0]), 0);
	bench_holds(&b, 512, 512, 'n');
	cr_assert(bench_heard(&b, "fenced/0"));
	cr_assert_not(bench_heard(&b, "path-failed/0"));
	cr_assert_not(bench_heard(&b, "fence-expired"));
	bench_run(&b, S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	cr_assert_eq(b.paths[0]->starts, 2, "once");
	bench_fini(&b);
}

/* The last path stays, and logs in anew as soon as another one is there. */
Test(fence_anew, the_last_path_does_not_leave_for_a_fence)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2, 15 * S);
	b.paths[1]->stopped = true;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	bench_run(&b, 100 * MS);
	have_rejected(&b);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	bench_run(&b, 5 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(b.paths[0]->starts, 1);
	t_path_continue(b.paths[1]);
	bench_run(&b, 100 * MS);
	bench_req_fini(&r);
	cr_assert_eq(b.paths[0]->starts, 2);
	cr_assert_not(bench_heard(&b, "fence-expired"));
	bench_fini(&b);
}

/* With a guard that never ends the wait, also the only path leaves; with
 * another one the guard does. */
Test(fence_anew, the_only_path)
{
	for (int forever = 0; forever < 2; forever++) {
		struct bench b;
		struct bench_req r;

		setup(&b, 1, forever ? MPIO_FOREVER : 15 * S);
		have_rejected(&b);
		bench_write(&b, &r, 0, 0, 4096, 'n');
		bench_run(&b, forever ? 100 * MS : 16 * S);
		bench_req_fini(&r);
		cr_assert_eq(r.err, 0);
		cr_assert_eq(b.paths[0]->starts, forever ? 2 : 1);
		cr_assert_eq(bench_heard(&b, "fence-expired/0"), !forever);
		bench_fini(&b);
	}
}

/* Whatever else ends the session proves it as well: a login of the path's own,
 * and where its portals are gone, one of a sibling's. */
Test(fence_anew, what_a_session_could_not_tell_is_asked_again)
{
	for (int gone = 0; gone < 2; gone++) {
		struct bench b;
		struct bench_req r;

		setup(&b, 2, MPIO_FOREVER);
		have_rejected(&b);
		b.paths[0]->shared = b.paths[0]->silent = gone;
		t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
		bench_write(&b, &r, 0, 0, 4096, 'n');
		bench_run(&b, S);
		bench_req_fini(&r);
		cr_assert_eq(b.paths[0]->visits, gone ? 1 : 0);
		cr_assert_eq(t_path_run_ghosts(b.paths[0]), 0);
		b.paths[0]->silent = false;
		bench_fini(&b);
	}
}

/* Of another portal group a login anew tells nothing: it is not done again and
 * again. */
Test(fence_anew, no_login_for_what_it_does_not_tell)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2, 15 * S);
	have_rejected(&b);
	b.paths[0]->fence_error = -EXDEV;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_write(&b, &r, 0, 0, 4096, 'n');
	bench_run(&b, 10 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(b.paths[0]->starts, 2);
	b.paths[0]->fence_error = 0;
	t_path_die(b.paths[0], PATH_UNKNOWN, false, "reset");
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_not(bench_heard(&b, "fence-expired"));
	bench_fini(&b);
}
