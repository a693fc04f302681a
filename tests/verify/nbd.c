/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection with `depth` requests in flight. When it breaks, another one
 * is made; what was in flight may still land for a second, since the server may
 * have it and not know yet that we are gone.
 */
#include <errno.h>
#include <libnbd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "job.h"
#include "worker.h"

#define LIMBO    1000000000u
#define POLL_MS  5
#define TELL     20 /* disconnects, at most */
#define RETRY_US 50000

struct limbo {
	struct value *value;
	uint64_t due;
};

struct conn {
	struct worker *w;
	struct nbd_handle *nbd; /* NULL: not connected */
	struct source source;
	struct job *jobs;
	unsigned inflight, njobs;
	struct limbo *limbo;
	unsigned nlimbo, limbo_room;
};

int target_probe_nbd(struct target *t)
{
	struct nbd_handle *h = nbd_create();
	int64_t size = -1, unit;

	if (!h || nbd_connect_uri(h, t->name) || (size = nbd_get_size(h)) < 0) {
		fprintf(stderr, "verify: %s: %s\n", t->name, nbd_get_error());
		nbd_close(h);
		return -EIO;
	}
	unit = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM);
	t->size = (uint64_t)size;
	t->unit = unit < (int64_t)SECTOR ? SECTOR : (uint32_t)unit;
	nbd_shutdown(h, 0);
	nbd_close(h);
	return 0;
}

static bool hook_up(struct conn *c)
{
	struct nbd_handle *h = nbd_create();

	if (!h)
		return false;
	if (nbd_connect_uri(h, c->w->target->name)) {
		nbd_close(h);
		return false;
	}
	c->source.fua = nbd_can_fua(h) == 1;
	c->source.flush = nbd_can_flush(h) == 1;
	c->source.zero = nbd_can_zero(h) == 1;
	c->source.trim = nbd_can_trim(h) == 1;
	c->nbd = h;
	return true;
}

static void into_limbo(struct conn *c, struct value *v)
{
	if (c->nlimbo == c->limbo_room) {
		c->limbo_room = c->limbo_room * 2 + 16;
		c->limbo = realloc(c->limbo, c->limbo_room * sizeof *c->limbo);
		if (!c->limbo)
			abort();
	}
	c->limbo[c->nlimbo++] = (struct limbo){v, run_now() + LIMBO};
}

static void out_of_limbo(struct conn *c)
{
	uint64_t now = run_now();
	unsigned n = 0;

	for (unsigned i = 0; i < c->nlimbo; i++) {
		if (c->limbo[i].due <= now)
			job_settle(c->w->run, c->limbo[i].value);
		else
			c->limbo[n++] = c->limbo[i];
	}
	c->nlimbo = n;
}

static void ended(struct conn *c, struct job *j, int error)
{
	bool lost = error == ENOTCONN;

	job_end(j, -error, lost);
	if (lost && j->value)
		into_limbo(c, j->value);
	c->inflight--;
}

struct ticket {
	struct conn *conn;
	struct job *job;
};

static int on_done(void *arg, int *error)
{
	struct ticket *t = arg;

	ended(t->conn, t->job, *error);
	return 1;
}

static int64_t send_job(
	struct conn *c, struct job *j, nbd_completion_callback cb)
{
	uint64_t at = c->w->run->o.offset + j->offset;

	switch (j->op) {
	case OP_READ: return nbd_aio_pread(c->nbd, j->data, j->len, at, cb, 0);
	case OP_WRITE:
		return nbd_aio_pwrite(c->nbd, j->data, j->len, at, cb, 0);
	case OP_FUA:
		return nbd_aio_pwrite(
			c->nbd, j->data, j->len, at, cb, LIBNBD_CMD_FLAG_FUA);
	case OP_FLUSH: return nbd_aio_flush(c->nbd, cb, 0);
	case OP_ZERO: return nbd_aio_zero(c->nbd, j->len, at, cb, 0);
	case OP_TRIM: return nbd_aio_trim(c->nbd, j->len, at, cb, 0);
	case OPS: break;
	}
	return -1;
}

