/* SPDX-License-Identifier: BSD-2-Clause */
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
	world_init(&w, NULL);
}

static void teardown(void)
{
	peer_close(&p);
	world_fini(&w);
}

TestSuite(request, .init = setup, .fini = teardown);

#define FUA  NBD_CMD_FLAG_FUA
#define HOLE NBD_CMD_FLAG_NO_HOLE
#define DF   NBD_CMD_FLAG_DF
#define FAST NBD_CMD_FLAG_FAST_ZERO
#define G4   0xffffffffu

/* What a request is answered with, structured replies or not. */
static const struct row {
	unsigned flags, type;
	uint64_t offset;
	uint32_t len, error;
} rows[] = {
	{0, NBD_CMD_READ, 0, DISK + 1, NBD_EINVAL},
	{0, NBD_CMD_READ, DISK, 1, NBD_EINVAL},
	{0, NBD_CMD_READ, DISK - 1, 2, NBD_EINVAL},
	{0, NBD_CMD_READ, UINT64_MAX, 2, NBD_EINVAL},
	{0, NBD_CMD_READ, UINT64_MAX - 510, 511, NBD_EINVAL},
	{0, NBD_CMD_READ, 0, (64u << 20) + 1, NBD_EINVAL},
	{0, NBD_CMD_READ, 0, G4, NBD_EINVAL},
	{0, NBD_CMD_READ, DISK, 0, 0},
	{0, NBD_CMD_READ, DISK + 1, 0, NBD_EINVAL},
	{HOLE, NBD_CMD_READ, 0, 512, NBD_EINVAL},
	{1u << 3, NBD_CMD_READ, 0, 512, NBD_EINVAL},
	{0, NBD_CMD_WRITE, DISK, 1, NBD_ENOSPC},
	{0, NBD_CMD_WRITE, DISK - 511, 512, NBD_ENOSPC},
	{FUA, NBD_CMD_WRITE, UINT64_MAX - 3, 512, NBD_ENOSPC},
	{DF, NBD_CMD_WRITE, 0, 512, NBD_EINVAL},
	{1u << 15, NBD_CMD_WRITE, 0, 70000, NBD_EINVAL},
	{0, NBD_CMD_WRITE, 0, 0, 0},
	{0, NBD_CMD_WRITE, 7, 513, 0},
	{FUA, NBD_CMD_WRITE, 0, 512, 0},
	{0, NBD_CMD_WRITE, 0, 262144, 0},
	{0, NBD_CMD_FLUSH, 0, 0, 0},
	{FUA, NBD_CMD_FLUSH, 0, 0, 0},
	{0, NBD_CMD_FLUSH, 0, 512, NBD_EINVAL},
	{0, NBD_CMD_FLUSH, 512, 0, NBD_EINVAL},
	{HOLE, NBD_CMD_FLUSH, 0, 0, NBD_EINVAL},
	{0, NBD_CMD_TRIM, 0, DISK, 0},
	{FUA, NBD_CMD_TRIM, 3, 5, 0},
	{0, NBD_CMD_TRIM, 0, G4, NBD_EINVAL},
	{FAST, NBD_CMD_TRIM, 0, 512, NBD_EINVAL},
	{0, NBD_CMD_CACHE, 0, DISK, 0},
	{FUA, NBD_CMD_CACHE, 0, 512, 0},
	{0, NBD_CMD_CACHE, DISK, 1, NBD_EINVAL},
	{0, NBD_CMD_WRITE_ZEROES, 0, DISK, 0},
	{FUA | HOLE | FAST, NBD_CMD_WRITE_ZEROES, 1, 4096, 0},
	{0, NBD_CMD_WRITE_ZEROES, 512, DISK, NBD_ENOSPC},
	{0, NBD_CMD_WRITE_ZEROES, 0, G4, NBD_ENOSPC},
	{DF, NBD_CMD_WRITE_ZEROES, 0, 512, NBD_EINVAL},
	{0, NBD_CMD_BLOCK_STATUS, 0, 512, NBD_EINVAL},
	{0, 8, 0, 512, NBD_EINVAL},
	{0, 0xffff, UINT64_MAX, G4, NBD_EINVAL},
};

static void send_row(const struct row *r, uint64_t cookie)
{
	static uint8_t payload[262144];

	memset(payload, 0xa5, sizeof payload);
	cmd_send(&p, r->flags, r->type, cookie, r->offset, r->len);
	if (r->type == NBD_CMD_WRITE)
		peer_send(&p, payload, r->len);
}

/* Requests that the device has seen. */
static uint64_t device_ops(void)
{
	const struct t_blkdev_counts *c = t_blkdev_counts(w.ram);
	uint64_t sum = 0;

	for (int op = BLK_READ; op < BLK_OPS; op++)
		sum += c->ops[op];
	return sum;
}

#define NROWS (sizeof rows / sizeof *rows)

