/* SPDX-License-Identifier: BSD-2-Clause */
#include "router.h"

#include <assert.h>
#include <stdlib.h>
#include <umpio/base/log.h>

/* A queue has grown, told to another port; on its own. */
struct growth_letter {
	struct letter letter; /* first */
	struct router_port *to;
	unsigned from;
	uint64_t size;
};

/* Multiplicative hashing, so that no stride of a client meets one queue only.
 */
unsigned router_owner(const struct router *r, uint64_t offset)
{
	uint64_t stripe = offset / ROUTER_STRIPE;

	return (unsigned)((stripe * 0x9e3779b97f4a7c15u >> 32) % r->n);
}

/*
 * Mail
 */
static void port_post(void *arg)
{
	struct router_port *p = arg;

	for (unsigned i = 0; i < p->router->n; i++)
		if (!TAILQ_EMPTY(&p->out[i]))
			mailbox_put(&p->router->ports[i].in, &p->out[i]);
}

void port_send(struct router_port *p, unsigned to, struct letter *letter)
{
	TAILQ_INSERT_TAIL(&p->out[to], letter, link);
	loop_post(p->loop, &p->posting);
}

/*
 * Size
 */
static void port_grow(struct router_port *p, unsigned queue, uint64_t size)
{
	struct blkdev_watch *w;
	uint64_t least;

	p->sizes[queue] = size;
	least = p->sizes[0];
	for (unsigned i = 1; i < p->router->n; i++)
		if (p->sizes[i] < least)
			least = p->sizes[i];
	if (least <= p->info.size)
		return;
	p->info.size = least;
	TAILQ_FOREACH (w, &p->blk.watches, link)
		w->resized(w, least);
}

static void growth_read(struct letter *letter)
{
	struct growth_letter *g = (struct growth_letter *)letter;

	port_grow(g->to, g->from, g->size);
	free(g);
}

static void on_resized(struct blkdev_watch *watch, uint64_t size)
{
	struct router_port *p =
		(struct router_port *)((char *)watch -
				       offsetof(struct router_port, watch));

	for (unsigned i = 0; i < p->router->n; i++) {
		struct growth_letter *g;

		if (i == p->number)
			continue;
		g = calloc(1, sizeof *g);
		if (!g) {
			log_error("%s: out of memory to tell of its new size",
				p->blk.name);
			continue;
		}
		g->letter.read = growth_read;
		g->to = &p->router->ports[i];
		g->from = p->number;
		g->size = size;
		port_send(p, i, &g->letter);
	}
	port_grow(p, p->number, size);
}

/*
 * The object
 */
static void port_info(const struct blkdev *blk, struct blk_info *info)
{
	*info = ((const struct router_port *)blk)->info;
}

static const struct blkdev_ops port_ops = {
	.submit = port_submit,
	.info = port_info,
};

/* What the others may hold counts as held here. */
static size_t reserved(unsigned n)
{
	return BLKDEV_HELD_MAX - BLKDEV_HELD_MAX / n;
}

static void port_init(struct router_port *p, struct router *r, const char *name,
	unsigned number, struct loop *loop)
{
	p->blk.ops = &port_ops;
	p->blk.loop = p->loop = loop;
	p->blk.name = name;
	p->blk.held = reserved(r->n);
	TAILQ_INIT(&p->blk.watches);
	p->router = r;
	p->number = number;
	p->watch.resized = on_resized;
	mailbox_init(&p->in, loop);
	for (unsigned i = 0; i < r->n; i++)
		TAILQ_INIT(&p->out[i]);
	loop_task_init(&p->posting, port_post, p);
	loop_task_init(&p->refusing, port_refuse, p);
	TAILQ_INIT(&p->refused);
	TAILQ_INIT(&p->waiting);
}

struct router *router_new(
	const char *name, unsigned n, struct loop *const *loops)
{
	struct router *r;

	assert(n > 0 && n <= ROUTER_QUEUES_MAX);
	r = calloc(1, sizeof *r + n * sizeof r->ports[0]);
	if (!r)
		return NULL;
	r->n = n;
	for (unsigned i = 0; i < n; i++)
		port_init(&r->ports[i], r, name, i, loops[i]);
	return r;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n; i++) {
		assert(!r->ports[i].queue);
		mailbox_fini(&r->ports[i].in);
		port_spares_free(&r->ports[i]);
	}
	free(r);
}

static void larger(uint32_t *a, uint32_t b)
{
	if (*a < b)
		*a = b;
}

void router_merge(
	struct blk_info *info, const struct blk_info *queues, unsigned n)
{
	*info = queues[0];
	for (unsigned i = 1; i < n; i++) {
		const struct blk_info *q = &queues[i];

		if (q->size < info->size)
			info->size = q->size;
		larger(&info->physical_block_size, q->physical_block_size);
		larger(&info->optimal_io, q->optimal_io);
		larger(&info->trim_granularity, q->trim_granularity);
		info->read_only |= q->read_only;
		info->rotational |= q->rotational;
		info->write_cache |= q->write_cache;
		info->can_trim &= q->can_trim;
		info->can_fast_zero &= q->can_fast_zero;
		info->multi_conn &= q->multi_conn;
	}
	if (!info->can_trim)
		info->trim_granularity = 0;
}

void router_open(struct router *r, unsigned n, struct blkdev *queue,
	const struct blk_info *infos)
{
	struct router_port *p = &r->ports[n];
	struct blk_info now;

	assert(!p->queue);
	assert(ROUTER_STRIPE % infos[n].block_size == 0);
	p->queue = queue;
	p->losses[n] = p->blk.losses = p->told = queue->losses;
	router_merge(&p->info, infos, r->n);
	for (unsigned i = 0; i < r->n; i++)
		if (infos[i].size > p->sizes[i])
			p->sizes[i] = infos[i].size;
	blkdev_watch(queue, &p->watch);
	blkdev_info(queue, &now);
	if (now.size > infos[n].size) /* it has grown meanwhile */
		on_resized(&p->watch, now.size);
	port_grow(p, n, now.size);
}

struct blkdev *router_blkdev(struct router *r, unsigned n)
{
	return &r->ports[n].blk;
}

void router_close(struct router *r, unsigned n)
{
	struct router_port *p = &r->ports[n];

	if (!p->queue)
		return;
	assert(p->wholes == 0 && p->guests == 0);
	assert(TAILQ_EMPTY(&p->waiting) && TAILQ_EMPTY(&p->refused));
	assert(p->blk.held == reserved(r->n));
	blkdev_unwatch(p->queue, &p->watch);
	p->queue = NULL;
	loop_unpost(p->loop, &p->posting);
	port_post(p);
}
