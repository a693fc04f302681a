/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
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

TestSuite(handshake, .init = setup, .fini = teardown);

#define BYTES(literal) (literal), sizeof(literal) - 1

/* A whole session in bytes, as the wire has it, at `chunk` bytes a read. */
static void golden(size_t chunk)
{
	w.wire->way[T_OUT].chunk = chunk;
	memset(t_blkdev_data(w.ram), 'x', 4);
	peer_open(&p, &w);
	peer_expect(&p, BYTES("NBDMAGICIHAVEOPT\0\3"));
	peer_send(&p, BYTES("\0\0\0\3"));
	peer_send(&p, BYTES("IHAVEOPT\0\0\0\7\0\0\0\12\0\0\0\4disk\0\0"));
	peer_expect(&p, BYTES("\0\3\350\211\4Ue\251\0\0\0\7\0\0\0\3\0\0\0\14"
			      "\0\0\0\0\0\0\0\20\0\0\11\155"
			      "\0\3\350\211\4Ue\251\0\0\0\7\0\0\0\3\0\0\0\16"
			      "\0\3\0\0\0\1\0\0\20\0\2\0\0\0"
			      "\0\3\350\211\4Ue\251\0\0\0\7\0\0\0\1\0\0\0\0"));
	peer_send(&p, BYTES("\45\140\225\23\0\0\0\1abcdefgh"
			    "\0\0\0\0\0\0\0\2\0\0\0\4WXYZ"));
	peer_expect(&p, BYTES("\147Df\230\0\0\0\0abcdefgh"));
	peer_send(&p, BYTES("\45\140\225\23\0\0\0\0ABCDEFGH"
			    "\0\0\0\0\0\0\0\0\0\0\0\7"));
	peer_expect(&p, BYTES("\147Df\230\0\0\0\0ABCDEFGHxxWXYZ\0"));
	peer_send(&p, BYTES("\45\140\225\23\0\0\0\2________"
			    "\0\0\0\0\0\0\0\0\0\0\0\0"));
	peer_expect_end(&p);
}

Test(handshake, golden_session)
{
	golden(0);
}

Test(handshake, golden_session_byte_by_byte)
{
	golden(1);
}

Test(handshake, golden_session_in_threes)
{
	golden(3);
}

Test(handshake, unknown_client_flags_end_it)
{
	peer_hello(&p, &w, 4);
	peer_expect_end(&p);
}

Test(handshake, wrong_option_magic_ends_it)
{
	peer_hello(&p, &w, 3);
	peer_send(&p, BYTES("IHAVEOPS\0\0\0\3\0\0\0\0"));
	peer_expect_end(&p);
}

Test(handshake, without_fixed_newstyle_only_export_name)
{
	peer_hello(&p, &w, 0);
	option_send(&p, NBD_OPT_LIST, NULL, 0);
	peer_expect_end(&p);
}

static void export_name(uint32_t flags, size_t zeroes)
{
	uint8_t reply[NBD_EXPORT_REPLY_LEN + NBD_EXPORT_ZEROES];
	uint8_t nothing[NBD_EXPORT_ZEROES] = {0};

	peer_hello(&p, &w, flags);
	option_send(&p, NBD_OPT_EXPORT_NAME, "disk", 4);
	peer_take(&p, reply, NBD_EXPORT_REPLY_LEN + zeroes);
	cr_assert_eq(get_be64(reply), DISK);
	cr_assert_eq(get_be16(reply + 8), 0x96d);
	cr_assert_arr_eq(reply + 10, nothing, zeroes);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 5, 0, 0);
	cr_assert_eq(simple_take(&p, 5), 0);
	peer_expect_silence(&p);
}

Test(handshake, export_name_with_zeroes)
{
	export_name(NBD_FLAG_FIXED_NEWSTYLE, NBD_EXPORT_ZEROES);
}

Test(handshake, export_name_of_an_old_client)
{
	export_name(0, NBD_EXPORT_ZEROES);
}

Test(handshake, export_name_without_zeroes)
{
	export_name(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES, 0);
}

