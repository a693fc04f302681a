/* SPDX-License-Identifier: BSD-2-Clause */
/* What a path has left behind at its target must not undo a newer write. */
#include "bench.h"

#include <errno.h>

static void setup(struct bench *b, unsigned npaths)
{
	bench_init(b, npaths, "failover", NULL);
	bench_up(b);
}

static void set_guard(struct bench *b, uint64_t ns)
{
	struct mpdev_options o;

	mpdev_options_init(&o);
	o.policy = "failover";
	o.ghost_guard = ns;
	cr_assert_eq(mpdev_set_options(b->dev, &o), 0);
}

/* Writes `n` blocks of 'o' over path 0, which dies with them in the target's
 * queue and cannot come back; path 1 does them. */
static void leave_ghosts(struct bench *b, unsigned n)
{
	struct bench_req r[8];

	b->paths[0]->hold = true;
	for (unsigned i = 0; i < n; i++)
		bench_write(b, &r[i], 0, i * 4096, 4096, 'o');
	cr_assert_eq(b->paths[0]->open, n);
	b->paths[0]->stopped = true;
	t_path_haunt(b->paths[0]);
	b->paths[0]->hold = false;
	bench_run(b, MS);
	for (unsigned i = 0; i < n; i++) {
		bench_req_fini(&r[i]);
		cr_assert_eq(r[i].err, 0);
	}
}

/* The target wakes within the guard and executes them; the newer ones were
 * sent meanwhile, and must win. */
Test(fence, a_stopped_controller_wakes_with_queued_writes)
{
	static const unsigned counts[] = {1, 2, 8};

	for (int k = 0; k < 3; k++) {
		unsigned n = counts[k];
		struct bench b;
		struct bench_req r[8];

		setup(&b, 2);
		leave_ghosts(&b, n);
		for (unsigned i = 0; i < n; i++)
			bench_write(&b, &r[i], 0, i * 4096, 4096, 'n');
		bench_run(&b, 3 * S);
		for (unsigned i = 0; i < n; i++)
			cr_assert_eq(r[i].done, 0, "not fenced, and done");
		cr_assert_eq(t_path_run_ghosts(b.paths[0]), n);
		t_path_continue(b.paths[0]);
		bench_run(&b, MS);
		for (unsigned i = 0; i < n; i++) {
			bench_req_fini(&r[i]);
			cr_assert_eq(r[i].err, 0);
			cr_assert_eq(b.lun->memory[i * 4096], 'n');
		}
		cr_assert_eq(b.paths[0]->fences, 1, "one for all of them");
		cr_assert(bench_heard(&b, "fenced/0"));
		cr_assert_not(bench_heard(&b, "fence-expired"));
		bench_fini(&b);
	}
}

/* A login alone fences: nothing that is left is executed afterwards. */
Test(fence, a_login_kills_the_old_copies)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 512, 512, 'n');
	bench_run(&b, 100 * MS);
	cr_assert_eq(r.done, 0);
	t_path_continue(b.paths[0]);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(t_path_run_ghosts(b.paths[0]), 0);
	cr_assert_eq(b.lun->memory[0], 'o');
	cr_assert_eq(b.lun->memory[512], 'n');
	bench_fini(&b);
}

Test(fence, what_does_not_overlap_and_what_reads_goes_on)
{
	struct bench b;
	struct bench_req zero, trim;

	setup(&b, 2);
	leave_ghosts(&b, 2);
	cr_assert_eq(bench_do(&b, BLK_WRITE, 0, 8192, 4096), 0);
	cr_assert_eq(bench_do(&b, BLK_READ, 0, 0, 8192), 0);
	cr_assert_eq(bench_do(&b, BLK_FLUSH, 0, 0, 0), 0);
	bench_submit(&b, &zero, BLK_ZERO, 0, 4096, 8192);
	bench_submit(&b, &trim, BLK_TRIM, 0, 0, 4096);
	bench_run(&b, S);
	cr_assert_eq(zero.done + trim.done, 0);
	t_path_continue(b.paths[0]);
	bench_run(&b, MS);
	bench_req_fini(&zero);
	bench_req_fini(&trim);
	bench_fini(&b);
}

