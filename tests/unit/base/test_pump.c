/* SPDX-License-Identifier: BSD-2-Clause */
/* The pump over streams in memory: an engine that sends one run of bytes and
 * expects another, with every kind of trouble on the wire. */
#include <criterion/criterion.h>
#include <errno.h>
#include <umpio/base/pump.h>
#include <umpio/base/units.h>

#include "tests/lib/t_loop.h"
#include "tests/lib/t_stream.h"

#define BYTES 5000

struct peer {
	struct pump *pump;
	uint8_t out[BYTES], in[BYTES + 1];
	size_t sent, got, taken; /* taken: got when it last refused */
	size_t refuse_at;        /* rx() gives 0 here, once; 0: never */
	size_t fail_at;          /* rx_commit() fails here; 0: never */
	size_t free_at;          /* frees the pump in rx_commit(); 0: never */
	size_t free_tx_at;       /* and in tx_commit() */
	unsigned rx_calls, tx_calls, closed;
	int err;
};

static int peer_rx(void *engine, struct iovec *iov)
{
	struct peer *p = engine;

	p->rx_calls++;
	if (p->refuse_at > 0 && p->got >= p->refuse_at) {
		p->taken = p->got;
		return 0;
	}
	iov[0] = (struct iovec){p->in + p->got, (BYTES - p->got) / 2};
	iov[1] = (struct iovec){p->in + p->got + iov[0].iov_len,
		sizeof p->in - p->got - iov[0].iov_len};
	return 2;
}

static int peer_rx_commit(void *engine, size_t n)
{
	struct peer *p = engine;

	p->got += n;
	if (p->free_at > 0 && p->got >= p->free_at) {
		pump_free(p->pump, false);
		p->pump = NULL;
		return 0;
	}
	return p->fail_at > 0 && p->got >= p->fail_at ? -EPROTO : 0;
}

static int peer_tx(void *engine, struct iovec *iov, int max)
{
	struct peer *p = engine;
	size_t left = BYTES - p->sent;
	int n = 0;

	p->tx_calls++;
	for (size_t at = p->sent; left > 0 && n < max; n++) {
		size_t part = left < 100 ? left : 100;

		iov[n] = (struct iovec){p->out + at, part};
		at += part;
		left -= part;
	}
	return n;
}

static void peer_tx_commit(void *engine, size_t n)
{
	struct peer *p = engine;

	p->sent += n;
	if (p->free_tx_at > 0 && p->sent >= p->free_tx_at) {
		pump_free(p->pump, true);
		p->pump = NULL;
	}
}

static void peer_closed(void *engine, int err)
{
	struct peer *p = engine;

	p->closed++;
	p->err = err;
	pump_free(p->pump, true);
	p->pump = NULL;
}

static const struct engine_ops peer_ops = {
	peer_rx, peer_rx_commit, peer_tx, peer_tx_commit, peer_closed};

static struct loop *loop;
static struct addr at;
static struct t_wire *wire;
static struct peer a, b;

static void setup(void)
{
	struct stream *s[2];

	loop = loop_new();
	at = t_addr("10.0.0.1:3260");
	wire = t_wire_at(&at);
	t_stream_pair(loop, loop, &at, s);
	for (size_t i = 0; i < BYTES; i++) {
		a.out[i] = (uint8_t)(i * 7 + i / 256);
		b.out[i] = (uint8_t)(i * 5 + 1);
	}
	a.pump = pump_new(loop, s[0], &peer_ops, &a);
	b.pump = pump_new(loop, s[1], &peer_ops, &b);
	pump_tx(a.pump);
	pump_tx(b.pump);
}

static void teardown(void)
{
	pump_free(a.pump, true);
	pump_free(b.pump, true);
	cr_assert_eq(t_wire_connections(&at), 0);
	loop_free(loop);
}

TestSuite(pump, .init = setup, .fini = teardown);

static void assert_whole(void)
{
	cr_assert_eq(a.got, BYTES);
	cr_assert_eq(b.got, BYTES);
	cr_assert_arr_eq(a.in, b.out, BYTES);
	cr_assert_arr_eq(b.in, a.out, BYTES);
	cr_assert_eq(a.closed + b.closed, 0);
}

Test(pump, both_ways)
{
	t_loop_run_for(loop, 0);
	assert_whole();
}

Test(pump, gathers_what_is_posted_in_one_turn)
{
	pump_tx(a.pump);
	pump_tx(a.pump);
	t_loop_run_for(loop, 0);
	cr_assert_eq(a.tx_calls, 2, "one write, one look for more");
	/* Two reads of less than was offered: none to see -EAGAIN. */
	cr_assert_eq(b.rx_calls, 1);
}

