/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults on a stream, on virtual time: what is held back, for how long, and
 * that nothing is lost, doubled or out of order. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/base/pump.h>
#include <umpio/base/stream_fault.h>
#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

#define BYTES 6000000u

/* Sends `want` bytes of a pattern and checks what comes. */
struct peer {
	struct pump *pump;
	struct loop *loop;
	uint8_t buf[8192];
	uint64_t want, sent, got;
	uint64_t first_at, last_at; /* of what came */
	bool wrong, closed;
	int err;
};

static struct loop *loop;
static struct peer near, far;
static struct stream *faulty;

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static int peer_rx(void *engine, struct iovec *iov)
{
	static uint8_t in[2][5000];

	(void)engine;
	iov[0] = (struct iovec){in[0], sizeof in[0]};
	iov[1] = (struct iovec){in[1], sizeof in[1]};
	return 2;
}

static int peer_rx_commit(void *engine, size_t n)
{
	struct peer *p = engine;
	struct iovec iov[2];

	peer_rx(p, iov);
	if (p->got == 0)
		p->first_at = loop_now(p->loop);
	p->last_at = loop_now(p->loop);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = iov[0].iov_base;
		size_t j = i;

		if (j >= iov[0].iov_len) {
			at = iov[1].iov_base;
			j -= iov[0].iov_len;
		}
		p->wrong |= at[j] != pattern(p->got++);
	}
	return 0;
}

static int peer_tx(void *engine, struct iovec *iov, int max)
{
	struct peer *p = engine;
	uint64_t n = p->want - p->sent;

	(void)max;
	if (n == 0)
		return 0;
	if (n > sizeof p->buf)
		n = sizeof p->buf;
	for (uint64_t i = 0; i < n; i++)
		p->buf[i] = pattern(p->sent + i);
	iov[0] = (struct iovec){p->buf, (size_t)(n + 1) / 2};
	iov[1] = (struct iovec){p->buf + (n + 1) / 2, (size_t)n / 2};
	return n > 1 ? 2 : 1;
}

static void peer_tx_commit(void *engine, size_t n)
{
	((struct peer *)engine)->sent += n;
}

static void peer_closed(void *engine, int err)
{
	struct peer *p = engine;

	p->closed = true;
	p->err = err;
}

static const struct engine_ops ops = {
	.rx = peer_rx,
	.rx_commit = peer_rx_commit,
	.tx = peer_tx,
	.tx_commit = peer_tx_commit,
	.closed = peer_closed,
};

static void start(uint64_t near_sends, uint64_t far_sends)
{
	struct stream *s[2];
	struct addr at = t_addr("10.0.0.1:3260");

	loop = loop_new();
	t_stream_pair(loop, loop, &at, s);
	near = (struct peer){.loop = loop, .want = near_sends};
	far = (struct peer){.loop = loop, .want = far_sends};
	near.pump = pump_new(loop, s[0], &ops, &near);
	far.pump = pump_new(loop, s[1], &ops, &far);
}

static void inject(
	const struct stream_fault *in, const struct stream_fault *out)
{
	if (!faulty) {
		faulty = stream_fault_new(loop, pump_stream(near.pump));
		pump_replace(near.pump, faulty);
	}
	stream_fault_set(faulty, in, out);
}

static void finish(void)
{
	cr_assert(!near.wrong && !far.wrong);
	pump_free(near.pump, true);
	pump_free(far.pump, true);
	loop_free(loop);
	faulty = NULL;
}

static const struct stream_fault none, hold = {.hold = true},
				       delay = {.delay = 20 * NS_PER_MS},
				       rate = {.rate = 1000000};

static void go(void)
{
	pump_tx(near.pump);
	pump_tx(far.pump);
}

Test(stream_fault, passes_all_without_faults)
{
	start(BYTES, BYTES);
	inject(&none, &none);
	go();
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(near.got, BYTES);
	cr_assert_eq(far.got, BYTES);
	finish();
}

Test(stream_fault, holds_each_way_alone)
{
	for (int out = 0; out < 2; out++) {
		start(1000, 1000);
		inject(out ? &none : &hold, out ? &hold : &none);
		go();
		t_loop_run_for(loop, NS_PER_S);
		cr_assert_eq(near.got, out ? 1000 : 0);
		cr_assert_eq(far.got, out ? 0 : 1000);
		stream_fault_set(faulty, &none, &none);
		t_loop_run_for(loop, NS_PER_MS);
		cr_assert_eq(near.got, 1000);
		cr_assert_eq(far.got, 1000);
		finish();
	}
}

