/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sending half of a protocol engine: a queue of messages, each a small
 * header, a payload that is not copied, and a small trailer, handed out as
 * iovecs so that many of them leave in one writev. Items are embedded in their
 * owners; a payload must live until its item is sent or dropped.
 */
#ifndef UMPIO_BASE_OUTQ_H
#define UMPIO_BASE_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#define OUTQ_HEAD_MAX 56
#define OUTQ_TAIL_MAX 8
#define OUTQ_PARTS    3 /* iovecs of one item: header, payload, trailer */

struct outq_item {
	uint8_t head[OUTQ_HEAD_MAX];
	uint8_t tail[OUTQ_TAIL_MAX];
	uint8_t head_len, tail_len;
	bool queued;
	uint32_t data_len;
	const void *data;
	/* Called when the last byte was handed out and committed (`sent`), or
	 * when the queue is dropped (not `sent`). May free the item. NULL: none
	 */
	void (*done)(struct outq_item *item, bool sent);
	STAILQ_ENTRY(outq_item) link;
};

struct outq {
	STAILQ_HEAD(, outq_item) items;
	size_t offset; /* bytes of the first item already committed */
	size_t bytes;  /* bytes waiting, all items */
	unsigned count;
};

void outq_init(struct outq *q);
void outq_push(struct outq *q, struct outq_item *item);

/* Ahead of all items of which no byte has left: control traffic. Order among
 * several of them is that of the calls only when each was begun before. */
void outq_push_front(struct outq *q, struct outq_item *item);

/* Takes a queued item out. True; or false when bytes of it have left already,
 * and then it stays. */
bool outq_remove(struct outq *q, struct outq_item *item);

/* Up to `max` iovecs, of which there are at least OUTQ_PARTS, of what waits, in
 * order and of whole items; returns their number. */
int outq_iov(const struct outq *q, struct iovec *iov, int max);

/* `n` bytes of them have left; calls done() of the items that are now out. */
void outq_commit(struct outq *q, size_t n);

/* Empties the queue; done(item, false) for each. */
void outq_drop(struct outq *q);

static inline bool outq_is_empty(const struct outq *q)
{
	return STAILQ_EMPTY(&q->items);
}

/* True when some bytes of `item` have left, but not all. */
static inline bool outq_is_begun(
	const struct outq *q, const struct outq_item *item)
{
	return q->offset > 0 && STAILQ_FIRST(&q->items) == item;
}

#endif