Test(handshake, export_name_that_is_unknown)
{
	peer_hello(&p, &w, 3);
	option_send(&p, NBD_OPT_EXPORT_NAME, "disk1", 5);
	peer_expect_end(&p);
}

Test(handshake, abort_is_acknowledged_and_waits_for_the_close)
{
	peer_hello(&p, &w, 3);
	option_send(&p, NBD_OPT_ABORT, "why", 3);
	cr_assert_eq(option_take(&p, NBD_OPT_ABORT, NULL, NULL), NBD_REP_ACK);
	peer_send(&p, BYTES("more of it"));
	peer_expect_silence(&p);
	world_run(&w, 2 * NS_PER_S);
	peer_expect_end(&p);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

Test(handshake, list_names_all_exports)
{
	uint8_t data[8193];
	size_t len;

	nbds_export_add(w.server, "zweite", t_blkdev_dev(w.ram), NULL);
	peer_hello(&p, &w, 3);
	option_send(&p, NBD_OPT_LIST, NULL, 0);
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, data, &len), NBD_REP_SERVER);
	cr_assert_str_eq(
		(char *)data + 4, "diskumpio device ram, 512-byte blocks");
	cr_assert_arr_eq(data, "\0\0\0\4disk", 8);
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, data, &len), NBD_REP_SERVER);
	cr_assert_arr_eq(data, "\0\0\0\6zweite", 10);
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, NULL, NULL), NBD_REP_ACK);
}

Test(handshake, options_that_are_refused)
{
	static const struct {
		uint32_t option, error;
		const char *data;
		size_t len;
	} rows[] = {
		{NBD_OPT_LIST, NBD_REP_ERR_INVALID, BYTES("x")},
		{NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_INVALID, BYTES("\0")},
		{NBD_OPT_STARTTLS, NBD_REP_ERR_POLICY, NULL, 0},
		{NBD_OPT_STARTTLS, NBD_REP_ERR_INVALID, BYTES("tls")},
		{NBD_OPT_EXTENDED_HEADERS, NBD_REP_ERR_UNSUP, NULL, 0},
		{4, NBD_REP_ERR_UNSUP, BYTES("disk")},
		{0, NBD_REP_ERR_UNSUP, NULL, 0},
		{0xffffffff, NBD_REP_ERR_UNSUP, BYTES("????")},
		/* INFO and GO: lengths that do not add up */
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, NULL, 0},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\0\0\1")},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\0\0\1\0")},
		{NBD_OPT_GO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\0\0\0\0\0")},
		{NBD_OPT_INFO, NBD_REP_ERR_INVALID,
			BYTES("\377\377\377\377disk\0\0")},
		{NBD_OPT_INFO, NBD_REP_ERR_INVALID,
			BYTES("\377\377\377\372disk\0\0")},
		{NBD_OPT_INFO, NBD_REP_ERR_INVALID, BYTES("\0\0\0\5disk\0\0")},
		{NBD_OPT_INFO, NBD_REP_ERR_INVALID,
			BYTES("\0\0\0\4disk\377\377")},
		/* names */
		{NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, BYTES("\0\0\0\4disc\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, BYTES("\0\0\0\5disk\0\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_UNKNOWN, BYTES("\0\0\0\3dis\0\0")},
		{NBD_OPT_GO, NBD_REP_ERR_UNKNOWN,
			BYTES("\0\0\0\6%n%s\377\33\0\0")},
	};
	uint8_t text[8193];
	size_t len;

	peer_hello(&p, &w, 3);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t type;

		option_send(&p, rows[i].option, rows[i].data, rows[i].len);
		type = option_take(&p, rows[i].option, text, &len);
		cr_assert_eq(type, rows[i].error, "row %zu: %x", i, type);
		cr_assert_gt(len, 0, "row %zu has no text", i);
		cr_assert_leq(len, 256);
		for (size_t k = 0; k < len; k++)
			cr_assert(text[k] >= ' ' && text[k] <= '~');
	}
	peer_expect_silence(&p);
}

