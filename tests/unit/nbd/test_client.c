/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits, back-pressure, and the ways in which a client's life ends. */
#include <criterion/criterion.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>

#include "t_nbd.h"

static struct world w;
static struct peer p;

static void setup(void)
{
	world_init(&w, NULL);
}

static void teardown(void)
{
	if (p.stream)
		peer_close(&p);
	world_fini(&w);
}

TestSuite(client, .init = setup, .fini = teardown);

static unsigned inflight(void)
{
	return t_blkdev_counts(w.ram)->inflight;
}

Test(client, requests_in_flight_are_bounded)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	for (uint64_t i = 0; i < 300; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, i, 1);
	cr_assert_eq(inflight(), 256);
	t_blkdev_release(w.ram, 1);
	cr_assert_eq(simple_take(&p, 0), 0);
	peer_take(&p, NULL, 1);
	world_run(&w, NS_PER_MS);
	cr_assert_eq(inflight(), 256);
	t_blkdev_hold(w.ram, false);
	for (uint64_t i = 1; i < 300; i++) {
		cr_assert_eq(simple_take(&p, i), 0);
		peer_take(&p, NULL, 1);
	}
}

Test(client, payload_in_flight_is_bounded)
{
	const uint32_t piece = 256u << 10;

	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	w.server->limits.request_bytes = 1u << 20;
	for (uint64_t i = 0; i < 6; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, 0, piece);
	cr_assert_eq(inflight(), 4);
	cr_assert_leq(buf_pool_used(loop_pool(w.loop)), 1u << 20);
	t_blkdev_hold(w.ram, false);
	for (uint64_t i = 0; i < 6; i++) {
		cr_assert_eq(simple_take(&p, i), 0);
		peer_take(&p, NULL, piece);
	}
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
}

/* What comes when there is room again may be the beginning of a write. */
Test(client, a_write_may_have_waited_for_room)
{
	static const uint8_t data[4096];

	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	w.server->limits.requests = 1;
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 512);
	cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, sizeof data);
	peer_send(&p, data, 1000);
	cr_assert_eq(inflight(), 1);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_take(&p, NULL, 512);
	peer_send(&p, data + 1000, sizeof data - 1000);
	cr_assert_eq(simple_take(&p, 2), 0);
}

/* Over all connections; one that has nothing at the device is not starved. */
Test(client, payload_at_the_device_is_bounded)
{
	const uint32_t piece = 1u << 20;
	struct peer others[3];

	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	for (uint64_t i = 0; i < 100; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, 0, piece);
	cr_assert_eq(inflight(), 64);
	for (int n = 0; n < 3; n++) {
		peer_go(&others[n], &w, false);
		for (uint64_t i = 0; i < 4; i++)
			cmd_send(&others[n], 0, NBD_CMD_READ, i, 0, piece);
	}
	world_run(&w, NS_PER_MS);
	cr_assert_eq(inflight(), 67);
	t_blkdev_hold(w.ram, false);
	for (uint64_t i = 0; i < 100; i++) {
		cr_assert_eq(simple_take(&p, i), 0);
		peer_take(&p, NULL, piece);
	}
	for (int n = 0; n < 3; n++) {
		for (uint64_t i = 0; i < 4; i++) {
			cr_assert_eq(simple_take(&others[n], i), 0);
			peer_take(&others[n], NULL, piece);
		}
		peer_close(&others[n]);
	}
	world_run(&w, NS_PER_MS);
	cr_assert_eq(t_blkdev_dev(w.ram)->held, 0);
	cr_assert_eq(buf_pool_held(loop_pool(w.loop)), 0);
}

/* Writes that come while the device has no room for their payload: what the
 * server does not take stays with the client. */
Test(client, writes_wait_for_room_at_the_device)
{
	static const uint8_t zeroes[256u << 10];
	const uint32_t piece = sizeof zeroes, begun = 32u << 10;
	struct peer peers[4];

	peer_go(&p, &w, false);
	for (int n = 0; n < 4; n++)
		peer_go(&peers[n], &w, false);
	t_blkdev_hold(w.ram, true);
	for (uint64_t i = 0; i < 64; i++)
		for (int n = 0; n < 4; n++) {
			cmd_send(&peers[n], 0, NBD_CMD_WRITE, i, 0, piece);
			peer_send(&peers[n], zeroes, piece);
		}
	for (int n = 0; n < 4; n++) {
		cmd_send(&peers[n], 0, NBD_CMD_WRITE, 64, 0, piece);
		peer_send(&peers[n], zeroes, begun);
	}
	world_run(&w, NS_PER_MS);
	cr_assert_eq(inflight(), 256);
	t_blkdev_release(w.ram, 2);
	world_run(&w, NS_PER_MS);
	t_blkdev_hold(w.ram, false);
	for (int n = 0; n < 4; n++)
		peer_send(&peers[n], zeroes, piece - begun);
	for (uint64_t i = 0; i < 65; i++)
		for (int n = 0; n < 4; n++)
			cr_assert_eq(simple_take(&peers[n], i), 0);
	for (int n = 0; n < 4; n++)
		peer_close(&peers[n]);
}

