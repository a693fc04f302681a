/* SPDX-License-Identifier: BSD-2-Clause */
/* A router over RAM disks on loops with threads of their own: a client on each
 * loop writes where no other does, reads that back, flushes, and all meet the
 * growth of the device. For the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>
#include <umpio/router.h>

#include "tests/lib/t_blkdev.h"

#define QUEUES 3
#define MIB    ((uint64_t)1 << 20)
#define SIZE   (24 * MIB)
#define SLOTS  8    /* requests of a client under way */
#define ROUNDS 3000 /* of a client */
#define LEN    (192u << 10)

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond);      \
			exit(1);                                               \
		}                                                              \
	} while (0)

struct client;

/* Has a stretch of its own: writes it, reads it back. */
struct slot {
	struct blk_req req;
	struct client *client;
	uint64_t offset;
	uint32_t len, stamp;
	bool written;
	uint8_t *got;
};

struct client {
	struct loop *loop;
	pthread_t thread;
	struct t_blkdev *disk;
	unsigned number, rounds, busy;
	uint64_t losses;
	uint32_t seed;
	struct slot slots[SLOTS];
	struct loop_task open, begin, fence, close;
};

static struct client clients[QUEUES];
static struct router *router;
static struct blk_info infos[QUEUES];
static atomic_uint arrived;

static uint32_t chance(struct client *c)
{
	c->seed = c->seed * 1664525u + 1013904223u;
	return c->seed >> 8;
}

static void go(struct slot *s);

static void on_done(struct blk_req *req, int err)
{
	struct slot *s = req->arg;
	struct client *c = s->client;
	uint32_t word;

	CHECK(err == 0);
	if (req->op == BLK_WRITE)
		s->written = true;
	if (req->op == BLK_READ) {
		for (uint32_t i = 0; i < s->len; i += 4) {
			memcpy(&word, s->got + i, 4);
			CHECK(word == s->stamp + i);
		}
		s->written = false;
	}
	if (c->rounds++ < ROUNDS)
		go(s);
	else if (--c->busy == 0)
		atomic_fetch_add(&arrived, 1);
}

static void write_slot(struct slot *s)
{
	struct client *c = s->client;
	struct buf *buf;

	s->offset = ((uint64_t)(c->number * SLOTS + (s - c->slots)) *
				    (SIZE / 2 / (QUEUES * SLOTS)) +
			    chance(c) % 4096) &
		    ~(uint64_t)3;
	s->len = (4 + chance(c) % LEN) & ~3u;
	s->stamp = chance(c);
	buf = buf_get(loop_pool(c->loop), s->len);
	CHECK(buf);
	for (uint32_t i = 0; i < s->len; i += 4) {
		uint32_t word = s->stamp + i;

		memcpy(buf->data + i, &word, 4);
	}
	s->req.op = BLK_WRITE;
	s->req.buf = buf;
	s->req.data = buf->data;
}

static void go(struct slot *s)
{
	struct client *c = s->client;

	s->req = (struct blk_req){.done = on_done, .arg = s};
	if (chance(c) % 8 == 0) {
		s->req.op = BLK_FLUSH;
		s->req.losses = &c->losses;
	} else if (s->written) {
		s->req.op = BLK_READ;
		s->req.data = s->got;
	} else {
		write_slot(s);
	}
	if (s->req.op != BLK_FLUSH) {
		s->req.offset = s->offset;
		s->req.len = s->len;
	}
	blkdev_submit(router_blkdev(router, c->number), &s->req);
}

static void on_open(void *arg)
{
	struct client *c = arg;

	router_open(router, c->number, t_blkdev_dev(c->disk), infos);
	atomic_fetch_add(&arrived, 1);
}

static void on_begin(void *arg)
{
	struct client *c = arg;

	t_blkdev_resize(c->disk, SIZE);
	c->busy = SLOTS;
	for (unsigned i = 0; i < SLOTS; i++)
		go(&c->slots[i]);
}

static void on_close(void *arg)
{
	struct client *c = arg;
	struct blk_info info;

	blkdev_info(router_blkdev(router, c->number), &info);
	CHECK(info.size == SIZE);
	router_close(router, c->number);
	atomic_fetch_add(&arrived, 1);
}

static void on_fence(void *arg)
{
	(void)arg;
	atomic_fetch_add(&arrived, 1);
}

static void *run(void *arg)
{
	loop_run(((struct client *)arg)->loop);
	return NULL;
}

static void client_init(struct client *c, unsigned number)
{
	struct t_blkdev_options options = {
		.size = SIZE, .reverse = number == 1};

	c->number = number;
	c->seed = number + 1;
	c->loop = loop_new();
	c->disk = t_blkdev_new(c->loop, &options);
	CHECK(c->loop && c->disk);
	t_blkdev_resize(c->disk, SIZE / 2);
	blkdev_info(t_blkdev_dev(c->disk), &infos[number]);
	loop_task_init(&c->open, on_open, c);
	loop_task_init(&c->begin, on_begin, c);
	loop_task_init(&c->fence, on_fence, c);
	loop_task_init(&c->close, on_close, c);
	for (unsigned i = 0; i < SLOTS; i++) {
		c->slots[i].client = c;
		c->slots[i].got = malloc(LEN + 8);
		CHECK(c->slots[i].got);
	}
}

/* All loops do it, and then it goes on. */
static void everywhere(size_t task)
{
	atomic_store(&arrived, 0);
	for (unsigned i = 0; i < QUEUES; i++)
		loop_send(clients[i].loop,
			(struct loop_task *)((char *)&clients[i] + task));
	while (atomic_load(&arrived) < QUEUES)
		sched_yield();
}

int main(void)
{
	struct loop *loops[QUEUES];

	for (unsigned i = 0; i < QUEUES; i++) {
		client_init(&clients[i], i);
		loops[i] = clients[i].loop;
	}
	router = router_new("db0", QUEUES, loops);
	CHECK(router);
	for (unsigned i = 0; i < QUEUES; i++)
		CHECK(pthread_create(
			      &clients[i].thread, NULL, run, &clients[i]) == 0);
	everywhere(offsetof(struct client, open));
	everywhere(offsetof(struct client, begin));
	everywhere(offsetof(struct client, fence));
	everywhere(offsetof(struct client, close));
	everywhere(offsetof(struct client, fence));
	router_free(router);
	for (unsigned i = 0; i < QUEUES; i++) {
		loop_stop(clients[i].loop);
		pthread_join(clients[i].thread, NULL);
		t_blkdev_free(clients[i].disk);
		loop_free(clients[i].loop);
		for (unsigned s = 0; s < SLOTS; s++)
			free(clients[i].slots[s].got);
	}
	puts("ok");
	return 0;
}