Test(stream_fault, holding_back_is_bounded)
{
	start(BYTES, 0);
	inject(&none, &hold);
	go();
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(near.sent, STREAM_FAULT_HELD);
	stream_fault_set(faulty, &none, &none);
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(far.got, BYTES);
	finish();
}

Test(stream_fault, what_is_held_back_dies_with_an_abort)
{
	start(1000, 0);
	inject(&none, &hold);
	go();
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(near.sent, 1000);
	pump_free(near.pump, true);
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(far.got, 0);
	cr_assert(far.closed);
	pump_free(far.pump, true);
	loop_free(loop);
	faulty = NULL;
}

Test(stream_fault, delays_both_ways)
{
	uint64_t began;

	start(BYTES, BYTES);
	inject(&delay, &delay);
	began = loop_now(loop);
	go();
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(near.got, BYTES);
	cr_assert_eq(far.got, BYTES);
	cr_assert_geq(near.first_at - began, 20 * NS_PER_MS);
	cr_assert_leq(near.first_at - began, 21 * NS_PER_MS);
	cr_assert_geq(far.first_at - began, 20 * NS_PER_MS);
	cr_assert_leq(far.first_at - began, 21 * NS_PER_MS);
	finish();
}

/* A trickle: each byte comes as late as the first one. */
Test(stream_fault, delay_does_not_grow)
{
	start(0, 1);
	inject(&delay, &none);
	for (int i = 0; i < 3000; i++) {
		far.want = (uint64_t)i + 1;
		pump_tx(far.pump);
		t_loop_run_for(loop, 30 * NS_PER_US);
	}
	t_loop_run_for(loop, 20 * NS_PER_MS);
	cr_assert_eq(near.got, 3000);
	cr_assert_geq(near.first_at, T_EPOCH + 20 * NS_PER_MS);
	finish();
}

Test(stream_fault, limits_the_rate)
{
	for (int out = 0; out < 2; out++) {
		struct peer *reader = out ? &far : &near;

		start(out ? BYTES : 0, out ? 0 : BYTES);
		inject(out ? &none : &rate, out ? &rate : &none);
		go();
		t_loop_run_for(loop, 2 * NS_PER_S);
		cr_assert_geq(reader->got, 1900000);
		cr_assert_leq(reader->got, 2100000);
		t_loop_run_for(loop, 5 * NS_PER_S);
		cr_assert_eq(reader->got, BYTES);
		finish();
	}
}

Test(stream_fault, slowest_rate_still_moves)
{
	const struct stream_fault slow = {.rate = 1};

	start(0, 3);
	inject(&slow, &none);
	go();
	t_loop_run_for(loop, 2500 * NS_PER_MS);
	cr_assert_eq(near.got, 2);
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(near.got, 3);
	finish();
}

Test(stream_fault, the_end_comes_after_what_is_delayed)
{
	start(0, 1000);
	inject(&delay, &delay);
	go();
	t_loop_run_for(loop, NS_PER_MS);
	pump_free(far.pump, false);
	far.pump = NULL;
	t_loop_run_for(loop, 10 * NS_PER_MS);
	cr_assert_eq(near.got, 0);
	cr_assert(!near.closed);
	t_loop_run_for(loop, 30 * NS_PER_MS);
	cr_assert_eq(near.got, 1000);
	cr_assert(near.closed);
	cr_assert_eq(near.err, 0);
	finish();
}

Test(stream_fault, unwraps_when_nothing_is_held)
{
	struct stream *inner;

	start(1000, 1000);
	inject(&delay, &delay);
	go();
	t_loop_run_for(loop, NS_PER_MS);
	stream_fault_set(faulty, &none, &none);
	cr_assert_null(stream_fault_unwrap(faulty));
	t_loop_run_for(loop, NS_PER_MS);
	inner = stream_fault_unwrap(faulty);
	cr_assert_not_null(inner);
	pump_replace(near.pump, inner);
	near.want = far.want = 2000;
	go();
	t_loop_run_for(loop, NS_PER_MS);
	cr_assert_eq(near.got, 2000);
	cr_assert_eq(far.got, 2000);
	finish();
}
