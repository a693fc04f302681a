/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever the wire does to the bytes: every command ends once, the path is up
 * or down in bounded time, and what is called good is good. */
#include <errno.h>
#include <stdlib.h>

#include "tests/scenario/s_rig.h"

#define RUNS 150

static bool some_end(void *arg)
{
	(void)arg;
	return W.open == 0 || W.downs > 0;
}

static void io(bool reads)
{
	for (unsigned n = 0; n < 16; n++) {
		W.commands[n].cmd.deadline = loop_now(W.loop) + 5 * NS_PER_S;
		if (n % 2 || !reads)
			s_write(n, 4096 << n % 6, (uint8_t)n);
		else
			s_read(n, 4096 << n % 6);
	}
	/* Abort, reset and ping time-outs add up to less than that. */
	cr_assert(t_loop_run_until(W.loop, some_end, NULL, 80 * NS_PER_S));
}

static void begin(unsigned seed, bool digests)
{
	t_world_seed(seed);
	srandom(seed);
	s_init();
	W.disk.blocks = 16 * S_DATA / 512;
	W.options.header_digest = W.options.data_digest = digests;
	W.options.collapse = seed & 1;
	W.options.initial_r2t = seed & 2;
	s_start();
}

/* One bit of what the target sends, anywhere from the first login PDU on. */
Test(chaos, flipped_bits)
{
	unsigned ends = 0;

	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, false);
		W.wire->way[T_IN].flip_at =
			(uint64_t)random() % (seed % 3 ? 3000 : 300000);
		/* Without reads nearly all of it is headers. */
		if (s_try()) {
			io(false);
			s_pass(10);
			io(true);
		}
		ends += W.downs;
		s_end_with_breach();
	}
	cr_assert(ends > RUNS / 10, "only %u ends", ends);
}

/* With digests no flipped bit gets through: what is done is right. */
Test(chaos, flipped_bits_under_digests)
{
	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, true);
		cr_assert(s_try());
		s_write(0, 262144, 77);
		s_wait_done();
		s_expect_good(&W.commands[0]);
		W.wire->way[T_IN].flip_at = (uint64_t)random() % 300000;
		s_read(0, 262144);
		s_wait_done();
		if (W.commands[0].cmd.result.outcome == PATH_DONE)
			cr_assert(s_pattern_is(&W.commands[0], 262144, 77));
		s_end_with_breach();
	}
}

/* The connection breaks after any byte, in either direction. */
Test(chaos, cut_anywhere)
{
	for (unsigned seed = 1; seed <= RUNS; seed++) {
		begin(seed, seed & 4);
		W.wire->way[seed % 2 ? T_IN : T_OUT].cut_at =
			(uint64_t)random() % (seed % 3 ? 3000 : 300000);
		W.wire->way[T_OUT].capacity = 20000;
		if (s_try())
			io(true);
		if (W.downs)
			cr_assert(s_try(), "%s", W.down.reason);
		s_end();
	}
}

/* It goes silent after any byte. */
Test(chaos, silence_anywhere)
{
	for (unsigned seed = 1; seed <= RUNS / 3; seed++) {
		begin(seed, false);
		W.wire->way[T_OUT].rate = 1000000;
		W.wire->way[T_IN].delay_ns = 100000;
		cr_assert(s_try());
		for (unsigned n = 0; n < 16; n++)
			s_write(n, 65536, (uint8_t)n);
		t_loop_run_for(W.loop, (uint64_t)random() % NS_PER_S);
		W.wire->way[T_IN].blackhole = true;
		t_loop_run_until(W.loop, some_end, NULL, 80 * NS_PER_S);
		cr_assert_eq(W.open, 0);
		s_end();
	}
}
