/* SPDX-License-Identifier: BSD-2-Clause */
/* One direction of a connection: framing, queue, and when what leaves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/bytes.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>

#include "proxy.h"

#define READ_SIZE      (256u << 10)
#define LOGIN_RESPONSE 0x23

struct proxy_pdu *proxy_pdu_copy(const struct proxy_pdu *pdu)
{
	struct proxy_pdu *copy = malloc(sizeof *copy + pdu->len);

	if (copy) {
		*copy = (struct proxy_pdu){.len = pdu->len};
		memcpy(copy->data, pdu->data, pdu->len);
	}
	return copy;
}

void proxy_flow_add(struct proxy_flow *flow, struct proxy_pdu *pdu)
{
	pdu->due = loop_now(flow->pair->proxy->loop) + flow->shape.delay_ns;
	pdu->sent = 0;
	flow->queued += pdu->len;
	TAILQ_INSERT_TAIL(&flow->queue, pdu, link);
}

/* The bytes of the PDU that begins with this header (RFC 7143 11.2, 11.3). */
static size_t pdu_size(const struct proxy_pair *pair, const uint8_t *bhs)
{
	size_t data = get_be24(bhs + 5);
	size_t size = PROXY_BHS + (size_t)bhs[4] * 4;

	if (pair->full && pair->header_digest)
		size += 4;
	size += (data + 3) & ~(size_t)3;
	if (pair->full && pair->data_digest && data)
		size += 4;
	return size;
}

static bool has_key(const struct proxy_pdu *pdu, const char *pair)
{
	return memmem(pdu->data + PROXY_BHS, pdu->len - PROXY_BHS, pair,
		       strlen(pair) + 1) != NULL;
}

/* What a Login Response says of the digests, and whether it is the last one
 * (RFC 7143 11.13.3: T, NSG FullFeaturePhase, status 0). */
static void login_watch(struct proxy_pair *pair, const struct proxy_pdu *pdu)
{
	const uint8_t *bhs = pdu->data;

	if ((bhs[0] & 0x3f) != LOGIN_RESPONSE || pair->full)
		return;
	pair->header_digest |= has_key(pdu, "HeaderDigest=CRC32C");
	pair->data_digest |= has_key(pdu, "DataDigest=CRC32C");
	pair->full = (bhs[1] & 0x83) == 0x83 && bhs[36] == 0;
}

/* Room for `want` bytes of the PDU that is coming. */
static bool part_grow(struct proxy_flow *flow, size_t want)
{
	struct proxy_pdu *part;

	if (flow->part && flow->part_room >= want)
		return true;
	part = realloc(flow->part, sizeof *part + want);
	if (!part)
		return false;
	flow->part = part;
	flow->part_room = want;
	return true;
}

static void part_done(struct proxy_flow *flow)
{
	struct proxy_pdu *pdu = flow->part;

	*pdu = (struct proxy_pdu){.len = flow->part_len};
	flow->part = NULL;
	flow->part_len = flow->part_room = 0;
	flow->pdus++;
	if (flow->way == PROXY_IN)
		login_watch(flow->pair, pdu);
	proxy_rules_apply(flow, pdu);
}

/* How long the PDU is that is coming, as far as that is known. */
static size_t part_want(const struct proxy_flow *flow)
{
	if (flow->part_len < PROXY_BHS)
		return PROXY_BHS;
	return pdu_size(flow->pair, flow->part->data);
}

static void feed(struct proxy_flow *flow, const uint8_t *data, size_t len)
{
	while (len && !flow->torn && !flow->pair->reset) {
		size_t want = part_want(flow);
		size_t n = want - flow->part_len;

		if (!part_grow(flow, want)) {
			proxy_pair_end(flow->pair, true);
			return;
		}
		n = n < len ? n : len;
		memcpy(flow->part->data + flow->part_len, data, n);
		flow->part_len += n;
		data += n;
		len -= n;
		if (flow->part_len >= PROXY_BHS &&
			flow->part_len == part_want(flow))
			part_done(flow);
	}
}

/* The sender is gone. What was cut short with it still leaves, and what waits
 * too, however late: an old copy that arrives after its time is one of the
 * things to be tested. */
static void from_ended(struct proxy_flow *flow)
{
	flow->ended = true;
	stream_want(flow->from, false, flow->from->want_write);
	if (flow->part_len) {
		*flow->part = (struct proxy_pdu){.len = flow->part_len};
		proxy_flow_add(flow, flow->part);
		flow->part = NULL;
		flow->part_len = flow->part_room = 0;
	}
	if (flow->late)
		proxy_flow_add(flow, flow->late);
	flow->late = NULL;
}

static void queue_drop(struct proxy_flow *flow)
{
	struct proxy_pdu *pdu;

	while ((pdu = TAILQ_FIRST(&flow->queue))) {
		TAILQ_REMOVE(&flow->queue, pdu, link);
		free(pdu);
	}
	flow->queued = 0;
}