/* libnbd frees the callback, with the ticket, in any case. */
static bool start_one(struct conn *c, struct job *j)
{
	struct ticket *t;

	if (!job_begin(j))
		return false;
	t = malloc(sizeof *t);
	if (!t)
		abort();
	*t = (struct ticket){c, j};
	c->inflight++;
	if (send_job(c, j, (nbd_completion_callback){on_done, t, free}) < 0)
		ended(c, j, ENOTCONN);
	return true;
}

/* False: there is nothing more to start in this phase. */
static bool start_all(struct conn *c)
{
	for (unsigned i = 0; i < c->njobs; i++) {
		if (c->jobs[i].busy)
			continue;
		if (nbd_aio_is_dead(c->nbd) || nbd_aio_is_closed(c->nbd) ||
			source_wait(&c->source))
			return true;
		if (!start_one(c, &c->jobs[i]))
			return false;
	}
	return true;
}

static void hang_up(struct conn *c)
{
	nbd_close(c->nbd); /* ends what is in flight */
	c->nbd = NULL;
	for (unsigned i = 0; i < c->njobs; i++)
		if (c->jobs[i].busy)
			ended(c, &c->jobs[i], ENOTCONN);
}

static int poll_ms(const struct conn *c)
{
	uint64_t wait = source_wait(&c->source) / 1000000;

	return wait && wait < POLL_MS ? (int)wait : POLL_MS;
}

static bool phase_over(const struct conn *c)
{
	int phase = c->w->run->phase;

	return phase == PHASE_DRAIN ||
	       (phase != PHASE_MIX && c->source.at == c->source.end);
}

/* One phase, from its first request to the end of its last. */
static void work(struct conn *c)
{
	bool more = true;

	while (more || c->inflight || c->nlimbo) {
		out_of_limbo(c);
		if (!c->nbd && !hook_up(c)) {
			more = more && !phase_over(c);
			usleep(RETRY_US);
			continue;
		}
		if (more)
			more = start_all(c);
		if (nbd_poll(c->nbd, poll_ms(c)) < 0) {
			if (c->w->run->disconnects++ < TELL)
				fprintf(stderr, "verify: %s\n",
					nbd_get_error());
			hang_up(c);
		}
	}
}

static int conn_init(struct conn *c, struct worker *w)
{
	*c = (struct conn){.w = w, .njobs = w->run->o.depth};
	c->source = (struct source){.run = w->run,
		.writer = w->n,
		.random = w->run->o.seed + w->n * 1000003u};
	source_init(&c->source, w->n, w->of);
	c->jobs = calloc(c->njobs, sizeof *c->jobs);
	if (!c->jobs)
		return -ENOMEM;
	for (unsigned i = 0; i < c->njobs; i++)
		if (job_init(&c->jobs[i], &c->source))
			return -ENOMEM;
	return 0;
}

static void conn_fini(struct conn *c)
{
	for (unsigned i = 0; i < c->njobs; i++)
		job_fini(&c->jobs[i]);
	free(c->jobs);
	free(c->limbo);
	if (c->nbd) {
		nbd_shutdown(c->nbd, 0);
		nbd_close(c->nbd);
	}
}

void *worker_nbd(void *arg)
{
	struct worker *w = arg;
	struct conn c;

	if (conn_init(&c, w))
		abort();
	if (!w->run->o.no_fill)
		source_rewind(&c.source);
	work(&c);
	run_arrive(w->run);
	run_await(w->run, PHASE_MIX);
	work(&c);
	run_arrive(w->run);
	run_await(w->run, PHASE_CHECK);
	if (!w->run->o.no_check)
		source_rewind(&c.source);
	work(&c);
	conn_fini(&c);
	run_arrive(w->run);
	return NULL;
}