/* Newer writes wait for its login: no long rest between two of them, until the
 * guard has ended the waiting. */
Test(fence, a_path_that_owes_is_tried_each_second)
{
	struct path_down why = {.cure = PATH_RETRY, .reason = "refused"};
	struct t_path *tp;
	struct bench b;
	unsigned i = 2;

	setup(&b, 2);
	tp = b.paths[0];
	tp->refusal = &why;
	leave_ghosts(&b, 1);
	t_path_continue(tp);
	bench_run(&b, 14 * S);
	for (; i < tp->starts; i++)
		cr_assert_leq(tp->started_at[i] - tp->started_at[i - 1], S);
	cr_assert_geq(i, 14);
	bench_run(&b, 100 * S);
	cr_assert(bench_heard(&b, "fence-expired/0"));
	cr_assert_leq(tp->starts - i, 70);
	bench_fini(&b);
}

Test(fence, the_guard_ends_the_wait_and_says_so)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	bench_run(&b, 14900 * MS);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 200 * MS);
	bench_req_fini(&r);
	cr_assert(bench_heard(&b, "fence-expired/0"));
	bench_fini(&b);
}

/* A path that cannot know leaves it to the guard; `forever` is forever, until
 * it is changed. */
Test(fence, a_path_that_cannot_know)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->fence_error = -EXDEV;
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	t_path_continue(b.paths[0]);
	bench_run(&b, 300 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(t_path_run_ghosts(b.paths[0]), 1);
	set_guard(&b, S);
	bench_run(&b, MS);
	bench_req_fini(&r);
	cr_assert_eq(b.lun->memory[0], 'n');
	bench_fini(&b);
}

/*
 * The portal is gone, and another one of its group is there
 */

/* Path 0 dies with a write of 'o' in the target's queue, and nobody answers at
 * its portal; `r` is a newer write over it. */
static void lose_the_portal(struct bench *b, struct bench_req *r)
{
	struct bench_req old;

	b->paths[0]->shared = true;
	b->paths[0]->hold = true;
	bench_write(b, &old, 0, 0, 4096, 'o');
	b->paths[0]->silent = true; /* as it answers no login */
	t_path_haunt(b->paths[0]);
	bench_write(b, r, 0, 0, 4096, 'n');
	bench_run(b, NS_PER_MS / 2);
	bench_req_fini(&old);
	cr_assert_eq(old.err, 0);
}

Test(fence, a_sibling_proves_it)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	lose_the_portal(&b, &r);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 200 * MS);
	cr_assert_eq(b.paths[0]->visits, 1);
	cr_assert_eq(b.paths[0]->fences, 1);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert(bench_heard(&b, "fenced/0"));
	cr_assert_not_null(
		strstr(b.fenced, "at 192.0.2.9:3260"), "%s", b.fenced);
	cr_assert_eq(t_path_run_ghosts(b.paths[0]), 0);
	bench_holds(&b, 0, 4096, 'n');
	/* It goes on trying its own portal, and comes back by that. */
	bench_run(&b, 20 * S);
	cr_assert_eq(b.paths[0]->visits, 1, "nothing is owed any more");
	cr_assert_gt(b.paths[0]->starts, 3);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_FAILED);
	b.paths[0]->silent = b.paths[0]->hold = false;
	bench_run(&b, 5 * S);
	cr_assert_eq(bench_path(&b, 0).state, MPATH_ACTIVE);
	bench_fini(&b);
}

/* The own portal comes first: it fences as well, and the path is back. */
Test(fence, no_sibling_where_the_portal_answers)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	b.paths[0]->shared = true;
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	t_path_continue(b.paths[0]);
	bench_run(&b, 100 * MS);
	bench_req_fini(&r);
	cr_assert_eq(b.paths[0]->visits, 0);
	bench_fini(&b);
}

