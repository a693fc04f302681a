/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes whose data is slow to come, and how long they are waited for. */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/units.h>

#include "t_nbd.h"

#define MIB     (1u << 20)
#define PAYLOAD NBD_PAYLOAD_MAX

static struct world w;
static struct peer p;
static uint8_t piece[64u << 10];

static void setup(void)
{
	const struct t_blkdev_options options = {.size = 2 * PAYLOAD};

	world_init(&w, &options);
	peer_go(&p, &w, false);
}

static void teardown(void)
{
	if (p.stream)
		peer_close(&p);
	world_fini(&w);
}

TestSuite(payload, .init = setup, .fini = teardown);

static void half_write(struct peer *half)
{
	peer_go(half, &w, false);
	cmd_send(half, 0, NBD_CMD_WRITE, 1, 0, PAYLOAD);
}

Test(payload, that_does_not_move_for_a_minute_ends_it)
{
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, PAYLOAD);
	for (int i = 0; i < 3; i++) {
		world_run(&w, 59 * NS_PER_S);
		cr_assert_eq(nbds_server_clients(w.server), 1);
		peer_send(&p, piece, 1);
	}
	world_run(&w, 59 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 1);
	world_run(&w, 2 * NS_PER_S);
	peer_expect_end(&p);
	cr_assert_eq(nbds_server_clients(w.server), 0);
	cr_assert_eq(t_blkdev_counts(w.ram)->ops[BLK_WRITE], 0);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
	cr_assert_eq(t_blkdev_dev(w.ram)->held, 0);
}

/* Also when replies move, and when nobody keeps what comes. */
Test(payload, that_is_thrown_away_must_move_too)
{
	t_blkdev_hold(w.ram, true);
	for (uint64_t i = 1; i <= 3; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, 0, 1);
	cmd_send(&p, 0, NBD_CMD_WRITE, 4, 2 * PAYLOAD, PAYLOAD);
	for (int i = 0; i < 3; i++) {
		world_run(&w, 19 * NS_PER_S);
		t_blkdev_release(w.ram, 1);
	}
	world_run(&w, 2 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 1);
	world_run(&w, 2 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

/* Replies that are not taken are no excuse, nor the other way round. */
Test(payload, that_moves_does_not_excuse_replies_not_taken)
{
	peer_reading(&p, false);
	w.wire->way[T_IN].capacity = 4096;
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 65536);
	cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, PAYLOAD);
	for (int i = 0; i < 61; i++) {
		peer_send(&p, piece, 1);
		world_run(&w, NS_PER_S);
	}
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

/* One byte now and then holds the memory of all of them. */
Test(payload, that_comes_in_drops_ends_it)
{
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, PAYLOAD);
	for (int i = 0; i < 19; i++) {
		peer_send(&p, piece, 1);
		world_run(&w, 30 * NS_PER_S);
	}
	peer_send(&p, piece, 1);
	world_run(&w, 29 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 1);
	peer_send(&p, piece, 1);
	world_run(&w, 2 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

/* 64 KiB a second, and a pause of nearly a minute. */
Test(payload, that_is_slow_is_taken)
{
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, PAYLOAD);
	memset(piece, 'x', sizeof piece);
	for (unsigned i = 0; i < PAYLOAD / sizeof piece; i++) {
		peer_send(&p, piece, sizeof piece);
		world_run(&w, (i == 100 ? 59 : 1) * NS_PER_S);
	}
	cr_assert_eq(simple_take(&p, 1), 0);
	cr_assert_eq(t_blkdev_data(w.ram)[0], 'x');
	cr_assert_eq(t_blkdev_data(w.ram)[PAYLOAD - 1], 'x');
	world_run(&w, 3600 * NS_PER_S); /* and idle is not slow */
	cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, 4096);
	world_run(&w, 59 * NS_PER_S);
	peer_send(&p, piece, 4096);
	cr_assert_eq(simple_take(&p, 2), 0);
}

/* The time that we let it wait is not its own. */
Test(payload, that_we_do_not_read_is_waited_for)
{
	t_blkdev_hold(w.ram, true);
	w.server->limits.requests = 1;
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 512);
	cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, MIB);
	peer_send(&p, piece, 1000);
	world_run(&w, 3600 * NS_PER_S);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_take(&p, NULL, 512);
	world_run(&w, 59 * NS_PER_S);
	for (size_t left = MIB - 1000, n; left; left -= n) {
		n = left < sizeof piece ? left : sizeof piece;
		peer_send(&p, piece, n);
	}
	cr_assert_eq(simple_take(&p, 2), 0);
}

/* Two halves of the largest write are all that the device may hold. */
Test(payload, that_stands_keeps_nobody_out_for_long)
{
	struct peer halves[2];

	half_write(&halves[0]);
	half_write(&halves[1]);
	t_blkdev_hold(w.ram, true);
	for (uint64_t i = 0; i < 8; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, 0, 4096);
	cr_assert_eq(t_blkdev_counts(w.ram)->inflight,
		1); /* the one that is always let in */
	world_run(&w, 61 * NS_PER_S);
	t_blkdev_release(w.ram, 1);
	world_run(&w, NS_PER_S);
	cr_assert_eq(t_blkdev_counts(w.ram)->inflight, 7);
	for (int i = 0; i < 2; i++) {
		peer_expect_end(&halves[i]);
		peer_close(&halves[i]);
	}
}
