/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovery under faults at random places: what can be mended is mended, every
 * command ends once, and what is called good is good. */
#include <errno.h>
#include <stdlib.h>

#include "tests/scenario/s_rig.h"

#define RUNS 150

static bool some_end(void *arg)
{
	(void)arg;
	return W.open == 0 || W.downs > 0;
}

static void begin(unsigned seed, unsigned level, unsigned connections)
{
	t_world_seed(seed);
	srandom(seed);
	s_init();
	W.options.collapse = seed & 1;
	W.options.initial_r2t = seed & 2;
	W.options.max_outstanding_r2t = 1 + seed % 4;
	W.options.max_burst_length = 65536;
	W.options.error_recovery_level = level;
	W.options.max_connections = connections;
	W.config.offer.error_recovery_level = level;
	W.config.offer.max_connections = connections;
	W.config.offer.max_recv_data_segment_length = 8192 << seed % 3;
	W.config.spread =
		seed & 4 ? ISCSI_SPREAD_LEAST_QUEUE : ISCSI_SPREAD_ROUND_ROBIN;
	s_start();
}

static uint32_t length(unsigned n)
{
	return 4096u << n % 6;
}

static void write_all(uint8_t seed)
{
	for (unsigned n = 0; n < 24; n++)
		s_write(n, length(n), (uint8_t)(seed + n));
	cr_assert(t_loop_run_until(W.loop, some_end, NULL, 100 * NS_PER_S));
}

static void read_all(uint8_t seed)
{
	for (unsigned n = 0; n < 24; n++)
		s_read(n, length(n));
	cr_assert(t_loop_run_until(W.loop, some_end, NULL, 100 * NS_PER_S));
	for (unsigned n = 0; n < 24 && W.downs == 0; n++) {
		s_expect_good(&W.commands[n]);
		cr_assert(s_pattern_is(
			&W.commands[n], length(n), (uint8_t)(seed + n)));
	}
}

/* A connection breaks after any byte, in either direction: nobody above sees
 * it. */
Test(chaos2, cut_anywhere)
{
	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, 2, 1 + seed % 4);
		W.wire->way[T_OUT].capacity = 20000;
		cr_assert(s_try());
		s_pass(seed % 3 ? 100 : 0);
		W.wire->way[seed % 2 ? T_IN : T_OUT].cut_at =
			4000 + (uint64_t)random() % 200000;
		for (unsigned round = 0; round < 3; round++) {
			write_all((uint8_t)(seed + round));
			for (unsigned n = 0; n < 24; n++)
				s_expect_good(&W.commands[n]);
			read_all((uint8_t)(seed + round));
		}
		cr_assert_eq(W.downs, 0, "seed %u: %s", seed, W.down.reason);
		s_end();
	}
}

/* Several connections break, also while others are being recovered. */
Test(chaos2, cuts_during_recovery)
{
	for (unsigned seed = 1; seed <= RUNS; seed++) {
		struct t_conn *c;

		begin(seed, 2, 2 + seed % 3);
		cr_assert(s_try());
		s_pass(50);
		W.wire->way[T_OUT].delay_ns = NS_PER_MS;
		W.wire->way[T_IN].delay_ns = NS_PER_MS;
		for (unsigned n = 0; n < 24; n++)
			s_write(n, length(n), (uint8_t)(seed + n));
		for (unsigned i = 0; i < 1 + seed % 5; i++) {
			t_loop_run_for(
				W.loop, (uint64_t)random() % (8 * NS_PER_MS));
			c = t_target_conn(W.target, (unsigned)random() % 4);
			if (c)
				t_conn_end(c, random() & 1);
		}
		cr_assert(t_loop_run_until(
			W.loop, some_end, NULL, 100 * NS_PER_S));
		cr_assert_eq(W.downs, 0, "seed %u: %s", seed, W.down.reason);
		for (unsigned n = 0; n < 24; n++)
			s_expect_good(&W.commands[n]);
		read_all((uint8_t)seed);
		s_end();
	}
}

/* PDUs get lost or are spoilt on their way, both ways. */
Test(chaos2, losses)
{
	static const int in[] = {0x01, 0x05}, out[] = {0x21, 0x25, 0x31};

	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, 1 + seed % 2, 1 + seed % 3);
		cr_assert(s_try());
		s_pass(50);
		for (unsigned i = 0; i < 6; i++) {
			struct t_fault f = {.cid = T_ANY,
				.dir = random() & 1 ? T_FROM_INITIATOR
						    : T_TO_INITIATOR,
				.nth = 1 + (unsigned)random() % 30,
				.effect = random() & 1 ? T_LOSE : T_SPOIL_DATA};

			f.opcode = f.dir == T_TO_INITIATOR ? out[random() % 3]
							   : in[random() % 2];
			/* Data-Out that gets lost is asked for by a timer that
			 * the target does not have. */
			if (f.opcode == 0x05)
				f.effect = T_SPOIL_DATA;
			t_target_fault(W.target, &f);
		}
		write_all((uint8_t)seed);
		for (unsigned n = 0; n < 24; n++)
			s_expect_good(&W.commands[n]);
		read_all((uint8_t)seed);
		cr_assert_eq(W.downs, 0, "seed %u: %s", seed, W.down.reason);
		s_end();
	}
}

/* A target that misbehaves in whatever way: no hang, and nothing false. */
Test(chaos2, flipped_bits)
{
	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, 2, 1 + seed % 3);
		W.options.header_digest = W.options.data_digest = false;
		W.target->options.header_digest = false;
		W.target->options.data_digest = false;
		W.wire->way[T_IN].flip_at =
			(uint64_t)random() % (seed % 3 ? 6000 : 300000);
		if (s_try()) {
			for (unsigned n = 0; n < 24; n++) {
				W.commands[n].cmd.deadline =
					loop_now(W.loop) + 5 * NS_PER_S;
				s_write(n, length(n), (uint8_t)n);
			}
			cr_assert(t_loop_run_until(
				W.loop, some_end, NULL, 100 * NS_PER_S));
		}
		s_end_with_breach();
	}
}
