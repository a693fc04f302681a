/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <umpio/base/outq.h>

static size_t item_bytes(const struct outq_item *item)
{
	return (size_t)item->head_len + item->data_len + item->tail_len;
}

void outq_init(struct outq *q)
{
	STAILQ_INIT(&q->items);
	q->offset = q->bytes = 0;
	q->count = 0;
}

static void account(struct outq *q, struct outq_item *item)
{
	assert(!item->queued && item_bytes(item) > 0);
	item->queued = true;
	q->bytes += item_bytes(item);
	q->count++;
}

void outq_push(struct outq *q, struct outq_item *item)
{
	account(q, item);
	STAILQ_INSERT_TAIL(&q->items, item, link);
}

void outq_push_front(struct outq *q, struct outq_item *item)
{
	account(q, item);
	if (q->offset > 0)
		STAILQ_INSERT_AFTER(
			&q->items, STAILQ_FIRST(&q->items), item, link);
	else
		STAILQ_INSERT_HEAD(&q->items, item, link);
}

bool outq_remove(struct outq *q, struct outq_item *item)
{
	if (!item->queued || outq_is_begun(q, item))
		return false;
	STAILQ_REMOVE(&q->items, item, outq_item, link);
	item->queued = false;
	q->bytes -= item_bytes(item);
	q->count--;
	return true;
}

/* Adds one part of an item, less the `*skip` bytes that have left. */
static int add_part(
	struct iovec *iov, const void *part, size_t len, size_t *skip)
{
	size_t gone = *skip < len ? *skip : len;

	*skip -= gone;
	if (gone == len)
		return 0;
	/* writev() does not write to it. */
	iov->iov_base = (uint8_t *)(uintptr_t)part + gone;
	iov->iov_len = len - gone;
	return 1;
}

int outq_iov(const struct outq *q, struct iovec *iov, int max)
{
	const struct outq_item *item;
	size_t skip = q->offset;
	int n = 0;

	STAILQ_FOREACH (item, &q->items, link) {
		if (n < max)
			n += add_part(
				&iov[n], item->head, item->head_len, &skip);
		if (n < max)
			n += add_part(
				&iov[n], item->data, item->data_len, &skip);
		if (n < max)
			n += add_part(
				&iov[n], item->tail, item->tail_len, &skip);
		if (n == max)
			break;
	}
	return n;
}

/* Takes the first item out and tells its owner, who may free it. */
static void finish_first(struct outq *q, bool sent)
{
	struct outq_item *item = STAILQ_FIRST(&q->items);

	STAILQ_REMOVE_HEAD(&q->items, link);
	q->bytes -= item_bytes(item) - q->offset;
	q->offset = 0;
	q->count--;
	item->queued = false;
	if (item->done)
		item->done(item, sent);
}

void outq_commit(struct outq *q, size_t n)
{
	assert(n <= q->bytes);
	while (n > 0 && !outq_is_empty(q)) {
		size_t left = item_bytes(STAILQ_FIRST(&q->items)) - q->offset;

		if (n < left) {
			q->offset += n;
			q->bytes -= n;
			return;
		}
		n -= left;
		finish_first(q, true);
	}
}

/* Items that a callback pushes go as well: the queue is empty at the end. */
void outq_drop(struct outq *q)
{
	while (!outq_is_empty(q))
		finish_first(q, false);
}