/* One that is silent, not gone, would take long to say so at the next login:
 * there the sibling comes first. */
Test(fence, a_silent_path_is_fenced_by_the_sibling_first)
{
	struct bench b;
	struct bench_req old, r;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->shared = b.paths[0]->silent = b.paths[0]->stopped = true;
	bench_write(&b, &old, 0, 0, 4096, 'o');
	bench_write(&b, &r, 0, 0, 4096, 'n');
	bench_run(&b, 3 * S);
	bench_req_fini(&old);
	bench_req_fini(&r);
	cr_assert_eq(b.paths[0]->visits, 1);
	cr_assert_eq(b.paths[0]->starts, 2, "then its own portal");
	bench_fini(&b);
}

/* Another group of ports: the unit says that it is not the same one. */
Test(fence, no_sibling_of_another_port)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	bench_add_group(&b, b.lun, 2);
	bench_run(&b, S);
	lose_the_portal(&b, &r);
	bench_run(&b, 14 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_eq(b.paths[0]->visits, 0);
	bench_run(&b, 2 * S);
	bench_req_fini(&r);
	cr_assert(bench_heard(&b, "fence-expired/0"));
	bench_fini(&b);
}

/* A login that hangs is given up, the own portal and it take turns. */
Test(fence, a_visit_that_hangs)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->visit_hangs = true;
	lose_the_portal(&b, &r);
	bench_run(&b, 22 * S);
	cr_assert_eq(r.done, 0);
	cr_assert_geq(b.paths[0]->visits, 3);
	cr_assert_geq(b.paths[0]->starts, 4);
	cr_assert_leq(b.paths[0]->visits, b.paths[0]->starts);
	b.paths[0]->visit_hangs = false;
	bench_run(&b, 12 * S);
	bench_req_fini(&r);
	bench_fini(&b);
}

/* While no path is left nothing waits for a visit. */
Test(fence, a_visit_ends_with_the_last_path)
{
	struct bench b;
	struct bench_req r;
	unsigned starts;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->visit_hangs = true;
	lose_the_portal(&b, &r);
	bench_run(&b, 500 * MS);
	cr_assert_eq(b.paths[0]->visits, 1);
	starts = b.paths[0]->starts;
	b.paths[1]->stopped = true;
	t_path_die(b.paths[1], PATH_UNKNOWN, false, "reset");
	b.paths[0]->silent = b.paths[0]->hold = false;
	bench_run(&b, 1500 * MS);
	cr_assert_gt(b.paths[0]->starts, starts);
	bench_req_fini(&r);
	bench_fini(&b);
}

/* Taken out of use, removed, drained in the middle of it. */
Test(fence, a_visit_can_be_stopped)
{
	for (int k = 0; k < 3; k++) {
		struct bench b;
		struct bench_req r;

		setup(&b, 2);
		b.paths[0]->visit_hangs = true;
		lose_the_portal(&b, &r);
		bench_run(&b, 500 * MS);
		cr_assert_eq(b.paths[0]->visits, 1);
		if (k == 0)
			mpdev_disable_path(b.dev, 0);
		else if (k == 1)
			mpdev_remove_path(b.dev, 0, true);
		else
			mpdev_drain(b.dev, true);
		bench_run(&b, 16 * S);
		bench_req_fini(&r);
		cr_assert_eq(r.err, k == 2 ? -ESHUTDOWN : 0);
		bench_fini(&b);
	}
}

Test(fence, a_path_that_is_taken_away)
{
	struct bench b;
	struct bench_req r;
	bool freed = false;

	setup(&b, 2);
	b.paths[0]->freed = &freed;
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	cr_assert_eq(mpdev_remove_path(b.dev, 0, false), 0);
	bench_run(&b, S);
	cr_assert(freed);
	cr_assert_eq(r.done, 0);
	bench_run(&b, 15 * S);
	bench_req_fini(&r);
	cr_assert(bench_heard(&b, "fence-expired/0"));
	bench_fini(&b);
}

