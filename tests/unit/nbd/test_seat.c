/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers beside each other on one listening socket: who gets which client. */
#include "t_nbd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <umpio/base/units.h>

#define SERVERS 3
#define PEERS   12

static struct world w;
static struct nbds_server *servers[SERVERS]; /* the first one is w.server */
static struct peer peers[PEERS];

static void on_removed(void *arg)
{
	++*(unsigned *)arg;
}

static void begin(void)
{
	const struct nbds_options options = {0};
	int err = 0;

	world_init(&w, NULL);
	servers[0] = w.server;
	for (unsigned i = 1; i < SERVERS; i++) {
		servers[i] =
			nbds_server_beside(w.loop, w.server, &options, &err);
		cr_assert(servers[i]);
		cr_assert_eq(nbds_export_add(servers[i], "disk",
				     t_blkdev_dev(w.ram), NULL),
			0);
	}
}

static void server_end(unsigned i)
{
	unsigned removed = 0;

	nbds_export_remove(servers[i], "disk", true, on_removed, &removed);
	world_run(&w, NS_PER_S);
	cr_assert_eq(removed, 1);
	nbds_server_free(servers[i]);
	servers[i] = NULL;
}

static void finish(void)
{
	for (unsigned i = 0; i < PEERS; i++)
		if (peers[i].stream)
			peer_close(&peers[i]);
	for (unsigned i = 1; i < SERVERS; i++)
		if (servers[i])
			server_end(i);
	world_fini(&w);
}

TestSuite(seat, .init = begin, .fini = finish);

static void expect(unsigned a, unsigned b, unsigned c)
{
	cr_assert_eq(nbds_server_clients(servers[0]), a);
	cr_assert_eq(nbds_server_clients(servers[1]), b);
	cr_assert_eq(nbds_server_clients(servers[2]), c);
}

Test(seat, clients_are_spread)
{
	for (unsigned i = 0; i < 6; i++)
		peer_go(&peers[i], &w, false);
	expect(2, 2, 2);
	for (unsigned i = 0; i < SERVERS; i++)
		cr_assert_eq(nbds_export_clients(servers[i], "disk"), 2);
	cr_assert_eq(nbds_export_clients(servers[0], "other"), 0);
	for (unsigned i = 0; i < 6; i++) {
		cmd_send(&peers[i], 0, NBD_CMD_FLUSH, i, 0, 0);
		cr_assert_eq(simple_take(&peers[i], i), 0);
	}
}

Test(seat, who_comes_takes_the_place_of_who_has_gone)
{
	for (unsigned i = 0; i < 6; i++)
		peer_go(&peers[i], &w, false);
	peer_close(&peers[1]);
	peer_close(&peers[4]);
	expect(2, 0, 2);
	peer_go(&peers[1], &w, false);
	peer_open(&peers[4], &w);
	expect(2, 2, 2);
	cr_assert_eq(nbds_export_clients(servers[1], "disk"), 1);
}

/* They were all there at once, before one of them was seen to. */
Test(seat, those_on_their_way_count)
{
	for (unsigned i = 0; i < 9; i++)
		peer_open(&peers[i], &w);
	expect(3, 3, 3);
	world_run(&w, NS_PER_MS);
	expect(3, 3, 3);
	for (unsigned i = 0; i < 9; i++)
		peer_take(&peers[i], NULL, NBD_GREETING_LEN);
}

Test(seat, the_limit_is_that_of_all)
{
	w.server->limits.clients = 5;
	for (unsigned i = 0; i < 4; i++)
		peer_go(&peers[i], &w, false);
	peer_open(&peers[4], &w); /* at the second server */
	peer_take(&peers[4], NULL, NBD_GREETING_LEN);
	expect(2, 2, 1);
	peer_go(&peers[5], &w, false); /* where one can give way */
	peer_expect_end(&peers[4]);
	expect(2, 2, 1);

	peer_open(&peers[6], &w); /* and now all of them are in use */
	peer_expect_end(&peers[6]);
	expect(2, 2, 1);
	for (unsigned i = 0; i < 4; i++) {
		cmd_send(&peers[i], 0, NBD_CMD_FLUSH, i, 0, 0);
		cr_assert_eq(simple_take(&peers[i], i), 0);
	}
	peer_close(&peers[2]);
	peer_go(&peers[7], &w, false);
	expect(2, 2, 1);
}

Test(seat, a_flood_of_silent_ones_keeps_nobody_out)
{
	w.server->limits.clients = 4;
	peer_go(&peers[0], &w, false);
	for (unsigned i = 1; i < 11; i++)
		peer_open(&peers[i], &w);
	peer_go(&peers[11], &w, false);
	cr_assert_eq(nbds_server_clients(servers[0]) +
			     nbds_server_clients(servers[1]) +
			     nbds_server_clients(servers[2]),
		4);
	cmd_send(&peers[0], 0, NBD_CMD_FLUSH, 1, 0, 0);
	cr_assert_eq(simple_take(&peers[0], 1), 0);
}

Test(seat, one_that_has_gone_gets_none)
{
	server_end(1);
	for (unsigned i = 0; i < 4; i++)
		peer_go(&peers[i], &w, false);
	cr_assert_eq(nbds_server_clients(servers[0]), 2);
	cr_assert_eq(nbds_server_clients(servers[2]), 2);
}

Test(seat, who_is_on_the_way_to_one_that_goes_is_cut_off)
{
	unsigned removed = 0;

	nbds_export_remove(servers[1], "disk", true, on_removed, &removed);
	world_run(&w, NS_PER_S);
	peer_go(&peers[0], &w, false);
	peer_open(&peers[1], &w);
	cr_assert_eq(nbds_server_clients(servers[1]), 1);
	nbds_server_free(servers[1]);
	servers[1] = NULL;
	peer_expect_end(&peers[1]);
	peer_go(&peers[2], &w, false);
	cr_assert_eq(nbds_server_clients(servers[2]), 1);
}
