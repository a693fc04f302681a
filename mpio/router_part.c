/* SPDX-License-Identifier: BSD-2-Clause */
#include "router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/buf.h>

static void part_end(struct part *part);

/* It tells its client of losses, which are the device's and not a queue's. */
static bool tells(const struct blk_req *blk)
{
	return blk->op == BLK_FLUSH ||
	       (blk_changes(blk) && blk->flags & BLK_FUA);
}

static uint64_t stripe_end(uint64_t offset)
{
	return (offset / ROUTER_STRIPE + 1) * ROUTER_STRIPE;
}

/*
 * Answers
 */
static void answer(struct blk_req *blk, int err)
{
	if (blk->op == BLK_WRITE) {
		buf_put(blk->buf);
		blk->buf = NULL;
	}
	blk->done(blk, err);
}

void port_refuse(void *arg)
{
	struct router_port *p = arg;
	struct blk_req *blk;

	while ((blk = TAILQ_FIRST(&p->refused))) {
		TAILQ_REMOVE(&p->refused, blk, link);
		answer(blk, (int)(intptr_t)blk->priv);
	}
}

static void refuse(struct router_port *p, struct blk_req *blk, int err)
{
	blk->priv = (void *)(intptr_t)err;
	TAILQ_INSERT_TAIL(&p->refused, blk, link);
	loop_post(p->loop, &p->refusing);
}

/* 0, or -EIO when the client was not told of all losses yet. */
static int verdict(struct router_port *p, const struct blk_req *blk)
{
	uint64_t *told = blk->losses ? blk->losses : &p->told;

	if (*told == p->blk.losses)
		return 0;
	*told = p->blk.losses;
	return -EIO;
}

/*
 * Objects
 */
static struct part *part_new(struct router_port *p)
{
	struct part *part = SLIST_FIRST(&p->spare_parts);

	if (part)
		SLIST_REMOVE_HEAD(&p->spare_parts, spare);
	else
		part = malloc(sizeof *part);
	return part;
}

static struct whole *whole_new(struct router_port *p)
{
	struct whole *w = SLIST_FIRST(&p->spare_wholes);

	if (w)
		SLIST_REMOVE_HEAD(&p->spare_wholes, spare);
	else
		w = malloc(sizeof *w);
	if (w)
		p->wholes++;
	return w;
}

static void whole_put(struct whole *w)
{
	w->port->wholes--;
	SLIST_INSERT_HEAD(&w->port->spare_wholes, w, spare);
}

void port_spares_free(struct router_port *p)
{
	struct whole *w;
	struct part *part;

	while ((w = SLIST_FIRST(&p->spare_wholes))) {
		SLIST_REMOVE_HEAD(&p->spare_wholes, spare);
		free(w);
	}
	while ((part = SLIST_FIRST(&p->spare_parts))) {
		SLIST_REMOVE_HEAD(&p->spare_parts, spare);
		free(part);
	}
}

/*
 * At the queue
 */
static void part_answered(struct blk_req *req, int err)
{
	struct part *part = req->arg;

	part->err = err;
	part->losses = part->at->queue->losses;
	part_end(part);
}

static void part_submit(struct part *part)
{
	/* It counts as told of losses: its port tells of them. */
	part->req.losses = &part->at->queue->losses;
	blkdev_submit(part->at->queue, &part->req);
}

/* The data of a write, in a buffer that the queue may keep. */
static bool part_copy(struct part *part)
{
	struct blk_req *req = &part->req;
	struct buf *buf = buf_get(loop_pool(part->at->loop), req->len);

	if (!buf)
		return false;
	memcpy(buf->data, req->data, req->len);
	req->buf = buf;
	req->data = buf->data;
	return true;
}

static void guest_home(struct part *part);

/* False: it has to wait for memory, which others here will give back. */
static bool guest_take(struct part *part)
{
	struct router_port *at = part->at;

	if (part->req.op == BLK_WRITE && !part_copy(part)) {
		if (at->guests)
			return false;
		part->err = -ENOMEM;
		part->losses = at->queue->losses;
		guest_home(part);
		return true;
	}
	at->guests++;
	part_submit(part);
	return true;
}

static void guest_read(struct letter *letter)
{
	struct part *part = (struct part *)letter;
	struct router_port *at = part->at;

	if (!TAILQ_EMPTY(&at->waiting) || !guest_take(part))
		TAILQ_INSERT_TAIL(&at->waiting, part, link);
}

static void guests_go_on(struct router_port *at)
{
	struct part *part;

	while ((part = TAILQ_FIRST(&at->waiting))) {
		/* Out of the list first: to be answered is to be gone. */
		TAILQ_REMOVE(&at->waiting, part, link);
		if (!guest_take(part)) {
			TAILQ_INSERT_HEAD(&at->waiting, part, link);
			return;
		}
	}
}

/*
 * At the port
 */
static void whole_run(struct whole *w);

/* Extents of the next stretch follow those that are there; neighbours that
 * agree become one. */
static void take_extents(struct whole *w, const struct part *part)
{
	struct blk_extent *all = w->blk->extents, *new = part->req.extents;
	unsigned n = part->req.nextents;
	uint64_t told = 0;

	for (unsigned i = 0; i < n; i++)
		told += new[i].len;
	for (unsigned i = 0; i < n; i++) {
		if (w->nextents && all[w->nextents - 1].flags == new[i].flags)
			all[w->nextents - 1].len += new[i].len;
		else
			all[w->nextents++] = new[i];
	}
	if (told < part->req.len || w->nextents == w->blk->nextents ||
		w->asked == ROUTER_STATUS_PARTS)
		w->end = w->at; /* as far as it goes */
}

