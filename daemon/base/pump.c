/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <umpio/base/pump.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

/* What one stream may move before the others of the loop have their turn. */
#define BUDGET_CALLS 16
#define BUDGET_BYTES (1u << 20)

struct pump {
	struct loop *loop;
	struct stream *stream;
	const struct engine_ops *ops;
	void *engine;
	struct loop_task tx;
	bool blocked; /* the stream takes no more: writing is enabled */
	bool ended;   /* closed() was called, or the pump is freed */
	bool busy;    /* in an engine's callback: the struct must stay */
	bool freed;   /* while busy: free the struct afterwards */
};

struct budget {
	unsigned calls;
	size_t bytes;
};

static bool budget_spend(struct budget *b, size_t n)
{
	b->calls++;
	b->bytes += n;
	return b->calls < BUDGET_CALLS && b->bytes < BUDGET_BYTES;
}

static size_t iov_bytes(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* The outermost callback of the pump is over. */
static void leave(struct pump *p)
{
	p->busy = false;
	if (p->freed)
		free(p);
}

static void end(struct pump *p, int err)
{
	p->ended = true;
	loop_unpost(p->loop, &p->tx);
	stream_want(p->stream, false, false);
	p->ops->closed(p->engine, err);
}

/* One read. True when there may be more to be had at once. */
static bool read_once(struct pump *p, struct budget *budget)
{
	struct iovec iov[PUMP_RX_IOV];
	int count = p->ops->rx(p->engine, iov);
	ssize_t n;
	int err;

	if (p->ended)
		return false;
	if (count == 0) {
		stream_want(p->stream, false, p->blocked);
		return false;
	}
	n = stream_readv(p->stream, iov, count);
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		end(p, (int)n);
		return false;
	}
	err = p->ops->rx_commit(p->engine, (size_t)n);
	if (p->ended)
		return false;
	if (err < 0) {
		end(p, err);
		return false;
	}
	return budget_spend(budget, (size_t)n) &&
	       (size_t)n == iov_bytes(iov, count);
}

static void on_readable(void *arg)
{
	struct pump *p = arg;
	struct budget budget = {0};

	p->busy = true;
	while (read_once(p, &budget))
		;
	leave(p);
}

/* The peer has gone, but what it said before may still be there to be read:
 * answers, which spare their commands an unknown outcome. */
static void write_failed(struct pump *p, int err)
{
	struct budget budget = {0};

	while (p->stream->want_read && read_once(p, &budget))
		;
	if (!p->ended)
		end(p, err);
}

static void block(struct pump *p, bool blocked)
{
	p->blocked = blocked;
	stream_want(p->stream, p->stream->want_read, blocked);
}

/* One write. True when there may be more to be sent at once. */
static bool write_once(struct pump *p, struct budget *budget)
{
	struct iovec iov[PUMP_TX_IOV];
	int count = p->ops->tx(p->engine, iov, PUMP_TX_IOV);
	ssize_t n;

	if (p->ended)
		return false;
	if (count == 0) {
		block(p, false);
		return false;
	}
	n = stream_writev(p->stream, iov, count);
	if (n == -EAGAIN) {
		block(p, true);
		return false;
	}
	if (n < 0) {
		write_failed(p, (int)n);
		return false;
	}
	p->ops->tx_commit(p->engine, (size_t)n);
	if (p->ended)
		return false;
	if ((size_t)n < iov_bytes(iov, count)) {
		block(p, true);
		return false;
	}
	if (budget_spend(budget, (size_t)n))
		return true;
	block(p, false);
	loop_post(p->loop, &p->tx);
	return false;
}

static void transmit(void *arg)
{
	struct pump *p = arg;
	struct budget budget = {0};

	p->busy = true;
	while (write_once(p, &budget))
		;
	leave(p);
}

static const struct stream_events pump_events = {
	.readable = on_readable,
	.writable = transmit,
};

struct pump *pump_new(struct loop *loop, struct stream *s,
	const struct engine_ops *ops, void *engine)
{
	struct pump *p = malloc(sizeof *p);

	if (!p) {
		stream_abort(s);
		return NULL;
	}
	*p = (struct pump){
		.loop = loop, .stream = s, .ops = ops, .engine = engine};
	loop_task_init(&p->tx, transmit, p);
	stream_own(s, &pump_events, p);
	stream_want(s, true, false);
	return p;
}

void pump_tx(struct pump *p)
{
	if (!p->ended && !p->blocked)
		loop_post(p->loop, &p->tx);
}

void pump_rx(struct pump *p)
{
	if (!p->ended)
		stream_want(p->stream, true, p->blocked);
}

void pump_free(struct pump *p, bool abort)
{
	if (!p)
		return;
	p->ended = true;
	loop_unpost(p->loop, &p->tx);
	if (abort)
		stream_abort(p->stream);
	else
		stream_close(p->stream);
	p->stream = NULL;
	if (p->busy)
		p->freed = true;
	else
		free(p);
}

void pump_replace(struct pump *p, struct stream *s)
{
	p->stream = s;
	p->blocked = false;
	stream_own(s, &pump_events, p);
	if (p->ended)
		return;
	stream_want(s, true, false);
	pump_tx(p);
}

struct stream *pump_stream(struct pump *p)
{
	return p->stream;
}
