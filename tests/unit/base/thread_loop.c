/* SPDX-License-Identifier: BSD-2-Clause */
/* Two threads send tasks to a loop, log, and look names up on it, all at once;
 * in the end one stops it. For the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/base/crc32c.h>
#include <umpio/base/log.h>
#include <umpio/loop.h>
#include <umpio/stream.h>
#include <unistd.h>

#define TASKS   64
#define SENDS   20000
#define SENDERS 2

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond);      \
			exit(1);                                               \
		}                                                              \
	} while (0)

struct slot {
	struct loop_task task;
	atomic_bool busy;
};

struct sender {
	pthread_t thread;
	struct loop *loop;
	struct slot slot[TASKS];
	unsigned ran; /* the loop's thread alone writes it */
};

static struct sender senders[SENDERS];
static atomic_uint finished;

/* One sender a slot array, so that `arg` says both. */
static void on_task(void *arg)
{
	struct slot *slot = arg;

	for (unsigned i = 0; i < SENDERS; i++)
		if (slot >= senders[i].slot && slot < senders[i].slot + TASKS)
			senders[i].ran++;
	atomic_store(&slot->busy, false);
}

static void *send_tasks(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < SENDS; i++) {
		struct slot *slot = &s->slot[i % TASKS];

		while (atomic_load(&slot->busy))
			sched_yield();
		atomic_store(&slot->busy, true);
		loop_send(s->loop, &slot->task);
		if (i % 1000 == 0)
			log_info("sent %u, %08x", i, crc32c_table(0, &i, 4));
	}
	for (unsigned i = 0; i < TASKS; i++)
		while (atomic_load(&s->slot[i].busy))
			sched_yield();
	if (atomic_fetch_add(&finished, 1) == SENDERS - 1)
		loop_stop(s->loop);
	return NULL;
}

static void on_resolved(void *arg, const struct addr *addrs, int n, int err)
{
	(void)addrs, (void)n, (void)err;
	++*(unsigned *)arg;
}

static void look_up(struct loop *loop, unsigned *answers)
{
	const struct endpoint ep = {.host = "localhost", .port = 1};

	for (unsigned i = 0; i < 4; i++) {
		stream_resolve(loop, &ep, on_resolved, answers);
		stream_resolve_cancel(
			stream_resolve(loop, &ep, on_resolved, answers));
	}
}

static void run(void)
{
	struct loop *loop = loop_new();
	unsigned answers = 0;

	CHECK(loop);
	atomic_store(&finished, 0);
	look_up(loop, &answers);
	for (unsigned i = 0; i < SENDERS; i++) {
		struct sender *s = &senders[i];

		s->loop = loop;
		s->ran = 0;
		for (unsigned j = 0; j < TASKS; j++)
			loop_task_init(&s->slot[j].task, on_task, &s->slot[j]);
		CHECK(pthread_create(&s->thread, NULL, send_tasks, s) == 0);
	}
	loop_run(loop);
	for (unsigned i = 0; i < SENDERS; i++) {
		CHECK(pthread_join(senders[i].thread, NULL) == 0);
		CHECK(senders[i].ran == SENDS);
	}
	CHECK(answers <= 4);
	/* Look-ups that are not back yet: given up with the loop's owner. */
	while (answers < 4) {
		struct loop_timer *t;

		t = loop_timer_new(loop, (loop_fn *)loop_stop, loop);
		loop_timer_set(t, 10000000);
		loop_run(loop);
		loop_timer_free(t);
	}
	loop_free(loop);
}

int main(void)
{
	CHECK(log_start() == 0);
	for (unsigned i = 0; i < 3; i++)
		run();
	log_stop();
	return 0;
}
