/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads with shares in one budget: what asks stays within it, what does not
 * ask may pass it, and in the end all is back. For the thread sanitizer too. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <umpio/base/share.h>

#define BOUND   ((int64_t)16 << 20)
#define THREADS 4
#define ROUNDS  200000
#define ITEMS   64

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #cond);      \
			exit(1);                                               \
		}                                                              \
	} while (0)

static struct budget budget;
static _Atomic int64_t taken; /* by all, counted beside it */

struct taker {
	pthread_t thread;
	unsigned seed, refused;
};

static void *take_and_give(void *arg)
{
	struct taker *t = arg;
	struct share share = {.budget = &budget};
	size_t item[ITEMS] = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t *at = &item[(unsigned)rand_r(&t->seed) % ITEMS];
		size_t bytes = (size_t)rand_r(&t->seed) % (1 << 20);

		atomic_fetch_sub(&taken, (int64_t)*at);
		share_give(&share, *at);
		*at = 0;
		if (!share_has(&share, bytes)) {
			t->refused++;
			continue;
		}
		share_take(&share, bytes);
		*at = bytes;
		CHECK(atomic_fetch_add(&taken, (int64_t)bytes) <=
			BOUND - (int64_t)bytes);
		CHECK(share.room >= 0 && share.room <= 2 * SHARE_PIECE);
	}
	for (unsigned i = 0; i < ITEMS; i++) {
		atomic_fetch_sub(&taken, (int64_t)item[i]);
		share_give(&share, item[i]);
	}
	CHECK(share.used == 0);
	share_trim(&share);
	return NULL;
}

static void test_many_takers(void)
{
	struct taker takers[THREADS] = {{0}};
	unsigned refused = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		takers[i].seed = i + 1;
		CHECK(pthread_create(&takers[i].thread, NULL, take_and_give,
			      &takers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(takers[i].thread, NULL);
		refused += takers[i].refused;
	}
	CHECK(refused > 0);
	CHECK(budget.left == BOUND);
}

/* To the last byte, and beyond it by who does not ask. */
static void test_the_end_of_it(void)
{
	struct share a = {.budget = &budget}, b = {.budget = &budget};

	CHECK(share_has(&a, BOUND));
	CHECK(!share_has(&a, BOUND + 1));
	share_take(&a, BOUND);
	CHECK(!share_has(&b, 1));
	share_take(&b, 3 * SHARE_PIECE);
	CHECK(budget.left < 0);
	share_give(&a, SHARE_PIECE);
	share_trim(&a);
	CHECK(!share_has(&b, 1));
	share_give(&b, 3 * SHARE_PIECE);
	share_trim(&b);
	CHECK(budget.left == SHARE_PIECE);
	CHECK(share_has(&b, 1));
	share_give(&a, BOUND - SHARE_PIECE);
	share_trim(&a);
	share_trim(&b);
	CHECK(budget.left == BOUND);
}

int main(void)
{
	budget.left = BOUND;
	test_many_takers();
	test_the_end_of_it();
	return 0;
}
