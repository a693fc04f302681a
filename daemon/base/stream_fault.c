/* SPDX-License-Identifier: BSD-2-Clause */
#include <umpio/base/stream_fault.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <umpio/base/units.h>
#include <umpio/loop.h>
#include <umpio/stream.h>

#define MARKS    512
#define GRAIN    (50 * NS_PER_US) /* bytes closer than this go together */
#define IOV_MAX_ 64

/* Bytes up to `upto` of the lane may pass at `due`. */
struct mark {
	uint64_t upto, due;
};

/* One direction. Bytes are held in a ring, or while only the rate is limited
 * not at all. */
struct lane {
	struct stream_fault fault;
	uint8_t *ring;    /* STREAM_FAULT_HELD bytes; NULL: never needed */
	uint64_t in, out; /* bytes that came and went */
	struct mark marks[MARKS];
	unsigned first, nmarks;
	uint64_t credit, credited; /* of the rate: bytes, loop_now() */
	bool starved;              /* waits for credit */
	int error;                 /* of the inner stream; 1: none */
	struct loop_timer *timer;
};

#define NO_ERROR 1

struct faulty {
	struct stream stream;
	struct loop *loop;
	struct stream *inner;
	struct lane in, out;
	struct loop_task tell;
	bool *gone; /* set by close() while an event is being told */
};

static struct faulty *of(struct stream *s)
{
	return (struct faulty *)s; /* its first member */
}

/*
 * The ring
 */
static size_t held(const struct lane *l)
{
	return (size_t)(l->in - l->out);
}

static size_t room(const struct lane *l)
{
	return l->nmarks < MARKS ? STREAM_FAULT_HELD - held(l) : 0;
}

/* Whether bytes go through the ring. */
static bool queues(const struct lane *l)
{
	return l->fault.delay || held(l) > 0;
}

static struct mark *mark_at(struct lane *l, unsigned i)
{
	return &l->marks[(l->first + i) % MARKS];
}

/* What may pass at `now`. */
static size_t due(struct lane *l, uint64_t now)
{
	uint64_t upto = l->out;

	if (l->fault.hold)
		return 0;
	for (unsigned i = 0; i < l->nmarks && mark_at(l, i)->due <= now; i++)
		upto = mark_at(l, i)->upto;
	return (size_t)(upto - l->out);
}

/* `n` bytes have come into the ring. Marks are as far apart as lets a whole
 * delay's worth of them fit. */
static void note_in(struct lane *l, size_t n, uint64_t now)
{
	uint64_t when = now + l->fault.delay, grain = l->fault.delay / 128;
	struct mark *last = l->nmarks ? mark_at(l, l->nmarks - 1) : NULL;

	if (grain < GRAIN)
		grain = GRAIN;
	l->in += n;
	if (last && when < last->due + grain)
		last->upto = l->in;
	else
		*mark_at(l, l->nmarks++) = (struct mark){l->in, when};
}

static void note_out(struct lane *l, size_t n)
{
	l->out += n;
	while (l->nmarks && mark_at(l, 0)->upto <= l->out) {
		l->first = (l->first + 1) % MARKS;
		l->nmarks--;
	}
}

/* `len` bytes of the ring from byte `from` of the lane on, as they lie. */
static int span(struct lane *l, uint64_t from, size_t len, struct iovec iov[2])
{
	size_t at = (size_t)(from % STREAM_FAULT_HELD);
	size_t first = STREAM_FAULT_HELD - at;

	if (len == 0)
		return 0;
	if (first > len)
		first = len;
	iov[0] = (struct iovec){l->ring + at, first};
	iov[1] = (struct iovec){l->ring, len - first};
	return first < len ? 2 : 1;
}

/* Copies between two runs of memory in pieces; how many bytes. */
static size_t copy(
	const struct iovec *to, int nto, const struct iovec *from, int nfrom)
{
	size_t sum = 0, a = 0, b = 0, n;

	while (nto > 0 && nfrom > 0) {
		n = to->iov_len - a;
		if (n > from->iov_len - b)
			n = from->iov_len - b;
		memcpy((uint8_t *)to->iov_base + a,
			(const uint8_t *)from->iov_base + b, n);
		sum += n;
		a += n;
		b += n;
		if (a == to->iov_len)
			to++, nto--, a = 0;
		if (nfrom > 0 && b == from->iov_len)
			from++, nfrom--, b = 0;
	}
	return sum;
}

static bool lane_ready(struct lane *l)
{
	if (!l->ring)
		l->ring = malloc(STREAM_FAULT_HELD);
	return l->ring != NULL;
}

/*
 * The rate: credit grows with time, up to a tenth of a second's worth, and is
 * spent a hundredth at a time.
 */
static uint64_t quantum(const struct lane *l)
{
	uint64_t n = l->fault.rate / 100;

	return n > 65536 ? 65536 : n > 0 ? n : 1;
}

