/* SPDX-License-Identifier: BSD-2-Clause */
#include "mpio/selector.h"

#include <criterion/criterion.h>
#include <umpio/base/units.h>
#include <umpio/mpio.h>

#define PATHS 64

/* Paths without anything but their loads. */
struct field {
	struct load loads[PATHS], *pointers[PATHS];
	struct selector_view view;
	uint64_t now;
	uint32_t len;
};

static void field_init(struct field *f, unsigned n)
{
	*f = (struct field){0};
	for (unsigned i = 0; i < n; i++) {
		f->pointers[i] = &f->loads[i];
		f->loads[i].weight = 1;
	}
	f->view.loads = f->pointers;
	f->view.nactive = n;
	f->view.weight_max = 1;
	f->now = 100 * NS_PER_S;
	f->len = 4096;
}

static unsigned pick(struct field *f, const struct selector *s)
{
	if (!selector_stays(&f->view, f->now, f->len))
		selector_begin(&f->view, s, f->now, f->len);
	return f->view.memory.at;
}

static unsigned pick_in_new_turn(struct field *f, const struct selector *s)
{
	unsigned at;

	f->now += NS_PER_MS;
	at = pick(f, s);
	cr_assert_lt(at, f->view.nactive);
	return at;
}

Test(selector, policies_are_found_by_name)
{
	const char *const *names = mpio_policies();

	cr_assert_str_eq(names[0], "round-robin");
	for (int i = 0; names[i]; i++)
		cr_assert_str_eq(selector_find(names[i])->name, names[i]);
	cr_assert_null(selector_find("best"));
	cr_assert_null(selector_find(""));
}

Test(selector, round_robin_in_runs_of_eight)
{
	struct field f;
	unsigned first;

	field_init(&f, 3);
	first = pick_in_new_turn(&f, &selector_round_robin);
	for (int i = 1; i < 8; i++)
		cr_assert_eq(pick(&f, &selector_round_robin), first);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(pick(&f, &selector_round_robin), (first + 1) % 3);
	cr_assert_eq(
		pick_in_new_turn(&f, &selector_round_robin), (first + 2) % 3);
	cr_assert_eq(pick_in_new_turn(&f, &selector_round_robin), first);
}

Test(selector, a_run_of_large_commands_is_shorter)
{
	struct field f;
	unsigned first;

	field_init(&f, 2);
	f.len = 64u << 10;
	first = pick_in_new_turn(&f, &selector_round_robin);
	cr_assert_eq(pick(&f, &selector_round_robin), first);
	cr_assert_eq(pick(&f, &selector_round_robin), !first);
}

/* What is larger than that which the run was measured for begins another. */
Test(selector, a_run_of_small_commands_takes_no_large_one)
{
	struct field f;
	unsigned first;

	field_init(&f, 2);
	first = pick_in_new_turn(&f, &selector_round_robin);
	f.len = 1u << 20;
	cr_assert_eq(pick(&f, &selector_round_robin), !first);
	f.len = 4096;
	cr_assert_eq(pick(&f, &selector_round_robin), first);
}

Test(selector, all_mind_fewer_paths)
{
	for (const char *const *name = mpio_policies(); *name; name++) {
		struct field f;

		field_init(&f, 4);
		for (unsigned n = 1; n < 200; n++) {
			if (n % 3)
				f.now++;
			f.view.nactive = 1 + n % 4;
			selector_end_run(&f.view);
			cr_assert_lt(pick(&f, selector_find(*name)),
				f.view.nactive, "%s", *name);
		}
	}
}

Test(selector, failover_takes_the_first)
{
	struct field f;

	field_init(&f, 3);
	cr_assert_eq(pick_in_new_turn(&f, &selector_failover), 0);
}

Test(selector, queue_length_takes_the_shortest)
{
	struct field f;

	field_init(&f, 4);
	for (unsigned i = 0; i < 4; i++)
		f.loads[i].commands = i == 2 ? 3 : 7;
	cr_assert_eq(pick_in_new_turn(&f, &selector_queue_length), 2);
	/* A run stays together. */
	f.loads[2].commands = 9;
	cr_assert_eq(pick(&f, &selector_queue_length), 2);
	cr_assert_neq(pick_in_new_turn(&f, &selector_queue_length), 2);
}

Test(selector, every_one_of_many_paths_has_its_turn)
{
	unsigned times[PATHS] = {0};
	struct field f;

	field_init(&f, PATHS);
	for (unsigned n = 0; n < 10 * PATHS; n++)
		times[pick_in_new_turn(&f, &selector_queue_length)]++;
	for (unsigned i = 0; i < PATHS; i++)
		cr_assert_eq(times[i], 10);
}