/* What the client was told to have failed may still land: a newer write waits
 * for it too, and fails in its turn when no path comes. */
Test(fence, a_failed_write_haunts_too)
{
	struct bench b;
	struct bench_req old, newer;

	setup(&b, 1);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->hold = true;
	bench_write(&b, &old, 0, 0, 4096, 'o');
	b.paths[0]->stopped = true;
	t_path_haunt(b.paths[0]);
	b.paths[0]->hold = false;
	bench_write(&b, &newer, 0, 0, 4096, 'n');
	bench_run(&b, 61 * S);
	bench_req_fini(&old);
	bench_req_fini(&newer);
	cr_assert_eq(old.err, -EIO);
	cr_assert_eq(newer.err, -EIO);
	t_path_continue(b.paths[0]);
	bench_run(&b, 1);
	bench_write(&b, &newer, 0, 0, 4096, 'n');
	bench_run(&b, S);
	bench_req_fini(&newer);
	cr_assert_eq(newer.err, 0);
	cr_assert_eq(t_path_run_ghosts(b.paths[0]), 0);
	bench_fini(&b);
}

/* Of two overlapping writes in flight together the later one waits, whichever
 * path it would take: so an old copy of the first cannot undo the second. */
Test(fence, overlapping_writes_are_ordered_across_paths)
{
	struct bench b;
	struct bench_req one, two;

	bench_init(&b, 2, "round-robin", NULL);
	bench_up(&b);
	b.paths[0]->hold = b.paths[1]->hold = true;
	bench_write(&b, &one, 0, 0, 8192, '1');
	bench_run(&b, 1);
	bench_write(&b, &two, 0, 4096, 8192, '2');
	cr_assert_eq(b.paths[0]->open + b.paths[1]->open, 1);
	t_path_go(b.paths[0]);
	t_path_go(b.paths[1]);
	bench_run(&b, MS);
	bench_req_fini(&one);
	bench_req_fini(&two);
	cr_assert_eq(b.lun->memory[4095], '1');
	cr_assert_eq(b.lun->memory[4096], '2');
	bench_fini(&b);
}

/* More than are kept apart are merged: memory is bounded, and what lies
 * between them waits too. */
Test(fence, very_many_are_merged)
{
	enum { ROUNDS = 5000 };
	struct t_lun_options o = bench_lun();
	struct bench b;
	struct bench_req r;

	o.blocks = 2 * ROUNDS;
	bench_init(&b, 2, "failover", &o);
	bench_up(&b);
	set_guard(&b, MPIO_FOREVER);
	b.paths[0]->fence_error = -EXDEV;
	for (unsigned i = 0; i < ROUNDS; i++) {
		b.paths[0]->hold = true;
		bench_write(&b, &r, 0, i * 1024, 512, 'o');
		if (b.paths[0]->open)
			t_path_reject(b.paths[0], PATH_UNKNOWN);
		b.paths[0]->hold = false;
		bench_run(&b, 20 * MS);
		bench_req_fini(&r);
	}
	bench_write(&b, &r, 0, (ROUNDS - 1) * 1024 - 512, 512, 'n');
	bench_run(&b, 100 * MS);
	cr_assert_eq(r.done, 0, "a merged range holds back");
	set_guard(&b, 0);
	bench_run(&b, MS);
	bench_req_fini(&r);
	bench_fini(&b);
}

Test(fence, a_drain_at_once_waits_for_nothing)
{
	struct bench b;
	struct bench_req r;

	setup(&b, 2);
	set_guard(&b, MPIO_FOREVER);
	leave_ghosts(&b, 1);
	bench_write(&b, &r, 0, 0, 4096, 'n');
	mpdev_drain(b.dev, true);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, -ESHUTDOWN);
	bench_fini(&b);
}

enum { BLOCKS = 48, AT_ONCE = 6 };