static void earn(struct lane *l, uint64_t now)
{
	uint64_t rate = l->fault.rate, past = now - l->credited, earned;
	uint64_t most = rate / 10 > quantum(l) ? rate / 10 : quantum(l);

	if (past > NS_PER_S)
		past = NS_PER_S;
	earned = past * rate / NS_PER_S;
	l->credited = now - past + earned * NS_PER_S / rate;
	l->credit += earned;
	if (l->credit > most)
		l->credit = most;
}

/* `iov` cut to what the rate allows; 0: nothing now. */
static int allowed(struct lane *l, uint64_t now, const struct iovec *iov, int n,
	struct iovec *cut)
{
	uint64_t left;
	int i;

	earn(l, now);
	l->starved = l->credit < quantum(l);
	left = l->starved ? 0 : l->credit;
	for (i = 0; i < n && i < IOV_MAX_ && left > 0; i++) {
		cut[i] = iov[i];
		if (cut[i].iov_len > left)
			cut[i].iov_len = (size_t)left;
		left -= cut[i].iov_len;
	}
	return i;
}

/*
 * What is wanted of the inner stream and of the timers, and what is to be told
 */
static bool has_news_in(struct faulty *f)
{
	struct lane *l = &f->in;

	if (!f->stream.want_read || l->fault.hold)
		return false;
	if (held(l) == 0)
		return l->error != NO_ERROR;
	return due(l, loop_now(f->loop)) > 0;
}

static bool takes_all(const struct lane *l)
{
	return queues(l) || l->fault.hold;
}

static bool has_news_out(struct faulty *f)
{
	return f->stream.want_write &&
	       (f->out.error != NO_ERROR ||
		       (takes_all(&f->out) && room(&f->out) > 0));
}

static void set_timer(struct lane *l, uint64_t now)
{
	uint64_t rate = l->fault.rate;

	if (held(l) > 0 && !l->fault.hold && mark_at(l, 0)->due > now)
		loop_timer_set(l->timer, mark_at(l, 0)->due - now);
	else if (l->starved && l->credit < quantum(l))
		loop_timer_set(l->timer,
			(quantum(l) - l->credit) * NS_PER_S / rate + 1);
	else
		loop_timer_stop(l->timer);
}

static void update(struct faulty *f)
{
	uint64_t now = loop_now(f->loop);
	bool read, write;

	if (queues(&f->in))
		read = room(&f->in) > 0;
	else
		read = f->stream.want_read && !f->in.starved;
	if (f->in.fault.hold || f->in.error != NO_ERROR)
		read = false;
	if (takes_all(&f->out))
		write = due(&f->out, now) > 0;
	else
		write = f->stream.want_write && !f->out.starved;
	stream_want(f->inner, read, write && f->out.error == NO_ERROR);
	set_timer(&f->in, now);
	set_timer(&f->out, now);
	if (has_news_in(f) || has_news_out(f))
		loop_post(f->loop, &f->tell);
}

static void tell(void *arg)
{
	struct faulty *f = arg;
	struct stream *s = &f->stream;
	bool gone = false;

	f->gone = &gone;
	if (has_news_in(f))
		s->events->readable(s->arg);
	if (!gone && has_news_out(f))
		s->events->writable(s->arg);
	if (gone)
		return;
	f->gone = NULL;
	update(f);
}

static void on_time(void *arg)
{
	struct faulty *f = arg;

	f->in.starved = f->out.starved = false;
	update(f);
}

/*
 * The stream above
 */
static ssize_t read_ring(struct faulty *f, const struct iovec *iov, int n)
{
	struct lane *l = &f->in;
	struct iovec from[2];
	int pieces = span(l, l->out, due(l, loop_now(f->loop)), from);
	size_t got = copy(iov, n, from, pieces);

	note_out(l, got);
	update(f);
	return got > 0 ? (ssize_t)got : -EAGAIN;
}

typedef ssize_t move_fn(struct stream *s, const struct iovec *iov, int n);

/* Straight to or from the stream beneath, at the lane's rate. */
static ssize_t pass(struct faulty *f, struct lane *l, const struct iovec *iov,
	int n, move_fn *move)
{
	struct iovec cut[IOV_MAX_];
	ssize_t moved;

	if (l->fault.rate) {
		n = allowed(l, loop_now(f->loop), iov, n, cut);
		iov = cut;
		update(f);
		if (n == 0)
			return -EAGAIN;
	}
	moved = move(f->inner, iov, n);
	if (l->fault.rate && moved > 0)
		l->credit -= (uint64_t)moved;
	return moved;
}

static ssize_t faulty_readv(struct stream *s, const struct iovec *iov, int n)
{
	struct faulty *f = of(s);
	struct lane *l = &f->in;

	if (l->fault.hold)
		return -EAGAIN;
	if (held(l) > 0)
		return read_ring(f, iov, n);
	if (l->error != NO_ERROR)
		return l->error;
	if (queues(l))
		return -EAGAIN;
	return pass(f, l, iov, n, stream_readv);
}

static ssize_t write_ring(struct faulty *f, const struct iovec *iov, int n)
{
	struct lane *l = &f->out;
	struct iovec to[2];
	size_t took;

	if (!lane_ready(l))
		return -ENOMEM;
	took = copy(to, span(l, l->in, room(l), to), iov, n);
	if (took > 0)
		note_in(l, took, loop_now(f->loop));
	update(f);
	return took > 0 ? (ssize_t)took : -EAGAIN;
}