/* Path `i` answers all that it has, as if it had worked on it for `ns`. */
static void answer(struct field *f, unsigned i, uint64_t ns)
{
	struct load *load = &f->loads[i];

	while (load->commands) {
		load_ended(load, f->len, f->now + ns);
		load_measure(load, f->len, ns, f->now + ns);
	}
}

static void send_one(struct field *f, unsigned i)
{
	load_sent(&f->loads[i], f->len, f->now);
}

Test(selector, load_measures_throughput_of_busy_time)
{
	struct field f;

	field_init(&f, 1);
	f.len = 1020 << 10; /* and LOAD_COMMAND: 1 MiB */
	for (unsigned n = 0; n < 20; n++) {
		f.now += NS_PER_S; /* idle time does not count */
		send_one(&f, 0);
		answer(&f, 0, 10 * NS_PER_MS);
	}
	cr_assert_eq(f.loads[0].rate, 100u << 20);
	cr_assert_eq(f.loads[0].latency, 10 * NS_PER_MS);
	cr_assert_eq(f.loads[0].work, 0);
}

/* Commands in flight when each of 30 has been given to the better of two paths
 * of which the second is ten times as slow. */
static unsigned share_of_slow(const struct selector *s)
{
	struct field f;

	field_init(&f, 2);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < 4; n++)
			send_one(&f, i);
		answer(&f, i, (i ? 100 : 10) * NS_PER_MS);
	}
	for (unsigned n = 0; n < 30; n++)
		send_one(&f, pick_in_new_turn(&f, s));
	return f.loads[1].commands;
}

Test(selector, unequal_paths_get_work_by_speed)
{
	cr_assert_lt(share_of_slow(&selector_service_time), 5);
	cr_assert_geq(share_of_slow(&selector_service_time), 2);
	cr_assert_lt(share_of_slow(&selector_latency), 5);
	cr_assert_geq(share_of_slow(&selector_latency), 2);
}

static void find_out(const struct selector *s)
{
	unsigned slow = 0;
	struct field f;

	field_init(&f, 2);
	for (unsigned i = 0; i < 2; i++) {
		send_one(&f, i);
		answer(&f, i, i ? NS_PER_S : NS_PER_MS);
	}
	f.now += 2 * NS_PER_S;
	/* Once each second the slow one is tried, by one run. */
	for (unsigned n = 0; n < 5000; n++) {
		unsigned at = pick_in_new_turn(&f, s);

		slow += at == 1;
		send_one(&f, at);
		answer(&f, at, (at ? 1000 : 1) * NS_PER_MS);
	}
	cr_assert(slow >= 2 && slow <= 6, "%s: %u", s->name, slow);
	/* It has become fast: found, and used again. */
	slow = 0;
	for (unsigned n = 0; n < 5000; n++) {
		unsigned at = pick_in_new_turn(&f, s);

		slow += at == 1;
		send_one(&f, at);
		answer(&f, at, at ? 100 * NS_PER_US : NS_PER_MS);
	}
	cr_assert_gt(slow, 100, "%s: %u", s->name, slow);
}

Test(selector, a_path_that_has_become_fast_is_found)
{
	find_out(&selector_latency);
	find_out(&selector_service_time);
}

static void weigh(unsigned a, unsigned b, unsigned c)
{
	unsigned times[3] = {0}, sum = a + b + c, weights[] = {a, b, c};
	struct field f;

	field_init(&f, 3);
	for (unsigned i = 0; i < 3; i++) {
		f.loads[i].weight = weights[i];
		if (weights[i] > f.view.weight_max)
			f.view.weight_max = weights[i];
	}
	for (unsigned n = 0; n < 100 * sum; n++) {
		/* Runs of all lengths. */
		if (n % 5 == 0 || n % 7 == 0)
			f.now++;
		times[pick(&f, &selector_weighted)]++;
	}
	for (unsigned i = 0; i < 3; i++)
		cr_assert(times[i] >= 95 * weights[i] &&
				  times[i] <= 105 * weights[i],
			"%u of %u", times[i], 100 * weights[i]);
}

Test(selector, weighted_keeps_to_the_weights)
{
	weigh(1, 1, 1);
	weigh(3, 2, 1);
	weigh(1000, 100, 50);
	weigh(999, 1000, 7);
}