Test(handshake, names_of_the_largest_size)
{
	char name[NBD_NAME_MAX + 2];

	memset(name, 'n', sizeof name);
	name[NBD_NAME_MAX] = '\0';
	peer_hello(&p, &w, 3);
	go_send(&p, NBD_OPT_INFO, name, 0, NULL);
	cr_assert_eq(
		option_take(&p, NBD_OPT_INFO, NULL, NULL), NBD_REP_ERR_UNKNOWN);
	name[NBD_NAME_MAX] = 'n';
	name[NBD_NAME_MAX + 1] = '\0';
	go_send(&p, NBD_OPT_INFO, name, 0, NULL);
	cr_assert_eq(
		option_take(&p, NBD_OPT_INFO, NULL, NULL), NBD_REP_ERR_TOO_BIG);
}

Test(handshake, the_empty_name_is_the_only_export)
{
	struct offer o;

	peer_hello(&p, &w, 3);
	go_send(&p, NBD_OPT_INFO, "", 0, NULL);
	offer_take(&p, NBD_OPT_INFO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
	cr_assert_str_eq(o.name, "disk");

	nbds_export_add(w.server, "other", t_blkdev_dev(w.ram), NULL);
	go_send(&p, NBD_OPT_INFO, "", 0, NULL);
	offer_take(&p, NBD_OPT_INFO, &o);
	cr_assert_eq(o.end, NBD_REP_ERR_UNKNOWN);
	cr_assert_eq(
		nbds_export_add(w.server, "other", t_blkdev_dev(w.ram), NULL),
		-EEXIST);
}

Test(handshake, block_sizes_bind_only_who_asks)
{
	const uint16_t types[] = {NBD_INFO_NAME, 0x8000, NBD_INFO_BLOCK_SIZE,
		NBD_INFO_DESCRIPTION, NBD_INFO_BLOCK_SIZE};
	struct offer info, go;

	peer_hello(&p, &w, 3);
	go_send(&p, NBD_OPT_INFO, "disk", 0, NULL);
	offer_take(&p, NBD_OPT_INFO, &info);
	cr_assert_eq(info.min, 1);
	cr_assert_not(info.infos & 1u << NBD_INFO_NAME);

	go_send(&p, NBD_OPT_INFO, "disk", 5, types);
	offer_take(&p, NBD_OPT_INFO, &info);
	cr_assert_eq(info.min, 512);
	cr_assert_eq(info.preferred, 4096);
	cr_assert_eq(info.max, 32u << 20);
	cr_assert_str_eq(info.name, "disk");
	go_send(&p, NBD_OPT_GO, "disk", 5, types);
	offer_take(&p, NBD_OPT_GO, &go);
	cr_assert_arr_eq(&info, &go, sizeof go);
}

static struct offer offer_of(const struct t_blkdev_options *options)
{
	const uint16_t type = NBD_INFO_BLOCK_SIZE;
	struct world other;
	struct peer peer;
	struct offer o;

	world_init(&other, options);
	peer_hello(&peer, &other, 3);
	go_send(&peer, NBD_OPT_GO, "", 1, &type);
	offer_take(&peer, NBD_OPT_GO, &o);
	peer_close(&peer);
	world_fini(&other);
	return o;
}

Test(offer, follows_the_device)
{
	struct offer o = offer_of(&(struct t_blkdev_options){.size = DISK,
		.read_only = true,
		.rotational = true,
		.no_trim = true,
		.block_size = 4096,
		.optimal_io = 3 * 65536});

	cr_assert(o.flags & NBD_FLAG_READ_ONLY);
	cr_assert(o.flags & NBD_FLAG_ROTATIONAL);
	cr_assert_not(o.flags & NBD_FLAG_SEND_TRIM);
	cr_assert_not(o.flags & NBD_FLAG_SEND_DF);
	cr_assert(o.flags & NBD_FLAG_CAN_MULTI_CONN);
	cr_assert_eq(o.min, 4096);
	cr_assert_eq(o.preferred, 65536);

	o = offer_of(&(struct t_blkdev_options){
		.size = DISK, .optimal_io = 3 * 8192});
	cr_assert_eq(o.preferred, 16384);

	o = offer_of(&(struct t_blkdev_options){
		.size = DISK, .no_multi_conn = true});
	cr_assert_not(o.flags & NBD_FLAG_CAN_MULTI_CONN);
}

Test(handshake, structured_replies_may_be_asked_for_twice)
{
	struct offer o;

	peer_hello(&p, &w, 3);
	for (int i = 0; i < 2; i++) {
		option_send(&p, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
		cr_assert_eq(
			option_take(&p, NBD_OPT_STRUCTURED_REPLY, NULL, NULL),
			NBD_REP_ACK);
	}
	go_send(&p, NBD_OPT_INFO, "disk", 0, NULL);
	offer_take(&p, NBD_OPT_INFO, &o);
	cr_assert(o.flags & NBD_FLAG_SEND_DF);
}

Test(handshake, huge_option_ends_it)
{
	peer_hello(&p, &w, 3);
	peer_send(&p, BYTES("IHAVEOPT\0\0\0\3\377\377\377\377"));
	peer_expect_end(&p);
}

Test(handshake, largest_option_is_read_whole)
{
	static uint8_t data[65537];

	peer_hello(&p, &w, 3);
	option_send(&p, 77, data, 65536);
	cr_assert_eq(option_take(&p, 77, NULL, NULL), NBD_REP_ERR_UNSUP);
	option_send(&p, 78, NULL, 0);
	cr_assert_eq(option_take(&p, 78, NULL, NULL), NBD_REP_ERR_UNSUP);
	option_send(&p, 79, data, 65537);
	peer_expect_end(&p);
}

Test(handshake, option_bytes_are_bounded)
{
	static uint8_t data[65536];

	peer_hello(&p, &w, 3);
	for (int i = 0; i < 16; i++) {
		option_send(&p, 77, data, sizeof data);
		cr_assert_eq(
			option_take(&p, 77, NULL, NULL), NBD_REP_ERR_UNSUP);
	}
	option_send(&p, 77, "x", 1);
	peer_expect_end(&p);
}

Test(handshake, options_are_counted)
{
	peer_hello(&p, &w, 3);
	for (int i = 0; i < 64; i++) {
		option_send(&p, 77, NULL, 0);
		cr_assert_eq(
			option_take(&p, 77, NULL, NULL), NBD_REP_ERR_UNSUP);
	}
	option_send(&p, NBD_OPT_LIST, NULL, 0);
	peer_expect_end(&p);
}

Test(handshake, silent_client_is_cut_off)
{
	peer_hello(&p, &w, 3);
	world_run(&w, 9 * NS_PER_S);
	cr_assert_not(p.ended);
	peer_send(&p, "I", 1); /* a byte now and then does not help */
	world_run(&w, 11 * NS_PER_S / 10);
	peer_expect_end(&p);
	cr_assert_eq(nbds_server_clients(w.server), 0);
}

Test(handshake, waits_for_an_export)
{
	struct offer o;

	world_remove(&w, "disk", false);
	world_run(&w, NS_PER_MS);
	cr_assert_eq(w.removals, 1);
	peer_hello(&p, &w, 3);
	option_send(&p, NBD_OPT_LIST, NULL, 0); /* there is none: no wait */
	cr_assert_eq(option_take(&p, NBD_OPT_LIST, NULL, NULL), NBD_REP_ACK);
	go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
	world_run(&w, 2 * NS_PER_S);
	peer_expect_silence(&p);
	nbds_export_add(w.server, "disk", t_blkdev_dev(w.ram), NULL);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 9, 0, 0);
	cr_assert_eq(simple_take(&p, 9), 0);
}

Test(handshake, requests_may_follow_go_at_once)
{
	struct offer o;

	peer_hello(&p, &w, 3);
	go_send(&p, NBD_OPT_GO, "disk", 0, NULL);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 1, 0, 0);
	cmd_send(&p, 0, NBD_CMD_FLUSH, 2, 0, 0);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(simple_take(&p, 1), 0);
	cr_assert_eq(simple_take(&p, 2), 0);
}