static ssize_t faulty_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct faulty *f = of(s);
	struct lane *l = &f->out;

	if (l->error != NO_ERROR)
		return l->error;
	if (takes_all(l))
		return write_ring(f, iov, n);
	return pass(f, l, iov, n, stream_writev);
}

static void faulty_want(struct stream *s, bool read, bool write)
{
	(void)read;
	(void)write;
	update(of(s));
}

static void faulty_free(struct faulty *f)
{
	loop_unpost(f->loop, &f->tell);
	loop_timer_free(f->in.timer);
	loop_timer_free(f->out.timer);
	free(f->in.ring);
	free(f->out.ring);
	free(f);
}

/* Orderly: what is held back is offered to the stream beneath once. */
static void faulty_close(struct stream *s, bool abort)
{
	struct faulty *f = of(s);
	struct lane *l = &f->out;
	struct iovec iov[2];

	if (f->gone)
		*f->gone = true;
	if (abort) {
		stream_abort(f->inner);
	} else {
		if (held(l) > 0 && !l->fault.hold)
			(void)stream_writev(
				f->inner, iov, span(l, l->out, held(l), iov));
		stream_close(f->inner);
	}
	faulty_free(f);
}

static bool faulty_hung_up(const struct stream *s)
{
	return stream_hung_up(((const struct faulty *)s)->inner);
}

static bool faulty_reachable(const struct stream *s, char *why, size_t size)
{
	return stream_reachable(((const struct faulty *)s)->inner, why, size);
}

static const struct stream_ops faulty_ops = {
	.readv = faulty_readv,
	.writev = faulty_writev,
	.want = faulty_want,
	.close = faulty_close,
	.hung_up = faulty_hung_up,
	.reachable = faulty_reachable,
};

/*
 * The stream beneath
 */
static void fetch(struct faulty *f)
{
	struct lane *l = &f->in;
	struct iovec iov[2];
	ssize_t got;

	if (!lane_ready(l))
		got = -ENOMEM;
	else
		got = stream_readv(f->inner, iov, span(l, l->in, room(l), iov));
	if (got > 0)
		note_in(l, (size_t)got, loop_now(f->loop));
	else if (got != -EAGAIN)
		l->error = (int)got;
	update(f);
}

static void inner_readable(void *arg)
{
	struct faulty *f = arg;

	if (f->in.fault.hold)
		update(f);
	else if (queues(&f->in))
		fetch(f);
	else
		f->stream.events->readable(f->stream.arg);
}

static void flush(struct faulty *f)
{
	struct lane *l = &f->out;
	struct iovec iov[2];
	int n = span(l, l->out, due(l, loop_now(f->loop)), iov);
	ssize_t put = n > 0 ? stream_writev(f->inner, iov, n) : -EAGAIN;

	if (put >= 0)
		note_out(l, (size_t)put);
	else if (put != -EAGAIN)
		l->error = (int)put;
	update(f);
}

static void inner_writable(void *arg)
{
	struct faulty *f = arg;

	if (takes_all(&f->out))
		flush(f);
	else
		f->stream.events->writable(f->stream.arg);
}

static const struct stream_events inner_events = {
	.readable = inner_readable,
	.writable = inner_writable,
};

struct stream *stream_fault_new(struct loop *loop, struct stream *inner)
{
	struct faulty *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->loop = loop;
	loop_task_init(&f->tell, tell, f);
	f->in.timer = loop_timer_new(loop, on_time, f);
	f->out.timer = loop_timer_new(loop, on_time, f);
	if (!f->in.timer || !f->out.timer) {
		faulty_free(f);
		return NULL;
	}
	f->inner = inner;
	f->in.error = f->out.error = NO_ERROR;
	f->stream.ops = &faulty_ops;
	f->stream.local = inner->local;
	f->stream.peer = inner->peer;
	stream_own(inner, &inner_events, f);
	return &f->stream;
}

static void lane_set(
	struct lane *l, const struct stream_fault *fault, uint64_t now)
{
	l->fault = *fault;
	l->credit = 0;
	l->credited = now;
	l->starved = false;
	if (!fault->hold && !fault->delay)
		for (unsigned i = 0; i < l->nmarks; i++)
			mark_at(l, i)->due = 0;
}

void stream_fault_set(struct stream *s, const struct stream_fault *in,
	const struct stream_fault *out)
{
	struct faulty *f = of(s);

	lane_set(&f->in, in, loop_now(f->loop));
	lane_set(&f->out, out, loop_now(f->loop));
	update(f);
}

struct stream *stream_fault_unwrap(struct stream *s)
{
	struct faulty *f = of(s);
	struct stream *inner = f->inner;

	if (takes_all(&f->in) || takes_all(&f->out) ||
		f->in.error != NO_ERROR || f->out.error != NO_ERROR)
		return NULL;
	stream_want(inner, false, false);
	faulty_free(f);
	return inner;
}
