/* SPDX-License-Identifier: BSD-2-Clause */
/* Random unaligned requests, many at once, against a shadow of the disk. */
#include "bench.h"

#define SIZE  (64u * 1024)
#define SLOTS 8
#define SLOT  (SIZE / SLOTS)

/* Each request in flight stays in a slot of its own, but slots begin in the
 * middle of a block, so that neighbours share blocks and merge into them. */
static void one_round(
	struct bench *b, uint8_t *shadow, struct bench_req *r, unsigned slot)
{
	static const enum blk_op ops[] = {BLK_READ, BLK_WRITE, BLK_ZERO};
	uint32_t room = SLOT - (slot == SLOTS - 1 ? 100 : 0);
	uint32_t at = (uint32_t)rand() % (room - 1);
	uint32_t len = 1 + (uint32_t)rand() % (room - at);
	uint64_t offset = slot * SLOT + 100 + at;
	enum blk_op op = ops[rand() % 3];
	unsigned flags = rand() % 4 ? 0 : BLK_FUA;
	int fill = rand() % 255 + 1;

	if (slot == SLOTS - 1 && offset + len > SIZE)
		len = (uint32_t)(SIZE - offset);
	if (op == BLK_WRITE) {
		bench_write(b, r, flags, offset, len, fill);
		memset(shadow + offset, fill, len);
	} else {
		bench_submit(b, r, op, op == BLK_READ ? 0 : flags, offset, len);
		if (op == BLK_ZERO)
			memset(shadow + offset, 0, len);
	}
}

static void check(struct bench_req *r, const uint8_t *shadow)
{
	cr_assert_eq(r->done, 1);
	cr_assert_eq(r->err, 0);
	if (r->blk.op == BLK_READ)
		cr_assert_eq(
			memcmp(r->blk.data, shadow + r->blk.offset, r->blk.len),
			0);
	bench_req_fini(r);
}

static void storm(uint32_t block_size, bool deaths)
{
	struct t_lun_options o = bench_lun();
	static uint8_t shadow[SIZE];
	struct bench_req r[SLOTS];
	struct bench b;

	srand(block_size + deaths);
	memset(shadow, 0, sizeof shadow);
	o.block_size = block_size;
	o.blocks = SIZE / block_size;
	o.max_transfer = 3;
	bench_init(&b, 2, "round-robin", &o);
	bench_up(&b);
	for (int round = 0; round < 300; round++) {
		b.paths[0]->latency = (uint64_t)(rand() % 3) * MS;
		b.paths[1]->latency = (uint64_t)(rand() % 3) * MS;
		for (unsigned s = 0; s < SLOTS; s++)
			one_round(&b, shadow, &r[s], s);
		if (deaths && round % 5 == 0) {
			bench_run(&b, MS);
			if (b.paths[round % 2]->up)
				t_path_die(b.paths[round % 2], PATH_UNKNOWN,
					round % 3, "reset");
		}
		bench_run(&b, 2 * S);
		for (unsigned s = 0; s < SLOTS; s++)
			check(&r[s], shadow);
		cr_assert_eq(memcmp(b.lun->memory, shadow, SIZE), 0, "round %d",
			round);
	}
	bench_fini(&b);
}

Test(rmw, storm_512)
{
	storm(512, false);
}

Test(rmw, storm_4096)
{
	storm(4096, false);
}

Test(rmw, storm_with_dying_paths)
{
	storm(4096, true);
	storm(512, true);
}

/* Many small writes into one block: none may take another one's bytes along. */
Test(rmw, one_block_shared_by_many)
{
	struct t_lun_options o = bench_lun();
	struct bench_req r[64];
	struct bench b;

	o.block_size = 4096;
	o.blocks = 64;
	bench_init(&b, 2, "round-robin", &o);
	bench_up(&b);
	b.paths[0]->latency = MS;
	b.paths[1]->latency = 3 * MS;
	for (unsigned i = 0; i < 64; i++)
		bench_write(&b, &r[i], 0, i * 64, 64, (int)i + 1);
	bench_run(&b, 10 * S);
	for (unsigned i = 0; i < 64; i++) {
		bench_req_fini(&r[i]);
		cr_assert_eq(b.lun->memory[i * 64 + 63], i + 1);
	}
	bench_fini(&b);
}

Test(rmw, an_aligned_write_waits_for_the_merge)
{
	struct bench b;
	struct bench_req part, whole;

	bench_init(&b, 1, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_write(&b, &part, 0, 10, 10, 'p');
	bench_write(&b, &whole, 0, 0, 512, 'W');
	cr_assert_eq(b.paths[0]->open, 1);
	t_path_go(b.paths[0]);
	bench_run(&b, MS);
	bench_req_fini(&part);
	bench_req_fini(&whole);
	cr_assert_eq(b.lun->memory[15], 'W');
	bench_fini(&b);
}

/* What a merge only reads can undo nothing. */
Test(rmw, what_it_reads_is_not_fenced)
{
	struct bench b;
	struct bench_req r;

	bench_init(&b, 2, "failover", NULL);
	bench_up(&b);
	b.paths[0]->hold = true;
	bench_write(&b, &r, 0, 10, 10, 'p');
	bench_run(&b, MS);
	bench_die(&b, 0);
	bench_run(&b, S);
	bench_req_fini(&r);
	cr_assert_eq(r.err, 0);
	cr_assert_not(bench_heard(&b, "fenced"));
	bench_fini(&b);
}
