/* SPDX-License-Identifier: BSD-2-Clause */
#include "nbds_seat.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <umpio/base/log.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#include "nbds_server.h"

/* All seats of a listening socket. Clients come and go seldom enough for a
 * lock. */
struct table {
	pthread_mutex_t lock; /* of all below, and of the seats' numbers */
	unsigned seats;       /* that exist */
	TAILQ_HEAD(, nbds_seat) open;
};

/* Lives on after its server while somebody is on the way. */
struct nbds_seat {
	struct table *table;
	struct nbds_server *server; /* NULL: gone; its loop's alone */
	struct loop *loop;
	unsigned clients, haggling;
	TAILQ_ENTRY(nbds_seat) link;
};

/* Between two loops. */
struct arrival {
	struct loop_task task;
	struct nbds_seat *seat;
	struct stream *stream;
	bool full;
};

static struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	TAILQ_INIT(&t->open);
	return t;
}

static void table_free(struct table *t)
{
	pthread_mutex_destroy(&t->lock);
	free(t);
}

struct nbds_seat *nbds_seat_new(
	struct nbds_server *server, struct nbds_seat *other)
{
	struct nbds_seat *seat = calloc(1, sizeof *seat);
	struct table *t = !seat ? NULL : other ? other->table : table_new();

	if (!t) {
		free(seat);
		return NULL;
	}
	seat->table = t;
	seat->server = server;
	seat->loop = server->loop;
	pthread_mutex_lock(&t->lock);
	t->seats++;
	TAILQ_INSERT_TAIL(&t->open, seat, link);
	pthread_mutex_unlock(&t->lock);
	return seat;
}

static void seat_destroy(struct nbds_seat *seat)
{
	struct table *t = seat->table;
	bool last;

	pthread_mutex_lock(&t->lock);
	last = --t->seats == 0;
	pthread_mutex_unlock(&t->lock);
	free(seat);
	if (last)
		table_free(t);
}

void nbds_seat_free(struct nbds_seat *seat)
{
	struct table *t;
	bool alone;

	if (!seat)
		return;
	t = seat->table;
	pthread_mutex_lock(&t->lock);
	TAILQ_REMOVE(&t->open, seat, link);
	seat->server = NULL;
	alone = seat->clients == 0;
	pthread_mutex_unlock(&t->lock);
	if (alone)
		seat_destroy(seat);
}

static struct nbds_seat *find_fewest(struct table *t)
{
	struct nbds_seat *seat, *best = TAILQ_FIRST(&t->open);

	TAILQ_FOREACH (seat, &t->open, link)
		if (seat->clients < best->clients)
			best = seat;
	return best;
}

static struct nbds_seat *find_haggling(struct table *t)
{
	struct nbds_seat *seat, *best = TAILQ_FIRST(&t->open);

	TAILQ_FOREACH (seat, &t->open, link)
		if (seat->haggling > best->haggling)
			best = seat;
	return best->haggling ? best : NULL;
}

struct nbds_seat *nbds_seat_take(
	struct nbds_seat *any, unsigned limit, unsigned *before)
{
	struct table *t = any->table;
	struct nbds_seat *seat;

	pthread_mutex_lock(&t->lock);
	*before = 0;
	TAILQ_FOREACH (seat, &t->open, link)
		*before += seat->clients;
	seat = *before < limit ? find_fewest(t) : find_haggling(t);
	if (seat) {
		seat->clients++;
		seat->haggling++;
	}
	pthread_mutex_unlock(&t->lock);
	return seat;
}

void nbds_seat_settle(struct nbds_seat *seat)
{
	pthread_mutex_lock(&seat->table->lock);
	seat->haggling--;
	pthread_mutex_unlock(&seat->table->lock);
}

void nbds_seat_leave(struct nbds_seat *seat)
{
	bool last;

	pthread_mutex_lock(&seat->table->lock);
	last = --seat->clients == 0 && !seat->server;
	pthread_mutex_unlock(&seat->table->lock);
	if (last)
		seat_destroy(seat);
}

unsigned nbds_seat_clients(struct nbds_seat *seat)
{
	unsigned n;

	pthread_mutex_lock(&seat->table->lock);
	n = seat->clients;
	pthread_mutex_unlock(&seat->table->lock);
	return n;
}

static void turn_away(struct nbds_seat *seat, struct stream *s)
{
	stream_abort(s);
	nbds_seat_settle(seat);
	nbds_seat_leave(seat);
}

static void on_arrival(void *arg)
{
	struct arrival a = *(struct arrival *)arg;

	free(arg);
	if (a.seat->server && stream_move(a.stream, a.seat->loop) == 0)
		nbds_server_seat(a.seat->server, a.stream, a.full);
	else
		turn_away(a.seat, a.stream);
}

void nbds_seat_send(struct nbds_seat *seat, struct stream *s, bool full)
{
	struct arrival *a = malloc(sizeof *a);

	if (!a) {
		log_warn("nbd: a client is refused: out of memory");
		turn_away(seat, s);
		return;
	}
	a->seat = seat;
	a->stream = s;
	a->full = full;
	loop_task_init(&a->task, on_arrival, a);
	stream_leave(s);
	loop_send(seat->loop, &a->task);
}
