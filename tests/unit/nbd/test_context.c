/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata contexts and BLOCK_STATUS. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>

#include "t_nbd.h"

static struct world w;
static struct peer p;

static void setup(void)
{
	world_init(&w,
		&(struct t_blkdev_options){.size = DISK, .unallocated = true});
}

static void teardown(void)
{
	peer_close(&p);
	world_fini(&w);
}

TestSuite(context, .init = setup, .fini = teardown);

#define HOLE (NBD_STATE_HOLE | NBD_STATE_ZERO)
#define SET  NBD_OPT_SET_META_CONTEXT
#define LS   NBD_OPT_LIST_META_CONTEXT

static void hello(bool structured)
{
	peer_hello(&p, &w, 3);
	if (!structured)
		return;
	option_send(&p, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	cr_assert_eq(option_take(&p, NBD_OPT_STRUCTURED_REPLY, NULL, NULL),
		NBD_REP_ACK);
}

static uint32_t ask(uint32_t option, const char *name, const char *a,
	const char *b, uint32_t *id)
{
	const char *const queries[] = {a, b, NULL};

	context_send(&p, option, name, queries);
	return context_take(&p, option, id);
}

static void go(const char *name)
{
	struct offer o;

	go_send(&p, NBD_OPT_GO, name, 0, NULL);
	offer_take(&p, NBD_OPT_GO, &o);
	cr_assert_eq(o.end, NBD_REP_ACK);
}

Test(context, queries)
{
	static const struct {
		uint32_t option;
		const char *name, *a, *b;
		uint32_t want;
	} rows[] = {
		{LS, "disk", NULL, NULL, 1},
		{LS, "disk", "base:", NULL, 1},
		{LS, "disk", "base:allocation", "base:", 1},
		{LS, "disk", "base:alloc", NULL, 0},
		{LS, "disk", "qemu:", NULL, 0},
		{LS, "", "base:allocation", NULL, 1},
		{LS, "none", NULL, NULL, NBD_REP_ERR_UNKNOWN},
		{SET, "disk", "base:allocation", NULL, 1},
		{SET, "disk", "base:allocation", "base:allocation", 1},
		{SET, "disk", "qemu:dirty-bitmap:x", "base:allocation", 1},
		{SET, "disk", "base:", NULL, 0},
		{SET, "disk", NULL, NULL, 0},
		{SET, "disk", "", "base:allocation2", 0},
		{SET, "disk", "%n%s", NULL, 0},
		{SET, "none", "base:allocation", NULL, NBD_REP_ERR_UNKNOWN},
	};
	uint32_t id = 7;

	hello(true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t got = ask(rows[i].option, rows[i].name, rows[i].a,
			rows[i].b, &id);

		cr_assert_eq(got, rows[i].want, "row %zu: %x", i, got);
		if (got == 1)
			cr_assert_eq(id, rows[i].option == SET ? 1 : 0);
	}
	peer_expect_silence(&p);
}

#define BYTES(s) s, sizeof(s) - 1

Test(context, lengths_that_do_not_add_up)
{
	static const struct {
		const char *data;
		size_t len;
		uint32_t error;
	} rows[] = {
		{NULL, 0, NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk"), NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0"), NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\1"), NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\0\0"), NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\1\0\0\0\5base"),
			NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\1\377\377\377\377base:"),
			NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\1\0\0\0\17base:allocationmore"),
			NBD_REP_ERR_INVALID},
		{BYTES("\377\377\377\377disk\0\0\0\0"), NBD_REP_ERR_INVALID},
		{BYTES("\0\0\0\4disk\0\0\0\101"), NBD_REP_ERR_TOO_BIG},
		{BYTES("\0\0\0\4disk\0\20\0\0"), NBD_REP_ERR_TOO_BIG},
		{BYTES("\0\0\0\4disk\377\377\377\377"), NBD_REP_ERR_TOO_BIG},
	};

	hello(true);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (uint32_t option = LS; option <= SET; option++) {
			uint32_t type;

			option_send(&p, option, rows[i].data, rows[i].len);
			type = option_take(&p, option, NULL, NULL);
			cr_assert_eq(
				type, rows[i].error, "row %zu: %x", i, type);
		}
	}
	peer_expect_silence(&p);
}