static void note_losses(struct router_port *p, const struct part *part)
{
	uint64_t *known = &p->losses[part->at->number];

	if (part->losses > *known) {
		p->blk.losses += part->losses - *known;
		*known = part->losses;
	}
}

static void part_joined(struct part *part)
{
	struct whole *w = part->whole;
	struct router_port *p = w->port;

	note_losses(p, part);
	if (part->err && !w->err)
		w->err = part->err;
	if (w->blk->op == BLK_STATUS && !part->err)
		take_extents(w, part);
	SLIST_INSERT_HEAD(&p->spare_parts, part, spare);
	w->parts--;
	whole_run(w);
}

static void part_read_home(struct letter *letter)
{
	part_joined((struct part *)letter);
}

static void guest_home(struct part *part)
{
	part->letter.read = part_read_home;
	port_send(part->at, part->home->number, &part->letter);
}

static void part_end(struct part *part)
{
	struct router_port *at = part->at;

	if (part->home == at) {
		part_joined(part);
		return;
	}
	at->guests--;
	guest_home(part);
	guests_go_on(at);
}

/*
 * Parts
 */

/* Gives it the next stretch of the whole; a queue of its own if a FLUSH. */
static void part_init(struct part *part, struct whole *w)
{
	struct router_port *p = w->port;
	struct blk_req *blk = w->blk;
	uint64_t to, past = w->at - blk->offset;

	*part = (struct part){.whole = w, .home = p};
	part->req = (struct blk_req){.op = blk->op,
		.flags = blk->flags,
		.done = part_answered,
		.arg = part};
	if (blk->op == BLK_FLUSH) {
		part->at = &p->router->ports[w->at++];
		return;
	}
	part->at = &p->router->ports[router_owner(p->router, w->at)];
	to = stripe_end(w->at) < w->end ? stripe_end(w->at) : w->end;
	part->req.offset = w->at;
	part->req.len = (uint32_t)(to - w->at);
	if (blk->data)
		part->req.data = (uint8_t *)blk->data + past;
	if (blk->op == BLK_STATUS) {
		part->req.data = NULL;
		part->req.extents = blk->extents + w->nextents;
		part->req.nextents = blk->nextents - w->nextents;
	}
	w->at = to;
}

static void part_go(struct part *part)
{
	struct router_port *p = part->home;

	if (part->at == p) {
		if (part->req.op == BLK_WRITE)
			part->req.buf = buf_ref(part->whole->blk->buf);
		part_submit(part);
		return;
	}
	part->letter.read = guest_read;
	port_send(p, part->at->number, &part->letter);
	loop_expect(p->loop); /* the answer */
}

/* As many parts as the window has room for. */
static void whole_ask(struct whole *w)
{
	unsigned window = w->blk->op == BLK_STATUS ? 1 : ROUTER_WINDOW;

	while (!w->err && w->at < w->end && w->parts < window) {
		struct part *part = part_new(w->port);

		if (!part && w->parts)
			return;
		if (!part) {
			w->err = -ENOMEM;
			return;
		}
		part_init(part, w);
		w->parts++;
		w->asked++;
		part_go(part);
	}
}

static void whole_run(struct whole *w)
{
	struct blk_req *blk = w->blk;
	int err;

	whole_ask(w);
	if (w->parts)
		return;
	err = w->err;
	if (!err && tells(blk))
		err = verdict(w->port, blk);
	if (!err && blk->op == BLK_STATUS)
		blk->nextents = w->nextents;
	whole_put(w);
	answer(blk, err);
}

static void whole_begin(struct router_port *p, struct blk_req *blk)
{
	struct whole *w = whole_new(p);

	if (!w) {
		refuse(p, blk, -ENOMEM);
		return;
	}
	*w = (struct whole){.port = p, .blk = blk, .at = blk->offset};
	w->end = blk->offset + blk->len;
	if (blk->op == BLK_FLUSH) {
		w->at = 0;
		w->end = p->router->n;
	}
	whole_ask(w);
	if (w->parts)
		return;
	whole_put(w); /* without memory for a part */
	refuse(p, blk, w->err);
}

/* What no queue must see, since it would be taken for blocks that are there. */
static int check(const struct router_port *p, const struct blk_req *blk)
{
	uint64_t size = p->info.size;

	if (blk->op >= BLK_OPS || (blk->op == BLK_STATUS && !blk->nextents))
		return -EINVAL;
	if (blk->op == BLK_FLUSH ||
		(blk->offset <= size && blk->len <= size - blk->offset))
		return 0;
	return blk_changes(blk) ? -ENOSPC : -EINVAL;
}

void port_submit(struct blkdev *dev, struct blk_req *blk)
{
	struct router_port *p = (struct router_port *)dev;
	int err = check(p, blk);

	assert(p->queue);
	if (err) {
		refuse(p, blk, err);
		return;
	}
	if (!tells(blk) && blk->offset + blk->len <= stripe_end(blk->offset) &&
		router_owner(p->router, blk->offset) == p->number) {
		blkdev_submit(p->queue, blk);
		return;
	}
	if (blk->len == 0 && blk->op != BLK_FLUSH)
		refuse(p, blk, 0);
	else if (blk->op == BLK_READ && !blk_data(blk)) /* the pool is ours */
		refuse(p, blk, -ENOMEM);
	else
		whole_begin(p, blk);
}