/* A client that asks and never reads gets no more than the limits' worth. */
Test(client, replies_not_read_are_bounded)
{
	peer_go(&p, &w, false);
	peer_reading(&p, false);
	w.server->limits.requests = 8;
	w.wire->way[T_IN].capacity = 4096;
	for (uint64_t i = 0; i < 40; i++)
		cmd_send(&p, 0, NBD_CMD_READ, i, 0, 4096);
	cr_assert_leq(t_blkdev_counts(w.ram)->ops[BLK_READ], 8 + 1);
	peer_reading(&p, true);
	for (uint64_t i = 0; i < 40; i++) {
		cr_assert_eq(simple_take(&p, i), 0);
		peer_take(&p, NULL, 4096);
	}
}

Test(client, replies_not_read_for_a_minute_end_it)
{
	peer_go(&p, &w, false);
	peer_reading(&p, false);
	w.wire->way[T_IN].capacity = 4096;
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 65536);
	world_run(&w, 59 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 1);
	world_run(&w, 2 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 0);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
}

/* From the first reply of the choice on: there is no moment at which the output
 * is empty. */
Test(client, nothing_read_since_the_choice_ends_it)
{
	peer_hello(&p, &w, 3);
	world_run(&w, NS_PER_MS);
	peer_reading(&p, false);
	w.wire->way[T_IN].capacity = 16;
	go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 65536);
	world_run(&w, 61 * NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

Test(client, an_idle_one_stays)
{
	peer_go(&p, &w, false);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 1, 0, 0);
	cr_assert_eq(simple_take(&p, 1), 0);
	world_run(&w, 3600 * NS_PER_S);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 2, 0, 0);
	cr_assert_eq(simple_take(&p, 2), 0);
}

Test(client, disc_answers_what_is_in_flight_first)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, 1);
	peer_send(&p, "x", 1);
	cmd_send(&p, 0xffff, NBD_CMD_DISC, 2, 3, 4); /* bogus, still DISC */
	cmd_send(&p, 0, NBD_CMD_WRITE, 3, 1, 1);
	peer_send(&p, "y", 1);
	peer_expect_silence(&p);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_expect_end(&p);
	cr_assert_eq(t_blkdev_counts(w.ram)->ops[BLK_WRITE], 1);
}

Test(client, vanishes_with_requests_in_flight)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, 1);
	peer_send(&p, "x", 1);
	cmd_send(&p, 0, NBD_CMD_READ, 2, 0, 4096);
	cr_assert_eq(inflight(), 2);
	t_wire_reset(&w.at);
	world_run(&w, NS_PER_S);
	cr_assert_eq(inflight(), 2);
	cr_assert_eq(nbds_server_clients(w.server), 1);
	t_blkdev_hold(w.ram, false);
	world_run(&w, NS_PER_MS);
	cr_assert_eq(t_blkdev_data(w.ram)[0], 'x');
	cr_assert_eq(nbds_server_clients(w.server), 0);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
}

/* It may be back by then, and have written newer data. */
Test(client, vanishes_with_requests_unread)
{
	static const uint8_t data[512];

	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	w.server->limits.requests = 1;
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 512);
	for (uint64_t i = 2; i < 5; i++) {
		cmd_send(&p, 0, NBD_CMD_WRITE, i, 0, sizeof data);
		peer_send(&p, data, sizeof data);
	}
	cr_assert_eq(inflight(), 1);
	peer_close(&p);
	world_run(&w, NS_PER_MS);
	t_blkdev_hold(w.ram, false);
	world_run(&w, NS_PER_MS);
	cr_assert_eq(t_blkdev_counts(w.ram)->ops[BLK_WRITE], 0);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

Test(client, vanishes_within_a_payload)
{
	peer_go(&p, &w, false);
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, 100000);
	peer_send(&p, "half of it", 10);
	cr_assert_gt(buf_pool_used(loop_pool(w.loop)), 0);
	peer_close(&p);
	world_run(&w, NS_PER_S);
	cr_assert_eq(nbds_server_clients(w.server), 0);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
	cr_assert_eq(t_blkdev_counts(w.ram)->ops[BLK_WRITE], 0);
}

Test(client, vanishes_at_every_byte)
{
	for (uint64_t at = 0; at < 140; at++) {
		w.wire->way[T_OUT].cut_at = at;
		peer_open(&p, &w);
		peer_send(&p, "\0\0\0\3", 4);
		go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
		cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 4096);
		cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, 48);
		peer_send(&p, p.in, 48);
		world_run(&w, NS_PER_MS);
		cr_assert_eq(p.ended, at <= 134, "at %ju", (uintmax_t)at);
		peer_close(&p);
		cr_assert_eq(nbds_server_clients(w.server), 0);
		cr_assert_eq(inflight(), 0);
	}
}

