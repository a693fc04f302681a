/* SPDX-License-Identifier: BSD-2-Clause */
#include <assert.h>
#include <string.h>
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
	size_t bytes = item_bytes(item);

	assert(!item->queued && bytes > 0);
	item->queued = true;
	q->bytes += bytes;
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

/* writev() does not write to it. */
static struct iovec part(const void *bytes, size_t len)
{
	return (struct iovec){(void *)(uintptr_t)bytes, len};
}

static int item_iov(const struct outq_item *item, struct iovec *iov)
{
	int n = 0;

	if (item->head_len > 0)
		iov[n++] = part(item->head, item->head_len);
	if (item->data_len > 0)
		iov[n++] = part(item->data, item->data_len);
	if (item->tail_len > 0)
		iov[n++] = part(item->tail, item->tail_len);
	return n;
}

/* Takes the first `skip` bytes out; what is left is at least a byte. */
static int cut_front(struct iovec *iov, int n, size_t skip)
{
	int gone = 0;

	while (skip >= iov[gone].iov_len)
		skip -= iov[gone++].iov_len;
	n -= gone;
	memmove(iov, iov + gone, (size_t)n * sizeof *iov);
	iov->iov_base = (uint8_t *)iov->iov_base + skip;
	iov->iov_len -= skip;
	return n;
}

int outq_iov(const struct outq *q, struct iovec *iov, int max)
{
	const struct outq_item *item;
	int n = 0;

	STAILQ_FOREACH (item, &q->items, link) {
		if (max - n < OUTQ_PARTS)
			break;
		n += item_iov(item, iov + n);
	}
	return q->offset > 0 ? cut_front(iov, n, q->offset) : n;
}

/* Takes the first item out and tells its owner, who may free it. */
static void finish_first(struct outq *q, bool sent)
{
	struct outq_item *item = STAILQ_FIRST(&q->items);

	STAILQ_REMOVE_HEAD(&q->items, link);
	q->offset = 0;
	q->count--;
	item->queued = false;
	if (item->done)
		item->done(item, sent);
}

void outq_commit(struct outq *q, size_t n)
{
	size_t first;

	assert(n <= q->bytes);
	q->bytes -= n;
	n += q->offset;
	while (!outq_is_empty(q)) {
		first = item_bytes(STAILQ_FIRST(&q->items));
		if (n < first)
			break;
		n -= first;
		finish_first(q, true);
	}
	q->offset = n;
}

/* Items that a callback pushes go as well: the queue is empty at the end. */
void outq_drop(struct outq *q)
{
	while (!outq_is_empty(q)) {
		q->bytes -= item_bytes(STAILQ_FIRST(&q->items)) - q->offset;
		finish_first(q, false);
	}
}