/* The receiver is gone, and with it the sender of the other direction. */
static void to_ended(struct proxy_flow *flow)
{
	struct proxy_flow *other = &flow->pair->flows[!flow->way];

	queue_drop(flow);
	flow->ended = true;
	stream_want(flow->from, false, flow->from->want_write);
	if (!other->ended)
		from_ended(other);
}

/* A pair is over when one side is gone and nothing waits that came of it. */
static void settle(struct proxy_pair *pair)
{
	bool over = false;

	for (unsigned way = 0; way < PROXY_WAYS; way++) {
		const struct proxy_flow *flow = &pair->flows[way];
		bool last = flow->ended || flow->torn;

		if (last && !TAILQ_EMPTY(&flow->queue))
			return;
		over |= last;
	}
	if (over)
		proxy_pair_end(pair, false);
}

void proxy_flow_read(struct proxy_flow *flow)
{
	static uint8_t space[READ_SIZE];
	struct iovec iov = {space, sizeof space};
	ssize_t n = stream_readv(flow->from, &iov, 1);

	if (n > 0)
		feed(flow, space, (size_t)n);
	else if (n != -EAGAIN)
		from_ended(flow);
	proxy_flow_write(flow);
}

/* Nanoseconds until the first of the queue may leave; 0 now. */
static uint64_t due_in(const struct proxy_flow *flow)
{
	const struct proxy_pdu *pdu = TAILQ_FIRST(&flow->queue);
	uint64_t now = loop_now(flow->pair->proxy->loop);
	uint64_t due = pdu->due > flow->next_ns ? pdu->due : flow->next_ns;

	return due > now ? due - now : 0;
}

/* How much of it: a rate is kept in steps of a fiftieth of a second. */
static size_t portion(const struct proxy_flow *flow, size_t len)
{
	uint64_t most = flow->shape.rate ? flow->shape.rate / 50 + 1 : len;

	if (most > flow->room)
		most = flow->room;
	return len < most ? len : (size_t)most;
}

static void account(struct proxy_flow *flow, struct proxy_pdu *pdu, size_t n)
{
	uint64_t now = loop_now(flow->pair->proxy->loop);

	pdu->sent += n;
	flow->bytes += n;
	flow->queued -= n;
	if (flow->room != PROXY_NEVER)
		flow->room -= n;
	if (flow->shape.rate)
		flow->next_ns = now + n * NS_PER_S / flow->shape.rate;
	if (pdu->sent == pdu->len) {
		TAILQ_REMOVE(&flow->queue, pdu, link);
		free(pdu);
	}
}

/* Some bytes of the first PDU. 0, -EAGAIN, or why there will be no more. */
static int write_some(struct proxy_flow *flow)
{
	struct proxy_pdu *pdu = TAILQ_FIRST(&flow->queue);
	struct iovec iov = {
		pdu->data + pdu->sent, portion(flow, pdu->len - pdu->sent)};
	ssize_t n = iov.iov_len ? stream_writev(flow->to, &iov, 1) : -EPIPE;

	if (n < 0)
		return (int)n;
	account(flow, pdu, (size_t)n);
	return 0;
}

static bool may_write(const struct proxy_flow *flow)
{
	return flow->to && !flow->shape.held && !TAILQ_EMPTY(&flow->queue);
}

void proxy_flow_write(struct proxy_flow *flow)
{
	int err = 0;

	if (flow->pair->reset)
		return;
	while (!err && may_write(flow) && !due_in(flow))
		err = write_some(flow);
	if (may_write(flow) && due_in(flow))
		loop_timer_set(flow->timer, due_in(flow));
	if (flow->to)
		stream_want(flow->to, flow->to->want_read, err == -EAGAIN);
	if (!flow->ended)
		stream_want(flow->from, flow->queued < PROXY_QUEUE,
			flow->from->want_write);
	if (flow->room == 0)
		proxy_pair_end(flow->pair, false);
	if (err && err != -EAGAIN)
		to_ended(flow);
	settle(flow->pair);
}

static void on_timer(void *arg)
{
	proxy_flow_write(arg);
}

int proxy_flow_init(
	struct proxy_flow *flow, struct proxy_pair *pair, enum proxy_way way)
{
	flow->pair = pair;
	flow->way = way;
	flow->room = PROXY_NEVER;
	flow->shape = pair->proxy->routes[pair->route - 1].shape[way];
	TAILQ_INIT(&flow->queue);
	flow->timer = loop_timer_new(pair->proxy->loop, on_timer, flow);
	return flow->timer ? 0 : -ENOMEM;
}

void proxy_flow_fini(struct proxy_flow *flow)
{
	loop_timer_free(flow->timer);
	if (!flow->pair)
		return;
	queue_drop(flow);
	free(flow->late);
	free(flow->part);
}