/* The pool has nothing left: who has requests in flight waits for them, who has
 * none is told, and its payload is passed over. */
Test(client, meets_an_empty_pool)
{
	struct buf *hogs[64];
	unsigned n = 0;

	peer_go(&p, &w, false);
	while (n < 64 && (hogs[n] = buf_get(loop_pool(w.loop), 64u << 20)))
		n++;
	while (n < 64 && (hogs[n] = buf_get(loop_pool(w.loop), 1u << 20)))
		n++;
	if (n == 64) { /* a pool without a limit */
		while (n)
			buf_put(hogs[--n]);
		cr_skip_test("the loop's pool has no limit here");
	}
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 0, 1u << 20);
	for (int i = 0; i < 16; i++) {
		static const uint8_t zeroes[65536];

		peer_send(&p, zeroes, sizeof zeroes);
	}
	cr_assert_eq(simple_take(&p, 1), NBD_ENOMEM);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 2, 0, 0);
	cmd_send(&p, 0, NBD_CMD_READ, 3, 0, 1u << 20);
	peer_expect_silence(&p);
	cr_assert_eq(inflight(), 1);
	while (n)
		buf_put(hogs[--n]);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 2), 0);
	cr_assert_eq(simple_take(&p, 3), 0);
	peer_take(&p, NULL, 1u << 20);
}

Test(client, oldest_handshake_gives_way_at_the_limit)
{
	struct peer used, late, refused;

	w.server->limits.clients = 3;
	peer_go(&used, &w, false);
	peer_open(&p, &w);
	peer_take(&p, NULL, NBD_GREETING_LEN);
	peer_go(&late, &w, false);
	cr_assert_eq(nbds_server_clients(w.server), 3);

	peer_go(&refused, &w, false); /* p has to go */
	peer_expect_end(&p);
	cr_assert_eq(nbds_server_clients(w.server), 3);
	peer_close(&p);

	peer_open(&p, &w); /* and now all of them are in use */
	peer_expect_end(&p);
	cmd_send(&used, 0, NBD_CMD_FLUSH, 1, 0, 0);
	cr_assert_eq(simple_take(&used, 1), 0);
	peer_close(&used);
	peer_close(&late);
	peer_close(&refused);
}

Test(client, many_come_and_go)
{
	for (int i = 0; i < 1000; i++) {
		peer_open(&p, &w);
		peer_close(&p);
	}
	cr_assert_eq(nbds_server_clients(w.server), 0);
	peer_go(&p, &w, false);
}

Test(client, export_removed_answers_what_is_in_flight)
{
	struct offer o;
	struct peer other;

	peer_go(&p, &w, false);
	peer_hello(&other, &w, 3);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 4);
	world_remove(&w, "disk", false);
	cmd_send(&p, 0, NBD_CMD_READ, 2, 0, 4);
	cr_assert_eq(simple_take(&p, 2), NBD_ESHUTDOWN);
	cmd_send(&p, 0, NBD_CMD_WRITE, 3, 0, 4);
	peer_send(&p, "data", 4);
	cr_assert_eq(simple_take(&p, 3), NBD_ESHUTDOWN);
	go_send(&other, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(&other, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ERR_SHUTDOWN);
	peer_expect_silence(&p);
	cr_assert_eq(w.removals, 0);

	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_take(&p, NULL, 4);
	peer_expect_end(&p);
	cr_assert_eq(w.removals, 1);
	peer_close(&other);
}

Test(client, export_removed_within_a_payload)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 1, 0, 0);
	cmd_send(&p, 0, NBD_CMD_WRITE, 2, 0, 4);
	peer_send(&p, "da", 2);
	world_remove(&w, "disk", false);
	peer_send(&p, "ta", 2);
	cr_assert_eq(simple_take(&p, 2), NBD_ESHUTDOWN);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_expect_end(&p);
	cr_assert_eq(t_blkdev_counts(w.ram)->ops[BLK_WRITE], 0);
	cr_assert_eq(w.removals, 1);
}