Test(context, needs_structured_replies)
{
	hello(false);
	cr_assert_eq(ask(SET, "disk", "base:allocation", NULL, NULL),
		NBD_REP_ERR_INVALID);
	go("disk");
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, 512);
	cr_assert_eq(simple_take(&p, 1), NBD_EINVAL);
}

/* The last word counts, also one that was refused or is for another name. */
Test(context, each_set_takes_the_place_of_the_last)
{
	hello(true);
	cr_assert_eq(ask(SET, "disk", "base:allocation", NULL, NULL), 1);
	cr_assert_eq(ask(SET, "none", "base:allocation", NULL, NULL),
		NBD_REP_ERR_UNKNOWN);
	go("disk");
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, 512);
	cr_assert_eq(error_take(&p, 1, NULL, 0), NBD_EINVAL);
}

Test(context, is_bound_to_the_name)
{
	hello(true);
	cr_assert_eq(ask(SET, "", "base:allocation", NULL, NULL), 1);
	go("disk");
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, 512);
	cr_assert_eq(error_take(&p, 1, NULL, 0), NBD_EINVAL);
}

Test(context, export_name_uses_it_too)
{
	hello(true);
	cr_assert_eq(ask(SET, "disk", "base:allocation", NULL, NULL), 1);
	option_send(&p, NBD_OPT_EXPORT_NAME, "disk", 4);
	peer_take(&p, NULL, NBD_EXPORT_REPLY_LEN);
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, 512);
	uint32_t x[1][2];
	cr_assert_eq(status_take(&p, 1, x, 1), 1);
	cr_assert_eq(x[0][0], 512);
}

static void write_at(uint64_t offset, uint32_t len)
{
	static uint8_t payload[65536];

	cmd_send(&p, 0, NBD_CMD_WRITE, 99, offset, len);
	peer_send(&p, payload, len);
	cr_assert_eq(simple_take(&p, 99), 0);
}

Test(context, extents)
{
	uint32_t x[4096][2];

	peer_go_status(&p, &w);
	write_at(8192, 4096);
	cmd_send(
		&p, NBD_CMD_FLAG_NO_HOLE, NBD_CMD_WRITE_ZEROES, 98, 16384, 512);
	cr_assert_eq(simple_take(&p, 98), 0);

	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, DISK);
	cr_assert_eq(status_take(&p, 1, x, 4096), 5);
	cr_assert_eq(x[0][0], 8192);
	cr_assert_eq(x[0][1], HOLE);
	cr_assert_eq(x[1][0], 4096);
	cr_assert_eq(x[1][1], 0);
	cr_assert_eq(x[2][0], 4096);
	cr_assert_eq(x[2][1], HOLE);
	cr_assert_eq(x[3][0], 512);
	cr_assert_eq(x[3][1], NBD_STATE_ZERO);
	cr_assert_eq(x[4][0], DISK - 16896);

	cmd_send(&p, NBD_CMD_FLAG_REQ_ONE, NBD_CMD_BLOCK_STATUS, 2, 100, 8200);
	cr_assert_eq(status_take(&p, 2, x, 1), 1);
	cr_assert_eq(x[0][0], 8092);
	cmd_send(&p, NBD_CMD_FLAG_REQ_ONE, NBD_CMD_BLOCK_STATUS, 3, 8192, 512);
	cr_assert_eq(status_take(&p, 3, x, 1), 1);
	cr_assert_eq(x[0][0], 512);
	cr_assert_eq(x[0][1], 0);
	/* FUA may come with anything. */
	cmd_send(&p, NBD_CMD_FLAG_FUA, NBD_CMD_BLOCK_STATUS, 4, DISK - 1, 1);
	cr_assert_eq(status_take(&p, 4, x, 1), 1);
}

