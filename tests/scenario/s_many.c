/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scenario/s_many.h"

void s_many(unsigned connections)
{
	s_init();
	W.config.offer.error_recovery_level = 2;
	W.options.error_recovery_level = 2;
	W.config.offer.max_connections = connections;
	W.options.max_connections = connections;
	W.config.offer.default_time2retain = 20;
}

unsigned s_connections(void)
{
	struct path_facts f;

	path_facts(W.path, &f);
	return f.connections;
}

static bool all_there(void *arg)
{
	return s_connections() == *(unsigned *)arg;
}

void s_wait_connections(unsigned n)
{
	cr_assert(t_loop_run_until(W.loop, all_there, &n, 60 * NS_PER_S),
		"%u of %u connections", s_connections(), n);
}

void s_up_many(unsigned n)
{
	s_many(n);
	s_up();
	s_wait_connections(n);
}

struct path_counters s_counters(void)
{
	struct path_counters c;

	path_counters(W.path, &c);
	return c;
}

void s_submit(unsigned n, uint8_t seed)
{
	for (unsigned i = 0; i < n; i++) {
		if (i % 2)
			s_read(i, 65536);
		else
			s_write(i, 131072, (uint8_t)(seed + i));
	}
}

void s_expect_all_good(unsigned n)
{
	s_wait_done();
	for (unsigned i = 0; i < n; i++)
		s_expect_good(&W.commands[i]);
}

/* What was written is there. */
void s_verify(unsigned n, uint8_t seed)
{
	for (unsigned i = 0; i < n; i += 2) {
		s_read(i, 131072);
		s_wait_done();
		s_expect_good(&W.commands[i]);
		cr_assert(s_pattern_is(
			&W.commands[i], 131072, (uint8_t)(seed + i)));
	}
}

void s_end_recovered(void)
{
	cr_assert_eq(W.downs, 0, "%s", W.down.reason);
	cr_assert_eq(s_counters().session_recoveries, 0);
	cr_assert_gt(s_counters().connection_recoveries, 0);
	s_end();
}