Test(request, every_row_in_simple_replies)
{
	peer_go(&p, &w, false);
	for (size_t i = 0; i < NROWS; i++) {
		uint64_t before = device_ops();
		uint32_t error;

		send_row(&rows[i], i);
		error = simple_take(&p, i);
		cr_assert_eq(error, rows[i].error, "row %zu: %u", i, error);
		cr_assert(!error || device_ops() == before,
			"row %zu went to the device", i);
	}
	peer_expect_silence(&p);
	cr_assert_eq(buf_pool_used(loop_pool(w.loop)), 0);
}

Test(request, every_row_in_structured_replies)
{
	peer_go(&p, &w, true);
	for (size_t i = 0; i < NROWS; i++) {
		char text[128] = "";
		uint32_t error;

		if (rows[i].type == NBD_CMD_READ && !rows[i].error)
			continue;
		send_row(&rows[i], i);
		if (!rows[i].error) {
			cr_assert_eq(simple_take(&p, i), 0, "row %zu", i);
			continue;
		}
		error = error_take(&p, i, text, sizeof text);
		cr_assert_eq(error, rows[i].error, "row %zu: %u", i, error);
		cr_assert_gt(strlen(text), 0);
	}
	peer_expect_silence(&p);
}

Test(request, every_row_byte_by_byte_and_all_at_once)
{
	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	w.wire->way[T_OUT].chunk = 5;
	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].len <= 4096)
			send_row(&rows[i], i);
	world_run(&w, NS_PER_S);
	t_blkdev_hold(w.ram, false);
	world_run(&w, NS_PER_S);
	w.wire->way[T_OUT].chunk = 0;
	cmd_send(&p, 0, NBD_CMD_DISC, 0, 0, 0);
	cr_assert_gt(p.len, 16 * NROWS / 2);
	peer_take(&p, NULL, p.len);
	peer_expect_end(&p);
}

Test(request, df_needs_structured_replies)
{
	peer_go(&p, &w, false);
	cmd_send(&p, DF, NBD_CMD_READ, 1, 0, 512);
	cr_assert_eq(simple_take(&p, 1), NBD_EINVAL);
}

Test(request, structured_read_is_one_chunk)
{
	static const char want[] = "\x66\x8e\x33\xef\0\1\0\1________\0\0\0\x0c"
				   "\0\0\0\0\0\0\1\0ABCD";

	memcpy(t_blkdev_data(w.ram) + 256, "ABCD", 4);
	peer_go(&p, &w, true);
	cmd_send(&p, DF | FUA, NBD_CMD_READ, 0x5f5f5f5f5f5f5f5f, 256, 4);
	peer_expect(&p, want, sizeof want - 1);
	cmd_send(&p, 0, NBD_CMD_READ, 0x5f5f5f5f5f5f5f5f, 256, 0);
	peer_expect(&p, "\x66\x8e\x33\xef\0\1\0\0________\0\0\0\0", 20);
}

Test(request, error_of_the_device)
{
	static const struct {
		int err;
		uint32_t wire;
	} errors[] = {
		{-EIO, NBD_EIO},
		{-EPERM, NBD_EPERM},
		{-ENOMEM, NBD_ENOMEM},
		{-EINVAL, NBD_EINVAL},
		{-ENOSPC, NBD_ENOSPC},
		{-ESHUTDOWN, NBD_ESHUTDOWN},
		{-ENOTSUP, NBD_EIO}, /* not asked to be fast */
		{-ETIMEDOUT, NBD_EIO},
		{-ENODEV, NBD_EIO},
	};

	peer_go(&p, &w, false);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		t_blkdev_heal(w.ram);
		t_blkdev_fail(w.ram, BLK_READ, 4096, 1, errors[i].err);
		cmd_send(&p, 0, NBD_CMD_READ, i, 4000, 200);
		cr_assert_eq(simple_take(&p, i), errors[i].wire, "row %zu", i);
	}
	peer_expect_silence(&p); /* no data follows an error */
}

Test(request, fast_zero_that_cannot_be)
{
	peer_go(&p, &w, true);
	t_blkdev_fail(w.ram, BLK_ZERO, 0, 0, -ENOTSUP);
	cmd_send(&p, FAST, NBD_CMD_WRITE_ZEROES, 1, 0, 4096);
	cr_assert_eq(error_take(&p, 1, NULL, 0), NBD_ENOTSUP);
}