Test(context, requests_that_are_refused)
{
	static const struct {
		unsigned flags;
		uint64_t offset;
		uint32_t len;
	} rows[] = {
		{0, 0, 0},
		{0, DISK, 1},
		{0, 0, DISK + 1},
		{0, 0, 0xffffffff},
		{NBD_CMD_FLAG_REQ_ONE, UINT64_MAX, 2},
		{NBD_CMD_FLAG_DF, 0, 512},
		{NBD_CMD_FLAG_NO_HOLE, 0, 512},
	};

	peer_go_status(&p, &w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cmd_send(&p, rows[i].flags, NBD_CMD_BLOCK_STATUS, i,
			rows[i].offset, rows[i].len);
		cr_assert_eq(
			error_take(&p, i, NULL, 0), NBD_EINVAL, "row %zu", i);
	}
	cmd_send(&p, NBD_CMD_FLAG_REQ_ONE, NBD_CMD_READ, 9, 0, 512);
	cr_assert_eq(error_take(&p, 9, NULL, 0), NBD_EINVAL);
}

/* A device in crumbs: what there is no room for is asked for again. */
Test(context, extents_are_bounded)
{
	static uint32_t x[4096][2];
	uint64_t sum = 0;

	peer_go_status(&p, &w);
	for (uint64_t at = 0; at < DISK; at += 1024)
		cmd_send(&p, NBD_CMD_FLAG_NO_HOLE, NBD_CMD_WRITE_ZEROES, 5, at,
			512);
	for (uint64_t at = 0; at < DISK; at += 1024)
		cr_assert_eq(simple_take(&p, 5), 0);
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, DISK);
	cr_assert_eq(status_take(&p, 1, x, 4096), 1024);
	for (unsigned i = 0; i < 1024; i++) {
		cr_assert_eq(x[i][1], i % 2 ? HOLE : NBD_STATE_ZERO);
		sum += x[i][0];
	}
	cr_assert_eq(sum, DISK / 2);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
}

Test(context, error_of_the_device_is_a_chunk)
{
	peer_go_status(&p, &w);
	t_blkdev_fail(w.ram, BLK_STATUS, 0, 0, -ESHUTDOWN);
	cmd_send(&p, 0, NBD_CMD_BLOCK_STATUS, 1, 0, 512);
	cr_assert_eq(error_take(&p, 1, NULL, 0), NBD_ESHUTDOWN);
}

Test(context, description_is_given_to_who_asks)
{
	uint16_t type = NBD_INFO_DESCRIPTION;
	struct offer o;

	hello(false);
	go_send(&p, NBD_OPT_INFO, "disk", 1, &type);
	offer_take(&p, NBD_OPT_INFO, &o);
	cr_assert(o.infos & 1u << NBD_INFO_DESCRIPTION);
	cr_assert_str_eq(o.description, "umpio device ram, 512-byte blocks");
	go_send(&p, NBD_OPT_INFO, "disk", 0, NULL);
	offer_take(&p, NBD_OPT_INFO, &o);
	cr_assert_not(o.infos & 1u << NBD_INFO_DESCRIPTION);
}

/* While the only export is taken away, everything but ABORT gets ERR_SHUTDOWN.
 */
Test(context, options_while_shutting_down)
{
	static const uint32_t options[] = {NBD_OPT_LIST, NBD_OPT_INFO, LS, SET,
		NBD_OPT_STRUCTURED_REPLY, NBD_OPT_STARTTLS, 77};
	struct peer busy;

	peer_go(&busy, &w, false);
	hello(false);
	t_blkdev_hold(w.ram, true);
	cmd_send(&busy, 0, NBD_CMD_READ, 1, 0, 512);
	world_remove(&w, "disk", false);
	world_run(&w, NS_PER_MS);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		option_send(&p, options[i], NULL, 0);
		cr_assert_eq(option_take(&p, options[i], NULL, NULL),
			NBD_REP_ERR_SHUTDOWN, "option %u", options[i]);
	}
	option_send(&p, NBD_OPT_ABORT, NULL, 0);
	cr_assert_eq(option_take(&p, NBD_OPT_ABORT, NULL, NULL), NBD_REP_ACK);
	t_blkdev_hold(w.ram, false);
	peer_close(&busy);
}