Test(pump, byte_by_byte)
{
	wire->way[T_OUT].chunk = wire->way[T_IN].chunk = 1;
	wire->way[T_OUT].capacity = 7;
	wire->way[T_IN].capacity = 1;
	wire->way[T_IN].delay_ns = 1000;
	t_loop_run_for(loop, NS_PER_S);
	assert_whole();
}

static void restart(uint64_t seed)
{
	teardown();
	a = b = (struct peer){.got = 0};
	t_world_seed(seed);
	setup();
}

/* Whatever the wire does short of losing bytes, they all come. */
Test(pump, many_wires)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t r[4];

		restart(seed);
		loop_random(loop, r, sizeof r);
		for (unsigned i = 0; i < 2; i++) {
			struct t_wire_way *w = &wire->way[i];

			w->chunk = r[i] % 300;
			w->random_chunk = true;
			w->capacity = 1 + r[i] / 300 % 6000;
			w->delay_ns = r[i + 2] % NS_PER_MS;
			w->rate = r[i + 2] % 3 ? 0 : 10000 + r[i] % 100000;
		}
		t_loop_run_for(loop, 100 * NS_PER_S);
		assert_whole();
	}
}

Test(pump, slow_wire)
{
	wire->way[T_OUT].rate = 1000;
	t_loop_run_for(loop, 4 * NS_PER_S);
	cr_assert_geq(b.got, 3900);
	cr_assert_leq(b.got, 4100);
	t_loop_run_for(loop, 2 * NS_PER_S);
	assert_whole();
}

Test(pump, engine_that_refuses_is_not_asked)
{
	unsigned calls;

	b.refuse_at = 1000;
	wire->way[T_OUT].chunk = 100;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(b.got, 1000);
	calls = b.rx_calls;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(b.rx_calls, calls);
	b.refuse_at = 0;
	pump_rx(b.pump);
	t_loop_run_for(loop, NS_PER_S);
	assert_whole();
}

Test(pump, blackhole_then_light)
{
	wire->way[T_OUT].blackhole = true;
	wire->way[T_OUT].capacity = 300;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(b.got, 0);
	cr_assert_eq(a.sent, 300);
	wire->way[T_OUT].blackhole = false;
	t_loop_run_for(loop, NS_PER_S);
	assert_whole();
}

Test(pump, cut_at_every_point)
{
	for (size_t n = 0; n < BYTES; n += 97) {
		restart(n);
		wire->way[T_OUT].cut_at = n;
		t_loop_run_for(loop, NS_PER_S);
		cr_assert_eq(a.closed, 1);
		cr_assert_eq(b.closed, 1);
		cr_assert(a.err == -ECONNRESET || a.err == -EPIPE);
		cr_assert(b.err == -ECONNRESET || b.err == -EPIPE);
		cr_assert_eq(b.got, n, "what had left arrives");
	}
}

Test(pump, end_of_the_peer)
{
	b.free_at = 1;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_null(b.pump);
	cr_assert_eq(b.closed, 0, "who frees is not told");
	cr_assert_eq(a.closed, 1);
	cr_assert(a.err == 0 || a.err == -EPIPE);
}

Test(pump, error_of_the_engine)
{
	b.fail_at = 2000;
	wire->way[T_OUT].chunk = 10;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(b.closed, 1);
	cr_assert_eq(b.err, -EPROTO);
	cr_assert_eq(b.got, 2000);
}

Test(pump, freed_while_sending)
{
	a.free_tx_at = 1;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_null(a.pump);
	cr_assert_eq(a.closed, 0);
	cr_assert(b.err == -ECONNRESET || b.err == -EPIPE);
}

/* The wire dies under the writer; the answers that came before are read. */
Test(pump, last_words)
{
	a.refuse_at = 1;
	wire->way[T_IN].chunk = 100;
	t_loop_run_for(loop, NS_PER_S);
	cr_assert_eq(a.got, 100);
	t_wire_reset(&at);
	wire->way[T_IN].chunk = 0;
	a.refuse_at = a.sent = 0;
	pump_rx(a.pump);
	pump_tx(a.pump);
	t_loop_run_for(loop, 0);
	cr_assert_eq(a.closed, 1);
	cr_assert_eq(a.err, -EPIPE);
	cr_assert_eq(a.got, BYTES);
	cr_assert_arr_eq(a.in, b.out, BYTES);
}