/* While others stay, nobody new comes to it; its clients go on. */
Test(client, export_removed_beside_another)
{
	uint8_t data[8193];
	struct offer o;
	struct peer other, old;
	size_t len;

	nbds_export_add(w.server, "other", t_blkdev_dev(w.ram), NULL);
	peer_hello(&p, &w, 3);
	go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 4);
	world_remove(&w, "disk", false);

	peer_hello(&other, &w, 3);
	option_send(&other, NBD_OPT_LIST, NULL, 0);
	cr_assert_eq(
		option_take(&other, NBD_OPT_LIST, data, &len), NBD_REP_SERVER);
	cr_assert_arr_eq(data, "\0\0\0\5other", 9);
	cr_assert_eq(
		option_take(&other, NBD_OPT_LIST, NULL, NULL), NBD_REP_ACK);
	go_send(&other, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(&other, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ERR_SHUTDOWN);
	go_send(&other, NBD_OPT_GO, "other", 0, NULL);
	offer_take(&other, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
	peer_hello(&old, &w, 3);
	option_send(&old, NBD_OPT_EXPORT_NAME, "disk", 4);
	peer_expect_end(&old);

	cr_assert_eq(w.removals, 0);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, 1), 0);
	peer_take(&p, NULL, 4);
	peer_expect_end(&p);
	cr_assert_eq(w.removals, 1);
	peer_close(&other);
	peer_close(&old);
}

/* One for whom a list of names is set is for nobody without TLS. */
Test(client, export_for_others)
{
	static char alice[] = "alice";
	char *const allow[] = {alice, NULL};
	uint8_t data[8193];
	struct offer o;
	struct peer old;
	size_t len;

	nbds_export_add(w.server, "hers", t_blkdev_dev(w.ram), allow);
	peer_hello(&p, &w, 3);
	option_send(&p, NBD_OPT_LIST, NULL, 0);
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, data, &len), NBD_REP_SERVER);
	cr_assert_arr_eq(data, "\0\0\0\4disk", 8);
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, NULL, NULL), NBD_REP_ACK);
	go_send(&p, NBD_OPT_GO, "hers", 0, NULL);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ERR_POLICY);
	peer_hello(&old, &w, 3);
	option_send(&old, NBD_OPT_EXPORT_NAME, "hers", 4);
	peer_expect_end(&old);
	peer_close(&old);
	go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
}

/* First with grace, then now: the device's requests are still waited for. */
Test(client, export_removed_now)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	cmd_send(&p, 0, NBD_CMD_READ, 1, 0, 4);
	world_remove(&w, "disk", false);
	peer_expect_silence(&p);
	world_remove(&w, "disk", true);
	peer_expect_end(&p);
	cr_assert_eq(w.removals, 0);
	t_blkdev_hold(w.ram, false);
	world_run(&w, NS_PER_MS);
	cr_assert_eq(w.removals, 1);
}

Test(client, export_without_clients_is_removed_at_once)
{
	nbds_export_add(w.server, "other", t_blkdev_dev(w.ram), NULL);
	world_remove(&w, "other", false);
	cr_assert_eq(w.removals, 0); /* not from within the call */
	world_run(&w, NS_PER_MS);
	cr_assert_eq(w.removals, 1);
	peer_go(&p, &w, false);
}

/* A good session with a few bytes changed, some thousand times: the server
 * ends it or goes on, and is whole afterwards. */
Test(client, says_what_is_nearly_right)
{
	static const char session[] =
		"\0\0\0\3IHAVEOPT\0\0\0\10\0\0\0\0"
		"IHAVEOPT\0\0\0\3\0\0\0\0"
		"IHAVEOPT\0\0\0\6\0\0\0\14\0\0\0\4disk\0\1\0\3"
		"IHAVEOPT\0\0\0\7\0\0\0\12\0\0\0\4disk\0\0"
		"\45\140\225\23\0\0\0\1abcdefgh\0\0\0\0\0\0\0\2"
		"\0\0\0\4WXYZ"
		"\45\140\225\23\0\0\0\0ABCDEFGH\0\0\0\0\0\0\0\0"
		"\0\0\20\0"
		"\45\140\225\23\0\0\0\6ABCDEFGH\0\0\0\0\0\0\0\0"
		"\0\0\20\0"
		"\45\140\225\23\0\0\0\3ABCDEFGH\0\0\0\0\0\0\0\0"
		"\0\0\0\0"
		"\45\140\225\23\0\0\0\2________\0\0\0\0\0\0\0\0"
		"\0\0\0\0";
	const size_t len = sizeof session - 1;
	unsigned random = 1;

	w.server->limits.clients = 3;
	w.wire->way[T_OUT].chunk = 50;
	w.wire->way[T_OUT].random_chunk = true;
	for (int round = 0; round < 4000; round++) {
		char bytes[sizeof session];

		memcpy(bytes, session, sizeof session);
		for (int n = round % 4; n >= 0; n--) {
			random = random * 1103515245u + 12345u;
			bytes[(random >> 8) % len] = (char)(random >> 24);
		}
		peer_open(&p, &w);
		peer_send(&p, bytes, len);
		peer_close(&p);
		world_run(&w, NS_PER_MS);
		cr_assert_eq(nbds_server_clients(w.server), 0);
		cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
	}
	w.wire->way[T_OUT].chunk = 0;
	peer_go(&p, &w, true);
}