Test(request, flags_reach_the_device)
{
	const struct t_blkdev_counts *c = t_blkdev_counts(w.ram);

	peer_go(&p, &w, false);
	cmd_send(&p, FUA | HOLE | FAST, NBD_CMD_WRITE_ZEROES, 1, 0, 512);
	cr_assert_eq(simple_take(&p, 1), 0);
	cr_assert(c->fua == 1 && c->no_hole == 1 && c->fast_zero == 1);
	cmd_send(&p, FUA, NBD_CMD_TRIM, 2, 0, 512);
	cr_assert_eq(simple_take(&p, 2), 0);
	cmd_send(&p, FUA, NBD_CMD_WRITE, 3, 0, 1);
	peer_send(&p, "x", 1);
	cr_assert_eq(simple_take(&p, 3), 0);
	cr_assert_eq(c->fua, 3);
	cmd_send(&p, FUA, NBD_CMD_FLUSH, 4, 0, 0);
	cr_assert_eq(simple_take(&p, 4), 0);
	cr_assert_eq(c->ops[BLK_FLUSH], 1);
	cr_assert_eq(c->fua, 3);
	cmd_send(&p, 0, NBD_CMD_CACHE, 5, 0, 512);
	cr_assert_eq(simple_take(&p, 5), 0);
	cr_assert_eq(c->ops[BLK_READ], 0);
}

Test(request, replies_in_the_device_s_order)
{
	const uint64_t same = 7; /* cookies need not differ */

	peer_go(&p, &w, false);
	t_blkdev_hold(w.ram, true);
	memcpy(t_blkdev_data(w.ram), "abc", 3);
	t_blkdev_fail(w.ram, BLK_READ, 2, 1, -EIO);
	for (uint64_t i = 0; i < 3; i++)
		cmd_send(&p, 0, NBD_CMD_READ, same, i, 1);
	cmd_send(&p, 0, NBD_CMD_READ, 8, DISK, 1);
	cr_assert_eq(simple_take(&p, 8), NBD_EINVAL); /* overtakes */
	t_blkdev_release(w.ram, 2);
	cr_assert_eq(simple_take(&p, same), 0);
	peer_expect(&p, "a", 1);
	cr_assert_eq(simple_take(&p, same), 0);
	peer_expect(&p, "b", 1);
	peer_expect_silence(&p);
	t_blkdev_hold(w.ram, false);
	cr_assert_eq(simple_take(&p, same), NBD_EIO);
}

Test(request_payload, of_the_largest_size)
{
	const struct t_blkdev_options big = {.size = 64u << 20};
	uint8_t *data = malloc(NBD_PAYLOAD_MAX);

	world_init(&w, &big);
	peer_go(&p, &w, false);
	for (uint32_t i = 0; i < NBD_PAYLOAD_MAX; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	cmd_send(&p, 0, NBD_CMD_WRITE, 1, 3, NBD_PAYLOAD_MAX);
	for (uint32_t i = 0; i < NBD_PAYLOAD_MAX; i += 1u << 20)
		peer_send(&p, data + i, 1u << 20);
	cr_assert_eq(simple_take(&p, 1), 0);
	cmd_send(&p, 0, NBD_CMD_READ, 2, 3, NBD_PAYLOAD_MAX);
	cr_assert_eq(simple_take(&p, 2), 0);
	peer_expect(&p, data, NBD_PAYLOAD_MAX);
	cmd_send(&p, 0, NBD_CMD_READ, 3, 0, NBD_PAYLOAD_MAX + 1);
	cr_assert_eq(simple_take(&p, 3), NBD_EINVAL);
	cmd_send(&p, 0, NBD_CMD_WRITE, 4, 0, NBD_PAYLOAD_MAX + 1);
	peer_expect_end(&p);
	peer_close(&p);
	world_fini(&w);
	free(data);
}

Test(request, wrong_magic_ends_it)
{
	peer_go(&p, &w, false);
	peer_send(&p, "\x25\x60\x95\x14........................", 28);
	peer_expect_end(&p);
}

Test(request_read_only, is_refused_what_writes)
{
	static const unsigned writes[] = {
		NBD_CMD_WRITE, NBD_CMD_TRIM, NBD_CMD_WRITE_ZEROES};
	const struct t_blkdev_options ro = {.size = DISK, .read_only = true};

	world_init(&w, &ro);
	peer_go(&p, &w, false);
	for (size_t i = 0; i < 3; i++) {
		cmd_send(&p, 0, writes[i], i, 0, 4);
		if (writes[i] == NBD_CMD_WRITE)
			peer_send(&p, "data", 4);
		cr_assert_eq(simple_take(&p, i), NBD_EPERM);
	}
	cmd_send(&p, 0, NBD_CMD_FLUSH, 9, 0, 0);
	cr_assert_eq(simple_take(&p, 9), 0);
	peer_close(&p);
	world_fini(&w);
}

Test(request, size_is_that_of_the_choice)
{
	t_blkdev_resize(w.ram, DISK / 2);
	peer_go(&p, &w, false);
	t_blkdev_resize(w.ram, DISK);
	cmd_send(&p, 0, NBD_CMD_WRITE_ZEROES, 1, DISK / 2, 512);
	cr_assert_eq(simple_take(&p, 1), NBD_ENOSPC);
}