struct chaos {
	struct bench b;
	uint8_t model[BLOCKS];
	struct bench_req r[AT_ONCE];
	unsigned n;
};

/* Writes that overlap in arbitrary ways: the later one must win. */
static void submit_some(struct chaos *c)
{
	c->n = 1 + (unsigned)rand() % AT_ONCE;
	for (unsigned i = 0; i < c->n; i++) {
		unsigned at = (unsigned)rand() % BLOCKS;
		unsigned len = 1 + (unsigned)rand() % (BLOCKS - at);
		int fill = rand() % 8 ? 1 + rand() % 255 : 0;

		if (fill)
			bench_write(&c->b, &c->r[i], rand() % 8 ? 0 : BLK_FUA,
				at * 512, len * 512, fill);
		else
			bench_submit(&c->b, &c->r[i], BLK_ZERO, 0, at * 512,
				len * 512);
		memset(c->model + at, fill, len);
	}
}

static void disturb(struct chaos *c)
{
	struct t_path *tp = c->b.paths[rand() % 2];

	switch (rand() % 10) {
	case 0:
	case 1:
	case 2:
		tp->stopped = rand() % 2;
		if (tp->up)
			t_path_haunt(tp);
		break;
	case 3: t_path_run_ghosts(tp); break;
	case 4: t_path_continue(tp); break;
	case 5: t_lun_power_cut(c->b.lun); break;
	default: tp->latency = (uint64_t)(rand() % 4) * MS; break;
	}
	bench_run(&c->b, (uint64_t)(rand() % 3000) * NS_PER_US);
}

static void settle(struct chaos *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		for (int n = 0; !c->r[i].done && n < 400; n++) {
			if (n > 20) {
				t_path_continue(c->b.paths[0]);
				t_path_continue(c->b.paths[1]);
			}
			bench_run(&c->b, 50 * MS);
		}
		bench_req_fini(&c->r[i]);
		cr_assert_eq(c->r[i].err, 0);
	}
}

static void compare(struct chaos *c, unsigned seed, int round)
{
	for (unsigned k = 0; k < BLOCKS; k++)
		cr_assert_eq(c->b.lun->memory[k * 512], c->model[k],
			"seed %u, round %d, block %u: %02x, not %02x", seed,
			round, k, c->b.lun->memory[k * 512], c->model[k]);
}

/* Whatever dies, lingers at the target and is executed late: what was
 * acknowledged last is there, also after all that is left has been executed,
 * and a flush makes it durable. */
Test(fence, random_ghosts)
{
	for (unsigned seed = 1; seed <= 9; seed++) {
		struct t_lun_options lun = bench_lun();
		struct mpdev_options o;
		struct chaos c;

		srand(seed);
		memset(c.model, 0, sizeof c.model);
		mpdev_options_init(&o);
		o.policy = seed % 2 ? "round-robin" : "failover";
		o.hold_down = o.marginal = false;
		o.ghost_guard = MPIO_FOREVER;
		lun.dpofua = seed % 3;
		bench_init_with(&c.b, 2, &o, &lun);
		bench_up(&c.b);
		for (int round = 0; round < 300; round++) {
			submit_some(&c);
			for (int n = rand() % 8; n; n--)
				disturb(&c);
			settle(&c);
			if (!c.b.paths[0]->up && !c.b.paths[1]->up)
				t_path_continue(c.b.paths[rand() % 2]);
			/* Resets that no command has met yet. */
			cr_assert_eq(bench_do(&c.b, BLK_FLUSH, 0, 0, 0), 0);
			compare(&c, seed, round);
			cr_assert(t_lun_is_clean(c.b.lun));
			t_path_run_ghosts(c.b.paths[0]);
			t_path_run_ghosts(c.b.paths[1]);
			compare(&c, seed, round);
		}
		t_path_continue(c.b.paths[0]);
		t_path_continue(c.b.paths[1]);
		bench_fini(&c.b);
	}
}
